/* attention_walk.h: which queries are a tile, and the blocks of keys that it goes
 * through: the walk that attention in bf16 and its gradient share.
 *
 * A row sees the first len keys of its segment or sequence; block `place` has keys place
 * * TILE and on. A walk comes to places in ascending order. */
#ifndef CUDA_ATTENTION_WALK_H
#define CUDA_ATTENTION_WALK_H
#include "attention_tile.h"

/* Query i of a tile is head `head + i % group` of row `first + i / group`. */
struct tile_rows {
    int64_t first, head;
    int count, group;
};

__device__ __forceinline__ bool query_there(const struct tile_rows &t, int i)
{
    return i < t.count * t.group;
}

/* Where query i lies in an array [rows, heads, dim] of bf16; NULL: there is none. */
__device__ __forceinline__ uint16_t *query_at(const struct arr &a,
                                              const struct tile_rows &t, int i)
{
    return query_there(t, i) ? row_of<uint16_t>(a, t.first + i / t.group) +
                                   (t.head + i % t.group) * a.shape[2]
                             : NULL;
}
__device__ __forceinline__ float *query_number(const struct arr &a,
                                               const struct tile_rows &t, int i)
{
    return row_of<float>(a, t.first + i / t.group) + t.head + i % t.group;
}

/* A block of keys: rows [first, end) of the tile see some of it, none more than `seen`.
 */
struct block_step {
    int64_t at; /* its first key's row; its page */
    int place, first, end, seen;
};

/* Of a row that sees len keys, how many are in this block; 0 or less: none. */
__device__ __forceinline__ int seen_in(const struct block_step &b, int row, int len)
{
    return row >= b.first && row < b.end ? len - b.place * TILE : 0;
}

/* -- Segments --------------------------------------------------------------------------
 */

/* How many tiles there may be: each segment has its own, from its first row on. */
static inline int64_t segment_tiles(struct arr start, int64_t rows)
{
    return rows / TILE + start.shape[0] - 1;
}

struct segment_walk {
    using step = struct block_step;
    static constexpr bool TURNED = false;
    template <int D> static constexpr int ROOM = block_room<D, TURNED>::ALL;
    struct arr k, v;
    struct tile_rows rows;
    int64_t begin; /* of the segment */
    int dim, len, place;
    bool wide;
};

/* Segment s has tiles from number start[s] / TILE + s on: enough of them for its rows.
 * false: no tile has this number. */
__device__ __forceinline__ bool segment_tile(struct segment_walk &w,
                                             const struct arr &start, int64_t number)
{
    int64_t low = 0, high = start.shape[0] - 1;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (*row_of<int32_t>(start, middle) / TILE + middle <= number)
            low = middle;
        else
            high = middle;
    }
    w.begin = *row_of<int32_t>(start, low);
    w.len = (int)(*row_of<int32_t>(start, low + 1) - w.begin);
    const int64_t skip = (number - w.begin / TILE - low) * TILE, left = w.len - skip;
    w.rows.first = w.begin + skip;
    w.rows.count = left < TILE ? (int)left : TILE;
    w.place = 0;
    return left > 0;
}

/* What a block of threads goes through: a tile of head blockIdx.y, number blockIdx.x; of:
 * struct attending or struct back. false: there is no such tile. */
template <class Of>
__device__ __forceinline__ bool segment_of_block(struct segment_walk &w, const Of &of)
{
    w = {};
    w.k = of.k;
    w.v = of.v;
    w.rows.head = blockIdx.y;
    w.rows.group = 1;
    w.dim = (int)of.q.shape[2];
    w.wide = of.wide;
    return segment_tile(w, of.start, blockIdx.x);
}

__device__ __forceinline__ int walk_len(const struct segment_walk &w, int)
{
    return w.len;
}

__device__ __forceinline__ bool walk_next(struct segment_walk &w, struct block_step &b)
{
    const int left = w.len - w.place * TILE;
    b.at = w.begin + w.place * TILE;
    b.place = w.place++;
    b.first = 0;
    b.end = w.rows.count;
    b.seen = left < TILE ? left : TILE;
    return left > 0;
}

template <int D>
__device__ __forceinline__ void walk_start(const struct segment_walk &w,
                                           const struct block_step &b, uint16_t *room)
{
    const int64_t head = w.rows.head * w.dim;
    const int seen = b.seen;
    rows_start<D>(room, w.dim, w.wide, [&](int i) -> const uint16_t * {
        return i < seen ? row_of<uint16_t>(w.k, b.at + i) + head : NULL;
    });
    rows_start<D>(room + block_room<D, false>::KEYS, w.dim, w.wide,
                  [&](int i) -> const uint16_t * {
                      return i < seen ? row_of<uint16_t>(w.v, b.at + i) + head : NULL;
                  });
}

