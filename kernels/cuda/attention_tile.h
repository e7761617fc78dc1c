/* attention_tile.h: what attention in bf16 is made of on tensor cores: a tile of 64
 * queries and blocks of 64 keys in shared memory, a warp for 16 rows of the tile.
 *
 * Heads' dimensions are padded with zeros to D, a multiple of 16. Loading is 16 bytes at
 * a time and asynchronous where memory is laid out for it ("wide"), else number by
 * number. No kernel needs more than SHARED_MOST bytes of shared memory, which every GPU
 * from compute capability 8.0 on gives a block. */
#ifndef CUDA_ATTENTION_TILE_H
#define CUDA_ATTENTION_TILE_H
#include "mma.h"

constexpr int TILE = 64, TILE_WARPS = TILE / 16, TILE_THREADS = TILE_WARPS * LANES;
static_assert(TILE == KV_PAGE, "a block of keys is a page");
constexpr int TILE_HEAD_MAX = BF16_HEAD_DIM;
static_assert(TILE >= BF16_HEAD_GROUP, "a tile has all heads of a row");
constexpr size_t SHARED_MOST = 99 << 10;
constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/* A matrix of bf16 in shared memory. 8 rows' 16 bytes of the same columns lie in
 * different banks: where rows are whole lines of banks by swapping 16 bytes within each
 * row, else by 8 numbers of room behind it. */
template <int columns> struct matrix {
    static constexpr bool SWAPPED = columns % 64 == 0;
    static constexpr int ROW = SWAPPED ? columns : columns + 8; /* in numbers */
};

/* Where number `column` of a row is; with the 7 after it, if it is a multiple of 8. */
template <int columns> __device__ __forceinline__ int matrix_at(int row, int column)
{
    return row * matrix<columns>::ROW +
           (matrix<columns>::SWAPPED ? column ^ row % 8 * 8 : column);
}

/* Where a block's keys and values lie, in numbers: keys [TILE, D], or turned, as in
 * pages, [D, TILE]; values [TILE, D]. */
template <int D, bool turned> struct block_room {
    static constexpr int KEY_COLUMNS = turned ? TILE : D;
    static constexpr int KEYS = (turned ? D : TILE) * matrix<KEY_COLUMNS>::ROW;
    static constexpr int ALL = KEYS + TILE * matrix<D>::ROW;
};

/* The lane, as if it were new at each call: places in shared memory that are made of it
 * are made again for each block, not kept in registers all the way. */
__device__ __forceinline__ int lane_again()
{
    int lane = (int)threadIdx.x % LANES;
#ifndef CUDA_ON_HOST
    asm volatile("" : "+r"(lane));
#endif
    return lane;
}

/* -- Fragments (mma.h) of matrices in shared memory; l: the lane ------------------------
 */

/* A [16, 16] at row and column of m. */
template <int columns>
__device__ __forceinline__ void a_load(uint32_t a[4], const uint16_t *m, int row,
                                       int column, int l)
{
    ldmatrix_x4(a, m + matrix_at<columns>(row + l % 16, column + l / 16 * 8));
}

/* The same where m has the transpose: its rows are A's columns. */
template <int columns>
__device__ __forceinline__ void a_load_turned(uint32_t a[4], const uint16_t *m, int row,
                                              int column, int l)
{
    ldmatrix_x4_trans(
        a, m + matrix_at<columns>(column + l / 16 * 8 + l % 8, row + l / 8 % 2 * 8));
}

/* Two B [16, 8] side by side, b[0..1] and b[2..3], at row and column, of the matrix that
 * m has the transpose of: m's rows are B's columns. */
template <int columns>
__device__ __forceinline__ void b_load(uint32_t b[4], const uint16_t *m, int row,
                                       int column, int l)
{
    ldmatrix_x4(b,
                m + matrix_at<columns>(column + l / 16 * 8 + l % 8, row + l / 8 % 2 * 8));
}

