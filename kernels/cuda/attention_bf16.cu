/* attention_bf16.cu: attention in bf16 on tensor cores (kernels.h; Dao, arXiv
 * 2307.08691).
 *
 * Order. Of each block of 64 keys: scores are sums over dimensions in strips of 16, by
 * mma.sync into float32; weights are rounded to bf16 for the product with values, 16 keys
 * at a time. Over pages, each run of RUN of them, by absolute position, has a maximum and
 * sums of its own, and runs are folded in ascending order: in one block of threads where
 * there are many tiles of queries (prefill), else (decode) by merge_kernel(), after a
 * block for each run. The arithmetic is the same, so that a row has the same bits in
 * either, and whatever rows are beside it: what a row does not see has the weight 0,
 * which leaves its sums as they are. */
#include "attention_bf16.h"
#include "attention_walk.h"
#include "room.h"

/* Short, so that one sequence of a few thousand positions has blocks for a GPU's
 * processors, each with few pages one after the other. */
constexpr int RUN = ROOM_RUN;
static_assert(TILE == ROOM_TILE, "a tile");
/* With fewer blocks of threads than ROOM_BLOCKS_ENOUGH, two for each of an H100's
 * processors, runs are computed side by side, if their sums take no more bytes than
 * ROOM_RUNS_MOST; and parts of runs, as long as they are no more than so many. */
constexpr int64_t PARTS_MOST = 1056;

struct attending {
    struct arr y, q, k, v, lse;
    struct arr start;    /* segments */
    struct kv_view view; /* pages */
    float scale;         /* to logarithms of base 2 */
    bool wide;
    int runs;     /* of a row that sees all places of its table */
    int parts;    /* blocks of threads for each run of a tile */
    float *sums;  /* [runs, rows, heads, dim] of each run, or NULL: folded at once */
    float *stats; /* [runs, rows, heads, 2]: maximum, and sum of weights */
};

/* What a lane has of its warp's queries g and g + 8 (mma.h): weighted sums of values
 * relative to the largest score so far, in logarithms of base 2, and its own share of the
 * sum of weights. */
template <int D> struct attended {
    float sum[D / 8][4];
    float max[2], total[2];
};

template <int D> __device__ __forceinline__ void attended_clear(struct attended<D> &s)
{
    UNROLL
    for (int i = 0; i < D / 2; i++) s.sum[i / 4][i % 4] = 0;
    UNROLL
    for (int i = 0; i < 2; i++) s.max[i] = -INFINITY, s.total[i] = 0;
}

/* What scores are taken relative to: nothing was seen yet, anything does. */
__device__ __forceinline__ float base_of(float max)
{
    return max == -INFINITY ? 0.0f : max;
}

/* The next block; seen: how many of its keys each of the two queries sees, from the
 * first. */
template <int D, bool turned>
__device__ __forceinline__ void
attend_block(struct attended<D> &s, const uint32_t q[D / 16][4], const uint16_t *room,
             const int seen[2], float scale)
{
    using at = block_room<D, turned>;
    const int lane = lane_again();
    float score[TILE / 8][4] = {};
    UNROLL
    for (int i = 0; i < D / 16 * (TILE / 16); i++) {
        const int k = i / (TILE / 16) * 16, n = i % (TILE / 16) * 16;
        uint32_t b[4];
        if (turned)
            b_load_turned<at::KEY_COLUMNS>(b, room, k, n, lane);
        else
            b_load<at::KEY_COLUMNS>(b, room, k, n, lane);
        mma_bf16(score[n / 8], q[k / 16], b);
        mma_bf16(score[n / 8 + 1], q[k / 16], b + 2);
    }
    const int column = lane % 4 * 2;
    float most[2] = {-INFINITY, -INFINITY}, base[2], rescale[2];
    UNROLL
    for (int e = 0; e < TILE / 2; e++) {
        const int n = e / 4, i = e % 4;
        if (n * 8 + column + i % 2 >= seen[i / 2])
            score[n][i] = -INFINITY;
        most[i / 2] = fmaxf(most[i / 2], score[n][i]);
    }
    UNROLL
    for (int i = 0; i < 2; i++) {
        most[i] = fmaxf(most[i], __shfl_xor_sync(0xffffffffu, most[i], 1));
        most[i] = fmaxf(most[i], __shfl_xor_sync(0xffffffffu, most[i], 2));
        most[i] = fmaxf(s.max[i], most[i] * scale);
        base[i] = base_of(most[i]);
        rescale[i] = exp2f(s.max[i] - base[i]);
        s.max[i] = most[i];
        s.total[i] *= rescale[i];
    }
    UNROLL
    for (int e = 0; e < TILE / 2; e++) {
        const int n = e / 4, i = e % 4;
        score[n][i] = exp2f(fmaf(score[n][i], scale, -base[i / 2]));
        s.total[i / 2] += score[n][i];
    }
    UNROLL
    for (int i = 0; i < D / 2; i++) s.sum[i / 4][i % 4] *= rescale[i % 4 / 2];
    UNROLL
    for (int k = 0; k < TILE; k += 16) {
        uint32_t a[4];
        a_of(a, score[k / 8], score[k / 8 + 1]);
        UNROLL
        for (int n = 0; n < D; n += 16) {
            uint32_t b[4];
            b_load_turned<D>(b, room + at::KEYS, k, n, lane);
            mma_bf16(s.sum[n / 8], a, b);
            mma_bf16(s.sum[n / 8 + 1], a, b + 2);
        }
    }
}

