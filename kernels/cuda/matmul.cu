/* matmul.cu: y = x w^T + bias, for weights of any type (kernels.h): which way, and the
 * one for x in float32; those on tensor cores are product.h's.
 *
 * One order for any number of rows: of every 256 elements of K, lane l of a warp takes
 * 4 l .. 4 l + 3 of each half, ascending and fused; then the lanes are added up as
 * warp_sum() does. Eight rows of x lie in shared memory, and a warp reads each weight
 * once for them. */
#include "product.h"
#include "quant.h"

constexpr int ROWS = 8, COLUMNS = 4, CHUNK = 256, EACH = CHUNK / LANES;

struct product {
    struct arr y, x, w, bias;
    int64_t w_bytes; /* of one row of w */
    int64_t depth;
    bool add;
};

/* Where element j of a lane lies in a chunk. */
__device__ __forceinline__ int place_of(int lane, int j)
{
    return j / 4 * 128 + lane * 4 + j % 4;
}

/* A lane's weights of row n, from k0 on; 0 beyond the depth. */
template <int type>
__device__ __forceinline__ void weights_of(const struct product &p, int64_t n, int64_t k0,
                                           int lane, float to[EACH])
{
    const void *row = (const char *)p.w.data + n * p.w_bytes;
    UNROLL
    for (int j = 0; j < EACH; j++) {
        int64_t k = k0 + place_of(lane, j);
        const enum arr_type t = type < ARR_Q4_0 ? (enum arr_type)type : p.w.type;
        to[j] = k < p.depth ? any_at(t, row, k) : 0.0f;
    }
}

__device__ __forceinline__ void rows_staged(const struct product &p, int64_t m0,
                                            int count, int64_t k0, float to[ROWS][CHUNK])
{
    for (int i = (int)threadIdx.x; i < count * CHUNK; i += THREADS) {
        const int64_t k = k0 + i % CHUNK;
        to[i / CHUNK][i % CHUNK] =
            k < p.depth ? row_of<float>(p.x, m0 + i / CHUNK)[k] : 0.0f;
    }
}

__device__ __forceinline__ void result(const struct product &p, int64_t m, int64_t n,
                                       float sum)
{
    float *y = row_of<float>(p.y, m) + n;
    if (p.bias.data)
        sum += vector_at(p.bias, n);
    *y = p.add ? *y + sum : sum;
}

/* type: the weights', or ARR_Q4_0 for all of blocks. */
template <int type> __global__ void matmul_kernel(struct product p)
{
    __shared__ float rows[ROWS][CHUNK];
    const int lane = (int)threadIdx.x % LANES;
    const int64_t m0 = (int64_t)blockIdx.y * ROWS;
    const int64_t n0 = warp_number() * COLUMNS, columns = p.y.shape[1];
    const int64_t left = p.x.shape[0] - m0;
    const int count = left < ROWS ? (int)left : ROWS;
    float sum[ROWS][COLUMNS] = {{0}};
    for (int64_t k0 = 0; k0 < p.depth; k0 += CHUNK) {
        __syncthreads();
        rows_staged(p, m0, count, k0, rows);
        __syncthreads();
        /* all indices are known: sums stay in registers */
        UNROLL
        for (int c = 0; c < COLUMNS; c++) {
            float w[EACH];
            if (n0 + c >= columns)
                break;
            weights_of<type>(p, n0 + c, k0, lane, w);
            UNROLL
            for (int r = 0; r < ROWS; r++) {
                if (r >= count)
                    break;
                UNROLL
                for (int j = 0; j < EACH; j++)
                    sum[r][c] = fmaf(rows[r][place_of(lane, j)], w[j], sum[r][c]);
            }
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; r++) UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        if (r >= count || n0 + c >= columns)
            break;
        const float all = warp_sum(sum[r][c]);
        if (lane == 0)
            result(p, m0 + r, n0 + c, all);
    }
}

static void matmul_f32(struct dev *d, struct arr y, struct arr x, struct arr w,
                       struct arr bias, enum matmul_mode mode)
{
    const int64_t most = 65535 * (int64_t)ROWS; /* rows of one grid */
    for (int64_t m = 0; m < x.shape[0]; m += most) {
        int64_t count = x.shape[0] - m < most ? x.shape[0] - m : most;
        struct product p = {arr_rows(y, m, count),
                            arr_rows(x, m, count),
                            w,
                            bias,
                            row_bytes(w),
                            w.shape[1],
                            mode == MATMUL_ADD};
        dim3 grid(blocks_for(w.shape[0], WARPS * COLUMNS), blocks_for(count, ROWS));
        switch (w.type) {
        case ARR_F32: LAUNCH(d, grid, THREADS, matmul_kernel<ARR_F32>, p); break;
        case ARR_BF16: LAUNCH(d, grid, THREADS, matmul_kernel<ARR_BF16>, p); break;
        case ARR_F16: LAUNCH(d, grid, THREADS, matmul_kernel<ARR_F16>, p); break;
        default: LAUNCH(d, grid, THREADS, matmul_kernel<ARR_Q4_0>, p);
        }
    }
}

/* Are there few enough rows for a kernel that reads weights once for all? */
static bool are_few(const struct dev *d, int64_t rows, struct arr w)
{
    return rows <= (d->invariant || !halves_fit(w) ? FEW : FEW_LT);
}

void matmul_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr bias,
                 enum matmul_mode mode)
{
    assert(x.shape[1] == w.shape[1] && y.shape[0] == x.shape[0] &&
           y.shape[1] == w.shape[0]);
    const struct results r = {y, bias, mode == MATMUL_ADD};
    if (x.type == ARR_F32 && y.type == ARR_F32)
        matmul_f32(d, y, x, w, bias, mode);
    else if (are_few(d, y.shape[0], w))
        product_few(d, r, w, x);
    else
        product_many(d, r, w, x, PRODUCT);
}

void matmuls_cuda(struct dev *d, const struct matmul_part *parts, int count, struct arr x)
{
    assert(count > 0 && count <= MATMUL_PARTS);
    if (are_few(d, x.shape[0], parts->w) && products_few(d, parts, count, x))
        return;
    for (int i = 0; i < count; i++)
        matmul_cuda(d, parts[i].y, x, parts[i].w, parts[i].bias, MATMUL_SET);
}