template <int D>
__device__ __forceinline__ void walk_clear(const struct segment_walk &,
                                           const struct block_step &, uint16_t *)
{
}

/* -- Pages -----------------------------------------------------------------------------
 */

/* Rows of one tile: all heads that read one head of keys are in it. */
__host__ __device__ __forceinline__ int tile_height(int64_t group)
{
    return TILE / (int)group;
}

/* Adjacent rows that name the same page in the same place go through it together. Each
 * warp follows all rows, lane l rows l and l + 32. */
struct page_walk {
    using step = struct block_step;
    static constexpr bool TURNED = true;
    template <int D> static constexpr int ROOM = block_room<D, TURNED>::ALL;
    struct arr k, v;
    struct tile_rows rows;
    const int32_t *table[2];
    int len[2], page[2]; /* page: at this place; -1: the row does not see it */
    uint64_t starts;     /* rows that name another page than the row before, or none */
    uint64_t left;       /* of these, the ones with a page that are still to come */
    int64_t kv;          /* head of keys */
    int dim, place, end; /* end: one more than the last place */
    bool wide;
};

/* Which lanes say yes: of rows 0 to 31 and 32 to 63. */
__device__ __forceinline__ uint64_t rows_that(bool low, bool high)
{
    return (uint64_t)__ballot_sync(0xffffffffu, high) << 32 |
           __ballot_sync(0xffffffffu, low);
}

/* The rows of the block's tile. The last is the first to be begun: later rows of a prompt
 * see more, and what is short then fills the end. */
__device__ __forceinline__ void page_rows(struct tile_rows &t, const struct kv_view &view)
{
    const int height = tile_height(t.group);
    const int64_t number = gridDim.x - 1 - blockIdx.x;
    const int64_t left = view.len.shape[0] - number * height;
    t.first = number * height;
    t.count = left < height ? (int)left : height;
}

/* The same over pages: a tile of all heads that read head blockIdx.y of keys. */
template <class Of>
__device__ __forceinline__ void pages_of_block(struct page_walk &w, const Of &of)
{
    w = {};
    w.k = of.k;
    w.v = of.v;
    w.kv = blockIdx.y;
    w.rows.group = (int)(of.q.shape[1] / of.k.shape[1]);
    w.rows.head = w.kv * w.rows.group;
    w.dim = (int)of.q.shape[2];
    w.wide = of.wide;
    page_rows(w.rows, of.view);
}

/* w.rows at places first and on, `most` of them; false: no row comes so far. */
__device__ __forceinline__ bool
pages_begin(struct page_walk &w, const struct kv_view &view, int first, int most)
{
    const int lane = (int)threadIdx.x % LANES;
    for (int i = 0; i < 2; i++) {
        const int row = lane + i * LANES;
        const int64_t r = w.rows.first + (row < w.rows.count ? row : 0);
        w.table[i] = row_of<int32_t>(view.table, *row_of<int32_t>(view.seq, r));
        w.len[i] = row < w.rows.count ? *row_of<int32_t>(view.len, r) : 0;
    }
    const int places = (w.len[0] > w.len[1] ? w.len[0] : w.len[1]) + TILE - 1;
    w.place = first - 1;
    w.end = (int)warp_max((float)(places / TILE)); /* far below 2^24 */
    w.end = w.end < first + most ? w.end : first + most;
    w.starts = w.left = 0;
    return w.end > first;
}

__device__ __forceinline__ int walk_len(const struct page_walk &w, int row)
{
    const int low = __shfl_sync(0xffffffffu, w.len[0], row % LANES);
    const int high = __shfl_sync(0xffffffffu, w.len[1], row % LANES);
    return row < LANES ? low : row < 2 * LANES ? high : 0;
}

/* All rows' pages at w.place. */
__device__ __forceinline__ void page_look(struct page_walk &w)
{
    const int lane = (int)threadIdx.x % LANES;
    for (int i = 0; i < 2; i++)
        w.page[i] = w.len[i] > w.place * TILE ? w.table[i][w.place] : -1;
    int low = __shfl_sync(0xffffffffu, w.page[0], (lane + 31) % LANES); /* row before */
    int high = __shfl_sync(0xffffffffu, w.page[1], (lane + 31) % LANES);
    high = lane > 0 ? high : low; /* of row 32: row 31 */
    const bool new_low = lane == 0 || low != w.page[0], new_high = high != w.page[1];
    w.starts = rows_that(new_low, new_high);
    w.left = rows_that(new_low && w.page[0] >= 0, new_high && w.page[1] >= 0);
}

/* Rows of w whose pages in these places, as far as they see them, are not all those of
 * the row before. */
