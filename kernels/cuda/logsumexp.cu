/* logsumexp.cu: log(sum exp(x * scale)) of each row, a block for each (kernels.h). Of
 * each 4 x 256 elements thread t takes [4 t, 4 t + 4), ascending; terms are floats, their
 * sums doubles. */
#include "act.h"
#include "fold.h"

struct sums {
    struct arr out, x;
    float scale;
    bool wide;
};

constexpr int EACH = 4;

/* Elements [j, j + EACH) of n; what is not there is -infinity. */
__device__ __forceinline__ void get_logits(float (&x)[EACH], const float *row, int64_t j,
                                           int64_t n, bool wide)
{
    if (wide && j + EACH <= n) {
        get<EACH>(x, row + j);
        return;
    }
    UNROLL for (int i = 0; i < EACH; i++) x[i] = j + i < n ? row[j + i] : -INFINITY;
}

__global__ void logsumexp_kernel(struct sums p)
{
    __shared__ float maxima[THREADS];
    __shared__ double totals[THREADS];
    const int64_t r = blockIdx.x, n = columns_of(p.x);
    const float *x = row_of<float>(p.x, r);
    float max = -INFINITY, some[EACH];
    double sum = 0;
    for (int64_t j = threadIdx.x * EACH; j < n; j += THREADS * EACH) {
        get_logits(some, x, j, n, p.wide);
        UNROLL for (int i = 0; i < EACH; i++) max = fmaxf(max, some[i]);
    }
    max = block_fold(max, maxima, larger());
    for (int64_t j = threadIdx.x * EACH; j < n; j += THREADS * EACH) {
        get_logits(some, x, j, n, p.wide);
        UNROLL for (int i = 0; i < EACH; i++) if (j + i < n) sum +=
            (double)expf((some[i] - max) * p.scale);
    }
    sum = block_fold(sum, totals, together());
    if (threadIdx.x == 0)
        *row_of<float>(p.out, r) =
            max == -INFINITY ? (n > 0 && x[0] != x[0] ? x[0] : max)
                             : (float)((double)max * (double)p.scale + log(sum));
}

void logsumexp_cuda(struct dev *d, struct arr out, struct arr x, float scale)
{
    struct sums p = {out, x, scale, lies_wide(x, EACH)};
    assert(out.shape[0] == x.shape[0] && scale > 0);
    if (x.shape[0] > 0)
        LAUNCH(d, blocks_for(x.shape[0], 1), THREADS, logsumexp_kernel, p);
}
