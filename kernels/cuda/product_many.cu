/* product_many.cu: products with many rows, a tile of the result for each block
 * (product.h): 2 x 4 warps, each a half by a quarter of the tile; operands come through
 * STAGES stages of shared memory by asynchronous copies. */
#include "product.h"

#include "lt.h"
#include "mma.h"

constexpr int STAGES = 3, WARPS_I = 2, WARPS_J = WARPS / WARPS_I;
static_assert(STAGES * 2 * TILE * STEP * 2 <= SHARED_BYTES, "stages");
static_assert(TILE * (TILE + 4) * 4 <= SHARED_BYTES, "results");

struct tiles {
    struct halves a, b;
    struct results r;
    int64_t depth, across; /* across: tiles in i */
    bool whole;            /* four results of a row can be read and written at once */
};

/* Begin to copy a tile of `rows` by `columns` numbers from (row, column) on. */
template <int rows, int columns>
__device__ __forceinline__ void tile_fetch(uint16_t *to, const struct halves &from,
                                           int64_t row, int64_t column)
{
    constexpr int PIECES = columns / 8, EACH = rows * PIECES / THREADS;
    UNROLL
    for (int e = 0; e < EACH; e++) {
        const int at = e * THREADS + (int)threadIdx.x;
        const int64_t r = row + at / PIECES, c = column + at % PIECES * 8;
        copy16_start(to + piece_at<PIECES>(at / PIECES, at % PIECES) * 8,
                     from.data + r * from.stride + c, r < from.rows && c < from.columns);
    }
}

/* The same of an operand whose index runs from `first`, at step `step` of the depth. */
template <int T, bool turned>
__device__ __forceinline__ void operand_fetch(uint16_t *to, const struct halves &from,
                                              int64_t first, int64_t step)
{
    if (turned)
        tile_fetch<STEP, T>(to, from, step * STEP, first);
    else
        tile_fetch<T, STEP>(to, from, first, step * STEP);
}

/* Four matrices of 8 by 8: index `index` and that + 8, depth `k` and that + 8. Register
 * 1 has the other index of a's fragment (a[1]), and the other depth of b's. */
template <int T, bool turned, bool is_a>
__device__ __forceinline__ void fragments(uint32_t to[4], const uint16_t *tile, int index,
                                          int k)
{
    const int lane = (int)threadIdx.x % LANES;
    const int low = lane / 8 % 2, high = lane / 16;
    index += (is_a ? low : high) * 8, k += (is_a ? high : low) * 8;
    if (turned)
        ldmatrix_x4_trans(to, tile + piece_at<T / 8>(k + lane % 8, index / 8) * 8);
    else
        ldmatrix_x4(to, tile + piece_at<STEP / 8>(index + lane % 8, k / 8) * 8);
}

/* One step for this warp's part of the tile, which begins at (i, j). */
template <int T, bool a_turned, bool b_turned, int MI, int NJ>
__device__ __forceinline__ void step_sum(float sum[MI][NJ][4], const uint16_t *a,
                                         const uint16_t *b, int i, int j)
{
    UNROLL
    for (int k = 0; k < STEP; k += 16) {
        uint32_t fa[MI][4], fb[NJ / 2][4];
        UNROLL
        for (int m = 0; m < MI; m++)
            fragments<T, a_turned, true>(fa[m], a, i + m * 16, k);
        UNROLL
        for (int n = 0; n < NJ / 2; n++)
            fragments<T, b_turned, false>(fb[n], b, j + n * 16, k);
        UNROLL
        for (int m = 0; m < MI; m++) UNROLL
        for (int n = 0; n < NJ; n++) mma_bf16(sum[m][n], fa[m], fb[n / 2] + n % 2 * 2);
    }
}

/* The strip's sum is complete. */
template <int MI, int NJ>
__device__ __forceinline__ void strip_end(float total[MI][NJ][4], float sum[MI][NJ][4])
{
    UNROLL
    for (int m = 0; m < MI; m++) UNROLL
    for (int n = 0; n < NJ; n++) UNROLL
    for (int e = 0; e < 4; e++) total[m][n][e] += sum[m][n][e], sum[m][n][e] = 0;
}

