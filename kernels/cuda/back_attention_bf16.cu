/* back_attention_bf16.cu: gradients of attention in bf16 on tensor cores (backward.h;
 * Dao, arXiv 2307.08691). Weights are made again from q, k and lse: p = exp(scale q k -
 * lse), and with delta = dy y the slope of a score is p (dy v - delta) scale. Both are
 * rounded to bf16 for the products that make gradients of them, which are summed in
 * float32 and added to what is there, rounded once.
 *
 * dq: a tile of queries goes through its blocks of keys, as in attention_bf16.cu. dk, dv:
 * a block of keys goes through the tiles of queries that see it, ascending; where there
 * are many rows over pages, in chunks of rows side by side, whose sums are then added up
 * in ascending order: what a whole group sees would else be a few blocks' work. How many
 * chunks there are is a matter of shapes alone. */
#include "attention_bf16.h"
#include "attention_walk.h"
#include "room.h"

struct back {
    struct arr dq, dk, dv, dy, q, k, v, y, lse;
    struct arr start;    /* segments */
    struct kv_view view; /* pages */
    float scale;
    bool wide;
    float *delta;              /* [rows, heads] */
    int *place;                /* [pages]: where in its sequences each is; -1: nowhere */
    int *first_row, *last_row; /* [pages]: of those that see it */
    int64_t chunk;             /* rows of each chunk */
    float *sums; /* [chunks, pages, kv_heads]: dv [TILE, dim], dk [dim, TILE]; or NULL */
};

/* -- Sums of dy y ----------------------------------------------------------------------
 */

__global__ void delta_kernel(struct back p)
{
    const int lane = (int)threadIdx.x % LANES;
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const uint16_t *y = row_of<uint16_t>(p.y, r) + h * dim;
    const uint16_t *dy = row_of<uint16_t>(p.dy, r) + h * dim;
    float sum = 0;
    for (int64_t i = lane; i < dim; i += LANES)
        sum = fmaf(bf16_float(dy[i]), bf16_float(y[i]), sum);
    sum = warp_sum(sum);
    if (lane == 0)
        p.delta[r * heads + h] = sum;
}

/* -- Queries ---------------------------------------------------------------------------
 */

/* What a lane's queries g and g + 8 (mma.h) have to be known by. */
struct slopes {
    int row[2], len[2];
    float lse[2], delta[2]; /* lse to base 2 */
};

/* Half a block, keys [from, from + 32): slope [16, 32], without the factor scale, of a
 * warp's queries. */
template <int D, bool turned>
__device__ __forceinline__ void slopes_of(float slope[4][4], const struct slopes &s,
                                          const uint16_t *q, const uint16_t *dy,
                                          const uint16_t *room, int from,
                                          const int seen[2], float scale)
{
    using at = block_room<D, turned>;
    const int lane = lane_again(), rows = (int)threadIdx.x / LANES * 16;
    float score[4][4] = {};
    UNROLL
    for (int i = 0; i < 16; i++) slope[i / 4][i % 4] = 0;
    UNROLL
    for (int k = 0; k < D; k += 16) {
        uint32_t aq[4], ady[4], b[4];
        a_load<D>(aq, q, rows, k, lane);
        a_load<D>(ady, dy, rows, k, lane);
        UNROLL
        for (int n = 0; n < 32; n += 16) {
            if (turned)
                b_load_turned<at::KEY_COLUMNS>(b, room, k, from + n, lane);
            else
                b_load<at::KEY_COLUMNS>(b, room, k, from + n, lane);
            mma_bf16(score[n / 8], aq, b);
            mma_bf16(score[n / 8 + 1], aq, b + 2);
            b_load<D>(b, room + at::KEYS, k, from + n, lane);
            mma_bf16(slope[n / 8], ady, b);
            mma_bf16(slope[n / 8 + 1], ady, b + 2);
        }
    }
    UNROLL
    for (int e = 0; e < 16; e++) {
        const int n = e / 4, i = e % 4, key = from + n * 8 + lane % 4 * 2 + i % 2;
        const float weight = exp2f(fmaf(score[n][i], scale, -s.lse[i / 2]));
        slope[n][i] = key < seen[i / 2] ? weight * (slope[n][i] - s.delta[i / 2]) : 0.0f;
    }
}

