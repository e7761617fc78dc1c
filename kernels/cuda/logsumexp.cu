/* logsumexp.cu: log(sum exp(x * scale)) of each row (kernels.h). A row is cut into chunks
 * of so many numbers, a block for each, so that a single row (a token to be decoded)
 * occupies a GPU as well, and all is read once. Of each 4 x 256 numbers of a chunk thread
 * t has [4 t, 4 t + 4), ascending; then a warp adds the chunks, lane l numbers l, l + 32
 * and so on. Terms are floats, their sums doubles. */
#include "act.h"
#include "fold.h"

/* A chunk: so many times EACH numbers of each thread. */
constexpr int EACH = 4, TURNS = 4, CHUNK = THREADS * EACH * TURNS;

/* What a chunk comes to: its largest number, and its sum relative to that. */
struct chunk_sum {
    double sum;
    float max;
};

struct sums {
    struct arr out, x;
    struct chunk_sum *chunks; /* [rows, count] */
    int count;
    float scale;
    bool wide;
};

/* What numbers are taken relative to: of nothing but -infinity, anything does. */
__device__ __forceinline__ float base_of(float max)
{
    return max == -INFINITY ? 0.0f : max;
}

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

__global__ void __launch_bounds__(THREADS) chunk_sum_kernel(struct sums p)
{
    __shared__ float maxima[THREADS];
    __shared__ double totals[THREADS];
    const int64_t r = blockIdx.x / (unsigned)p.count, n = columns_of(p.x);
    const int64_t first = (int64_t)(blockIdx.x % (unsigned)p.count) * CHUNK;
    const float *x = row_of<float>(p.x, r);
    float some[TURNS][EACH], max = -INFINITY;
    double sum = 0;
    UNROLL for (int t = 0; t < TURNS; t++) get_logits(
        some[t], x, first + ((int64_t)t * THREADS + threadIdx.x) * EACH, n, p.wide);
    UNROLL for (int i = 0; i < TURNS * EACH; i++) max =
        fmaxf(max, some[i / EACH][i % EACH]);
    max = block_fold(max, maxima, larger());
    UNROLL for (int i = 0; i < TURNS * EACH; i++) sum +=
        (double)expf((some[i / EACH][i % EACH] - base_of(max)) * p.scale);
    sum = block_fold(sum, totals, together());
    if (threadIdx.x == 0)
        p.chunks[blockIdx.x] = {sum, max};
}

/* A warp for each row. */
__global__ void __launch_bounds__(THREADS) row_sum_kernel(struct sums p)
{
    const int64_t r = warp_number();
    const int lane = (int)threadIdx.x % LANES;
    if (r >= p.x.shape[0])
        return;
    const struct chunk_sum *chunks = p.chunks + r * p.count;
    float max = -INFINITY;
    double sum = 0;
    for (int c = lane; c < p.count; c += LANES) max = fmaxf(max, chunks[c].max);
    max = base_of(warp_max(max));
    for (int c = lane; c < p.count; c += LANES)
        sum += chunks[c].sum *
               exp(((double)base_of(chunks[c].max) - (double)max) * (double)p.scale);
    sum = warp_sum(sum);
    if (lane == 0)
        *row_of<float>(p.out, r) = (float)((double)max * (double)p.scale + log(sum));
}

void logsumexp_cuda(struct dev *d, struct arr out, struct arr x, float scale)
{
    struct sums p = {out, x, NULL, 0, scale, lies_wide(x, EACH)};
    assert(out.shape[0] == x.shape[0] && scale > 0);
    if (x.shape[0] == 0)
        return;
    p.count = (int)blocks_for(arr_row_size(x), CHUNK);
    const size_t bytes = (size_t)(x.shape[0] * p.count) * sizeof *p.chunks;
    p.chunks = (struct chunk_sum *)dev_room(d, bytes);
    if (!p.chunks)
        return;
    LAUNCH(d, blocks_for(x.shape[0] * p.count, 1), THREADS, chunk_sum_kernel, p);
    LAUNCH(d, blocks_for(x.shape[0], WARPS), THREADS, row_sum_kernel, p);
    release_cuda(d, p.chunks, bytes);
}
