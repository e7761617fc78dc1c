/* back_matmul.cu: gradients of products (backward.h), a thread for each column and eight
 * rows of the result; sums ascend, fused. */
#include "cuda.h"

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

void matmul_x_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                   enum grad_mode mode)
{
    const int64_t most = 65535 * (int64_t)ROWS;
    assert(dx.shape[0] == dy.shape[0] && dy.shape[1] == w.shape[0]);
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

__global__ void bias_kernel(struct product_back p)
{
    const int64_t n = thread_number();
    float sum = 0;
    if (n >= p.dy.shape[1])
        return;
    for (int64_t m = 0; m < p.dy.shape[0]; m++) sum += row_of<float>(p.dy, m)[n];
    ((float *)p.db.data)[n] += sum;
}

void matmul_w_cuda(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                   struct arr x)
{
    struct product_back p = {dw, dy, x, db, 0, false};
    assert(dy.shape[0] == x.shape[0]);
    if (dw.data) {
        assert(dw.shape[0] == dy.shape[1] && dw.shape[0] <= 65535 * (int64_t)ROWS);
        dim3 grid(blocks_for(dw.shape[1], THREADS), blocks_for(dw.shape[0], ROWS));
        LAUNCH(d, grid, THREADS, matmul_w_kernel, p);
    }
    if (db.data)
        LAUNCH(d, blocks_for(dy.shape[1], THREADS), THREADS, bias_kernel, p);
}