struct alignas(8) pair { /* written at once: 16 lanes' to different banks */
    float left, right;
};

/* A tile's gradients [TILE, D] in float32 from a warp's fragments to shared memory. */
template <int D>
__device__ __forceinline__ void fragments_out(float *to, const float sum[D / 8][4])
{
    constexpr int ROW = D + 8;
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    to += (warp * 16 + lane / 4) * ROW + lane % 4 * 2;
    UNROLL
    for (int n = 0; n < D / 8; n++) {
        *(struct pair *)(void *)(to + n * 8) = {sum[n][0], sum[n][1]};
        *(struct pair *)(void *)(to + 8 * ROW + n * 8) = {sum[n][2], sum[n][3]};
    }
}

/* And added to rows of bf16 in memory; row(i): where row i is, NULL: nowhere. */
template <int D, class Row>
__device__ __forceinline__ void rows_add(const float *from, float scale, int dim,
                                         bool wide, Row row)
{
    constexpr int CHUNKS = D / 8;
    for (int i = (int)threadIdx.x; i < TILE * CHUNKS; i += TILE_THREADS) {
        const int r = i / CHUNKS, c = i % CHUNKS * 8;
        uint16_t *to = row(r);
        if (to)
            chunk_add(to + c, from + r * (D + 8) + c, scale, dim - c, wide);
    }
}

template <int D, class Walk>
__device__ __forceinline__ void queries_back(Walk &w, const struct back &p,
                                             uint16_t *room)
{
    using at = block_room<D, Walk::TURNED>;
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const struct tile_rows rows = w.rows;
    const int64_t heads = p.q.shape[1];
    const int dim = (int)p.q.shape[2];
    uint16_t *q = room, *dy = q + TILE * matrix<D>::ROW,
             *blocks = dy + TILE * matrix<D>::ROW;
    struct slopes s;
    float sum[D / 8][4] = {};
    for (int i = 0; i < 2; i++) {
        const int query = warp * 16 + lane / 4 + i * 8;
        const bool there = query_there(rows, query);
        s.row[i] = query / rows.group;
        s.len[i] = walk_len(w, s.row[i]);
        s.lse[i] = there ? *query_number(p.lse, rows, query) * LOG2_E : 0.0f;
        s.delta[i] = there ? p.delta[(rows.first + s.row[i]) * heads + rows.head +
                                     query % rows.group]
                           : 0.0f;
    }
    rows_start<D>(q, dim, p.wide, [&](int i) { return query_at(p.q, rows, i); });
    rows_start<D>(dy, dim, p.wide, [&](int i) { return query_at(p.dy, rows, i); });
    each_step<D>(
        w, blocks, [] {},
        [&](const struct block_step &b, const uint16_t *block) {
            if (warp * 16 >= b.end * rows.group || warp * 16 + 16 <= b.first * rows.group)
                return; /* none of this warp's rows */
            const int seen[2] = {seen_in(b, s.row[0], s.len[0]),
                                 seen_in(b, s.row[1], s.len[1])};
            for (int from = 0; from < TILE; from += 32) {
                float slope[4][4];
                slopes_of<D, Walk::TURNED>(slope, s, q, dy, block, from, seen,
                                           p.scale * LOG2_E);
                UNROLL
                for (int k = 0; k < 32; k += 16) {
                    uint32_t a[4], bk[4];
                    a_of(a, slope[k / 8], slope[k / 8 + 1]);
                    UNROLL
                    for (int n = 0; n < D; n += 16) {
                        if (Walk::TURNED)
                            b_load<at::KEY_COLUMNS>(bk, block, from + k, n, lane);
                        else
                            b_load_turned<at::KEY_COLUMNS>(bk, block, from + k, n, lane);
                        mma_bf16(sum[n / 8], a, bk);
                        mma_bf16(sum[n / 8 + 1], a, bk + 2);
                    }
                }
            }
        });
    float *out = (float *)(void *)blocks;
    fragments_out<D>(out, sum);
    __syncthreads();
    rows_add<D>(out, p.scale, dim, p.wide,
                [&](int i) { return query_at(p.dq, rows, i); });
}

