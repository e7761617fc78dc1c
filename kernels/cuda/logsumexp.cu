/* logsumexp.cu: log(sum exp(x * scale)) of each row, a block for each (kernels.h). Thread
 * t takes elements t, t + 256, ... ascending; terms are floats, their sums doubles. */
#include "fold.h"

struct sums {
    struct arr out, x;
    float scale;
};

__global__ void logsumexp_kernel(struct sums p)
{
    __shared__ float maxima[THREADS];
    __shared__ double totals[THREADS];
    const int64_t r = blockIdx.x, n = columns_of(p.x);
    const float *x = row_of<float>(p.x, r);
    float max = -INFINITY;
    double sum = 0;
    for (int64_t j = threadIdx.x; j < n; j += THREADS) max = fmaxf(max, x[j]);
    max = block_fold(max, maxima, larger());
    for (int64_t j = threadIdx.x; j < n; j += THREADS)
        sum += (double)expf((x[j] - max) * p.scale);
    sum = block_fold(sum, totals, together());
    if (threadIdx.x == 0)
        *row_of<float>(p.out, r) =
            max == -INFINITY ? (n > 0 && x[0] != x[0] ? x[0] : max)
                             : (float)((double)max * (double)p.scale + log(sum));
}

void logsumexp_cuda(struct dev *d, struct arr out, struct arr x, float scale)
{
    struct sums p = {out, x, scale};
    assert(out.shape[0] == x.shape[0] && scale > 0);
    if (x.shape[0] > 0)
        LAUNCH(d, blocks_for(x.shape[0], 1), THREADS, logsumexp_kernel, p);
}