/* After the last block of a run: the sum of weights, in each of the four lanes. */
template <int D> __device__ __forceinline__ void attended_end(struct attended<D> &s)
{
    UNROLL
    for (int i = 0; i < 2; i++) {
        s.total[i] += __shfl_xor_sync(0xffffffffu, s.total[i], 1);
        s.total[i] += __shfl_xor_sync(0xffffffffu, s.total[i], 2);
    }
}

/* -- Runs ------------------------------------------------------------------------------
 */

/* How a run is folded into those before it: to a common maximum. */
struct folding {
    float max, before, run; /* what the sums of each are multiplied by */
};

__device__ __forceinline__ struct folding folding_of(float before, float run)
{
    struct folding f;
    f.max = fmaxf(before, run);
    f.before = exp2f(before - base_of(f.max));
    f.run = exp2f(run - base_of(f.max));
    return f;
}

__device__ __forceinline__ float folded(const struct folding &f, float before, float run)
{
    return fmaf(run, f.run, before * f.before);
}

/* Fold s into the runs before it (first: there are none), which lie in shared memory:
 * number i of thread t at [i][t]; s becomes all of them. */
template <int D>
__device__ __forceinline__ void fold(struct attended<D> &s, float *before, bool first)
{
    before += threadIdx.x;
    UNROLL
    for (int i = 0; i < 2; i++) {
        float *stats = before + (D / 2 + i) * TILE_THREADS;
        const struct folding f = folding_of(first ? -INFINITY : stats[0], s.max[i]);
        s.max[i] = f.max;
        s.total[i] = folded(f, first ? 0.0f : stats[2 * TILE_THREADS], s.total[i]);
        UNROLL
        for (int c = 0; c < D / 4; c++) {
            float &sum = s.sum[c / 2][2 * i + c % 2];
            const int at = (c / 2 * 4 + 2 * i + c % 2) * TILE_THREADS;
            sum = folded(f, first ? 0.0f : before[at], sum);
        }
    }
}

template <int D>
__device__ __forceinline__ void fold_keep(const struct attended<D> &s, float *before)
{
    before += threadIdx.x;
    UNROLL
    for (int i = 0; i < D / 2; i++) before[i * TILE_THREADS] = s.sum[i / 4][i % 4];
    UNROLL
    for (int i = 0; i < 2; i++) {
        before[(D / 2 + i) * TILE_THREADS] = s.max[i];
        before[(D / 2 + i + 2) * TILE_THREADS] = s.total[i];
    }
}

template <int D> constexpr size_t fold_bytes = (D / 2 + 4) * TILE_THREADS * 4;

/* -- Out -------------------------------------------------------------------------------
 */

__device__ __forceinline__ float lse_of(float max, float total)
{
    return (max + log2f(total)) * LN_2;
}