/* The same where m has the matrix itself. */
template <int columns>
__device__ __forceinline__ void b_load_turned(uint32_t b[4], const uint16_t *m, int row,
                                              int column, int l)
{
    ldmatrix_x4_trans(b, m + matrix_at<columns>(row + l % 16, column + l / 16 * 8));
}

/* Two accumulators side by side, rounded, as A. */
__device__ __forceinline__ void a_of(uint32_t a[4], const float left[4],
                                     const float right[4])
{
    a[0] = bf16_pair(left[0], left[1]);
    a[1] = bf16_pair(left[2], left[3]);
    a[2] = bf16_pair(right[0], right[1]);
    a[3] = bf16_pair(right[2], right[3]);
}

/* -- In and out ------------------------------------------------------------------------
 */

/* May rows of heads [dim] of this array be read 16 bytes at a time? */
static inline bool wide_rows(struct arr a, int64_t dim)
{
    return (uintptr_t)a.data % 16 == 0 && a.stride % 8 == 0 && dim % 8 == 0;
}

/* Begin to bring 8 numbers, of which the first `there` are wanted, to shared memory; if
 * any is, a wide copy has all. The others are 0. */
__device__ __forceinline__ void chunk_start(uint16_t *to, const uint16_t *from, int there,
                                            bool wide)
{
    if (wide)
        copy16_start(to, from, there > 0);
    else
        for (int e = 0; e < 8; e++) to[e] = e < there ? from[e] : (uint16_t)0;
}

/* Begin to bring TILE rows [dim] to [TILE, D]; row(i): where row i is, NULL: zeros. */
template <int D, class Row>
__device__ __forceinline__ void rows_start(uint16_t *to, int dim, bool wide, Row row)
{
    constexpr int CHUNKS = D / 8;
    for (int i = (int)threadIdx.x; i < TILE * CHUNKS; i += TILE_THREADS) {
        const int r = i / CHUNKS, c = i % CHUNKS * 8;
        const uint16_t *from = row(r);
        chunk_start(to + matrix_at<D>(r, c), from + (from ? c : 0), from ? dim - c : 0,
                    wide);
    }
}

/* 8 numbers, read and written at once. */
struct alignas(16) chunk {
    uint32_t pair[4];
};

__device__ __forceinline__ void chunk_out(uint16_t *to, const uint16_t *from, int there,
                                          bool wide)
{
    if (wide && there > 0)
        *(struct chunk *)(void *)to = *(const struct chunk *)(const void *)from;
    else
        for (int e = 0; e < 8; e++)
            if (e < there)
                to[e] = from[e];
}

/* to += scale from, 8 numbers, of which the first `there` are; rounded once. */
__device__ __forceinline__ void chunk_add(uint16_t *to, const float *from, float scale,
                                          int there, bool wide)
{
    if (wide && there > 0) {
        struct chunk c = *(const struct chunk *)(const void *)to;
        UNROLL
        for (int e = 0; e < 4; e++)
            c.pair[e] = bf16_pair(
                fmaf(from[2 * e], scale, bf16_float((uint16_t)c.pair[e])),
                fmaf(from[2 * e + 1], scale, bf16_float((uint16_t)(c.pair[e] >> 16))));
        *(struct chunk *)(void *)to = c;
        return;
    }
    for (int e = 0; e < 8; e++)
        if (e < there)
            to[e] = float_bf16(fmaf(from[e], scale, bf16_float(to[e])));
}

/* Call run() with the number of dimensions, as a constant, that heads [dim] are padded
 * to. */
template <int D> struct tile_dim {
    static constexpr int value = D;
};
template <class Run> static inline void with_tile_dim(int64_t dim, Run run)
{
    assert(dim <= TILE_HEAD_MAX);
    if (dim <= 32)
        run(tile_dim<32>());
    else if (dim <= 64)
        run(tile_dim<64>());
    else if (dim <= 80)
        run(tile_dim<80>());
    else
        run(tile_dim<128>());
}
#endif
