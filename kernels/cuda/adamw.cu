/* adamw.cu: the optimizer's own operations (backward.h). */
#include "adamw.h"
#include "fold.h"

constexpr int64_t PIECE = 16 << 10; /* elements that one block of threads sums */

struct squares {
    const float *x;
    double *sums; /* [pieces] */
    int64_t n;
};

__global__ void squares_kernel(struct squares p)
{
    __shared__ double totals[THREADS];
    const int64_t first = blockIdx.x * PIECE;
    const int64_t end = first + PIECE < p.n ? first + PIECE : p.n;
    double sum = 0;
    for (int64_t i = first + threadIdx.x; i < end; i += THREADS)
        sum += (double)p.x[i] * (double)p.x[i];
    sum = block_fold(sum, totals, together());
    if (threadIdx.x == 0)
        p.sums[blockIdx.x] = sum;
}

double sum_squares_cuda(struct dev *d, struct arr a)
{
    const int64_t pieces = (arr_size(a) + PIECE - 1) / PIECE;
    const size_t bytes = (size_t)pieces * sizeof(double);
    double total = 0, *host = (double *)malloc(bytes + 1);
    struct squares p = {(const float *)a.data, (double *)dev_room(d, bytes), arr_size(a)};
    if (host && p.sums && pieces > 0) {
        LAUNCH(d, (unsigned)pieces, THREADS, squares_kernel, p);
        dev_checked(
            d, cudaMemcpyAsync(host, p.sums, bytes, cudaMemcpyDeviceToHost, d->stream),
            "sums of squares");
        dev_checked(d, cudaStreamSynchronize(d->stream), "sums of squares");
        for (int64_t i = 0; i < pieces; i++) total += host[i];
    }
    if (p.sums)
        release_cuda(d, p.sums, bytes);
    const bool sure = host && p.sums && d->error == cudaSuccess;
    free(host);
    return sure ? total : NAN; /* a step with such a norm is not taken */
}

struct step {
    float *w, *m, *v;
    const float *grad;
    int64_t n;
    struct factors by;
};

__global__ void adamw_kernel(struct step p)
{
    const int64_t i = thread_number();
    const struct factors &by = p.by;
    if (i >= p.n)
        return;
    const float g = p.grad[i] * by.scale;
    const float m = p.m[i] + by.rest1 * (g - p.m[i]);
    const float v = p.v[i] * by.beta2 + by.rest2 * g * g;
    p.m[i] = m;
    p.v[i] = v;
    p.w[i] = p.w[i] * by.keep - by.size * (m / (sqrtf(v) / by.root + by.eps));
}

void adamw_cuda(struct dev *d, struct arr w, struct arr grad, struct arr m, struct arr v,
                const struct adamw *how)
{
    struct step p = {(float *)w.data,           (float *)m.data, (float *)v.data,
                     (const float *)grad.data, arr_size(w),     factors_of(how)};
    LAUNCH(d, blocks_for(p.n, THREADS), THREADS, adamw_kernel, p);
}

struct rounding {
    uint16_t *to;
    const uint32_t *from;
    int64_t n;
};

/* To the nearest, ties to even; NaN keeps its sign and stays one. */
__global__ void to_bf16_kernel(struct rounding p)
{
    const int64_t i = thread_number();
    if (i >= p.n)
        return;
    const uint32_t bits = p.from[i];
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    p.to[i] =
        (uint16_t)((nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

void to_bf16_cuda(struct dev *d, struct arr to, struct arr from)
{
    struct rounding p = {(uint16_t *)to.data, (const uint32_t *)from.data,
                         arr_size(from)};
    LAUNCH(d, blocks_for(p.n, THREADS), THREADS, to_bf16_kernel, p);
}