/* All of a tile's y, by way of shared memory, which each warp uses a part of. */
template <int D>
__device__ __forceinline__ void attended_out(const struct attended<D> &s,
                                             const struct attending &p,
                                             const struct tile_rows &rows, uint16_t *room)
{
    constexpr int CHUNKS = D / 8;
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    UNROLL
    for (int i = 0; i < 2; i++) {
        const int query = warp * 16 + lane / 4 + i * 8;
        const float weight = 1 / s.total[i];
        UNROLL
        for (int n = 0; n < D / 8; n++)
            *(uint32_t *)(void *)(room + matrix_at<D>(query, n * 8) + lane % 4 * 2) =
                bf16_pair(s.sum[n][2 * i] * weight, s.sum[n][2 * i + 1] * weight);
        if (p.lse.data && lane % 4 == 0 && query_there(rows, query))
            *query_number(p.lse, rows, query) = lse_of(s.max[i], s.total[i]);
    }
    __syncwarp();
    const int dim = (int)p.q.shape[2];
    for (int i = lane; i < 16 * CHUNKS; i += LANES) {
        const int query = warp * 16 + i / CHUNKS, c = i % CHUNKS * 8;
        uint16_t *y = query_at(p.y, rows, query);
        if (y)
            chunk_out(y + c, room + matrix_at<D>(query, c), dim - c, p.wide);
    }
}

/* What one run has left of a tile's queries; of those that see nothing of it, too, which
 * merge_kernel() does not read. (No maximum is no sign of that: NaN has none.) */
template <int D>
__device__ __forceinline__ void run_out(const struct attended<D> &s,
                                        const struct attending &p,
                                        const struct tile_rows &rows, int run)
{
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    UNROLL
    for (int i = 0; i < 2; i++) {
        const int query = warp * 16 + lane / 4 + i * 8;
        if (!query_there(rows, query))
            continue;
        const int64_t at =
            (run * p.q.shape[0] + rows.first + query / rows.group) * heads + rows.head +
            query % rows.group;
        UNROLL
        for (int n = 0; n < D / 4; n++) {
            const int64_t c = n / 2 * 8 + lane % 4 * 2 + n % 2;
            if (c < dim)
                p.sums[at * dim + c] = s.sum[n / 2][2 * i + n % 2];
        }
        if (lane % 4 == 0) {
            p.stats[at * 2] = s.max[i];
            p.stats[at * 2 + 1] = s.total[i];
        }
    }
}

/* -- Kernels ---------------------------------------------------------------------------
 */

/* A tile's queries, from where `room` has them. */
template <int D>
__device__ __forceinline__ void queries_load(uint32_t q[D / 16][4], const uint16_t *room)
{
    const int lane = (int)threadIdx.x % LANES;
    UNROLL
    for (int k = 0; k < D; k += 16)
        a_load<D>(q[k / 16], room, (int)threadIdx.x / LANES * 16, k, lane);
}

/* One tile through its walk; before: shared memory for fold(), if there is more than one
 * run, or NULL: what is seen is not in runs. */
template <int D, class Walk>
__device__ __forceinline__ void tile_attend(struct attended<D> &s, Walk &w,
                                            const struct attending &p, uint16_t *room,
                                            float *before)
{
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const struct tile_rows rows = w.rows;
    uint16_t *second = room + block_room<D, Walk::TURNED>::ALL;
    uint32_t q[D / 16][4];
    int row[2], len[2], run = 0;
    for (int i = 0; i < 2; i++) {
        row[i] = (warp * 16 + lane / 4 + i * 8) / rows.group;
        len[i] = walk_len(w, row[i]);
    }
    rows_start<D>(second, (int)p.q.shape[2], p.wide,
                  [&](int i) { return query_at(p.q, rows, i); });
    attended_clear(s);
    each_step<D>(
        w, room, [&] { queries_load<D>(q, second); },
        [&](const struct block_step &b, const uint16_t *at) {
            if (before && b.place / RUN != run) {
                attended_end(s);
                fold(s, before, run == 0);
                fold_keep(s, before);
                attended_clear(s);
                run = b.place / RUN;
            }
            if (warp * 16 >= b.end * rows.group || warp * 16 + 16 <= b.first * rows.group)
                return; /* none of this warp's rows */
            const int seen[2] = {seen_in(b, row[0], len[0]), seen_in(b, row[1], len[1])};
            attend_block<D, Walk::TURNED>(s, q, at, seen, p.scale);
        });
    attended_end(s);
    if (before)
        fold(s, before, run == 0);
}

