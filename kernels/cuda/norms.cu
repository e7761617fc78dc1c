/* norms.cu: rmsnorm and layernorm (kernels.h), a warp for each vector. Lane l sums
 * elements l, l + 32, ... ascending. */
#include "cuda.h"

struct norm {
    struct arr y, x, w, b;
    int64_t vectors, heads, dim; /* heads: vectors in one row */
    float eps;
};

__global__ void rmsnorm_kernel(struct norm p)
{
    const int64_t v = warp_number(), lane = threadIdx.x % LANES;
    if (v >= p.vectors)
        return;
    const float *x = row_of<float>(p.x, v / p.heads) + v % p.heads * p.dim;
    float *y = row_of<float>(p.y, v / p.heads) + v % p.heads * p.dim;
    float squares = 0;
    for (int64_t i = lane; i < p.dim; i += LANES) squares = fmaf(x[i], x[i], squares);
    const float factor = 1.0f / sqrtf(warp_sum(squares) / (float)p.dim + p.eps);
    for (int64_t i = lane; i < p.dim; i += LANES)
        y[i] = x[i] * factor * vector_at(p.w, i);
}

__global__ void layernorm_kernel(struct norm p)
{
    const int64_t v = warp_number(), lane = threadIdx.x % LANES;
    if (v >= p.vectors)
        return;
    const float *x = row_of<float>(p.x, v);
    float *y = row_of<float>(p.y, v), sum = 0, squares = 0;
    for (int64_t i = lane; i < p.dim; i += LANES) sum += x[i];
    const float mean = warp_sum(sum) / (float)p.dim;
    for (int64_t i = lane; i < p.dim; i += LANES)
        squares = fmaf(x[i] - mean, x[i] - mean, squares);
    const float factor = 1.0f / sqrtf(warp_sum(squares) / (float)p.dim + p.eps);
    for (int64_t i = lane; i < p.dim; i += LANES)
        y[i] = (x[i] - mean) * factor * vector_at(p.w, i) + vector_at(p.b, i);
}

void rmsnorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, float eps)
{
    int64_t dim = x.shape[x.rank - 1], heads = arr_row_size(x) / dim;
    struct norm p = {y, x, w, arr_none(), x.shape[0] * heads, heads, dim, eps};
    assert(w.shape[0] == dim && y.shape[0] == x.shape[0]);
    LAUNCH(d, blocks_for(p.vectors, WARPS), THREADS, rmsnorm_kernel, p);
}

void layernorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr b,
                    float eps)
{
    struct norm p = {y, x, w, b, x.shape[0], 1, x.shape[1], eps};
    assert(w.shape[0] == p.dim && b.shape[0] == p.dim && y.shape[0] == x.shape[0]);
    LAUNCH(d, blocks_for(p.vectors, WARPS), THREADS, layernorm_kernel, p);
}