template <int D, bool turned> constexpr size_t queries_bytes() /* of shared memory */
{
    return 2 * sizeof(uint16_t) * (TILE * matrix<D>::ROW + block_room<D, turned>::ALL);
}

template <int D>
__global__ void __launch_bounds__(TILE_THREADS) segments_queries_kernel(struct back p)
{
    SHARED_ROOM(uint16_t, room);
    struct segment_walk w;
    if (segment_of_block(w, p))
        queries_back<D>(w, p, room);
}

template <int D>
__global__ void __launch_bounds__(TILE_THREADS) pages_queries_kernel(struct back p)
{
    SHARED_ROOM(uint16_t, room);
    struct page_walk w;
    pages_of_block(w, p);
    if (pages_begin(w, p.view, 0, (int)p.view.table.shape[1]))
        queries_back<D>(w, p, room);
}

/* -- Tiles of queries, in turn ----------------------------------------------------------
 */

/* What a tile of queries has in shared memory, in numbers of bf16: q and dy [TILE, D];
 * lse to base 2 and delta, float [TILE]; how many of the block's keys each sees, int
 * [TILE]. */
template <int D> struct queries_room {
    static constexpr int DY = TILE * matrix<D>::ROW, LSE = 2 * DY;
    static constexpr int DELTA = LSE + 2 * TILE, SEEN = DELTA + 2 * TILE;
    static constexpr int ALL = SEEN + 2 * TILE;
};

/* The tiles of queries that see a block of keys: of a segment (page is -1), from its
 * first row on; of a page, those between the first and the last row that see it. */
struct query_walk {
    using step = struct tile_rows;
    template <int D> static constexpr int ROOM = queries_room<D>::ALL;
    const struct back &p;
    struct tile_rows rows; /* the next */
    int64_t end;           /* one more than the last row */
    int page, place;
    int keys; /* of a segment: how many there are in the block */
};

/* How many of the keys row r sees. */
__device__ __forceinline__ int keys_seen(const struct query_walk &w, int64_t r)
{
    if (w.page < 0)
        return w.keys;
    const int len = *row_of<int32_t>(w.p.view.len, r) - w.place * TILE;
    return len > 0 &&
                   row_of<int32_t>(w.p.view.table,
                                   *row_of<int32_t>(w.p.view.seq, r))[w.place] == w.page
               ? len
               : 0;
}

__device__ __forceinline__ bool walk_next(struct query_walk &w, struct tile_rows &t)
{
    const int lane = (int)threadIdx.x % LANES, height = tile_height(w.rows.group);
    bool some = false;
    while (!some && w.rows.first < w.end) {
        const int64_t left = w.end - w.rows.first;
        t = w.rows;
        t.count = left < height ? (int)left : height;
        w.rows.first += height;
        bool mine = false;
        for (int i = lane; i < t.count; i += LANES) mine |= keys_seen(w, t.first + i) > 0;
        some = __ballot_sync(0xffffffffu, mine) != 0;
    }
    return some;
}