template <int D>
__global__ void __launch_bounds__(TILE_THREADS) segments_bf16_kernel(struct attending p)
{
    SHARED_ROOM(uint16_t, room);
    struct segment_walk w;
    struct attended<D> s;
    if (!segment_of_block(w, p))
        return;
    tile_attend(s, w, p, room, NULL);
    attended_out(s, p, w.rows, room);
}

/* All runs of a tile, folded. */
template <int D>
__global__ void __launch_bounds__(TILE_THREADS) pages_bf16_kernel(struct attending p)
{
    SHARED_ROOM(uint16_t, room);
    struct page_walk w;
    struct attended<D> s;
    pages_of_block(w, p);
    if (!pages_begin(w, p.view, 0, RUN * p.runs))
        return;
    tile_attend(s, w, p, room, (float *)(void *)(room + 2 * block_room<D, true>::ALL));
    attended_out(s, p, w.rows, room);
}

/* One run of a tile, or one of p.parts of it: adjacent rows that have all pages of it in
 * common are together, others are parts that blocks of threads take in turn. */
template <int D>
__global__ void __launch_bounds__(TILE_THREADS) run_bf16_kernel(struct attending p)
{
    SHARED_ROOM(uint16_t, room);
    const int run = (int)blockIdx.z / p.parts, part = (int)blockIdx.z % p.parts;
    struct page_walk w;
    struct attended<D> s;
    pages_of_block(w, p);
    const struct tile_rows all = w.rows;
    if (!pages_begin(w, p.view, run * RUN, RUN))
        return;
    uint64_t starts = p.parts > 1 ? rows_apart<RUN>(w, p.view, run * RUN) : 1;
    for (int i = 0; starts != 0; i++) {
        const int first = __ffsll((long long)starts) - 1;
        starts &= starts - 1;
        if (i % p.parts != part)
            continue;
        const int end = starts ? __ffsll((long long)starts) - 1 : all.count;
        w.rows.first = all.first + first;
        w.rows.count = end - first;
        if (!pages_begin(w, p.view, run * RUN, RUN))
            continue;
        tile_attend(s, w, p, room, NULL);
        run_out(s, p, w.rows, run);
    }
}

/* The runs of each row and head folded, by a warp; of several at a time the reads are
 * under way before the first is folded. */
__global__ void __launch_bounds__(THREADS) merge_kernel(struct attending p)
{
    constexpr int EACH = TILE_HEAD_MAX / LANES, AT_ONCE = 8;
    const int lane = (int)threadIdx.x % LANES;
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const int places = (*row_of<int32_t>(p.view.len, r) + TILE - 1) / TILE;
    const int runs = (places + RUN - 1) / RUN;
    float sum[EACH] = {}, max = -INFINITY, total = 0;
    for (int first = 0; first < runs; first += AT_ONCE) {
        float stats[AT_ONCE][2], sums[AT_ONCE][EACH];
        UNROLL
        for (int n = 0; n < AT_ONCE; n++) {
            const int run = first + n < runs ? first + n : first;
            const int64_t at = (run * p.q.shape[0] + r) * heads + h;
            stats[n][0] = p.stats[at * 2];
            stats[n][1] = p.stats[at * 2 + 1];
            UNROLL
            for (int i = 0; i < EACH; i++)
                sums[n][i] =
                    lane + i * LANES < dim ? p.sums[at * dim + lane + i * LANES] : 0.0f;
        }
        UNROLL
        for (int n = 0; n < AT_ONCE; n++) {
            if (first + n >= runs)
                break;
            const struct folding f = folding_of(max, stats[n][0]);
            max = f.max;
            total = folded(f, total, stats[n][1]);
            UNROLL
            for (int i = 0; i < EACH; i++) sum[i] = folded(f, sum[i], sums[n][i]);
        }
    }
    uint16_t *y = row_of<uint16_t>(p.y, r) + h * dim;
    const float weight = 1 / total;
    UNROLL
    for (int i = 0; i < EACH; i++)
        if (lane + i * LANES < dim)
            y[lane + i * LANES] = float_bf16(sum[i] * weight);
    if (p.lse.data && lane == 0)
        row_of<float>(p.lse, r)[h] = lse_of(max, total);
}