/* Four results of row j from i on, all in range and at once. */
__device__ __forceinline__ void four_put(const struct results &r, int64_t j, int64_t i,
                                         float4 sum, float4 bias)
{
    if (r.bias.data)
        sum.x += bias.x, sum.y += bias.y, sum.z += bias.z, sum.w += bias.w;
    if (r.out.type == ARR_F32) {
        float4 *to = (float4 *)(void *)(row_of<float>(r.out, j) + i);
        if (r.add) {
            const float4 was = *to;
            sum.x += was.x, sum.y += was.y, sum.z += was.z, sum.w += was.w;
        }
        *to = sum;
    } else {
        uint2 *to = (uint2 *)(void *)(row_of<uint16_t>(r.out, j) + i);
        if (r.add) {
            const uint2 was = *to;
            sum.x += bf16_float((uint16_t)was.x);
            sum.y += bf16_float((uint16_t)(was.x >> 16));
            sum.z += bf16_float((uint16_t)was.y);
            sum.w += bf16_float((uint16_t)(was.y >> 16));
        }
        *to = make_uint2(bf16_pair(sum.x, sum.y), bf16_pair(sum.z, sum.w));
    }
}

/* The tile's sums, [j][i] in shared memory, to their places: i0.., j0... */
template <int T>
__device__ __forceinline__ void tile_put(const struct tiles &p, const float *sums,
                                         int64_t i0, int64_t j0)
{
    constexpr int FOURS = T / 4;
    const int four = (int)threadIdx.x % FOURS * 4;
    const int64_t i = i0 + four, rows = p.r.out.shape[0], columns = p.r.out.shape[1];
    const bool at_once = p.whole && i + 4 <= columns;
    float4 bias = make_float4(0, 0, 0, 0);
    if (at_once && p.r.bias.data)
        bias = make_float4(vector_at(p.r.bias, i), vector_at(p.r.bias, i + 1),
                           vector_at(p.r.bias, i + 2), vector_at(p.r.bias, i + 3));
    for (int j = (int)threadIdx.x / FOURS; j < T && j0 + j < rows; j += THREADS / FOURS) {
        const float *from = sums + j * (T + 4) + four;
        if (at_once)
            four_put(p.r, j0 + j, i, *(const float4 *)(const void *)from, bias);
        else
            for (int e = 0; e < 4 && i + e < columns; e++)
                result_put(p.r, j0 + j, i + e, from[e]);
    }
}

/* A tile's place: eight tiles of j after another for each i, so that blocks that run at
 * one time share both operands in the L2 cache. */
template <int T>
__device__ __forceinline__ void tile_place(const struct tiles &p, int64_t &i0,
                                           int64_t &j0)
{
    constexpr int64_t GROUP = 8;
    const int64_t rows = (p.r.out.shape[0] + T - 1) / T,
                  group = blockIdx.x / (GROUP * p.across);
    const int64_t at = blockIdx.x % (GROUP * p.across), left = rows - group * GROUP;
    const int64_t high = left < GROUP ? left : GROUP;
    i0 = at / high * T;
    j0 = (group * GROUP + at % high) * T;
}

