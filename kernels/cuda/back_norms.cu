/* back_norms.cu: gradients of rmsnorm and layernorm (backward.h). Every vector's mean and
 * factor first; then the weights' gradients, a thread for each column and vectors
 * ascending; then the inputs', which may take dy's place, a warp for each vector. */
#include "cuda.h"

struct norm_back {
    struct arr dx, dw, db, dy, x, w;
    int64_t vectors, heads, dim;
    float *mean, *factor; /* [vectors] */
    float eps;
    bool centred, set;
};

__device__ __forceinline__ float *vector_of(const struct norm_back &p,
                                            const struct arr &a, int64_t v)
{
    return row_of<float>(a, v / p.heads) + v % p.heads * p.dim;
}

__global__ void statistics_kernel(struct norm_back p)
{
    const int64_t v = warp_number(), lane = threadIdx.x % LANES;
    if (v >= p.vectors)
        return;
    const float *x = vector_of(p, p.x, v);
    float sum = 0, squares = 0, mean = 0;
    if (p.centred) {
        for (int64_t i = lane; i < p.dim; i += LANES) sum += x[i];
        mean = warp_sum(sum) / (float)p.dim;
    }
    for (int64_t i = lane; i < p.dim; i += LANES)
        squares = fmaf(x[i] - mean, x[i] - mean, squares);
    squares = warp_sum(squares);
    if (lane == 0) {
        p.mean[v] = mean;
        p.factor[v] = 1.0f / sqrtf(squares / (float)p.dim + p.eps);
    }
}

__global__ void norm_weights_kernel(struct norm_back p)
{
    const int64_t i = thread_number();
    float sum = 0, plain = 0;
    if (i >= p.dim)
        return;
    for (int64_t v = 0; v < p.vectors; v++) {
        const float dy = vector_of(p, p.dy, v)[i], x = vector_of(p, p.x, v)[i];
        sum = fmaf(dy, (x - p.mean[v]) * p.factor[v], sum);
        plain += dy;
    }
    if (p.dw.data)
        ((float *)p.dw.data)[i] += sum;
    if (p.db.data)
        ((float *)p.db.data)[i] += plain;
}

/* With g = dy w and h = (x - mean) factor: dx = factor (g - [mean of g] - h mean(g h)).
 */
__global__ void norm_input_kernel(struct norm_back p)
{
    const int64_t v = warp_number(), lane = threadIdx.x % LANES;
    if (v >= p.vectors)
        return;
    const float *x = vector_of(p, p.x, v), *dy = vector_of(p, p.dy, v);
    float *dx = vector_of(p, p.dx, v), sum = 0, slope = 0;
    const float mean = p.mean[v], factor = p.factor[v];
    for (int64_t i = lane; i < p.dim; i += LANES) {
        const float g = dy[i] * vector_at(p.w, i);
        sum += g;
        slope = fmaf(g, (x[i] - mean) * factor, slope);
    }
    sum = p.centred ? warp_sum(sum) / (float)p.dim : 0.0f;
    slope = warp_sum(slope) / (float)p.dim;
    for (int64_t i = lane; i < p.dim; i += LANES) {
        const float h = (x[i] - mean) * factor;
        const float value = factor * (dy[i] * vector_at(p.w, i) - sum - h * slope);
        dx[i] = p.set ? value : dx[i] + value;
    }
}

static void run(struct dev *d, struct arr dx, struct arr dw, struct arr db, struct arr dy,
                struct arr x, struct arr w, float eps, enum grad_mode mode, bool centred)
{
    int64_t dim = x.shape[x.rank - 1], heads = arr_row_size(x) / dim;
    struct norm_back p = {dx,    dw,  db,   dy,   x,   w,       x.shape[0] * heads,
                          heads, dim, NULL, NULL, eps, centred, mode == GRAD_SET};
    size_t bytes = (size_t)p.vectors * 2 * sizeof(float);
    assert(w.shape[0] == dim && dy.shape[0] == x.shape[0]);
    p.mean = (float *)dev_room(d, bytes);
    if (!p.mean)
        return;
    p.factor = p.mean + p.vectors;
    LAUNCH(d, blocks_for(p.vectors, WARPS), THREADS, statistics_kernel, p);
    if (dw.data || db.data)
        LAUNCH(d, blocks_for(dim, THREADS), THREADS, norm_weights_kernel, p);
    if (dx.data)
        LAUNCH(d, blocks_for(p.vectors, WARPS), THREADS, norm_input_kernel, p);
    release_cuda(d, p.mean, bytes);
}

void back_rmsnorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr dy,
                       struct arr x, struct arr w, float eps, enum grad_mode mode)
{
    run(d, dx, dw, arr_none(), dy, x, w, eps, mode, false);
}

void back_layernorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                         struct arr dy, struct arr x, struct arr w, float eps,
                         enum grad_mode mode)
{
    run(d, dx, dw, db, dy, x, w, eps, mode, true);
}