/* -- The table's -----------------------------------------------------------------------
 */

static bool all_bf16(const struct attending &p)
{
    return p.y.type == ARR_BF16 && p.q.type == ARR_BF16 && p.k.type == ARR_BF16 &&
           p.v.type == ARR_BF16;
}

static bool all_wide(const struct attending &p)
{
    const int64_t dim = p.q.shape[2];
    return wide_rows(p.y, dim) && wide_rows(p.q, dim) && wide_rows(p.k, dim) &&
           wide_rows(p.v, dim);
}

void attention_bf16(struct dev *d, struct arr y, struct arr q, struct arr k, struct arr v,
                    struct arr start, float scale, struct arr lse)
{
    struct attending p = {y,     q, k, v,    lse, start, {}, scale * LOG2_E,
                          false, 0, 0, NULL, NULL};
    assert(all_bf16(p) && scale > 0 && q.shape[1] <= 65535);
    p.wide = all_wide(p);
    const dim3 grid((unsigned)segment_tiles(start, q.shape[0]), (unsigned)q.shape[1]);
    with_tile_dim(q.shape[2], [&](auto size) {
        constexpr int D = decltype(size)::value;
        constexpr size_t bytes = 2 * sizeof(uint16_t) * block_room<D, false>::ALL;
        LAUNCH_SHARED(d, grid, TILE_THREADS, bytes, segments_bf16_kernel<D>, p);
    });
}

void attention_paged_bf16(struct dev *d, struct arr y, struct arr q, struct arr k,
                          struct arr v, struct kv_view view, float scale, struct arr lse)
{
    struct attending p = {y,     q, k, v,    lse, arr_none(), view, scale * LOG2_E,
                          false, 0, 0, NULL, NULL};
    const int64_t kv_heads = k.shape[1], group = q.shape[1] / kv_heads;
    assert(all_bf16(p) && scale > 0 && group <= TILE && kv_heads <= 65535);
    p.wide = all_wide(p);
    const struct room_queries of = {q.shape[0], q.shape[1], kv_heads, q.shape[2]};
    const struct room_runs r = room_runs_of(&of, view.table.shape[1]);
    p.runs = (int)r.runs;
    if (r.apart && !(p.sums = (float *)dev_room(d, (size_t)(r.sums + r.stats))))
        return;
    if (r.apart)
        p.stats = p.sums + r.sums / (int64_t)sizeof(float);
    /* as many as rows that may be apart, or they would begin in vain */
    const int64_t apart_most =
        q.shape[0] < tile_height(group) ? q.shape[0] : tile_height(group);
    const int64_t parts = PARTS_MOST / (r.tiles * kv_heads * p.runs);
    p.parts = (int)(parts < apart_most ? parts : apart_most);
    p.parts = p.parts > 0 ? p.parts : 1;
    const dim3 grid((unsigned)r.tiles, (unsigned)kv_heads,
                    r.apart ? (unsigned)(p.runs * p.parts) : 1);
    with_tile_dim(q.shape[2], [&](auto size) {
        constexpr int D = decltype(size)::value;
        constexpr size_t bytes = 2 * sizeof(uint16_t) * block_room<D, true>::ALL;
        static_assert(bytes + fold_bytes<D> <= SHARED_MOST);
        if (r.apart)
            LAUNCH_SHARED(d, grid, TILE_THREADS, bytes, run_bf16_kernel<D>, p);
        else
            LAUNCH_SHARED(d, grid, TILE_THREADS, bytes + (p.runs > 1 ? fold_bytes<D> : 0),
                          pages_bf16_kernel<D>, p);
    });
    if (r.apart) {
        LAUNCH(d, blocks_for(q.shape[0] * q.shape[1], WARPS), THREADS, merge_kernel, p);
        release_cuda(d, p.sums, (size_t)(r.sums + r.stats));
    }
}