template <int D>
__device__ __forceinline__ void walk_start(const struct query_walk &w,
                                           const struct tile_rows &t, uint16_t *room)
{
    using at = queries_room<D>;
    const struct back &p = w.p;
    const int dim = (int)p.q.shape[2], i = (int)threadIdx.x;
    rows_start<D>(room, dim, p.wide, [&](int j) { return query_at(p.q, t, j); });
    rows_start<D>(room + at::DY, dim, p.wide,
                  [&](int j) { return query_at(p.dy, t, j); });
    if (i >= TILE)
        return;
    const int64_t r = t.first + i / t.group, h = t.head + i % t.group;
    const bool there = query_there(t, i);
    ((float *)(void *)(room + at::LSE))[i] =
        there ? row_of<float>(p.lse, r)[h] * LOG2_E : 0.0f;
    ((float *)(void *)(room + at::DELTA))[i] =
        there ? p.delta[r * p.q.shape[1] + h] : 0.0f;
    ((int *)(void *)(room + at::SEEN))[i] = there ? keys_seen(w, r) : 0;
}

template <int D>
__device__ __forceinline__ void walk_clear(const struct query_walk &,
                                           const struct tile_rows &, uint16_t *)
{
}

/* -- Keys and values -------------------------------------------------------------------
 */

/* What a tile of queries adds to the gradients of a warp's 16 keys and values. */
template <int D, bool turned>
__device__ __forceinline__ void keys_step(float dk[D / 8][4], float dv[D / 8][4],
                                          const uint16_t *block, const uint16_t *tile,
                                          float scale)
{
    using at = block_room<D, turned>;
    using of = queries_room<D>;
    const int lane = lane_again(), rows = (int)threadIdx.x / LANES * 16;
    const float *lse = (const float *)(const void *)(tile + of::LSE);
    const float *delta = (const float *)(const void *)(tile + of::DELTA);
    const int *seen = (const int *)(const void *)(tile + of::SEEN);
    for (int from = 0; from < TILE; from += 32) {
        float weight[4][4] = {}, slope[4][4] = {};
        uint32_t a[4], av[4], b[4];
        UNROLL
        for (int k = 0; k < D; k += 16) {
            if (turned)
                a_load_turned<at::KEY_COLUMNS>(a, block, rows, k, lane);
            else
                a_load<at::KEY_COLUMNS>(a, block, rows, k, lane);
            a_load<D>(av, block + at::KEYS, rows, k, lane);
            UNROLL
            for (int n = 0; n < 32; n += 16) {
                b_load<D>(b, tile, k, from + n, lane);
                mma_bf16(weight[n / 8], a, b);
                mma_bf16(weight[n / 8 + 1], a, b + 2);
                b_load<D>(b, tile + of::DY, k, from + n, lane);
                mma_bf16(slope[n / 8], av, b);
                mma_bf16(slope[n / 8 + 1], av, b + 2);
            }
        }
        UNROLL
        for (int e = 0; e < 16; e++) {
            const int n = e / 4, i = e % 4, query = from + n * 8 + lane % 4 * 2 + i % 2;
            const bool sees = rows + lane / 4 + i / 2 * 8 < seen[query];
            const float p = exp2f(fmaf(weight[n][i], scale, -lse[query]));
            weight[n][i] = sees ? p : 0.0f;
            slope[n][i] = sees ? p * (slope[n][i] - delta[query]) : 0.0f;
        }
        UNROLL
        for (int k = 0; k < 32; k += 16) {
            a_of(av, weight[k / 8], weight[k / 8 + 1]);
            a_of(a, slope[k / 8], slope[k / 8 + 1]);
            UNROLL
            for (int n = 0; n < D; n += 16) {
                b_load_turned<D>(b, tile + of::DY, from + k, n, lane);
                mma_bf16(dv[n / 8], av, b);
                mma_bf16(dv[n / 8 + 1], av, b + 2);
                b_load_turned<D>(b, tile, from + k, n, lane);
                mma_bf16(dk[n / 8], a, b);
                mma_bf16(dk[n / 8 + 1], a, b + 2);
            }
        }
    }
}

/* A block of keys and values, which the caller has begun to bring to `room`, through all
 * tiles of queries. */