template <int T, bool a_turned, bool b_turned>
__global__ void __launch_bounds__(THREADS) product_many_kernel(struct tiles p)
{
    constexpr int MI = T / WARPS_I / 16, NJ = T / WARPS_J / 8, SIZE = T * STEP;
    SHARED_ROOM(uint16_t, room);
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int i = warp % WARPS_I * (T / WARPS_I), j = warp / WARPS_I * (T / WARPS_J);
    const int64_t steps = steps_of(p.depth), each = strip_steps(p.depth);
    int64_t i0, j0, strip_left = each;
    tile_place<T>(p, i0, j0);
    const bool idle = i0 + i >= p.r.out.shape[1] || j0 + j >= p.r.out.shape[0];
    float sum[MI][NJ][4] = {}, total[MI][NJ][4] = {};
    for (int64_t s = 0; s < STAGES - 1; s++) {
        if (s < steps) {
            uint16_t *stage = room + s * 2 * SIZE;
            operand_fetch<T, a_turned>(stage, p.a, i0, s);
            operand_fetch<T, b_turned>(stage + SIZE, p.b, j0, s);
        }
        copies_commit();
    }
    for (int64_t s = 0; s < steps; s++) {
        copies_wait<STAGES - 2>();
        __syncthreads(); /* all have it, and are done with the stage that is next filled
                          */
        const int64_t next = s + STAGES - 1;
        if (next < steps) {
            uint16_t *stage = room + next % STAGES * 2 * SIZE;
            operand_fetch<T, a_turned>(stage, p.a, i0, next);
            operand_fetch<T, b_turned>(stage + SIZE, p.b, j0, next);
        }
        copies_commit();
        const uint16_t *stage = room + s % STAGES * 2 * SIZE;
        if (!idle)
            step_sum<T, a_turned, b_turned, MI, NJ>(sum, stage, stage + SIZE, i, j);
        if (--strip_left == 0 || s + 1 == steps) {
            strip_end<MI, NJ>(total, sum);
            strip_left = each;
        }
    }
    __syncthreads();
    float *sums = (float *)(void *)room;
    UNROLL
    for (int m = 0; m < MI; m++) UNROLL
    for (int n = 0; n < NJ; n++) UNROLL
    for (int e = 0; e < 4; e++)
        sums[(j + n * 8 + lane % 4 * 2 + e % 2) * (T + 4) + i + m * 16 + lane / 4 +
             e / 2 * 8] = total[m][n][e];
    __syncthreads();
    tile_put<T>(p, sums, i0, j0);
}

template <int T> static void launch(struct dev *d, struct tiles p, enum product_form form)
{
    constexpr int ALL = STAGES * 2 * T * STEP * 2;
    p.across = (p.r.out.shape[1] + T - 1) / T;
    const dim3 grid(blocks_for(p.across * ((p.r.out.shape[0] + T - 1) / T), 1));
    switch (form) {
    case PRODUCT:
        LAUNCH_SHARED(d, grid, THREADS, ALL, (product_many_kernel<T, false, false>), p);
        break;
    case PRODUCT_X:
        LAUNCH_SHARED(d, grid, THREADS, ALL, (product_many_kernel<T, true, false>), p);
        break;
    case PRODUCT_W:
        LAUNCH_SHARED(d, grid, THREADS, ALL, (product_many_kernel<T, true, true>), p);
        break;
    }
}

/* Results i0 .. i0 + count - 1 of each row. */
static void part(struct dev *d, struct results r, struct arr a, struct halves b,
                 int64_t depth, enum product_form form)
{
    const int64_t i = r.out.shape[1], j = r.out.shape[0];
    const bool wide = r.out.type == ARR_F32;
    struct product_room room;
    struct tiles p = {halves_of(d, a, &room), b, r, depth, 0, false};
    p.whole = (uintptr_t)r.out.data % (wide ? 16 : 8) == 0 && r.out.stride % 4 == 0;
    const bool done = p.a.data && !d->invariant && lt_product(d, r, p.a, b, depth, form);
    if (p.a.data && !done) {
        if ((i + TILE - 1) / TILE * ((j + TILE - 1) / TILE) >= TILES_ENOUGH)
            launch<TILE>(d, p, form);
        else
            launch<TILE_SMALL>(d, p, form);
    }
    product_room_free(d, &room);
}

void product_many(struct dev *d, struct results r, struct arr a, struct arr b,
                  enum product_form form)
{
    const bool turned = form != PRODUCT;
    const int64_t depth = a.shape[turned ? 0 : 1], all = a.shape[turned ? 1 : 0];
    const int64_t most = halves_fit(a) ? all : product_part(depth);
    struct product_room room;
    if (r.out.shape[0] == 0 || all == 0)
        return;
    struct halves hb = halves_of(d, b, &room);
    for (int64_t i = 0; i < all && hb.data; i += most) {
        const int64_t count = all - i < most ? all - i : most;
        part(d, results_part(r, i, count),
             turned ? arr_columns(a, i, count) : arr_rows(a, i, count), hb, depth, form);
    }
    product_room_free(d, &room);
}
