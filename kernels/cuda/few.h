/* few.h: what the kernels for few rows share (product_few.cu, product_blocks.cu): a block
 * has some rows of weights and all rows of b, and each of its warps a strip of the depth.
 */
#ifndef CUDA_FEW_H
#define CUDA_FEW_H
#include "mma.h"
#include "product.h"
#include "runs.h"

struct few {
    struct runs a;
    struct halves b;
    struct results r;
    int64_t depth;
};

/* Several products with the same b, one after another in one grid. */
struct few_group {
    struct few one[MATMUL_PARTS];
    unsigned first[MATMUL_PARTS]; /* block of each product */
    int count;
};

/* Which of them this block has a part of. */
__device__ __forceinline__ int few_number(const struct few_group &g)
{
    int n = 0;
    while (n + 1 < g.count && blockIdx.x >= g.first[n + 1]) n++;
    return n;
}

/* Products with the same up to 8 rows of b, all of blocks of Q8_0 or all of Q4_K at
 * multiples of 16; false: others. */
bool product_blocks(struct dev *d, const struct few *list, int count);

/* A grid of blocks of so many rows of weights each: how many. */
static inline unsigned few_blocks(struct few_group &g, const struct few *list, int count,
                                  int rows)
{
    unsigned blocks = 0;
    g = {};
    for (; g.count < count; g.count++) {
        g.one[g.count] = list[g.count];
        g.first[g.count] = blocks;
        blocks += blocks_for(list[g.count].r.out.shape[1], rows);
    }
    return blocks;
}

/* Begin to copy `rows` rows from `row` on, from k0 on, by one warp. */
template <int rows, int PIECES>
__device__ __forceinline__ void warp_fetch(uint16_t *to, const struct halves &from,
                                           int64_t row, int64_t k0)
{
    UNROLL
    for (int e = 0; e < rows * PIECES / LANES; e++) {
        const int at = e * LANES + (int)threadIdx.x % LANES;
        const int64_t r = row + at / PIECES, c = k0 + at % PIECES * 8;
        copy16_start(to + piece_at<PIECES>(at / PIECES, at % PIECES) * 8,
                     from.data + r * from.stride + c, r < from.rows && c < from.columns);
    }
}

/* Shared memory for the strips' sums: [strip][8 TT][16 RT + 4], the 4 against conflicts
 * of banks. */
constexpr int strips_bytes(int RT, int TT)
{
    return STRIPS * TT * 8 * (RT * 16 + 4) * 4;
}

/* Add the strips' sums, ascending, and put the results; i0: the block's first row of
 * weights; sums: where the tiles were that all warps are done with. */
template <int RT, int TT>
__device__ __forceinline__ void strips_put(const struct few &p, float *sums, int64_t i0,
                                           const float sum[RT][TT][4])
{
    constexpr int ROW = RT * 16 + 4, STRIP = TT * 8 * ROW;
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int rows = (int)p.r.out.shape[0];
    const int64_t steps = steps_of(p.depth), each = strip_steps(p.depth);
    __syncthreads();
    UNROLL
    for (int m = 0; m < RT; m++) UNROLL
    for (int t = 0; t < TT; t++) UNROLL
    for (int e = 0; e < 4; e++)
        sums[warp * STRIP + (t * 8 + lane % 4 * 2 + e % 2) * ROW + m * 16 + lane / 4 +
             e / 2 * 8] = sum[m][t][e];
    __syncthreads();
    for (int at = (int)threadIdx.x; at < rows * RT * 16; at += THREADS) {
        const int j = at / (RT * 16), i = at % (RT * 16);
        float total = 0;
        for (int64_t s = 0; s * each < steps; s++) total += sums[s * STRIP + j * ROW + i];
        if (i0 + i < p.r.out.shape[1])
            result_put(p.r, j, i0 + i, total);
    }
}
#endif