template <int D, bool turned>
__device__ __forceinline__ void keys_back(float dk[D / 8][4], float dv[D / 8][4],
                                          struct query_walk &w, uint16_t *room)
{
    UNROLL
    for (int i = 0; i < D / 2; i++) dk[i / 4][i % 4] = dv[i / 4][i % 4] = 0;
    each_step<D>(
        w, room + block_room<D, turned>::ALL, [] {},
        [&](const struct tile_rows &, const uint16_t *tile) {
            keys_step<D, turned>(dk, dv, room, tile, w.p.scale * LOG2_E);
        });
}

template <int D, bool turned> constexpr size_t keys_bytes() /* of shared memory */
{
    return sizeof(uint16_t) * (block_room<D, turned>::ALL + 2 * queries_room<D>::ALL);
}

template <int D>
__global__ void __launch_bounds__(TILE_THREADS) segments_keys_kernel(struct back p)
{
    SHARED_ROOM(uint16_t, room);
    struct segment_walk s;
    float dk[D / 8][4], dv[D / 8][4];
    if (!segment_of_block(s, p))
        return;
    const struct tile_rows rows = s.rows;
    walk_start<D>(s, {rows.first, 0, 0, rows.count, rows.count}, room);
    struct query_walk w = {p,         {s.begin, rows.head, 0, 1}, s.begin + s.len, -1, 0,
                           rows.count};
    keys_back<D, false>(dk, dv, w, room);
    float *out = (float *)(void *)(room + block_room<D, false>::ALL);
    fragments_out<D>(out, dv);
    __syncthreads();
    rows_add<D>(out, 1, s.dim, p.wide, [&](int i) { return query_at(p.dv, rows, i); });
    __syncthreads();
    fragments_out<D>(out, dk);
    __syncthreads();
    rows_add<D>(out, p.scale, s.dim, p.wide,
                [&](int i) { return query_at(p.dk, rows, i); });
}

/* The gradient of a page's keys, which lie turned. */
template <int D>
__device__ __forceinline__ void turned_add(float *out, uint16_t *to,
                                           const float sum[D / 8][4], float scale,
                                           int dim, bool wide)
{
    constexpr int ROW = TILE + 4, CHUNKS = TILE / 8;
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    UNROLL
    for (int i = 0; i < D / 2; i++)
        out[(i / 4 * 8 + lane % 4 * 2 + i % 2) * ROW + warp * 16 + lane / 4 +
            i % 4 / 2 * 8] = sum[i / 4][i % 4];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < dim * CHUNKS; i += TILE_THREADS) {
        const int r = i / CHUNKS, c = i % CHUNKS * 8;
        chunk_add(to + r * TILE + c, out + r * ROW + c, scale, 8, wide);
    }
}

__device__ __forceinline__ float *chunk_sums(const struct back &p, int64_t chunk,
                                             int64_t page, int64_t kv)
{
    const int64_t at = (chunk * p.k.shape[0] + page) * p.k.shape[1] + kv;
    return p.sums + at * 2 * p.q.shape[2] * TILE;
}

/* A chunk's sums, as pages lie. */
template <int D>
__device__ __forceinline__ void sums_out(float *to, const float dk[D / 8][4],
                                         const float dv[D / 8][4], int dim)
{
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    UNROLL
    for (int i = 0; i < D / 2; i++) {
        const int key = warp * 16 + lane / 4 + i % 4 / 2 * 8;
        const int c = i / 4 * 8 + lane % 4 * 2 + i % 2;
        if (c < dim) {
            to[key * dim + c] = dv[i / 4][i % 4];
            to[(dim + c) * TILE + key] = dk[i / 4][i % 4];
        }
    }
}