template <int places>
__device__ __forceinline__ uint64_t rows_apart(const struct page_walk &w,
                                               const struct kv_view &view, int first)
{
    const int lane = (int)threadIdx.x % LANES;
    bool apart[2];
    for (int i = 0; i < 2; i++) {
        const int row = lane + i * LANES;
        apart[i] = row < w.rows.count;
        if (row == 0 || row >= w.rows.count)
            continue;
        const int64_t r = w.rows.first + row - 1;
        const int32_t *before =
            row_of<int32_t>(view.table, *row_of<int32_t>(view.seq, r));
        const int len = *row_of<int32_t>(view.len, r);
        int other = 0;
        UNROLL
        for (int b = first; b < first + places; b++)
            other |= (w.len[i] > b * TILE ? w.table[i][b] : -1) ^
                     (len > b * TILE ? before[b] : -1);
        apart[i] = other != 0;
    }
    return rows_that(apart[0], apart[1]);
}

__device__ __forceinline__ bool walk_next(struct page_walk &w, struct block_step &b)
{
    const int lane = (int)threadIdx.x % LANES;
    while (w.left == 0) {
        if (++w.place >= w.end)
            return false;
        page_look(w);
    }
    b.first = __ffsll((long long)w.left) - 1;
    w.left &= w.left - 1;
    const uint64_t next = b.first < 63 ? w.starts >> (b.first + 1) : 0;
    b.end = next ? b.first + __ffsll((long long)next) : TILE;
    const int low = __shfl_sync(0xffffffffu, w.page[0], b.first % LANES);
    const int high = __shfl_sync(0xffffffffu, w.page[1], b.first % LANES);
    b.at = b.first < LANES ? low : high;
    b.place = w.place;
    int most = 0;
    for (int i = 0; i < 2; i++) {
        const int seen = seen_in(b, lane + i * LANES, w.len[i]);
        most = seen > most ? seen : most;
    }
    b.seen = (int)warp_max((float)(most < TILE ? most : TILE));
    return true;
}

template <int D>
__device__ __forceinline__ void walk_start(const struct page_walk &w,
                                           const struct block_step &b, uint16_t *room)
{
    constexpr int CHUNKS = TILE / 8;
    const int64_t tile = w.kv * w.dim * TILE;
    const uint16_t *keys = row_of<uint16_t>(w.k, b.at) + tile;
    const uint16_t *values = row_of<uint16_t>(w.v, b.at) + tile;
    const int seen = b.seen, dim = w.dim;
    for (int i = (int)threadIdx.x; i < D * CHUNKS; i += TILE_THREADS) {
        const int c = i % CHUNKS * 8, row = i / CHUNKS;
        chunk_start(room + matrix_at<TILE>(row, c),
                    row < dim ? keys + row * TILE + c : keys, row < dim ? seen - c : 0,
                    w.wide);
    }
    rows_start<D>(
        room + block_room<D, true>::KEYS, dim, w.wide,
        [&](int i) -> const uint16_t * { return i < seen ? values + i * dim : NULL; });
}

/* Keys that nobody sees may be any bits, NaN too: of the last 8 that this thread brought,
 * away with them. */
template <int D>
__device__ __forceinline__ void walk_clear(const struct page_walk &w,
                                           const struct block_step &b, uint16_t *room)
{
    constexpr int CHUNKS = TILE / 8;
    const int c = b.seen / 8 * 8;
    if (b.seen % 8 == 0 || (int)threadIdx.x % CHUNKS * 8 != c)
        return;
    for (int row = (int)threadIdx.x / CHUNKS; row < w.dim; row += TILE_THREADS / CHUNKS)
        for (int e = b.seen % 8; e < 8; e++) room[matrix_at<TILE>(row, c) + e] = 0;
}

/* -- Through all of them ---------------------------------------------------------------
 */

/* Do work(step, room) for every step of the walk, each being loaded while the one before
 * is worked on; room: two of the walk's ROOM. What was begun to be copied before, too, is
 * there for ready(), which comes first; the second step's room is still free then. */
template <int D, class Walk, class Ready, class Work>
__device__ __forceinline__ void each_step(Walk &w, uint16_t *room, Ready ready, Work work)
{
    constexpr int ROOM = Walk::template ROOM<D>;
    typename Walk::step now, then;
    bool more = walk_next(w, now);
    if (more)
        walk_start<D>(w, now, room);
    copies_commit();
    copies_wait<0>();
    __syncthreads();
    ready();
    __syncthreads();
    for (int n = 0; more; n ^= 1) {
        const bool another = walk_next(w, then);
        if (another)
            walk_start<D>(w, then, room + (n ^ 1) * ROOM);
        copies_commit();
        copies_wait<1>();
        walk_clear<D>(w, now, room + n * ROOM);
        __syncthreads();
        work(now, room + n * ROOM);
        __syncthreads();
        now = then;
        more = another;
    }
    copies_wait<0>();
}
#endif
