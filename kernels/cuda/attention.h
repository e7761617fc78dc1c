/* attention.h: one query over keys in blocks of KV_PAGE, by one warp.
 *
 * Blocks ascend from the first key, with a running maximum (Dao et al., arXiv
 * 2205.14135). Lane l has the scores of keys l and l + 32 of a block, and dimensions l,
 * l + 32, ... of the sum of values, over which keys ascend. */
#ifndef CUDA_ATTENTION_H
#define CUDA_ATTENTION_H
#include "cuda.h"

constexpr int HEAD_MAX = 256, DIMS = HEAD_MAX / LANES;

/* The segment of row r: the last one that starts at or before it and is not empty. */
__device__ __forceinline__ int64_t segment_of(const struct arr &start, int64_t r)
{
    int64_t low = 0, high = start.shape[0] - 1; /* start[low] <= r < start[high] */
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (*row_of<int32_t>(start, middle) <= r)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct query {
    const float *q;
    int dim;
    float scale, max, total;
    float sum[DIMS];
};

__device__ __forceinline__ void query_start(struct query &s, const float *q, int dim,
                                            float scale)
{
    s.q = q;
    s.dim = dim;
    s.scale = scale;
    s.max = -INFINITY;
    s.total = 0;
    for (int t = 0; t < DIMS; t++) s.sum[t] = 0;
}

/* Of so many keys left, how many are in the next block. */
__device__ __forceinline__ int seen_of(int64_t left)
{
    return left < (int64_t)KV_PAGE ? (int)left : (int)KV_PAGE;
}

/* block(keys, values, seen) for each page that row r sees, of one head of keys: [dim,
 * KV_PAGE] and [KV_PAGE, dim]. */
template <class Block>
__device__ __forceinline__ void each_page(const struct arr &k, const struct arr &v,
                                          const struct kv_view &view, int64_t r,
                                          int64_t kv, Block block)
{
    const int64_t len = *row_of<int32_t>(view.len, r), tile = kv * k.shape[2] * KV_PAGE;
    const int32_t *table = row_of<int32_t>(view.table, *row_of<int32_t>(view.seq, r));
    for (int64_t j = 0; j < len; j += KV_PAGE) {
        const int32_t page = table[j / KV_PAGE];
        block(row_of<float>(k, page) + tile, row_of<float>(v, page) + tile,
              seen_of(len - j));
    }
}

/* The next block: `seen` (1 to KV_PAGE) keys; element i of key j at keys[i * key_dim + j
 * * key_next], of a value at values[j * value_next + i]. weights: this warp's own, shared
 * [KV_PAGE]. */
__device__ __forceinline__ void query_block(struct query &s, const float *keys,
                                            int64_t key_dim, int64_t key_next,
                                            const float *values, int64_t value_next,
                                            int seen, float *weights)
{
    const int lane = (int)threadIdx.x % LANES;
    float score[2] = {-INFINITY, -INFINITY}, max = s.max;
    for (int half = 0; half < 2; half++) {
        const int j = lane + half * LANES;
        if (j >= seen)
            continue;
        float sum = 0;
        for (int i = 0; i < s.dim; i++)
            sum = fmaf(s.q[i], keys[i * key_dim + j * key_next], sum);
        score[half] = sum * s.scale;
        max = fmaxf(max, score[half]);
    }
    max = warp_max(max);
    for (int half = 0; half < 2; half++) {
        score[half] = expf(score[half] - max);
        weights[lane + half * LANES] = score[half];
    }
    const float rescale = expf(s.max - max);
    s.max = max;
    s.total = s.total * rescale + warp_sum(score[0] + score[1]);
    __syncwarp();
    for (int t = 0; t * LANES + lane < s.dim; t++) {
        const float *value = values + t * LANES + lane;
        s.sum[t] *= rescale;
        for (int j = 0; j < seen; j++)
            s.sum[t] = fmaf(weights[j], value[j * value_next], s.sum[t]);
    }
    __syncwarp();
}

__device__ __forceinline__ void query_end(const struct query &s, float *y, float *lse)
{
    const int lane = (int)threadIdx.x % LANES;
    for (int t = 0; t * LANES + lane < s.dim; t++)
        y[t * LANES + lane] = s.sum[t] / s.total;
    if (lse && lane == 0)
        *lse = s.max + logf(s.total);
}
#endif