template <int D>
__global__ void __launch_bounds__(TILE_THREADS) pages_keys_kernel(struct back p)
{
    SHARED_ROOM(uint16_t, room);
    const int page = (int)blockIdx.x, group = (int)(p.q.shape[1] / p.k.shape[1]);
    const int dim = (int)p.q.shape[2], height = tile_height(group);
    const int64_t kv = blockIdx.y, tile = kv * dim * TILE;
    float dk[D / 8][4], dv[D / 8][4];
    struct page_walk pages = {};
    if (p.place[page] < 0)
        return;
    pages.k = p.k;
    pages.v = p.v;
    pages.kv = kv;
    pages.dim = dim;
    pages.wide = p.wide;
    const int64_t from = (int64_t)blockIdx.z * p.chunk, to = from + p.chunk;
    const int64_t first = p.first_row[page] / height * height;
    const int64_t end = p.last_row[page] + 1;
    if (from >= end || to <= first)
        return;
    walk_start<D>(pages, {page, 0, 0, 0, TILE}, room); /* keys that nobody sees, too */
    struct query_walk w = {p,
                           {from > first ? from : first, kv * group, 0, group},
                           to < end ? to : end,
                           page,
                           p.place[page],
                           0};
    keys_back<D, true>(dk, dv, w, room);
    if (p.sums) {
        sums_out<D>(chunk_sums(p, blockIdx.z, page, kv), dk, dv, dim);
        return;
    }
    float *out = (float *)(void *)(room + block_room<D, true>::ALL);
    uint16_t *values = row_of<uint16_t>(p.dv, page) + tile;
    fragments_out<D>(out, dv);
    __syncthreads();
    rows_add<D>(out, 1, dim, p.wide, [&](int i) { return values + i * dim; });
    __syncthreads();
    turned_add<D>(out, row_of<uint16_t>(p.dk, page) + tile, dk, p.scale, dim, p.wide);
}

/* The chunks of each page and head of keys added up. */
__global__ void chunks_kernel(struct back p)
{
    const int64_t page = blockIdx.x, kv = blockIdx.y;
    const int size = (int)p.q.shape[2] * TILE;
    if (p.place[page] < 0)
        return;
    const int64_t first = p.first_row[page] / p.chunk, last = p.last_row[page] / p.chunk;
    uint16_t *dv = row_of<uint16_t>(p.dv, page) + kv * size;
    uint16_t *dk = row_of<uint16_t>(p.dk, page) + kv * size;
    for (int i = (int)threadIdx.x; i < 2 * size; i += THREADS) {
        float sum = 0;
        for (int64_t c = first; c <= last; c++) sum += chunk_sums(p, c, page, kv)[i];
        uint16_t *to = i < size ? dv + i : dk + i - size;
        *to = float_bf16(fmaf(sum, i < size ? 1.0f : p.scale, bf16_float(*to)));
    }
}

/* -- Which rows see a page -------------------------------------------------------------
 */

__global__ void nowhere_kernel(struct back p)
{
    const int64_t page = thread_number();
    if (page >= p.k.shape[0])
        return;
    p.place[page] = p.last_row[page] = -1;
    p.first_row[page] = INT32_MAX;
}

/* A page is shared as a part of a prefix: at one place, whichever row says so. The least
 * and the greatest of integers are the same in any order. */
__global__ void place_kernel(struct back p)
{
    const int64_t places = p.view.table.shape[1];
    const int64_t r = thread_number() / places, place = thread_number() % places;
    if (r >= p.q.shape[0] || *row_of<int32_t>(p.view.len, r) <= place * TILE)
        return;
    const int32_t page =
        row_of<int32_t>(p.view.table, *row_of<int32_t>(p.view.seq, r))[place];
    p.place[page] = (int)place;
    atomicMin(&p.first_row[page], (int)r);
    atomicMax(&p.last_row[page], (int)r);
}

/* -- The table's -----------------------------------------------------------------------
 */

/* Checks what both have in common, and begins with delta. false: memory is short. */
static bool back_start(struct dev *d, struct back &p, size_t bytes)
{
    const int64_t dim = p.q.shape[2];
    const struct arr all[] = {p.dq, p.dk, p.dv, p.dy, p.q, p.k, p.v, p.y};
    p.wide = true;
    for (const struct arr &a : all) {
        assert(a.type == ARR_BF16);
        p.wide = p.wide && wide_rows(a, dim);
    }
    assert(p.scale > 0 && p.q.shape[1] <= 65535);
    if (!(p.delta = (float *)dev_room(d, bytes)))
        return false;
    LAUNCH(d, blocks_for(p.q.shape[0] * p.q.shape[1], WARPS), THREADS, delta_kernel, p);
    return true;
}

