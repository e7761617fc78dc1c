/* back_loss.cu: from probabilities of tokens to gradients of logits (backward.h), a block
 * of threads for each row; thread t takes elements t, t + 256, ... ascending. */
#include "fold.h"

/* H = lse - sum of p x, in every thread. */
__device__ __forceinline__ float entropy_of(const float *x, float lse, int64_t n,
                                            double *totals)
{
    double sum = 0;
    for (int64_t j = threadIdx.x; j < n; j += THREADS) {
        const float p = expf(x[j] - lse);
        sum += p > 0.0f ? (double)(p * (lse - x[j])) : 0.0;
    }
    return (float)block_fold(sum, totals, together());
}

struct entropies {
    struct arr out, logits, lse;
};

__global__ void entropy_kernel(struct entropies p)
{
    __shared__ double totals[THREADS];
    const int64_t r = blockIdx.x;
    const float h = entropy_of(row_of<float>(p.logits, r), *row_of<float>(p.lse, r),
                               columns_of(p.logits), totals);
    if (threadIdx.x == 0)
        *row_of<float>(p.out, r) = h;
}

void entropy_cuda(struct dev *d, struct arr out, struct arr logits, struct arr lse)
{
    struct entropies p = {out, logits, lse};
    if (logits.shape[0] > 0)
        LAUNCH(d, blocks_for(logits.shape[0], 1), THREADS, entropy_kernel, p);
}

struct losses {
    struct arr logits;
    struct token_grad g;
};

__global__ void back_logits_kernel(struct losses p)
{
    __shared__ double totals[THREADS];
    const int64_t r = blockIdx.x, n = columns_of(p.logits);
    float *x = row_of<float>(p.logits, r);
    const float lse = *row_of<float>(p.g.lse, r), weight = *row_of<float>(p.g.weight, r);
    const float entropy = p.g.entropy.data ? *row_of<float>(p.g.entropy, r) : 0.0f;
    const int32_t target = *row_of<int32_t>(p.g.target, r);
    const float h = entropy != 0.0f ? entropy_of(x, lse, n, totals) : 0.0f;
    for (int64_t j = threadIdx.x; j < n; j += THREADS) {
        const float prob = weight == 0.0f && entropy == 0.0f ? 0.0f : expf(x[j] - lse);
        float value = -weight * prob;
        if (entropy != 0.0f && prob > 0.0f)
            value -= entropy * prob * ((x[j] - lse) + h);
        x[j] = j == target ? value + weight : value;
    }
}

void back_logits_cuda(struct dev *d, struct arr logits, struct token_grad g)
{
    struct losses p = {logits, g};
    if (logits.shape[0] > 0)
        LAUNCH(d, blocks_for(logits.shape[0], 1), THREADS, back_logits_kernel, p);
}
