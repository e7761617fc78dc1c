/* back_matmul.cu: gradients of products (backward.h): which way, and those of float32, a
 * thread for each column and eight rows of the result; sums ascend, fused. Those on
 * tensor cores are product.h's. */
#include "product.h"

constexpr int ROWS = 8;

struct product_back {
    struct arr to, dy, other, db; /* other: w, or x */
    int64_t w_bytes;
    bool set;
};

/* dx [M, K]: rows m0.., column k; over N. */
template <int type> __global__ void matmul_x_kernel(struct product_back p)
{
    const int64_t k = thread_number(), m0 = (int64_t)blockIdx.y * ROWS;
    const int64_t left = p.to.shape[0] - m0;
    const int count = left < ROWS ? (int)left : ROWS;
    float sum[ROWS] = {0};
    if (k >= p.to.shape[1])
        return;
    for (int64_t n = 0; n < p.dy.shape[1]; n++) {
        const float w =
            number_at((enum arr_type)type, (const char *)p.other.data + n * p.w_bytes, k);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            if (r < count)
                sum[r] = fmaf(row_of<float>(p.dy, m0 + r)[n], w, sum[r]);
    }
    UNROLL
    for (int r = 0; r < ROWS; r++)
        if (r < count) {
            float *to = row_of<float>(p.to, m0 + r) + k;
            *to = p.set ? sum[r] : *to + sum[r];
        }
}

static void matmul_x_f32(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                         enum grad_mode mode)
{
    const int64_t most = 65535 * (int64_t)ROWS;
    for (int64_t m = 0; m < dx.shape[0]; m += most) {
        int64_t count = dx.shape[0] - m < most ? dx.shape[0] - m : most;
        struct product_back p = {
            arr_rows(dx, m, count), arr_rows(dy, m, count), w, arr_none(),
            row_bytes(w),           mode == GRAD_SET};
        dim3 grid(blocks_for(dx.shape[1], THREADS), blocks_for(count, ROWS));
        switch (w.type) {
        case ARR_F32: LAUNCH(d, grid, THREADS, matmul_x_kernel<ARR_F32>, p); break;
        case ARR_BF16: LAUNCH(d, grid, THREADS, matmul_x_kernel<ARR_BF16>, p); break;
        default: LAUNCH(d, grid, THREADS, matmul_x_kernel<ARR_F16>, p);
        }
    }
}

void matmul_x_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                   enum grad_mode mode)
{
    assert(dx.shape[0] == dy.shape[0] && dy.shape[1] == w.shape[0] &&
           dx.shape[1] == w.shape[1]);
    const struct results r = {dx, arr_none(), mode == GRAD_ADD};
    if (dx.type == ARR_F32 && dy.type == ARR_F32)
        matmul_x_f32(d, dx, dy, w, mode);
    else
        product_many(d, r, w, dy, PRODUCT_X);
}

/* dw [N, K]: rows n0.., column k; over M. */
__global__ void matmul_w_kernel(struct product_back p)
{
    const int64_t k = thread_number(), n0 = (int64_t)blockIdx.y * ROWS;
    const int64_t left = p.to.shape[0] - n0;
    const int count = left < ROWS ? (int)left : ROWS;
    float sum[ROWS] = {0};
    if (k >= p.to.shape[1])
        return;
    for (int64_t m = 0; m < p.dy.shape[0]; m++) {
        const float x = row_of<float>(p.other, m)[k];
        const float *dy = row_of<float>(p.dy, m) + n0;
        UNROLL
        for (int r = 0; r < ROWS; r++)
            if (r < count)
                sum[r] = fmaf(dy[r], x, sum[r]);
    }
    UNROLL
    for (int r = 0; r < ROWS; r++)
        if (r < count)
            row_of<float>(p.to, n0 + r)[k] += sum[r];
}

/* db: a lane for each column; each warp has every eighth row, ascending, and then the
 * warps' sums are added, ascending. */
__global__ void bias_kernel(struct product_back p)
{
    __shared__ float sums[WARPS][LANES];
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int64_t n = (int64_t)blockIdx.x * LANES + lane;
    const bool there = n < p.dy.shape[1];
    float sum = 0;
    for (int64_t m = warp; m < p.dy.shape[0] && there; m += WARPS)
        sum += p.dy.type == ARR_F32 ? row_of<float>(p.dy, m)[n]
                                    : bf16_float(row_of<uint16_t>(p.dy, m)[n]);
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || !there)
        return;
    for (int i = 1; i < WARPS; i++) sum += sums[i][lane];
    ((float *)p.db.data)[n] += sum;
}

void matmul_w_cuda(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                   struct arr x)
{
    struct product_back p = {dw, dy, x, db, 0, false};
    const struct results r = {dw, arr_none(), true};
    assert(dy.shape[0] == x.shape[0]);
    assert(!dw.data || (dw.shape[0] == dy.shape[1] && dw.shape[1] == x.shape[1]));
    if (dw.data && (dy.type != ARR_F32 || x.type != ARR_F32))
        product_many(d, r, x, dy, PRODUCT_W);
    else if (dw.data) {
        assert(dw.shape[0] <= 65535 * (int64_t)ROWS);
        dim3 grid(blocks_for(dw.shape[1], THREADS), blocks_for(dw.shape[0], ROWS));
        LAUNCH(d, grid, THREADS, matmul_w_kernel, p);
    }
    if (db.data)
        LAUNCH(d, blocks_for(dy.shape[1], LANES), THREADS, bias_kernel, p);
}