static size_t delta_bytes(struct arr q)
{
    return (size_t)(q.shape[0] * q.shape[1]) * sizeof(float);
}

void back_attention_bf16(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                         struct arr dy, struct arr q, struct arr k, struct arr v,
                         struct arr y, struct arr lse, struct arr start, float scale)
{
    struct back p = {dq, dk,    dv,    dy,   q,    k,    v,    y, lse, start,
                     {}, scale, false, NULL, NULL, NULL, NULL, 0, NULL};
    const size_t bytes = delta_bytes(q);
    if (!back_start(d, p, bytes))
        return;
    const dim3 grid((unsigned)segment_tiles(start, q.shape[0]), (unsigned)q.shape[1]);
    with_tile_dim(q.shape[2], [&](auto size) {
        constexpr int D = decltype(size)::value;
        constexpr size_t queries = queries_bytes<D, false>(),
                         keys = keys_bytes<D, false>();
        static_assert(queries <= SHARED_MOST && keys <= SHARED_MOST);
        LAUNCH_SHARED(d, grid, TILE_THREADS, queries, segments_queries_kernel<D>, p);
        LAUNCH_SHARED(d, grid, TILE_THREADS, keys, segments_keys_kernel<D>, p);
    });
    release_cuda(d, p.delta, bytes);
}

void back_attention_paged_bf16(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                               struct arr dy, struct arr q, struct arr k, struct arr v,
                               struct arr y, struct arr lse, struct kv_view view,
                               float scale)
{
    struct back p = {dq,   dk,    dv,    dy,   q,    k,    v,    y, lse, arr_none(),
                     view, scale, false, NULL, NULL, NULL, NULL, 0, NULL};
    const int64_t pages = k.shape[0], kv_heads = k.shape[1],
                  group = q.shape[1] / kv_heads;
    const size_t bytes = delta_bytes(q) + (size_t)pages * 3 * sizeof(int);
    assert(group <= TILE && kv_heads <= 65535);
    if (!back_start(d, p, bytes))
        return;
    p.place = (int *)(void *)(p.delta + q.shape[0] * q.shape[1]);
    p.first_row = p.place + pages;
    p.last_row = p.first_row + pages;
    LAUNCH(d, blocks_for(pages, THREADS), THREADS, nowhere_kernel, p);
    LAUNCH(d, blocks_for(q.shape[0] * view.table.shape[1], THREADS), THREADS,
           place_kernel, p);
    const struct room_queries of = {q.shape[0], q.shape[1], kv_heads, q.shape[2]};
    const struct room_chunks c = room_chunks_of(&of, pages);
    p.chunk = c.rows;
    if (c.sums > 0 && !(p.sums = (float *)dev_room(d, (size_t)c.sums)))
        return release_cuda(d, p.delta, bytes);
    const dim3 tiles((unsigned)c.tiles, (unsigned)kv_heads);
    const dim3 blocks((unsigned)pages, (unsigned)kv_heads, (unsigned)c.chunks);
    with_tile_dim(q.shape[2], [&](auto size) {
        constexpr int D = decltype(size)::value;
        constexpr size_t queries = queries_bytes<D, true>(), keys = keys_bytes<D, true>();
        static_assert(queries <= SHARED_MOST && keys <= SHARED_MOST);
        LAUNCH_SHARED(d, tiles, TILE_THREADS, queries, pages_queries_kernel<D>, p);
        LAUNCH_SHARED(d, blocks, TILE_THREADS, keys, pages_keys_kernel<D>, p);
    });
    if (p.sums) {
        LAUNCH(d, dim3((unsigned)pages, (unsigned)kv_heads), THREADS, chunks_kernel, p);
        release_cuda(d, p.sums, (size_t)c.sums);
    }
    release_cuda(d, p.delta, bytes);
}
