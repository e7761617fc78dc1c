/* back_attention.cu: gradients of attention (backward.h). Probabilities are made again
 * from q, k and lse (Dao, arXiv 2307.08691): p = exp(scale q k - lse), and with D = dy y
 * the gradient of a score is p (dy v - D) scale.
 *
 * dq: a warp for each row and head; lane l has keys l and l + 32 of a block, then
 * dimensions l, l + 32, ... over which keys ascend. dk and dv: of a segment, the same
 * with a warp for each key and blocks of queries; of pages, a block of threads for each
 * page and head of keys, rows ascending. */
#include "attention.h"
#include "attention_bf16.h"

struct back {
    struct arr dq, dk, dv, dy, q, k, v, y, lse;
    struct arr start;    /* segments */
    struct kv_view view; /* pages */
    float scale;
};

__device__ __forceinline__ float dot(const float *a, int64_t a_next, const float *b,
                                     int64_t b_next, int dim)
{
    float sum = 0;
    for (int i = 0; i < dim; i++) sum = fmaf(a[i * a_next], b[i * b_next], sum);
    return sum;
}

/* -- Queries ---------------------------------------------------------------------------
 */

struct query_back {
    const float *q, *dy;
    float *dq;
    float lse, delta, scale; /* delta: dy y */
    int dim;
};

__device__ __forceinline__ struct query_back query_back_of(const struct back &p,
                                                           int64_t r, int64_t h)
{
    const int64_t at = h * p.q.shape[2];
    struct query_back s = {row_of<float>(p.q, r) + at,
                           row_of<float>(p.dy, r) + at,
                           row_of<float>(p.dq, r) + at,
                           row_of<float>(p.lse, r)[h],
                           0,
                           p.scale,
                           (int)p.q.shape[2]};
    s.delta = dot(s.dy, 1, row_of<float>(p.y, r) + at, 1, s.dim);
    return s;
}

/* What a block of `seen` keys adds to dq; where elements lie as for query_block(). */
__device__ __forceinline__ void query_back_block(const struct query_back &s,
                                                 const float *keys, int64_t key_dim,
                                                 int64_t key_next, const float *values,
                                                 int64_t value_next, int seen,
                                                 float *slopes)
{
    const int lane = (int)threadIdx.x % LANES;
    for (int j = lane; j < seen; j += LANES) {
        const float score = dot(s.q, 1, keys + j * key_next, key_dim, s.dim) * s.scale;
        const float slope = dot(s.dy, 1, values + j * value_next, 1, s.dim) - s.delta;
        slopes[j] = expf(score - s.lse) * slope * s.scale;
    }
    __syncwarp();
    for (int i = lane; i < s.dim; i += LANES) {
        float sum = 0;
        for (int j = 0; j < seen; j++)
            sum = fmaf(slopes[j], keys[i * key_dim + j * key_next], sum);
        s.dq[i] += sum;
    }
    __syncwarp();
}

__global__ void back_queries_kernel(struct back p)
{
    __shared__ float slopes[WARPS][KV_PAGE];
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const int64_t segment = segment_of(p.start, r);
    const int64_t end = *row_of<int32_t>(p.start, segment + 1);
    const struct query_back s = query_back_of(p, r, h);
    for (int64_t j = *row_of<int32_t>(p.start, segment); j < end; j += KV_PAGE)
        query_back_block(s, row_of<float>(p.k, j) + h * dim, 1, p.k.stride,
                         row_of<float>(p.v, j) + h * dim, p.v.stride, seen_of(end - j),
                         slopes[threadIdx.x / LANES]);
}

__global__ void back_paged_queries_kernel(struct back p)
{
    __shared__ float slopes[WARPS][KV_PAGE];
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const int64_t kv = h / (heads / p.k.shape[1]);
    const struct query_back s = query_back_of(p, r, h);
    each_page(p.k, p.v, p.view, r, kv,
              [&](const float *keys, const float *values, int seen) {
                  query_back_block(s, keys, KV_PAGE, 1, values, dim, seen,
                                   slopes[threadIdx.x / LANES]);
              });
}

/* -- Keys and values of segments -------------------------------------------------------
 */

__global__ void back_keys_kernel(struct back p)
{
    __shared__ float weights[WARPS][KV_PAGE], slopes[WARPS][KV_PAGE];
    const int lane = (int)threadIdx.x % LANES, w = (int)threadIdx.x / LANES;
    const int64_t heads = p.q.shape[1];
    const int64_t key = warp_number() / heads, h = warp_number() % heads;
    if (key >= p.q.shape[0])
        return;
    const int dim = (int)p.q.shape[2];
    const int64_t at = h * dim, segment = segment_of(p.start, key);
    const int64_t end = *row_of<int32_t>(p.start, segment + 1);
    const float *k = row_of<float>(p.k, key) + at, *v = row_of<float>(p.v, key) + at;
    float *dk = row_of<float>(p.dk, key) + at, *dv = row_of<float>(p.dv, key) + at;
    for (int64_t r = *row_of<int32_t>(p.start, segment); r < end; r += KV_PAGE) {
        const int count = seen_of(end - r);
        for (int j = lane; j < count; j += LANES) {
            const float *q = row_of<float>(p.q, r + j) + at;
            const float *dy = row_of<float>(p.dy, r + j) + at;
            const float delta = dot(dy, 1, row_of<float>(p.y, r + j) + at, 1, dim);
            const float weight =
                expf(dot(q, 1, k, 1, dim) * p.scale - row_of<float>(p.lse, r + j)[h]);
            weights[w][j] = weight;
            slopes[w][j] = weight * (dot(dy, 1, v, 1, dim) - delta) * p.scale;
        }
        __syncwarp();
        for (int i = lane; i < dim; i += LANES) {
            float to_k = 0, to_v = 0;
            for (int j = 0; j < count; j++) {
                to_k = fmaf(slopes[w][j], row_of<float>(p.q, r + j)[at + i], to_k);
                to_v = fmaf(weights[w][j], row_of<float>(p.dy, r + j)[at + i], to_v);
            }
            dk[i] += to_k;
            dv[i] += to_v;
        }
        __syncwarp();
    }
}

void back_attention_cuda(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                         struct arr dy, struct arr q, struct arr k, struct arr v,
                         struct arr y, struct arr lse, struct arr start, float scale)
{
    struct back p = {dq, dk, dv, dy, q, k, v, y, lse, start, {}, scale};
    unsigned blocks = blocks_for(q.shape[0] * q.shape[1], WARPS);
    if (q.type == ARR_BF16)
        return back_attention_bf16(d, dq, dk, dv, dy, q, k, v, y, lse, start, scale);
    assert(q.shape[2] <= HEAD_MAX);
    LAUNCH(d, blocks, THREADS, back_queries_kernel, p);
    LAUNCH(d, blocks, THREADS, back_keys_kernel, p);
}

/* -- Keys and values of pages ----------------------------------------------------------
 */

/* Which block of a sequence this page is; -1: none of the first `count`. */
__device__ __forceinline__ int place_of_page(const int32_t *table, int64_t count,
                                             int32_t page)
{
    for (int b = 0; b < count; b++)
        if (table[b] == page)
            return b;
    return -1;
}

__global__ void back_pages_kernel(struct back p)
{
    __shared__ float weights[KV_PAGE], slopes[KV_PAGE];
    const int dim = (int)p.q.shape[2], t = (int)threadIdx.x;
    const int32_t page = (int32_t)blockIdx.x, kv = (int32_t)blockIdx.y;
    const int64_t group = p.q.shape[1] / p.k.shape[1], tile = (int64_t)kv * dim * KV_PAGE;
    const float *k = row_of<float>(p.k, page) + tile,
                *v = row_of<float>(p.v, page) + tile;
    float *dk = row_of<float>(p.dk, page) + tile, *dv = row_of<float>(p.dv, page) + tile;
    for (int64_t r = 0; r < p.q.shape[0]; r++) {
        const int64_t len = *row_of<int32_t>(p.view.len, r);
        const int b =
            place_of_page(row_of<int32_t>(p.view.table, *row_of<int32_t>(p.view.seq, r)),
                          (len + KV_PAGE - 1) / KV_PAGE, page);
        const int seen = b < 0 ? 0 : seen_of(len - (int64_t)b * KV_PAGE);
        for (int64_t h = kv * group; h < (kv + 1) * group && seen > 0; h++) {
            const float *q = row_of<float>(p.q, r) + h * dim;
            const float *dy = row_of<float>(p.dy, r) + h * dim;
            if (t < seen) {
                const float delta = dot(dy, 1, row_of<float>(p.y, r) + h * dim, 1, dim);
                const float weight = expf(dot(q, 1, k + t, KV_PAGE, dim) * p.scale -
                                          row_of<float>(p.lse, r)[h]);
                weights[t] = weight;
                slopes[t] = weight * (dot(dy, 1, v + t * dim, 1, dim) - delta) * p.scale;
            }
            __syncthreads();
            for (int e = t; e < dim * KV_PAGE; e += THREADS) {
                if (e % KV_PAGE < seen)
                    dk[e] = fmaf(slopes[e % KV_PAGE], q[e / KV_PAGE], dk[e]);
                if (e / dim < seen)
                    dv[e] = fmaf(weights[e / dim], dy[e % dim], dv[e]);
            }
            __syncthreads();
        }
    }
}

void back_attention_paged_cuda(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                               struct arr dy, struct arr q, struct arr k, struct arr v,
                               struct arr y, struct arr lse, struct kv_view view,
                               float scale)
{
    struct back p = {dq, dk, dv, dy, q, k, v, y, lse, arr_none(), view, scale};
    if (q.type == ARR_BF16)
        return back_attention_paged_bf16(d, dq, dk, dv, dy, q, k, v, y, lse, view, scale);
    assert(q.shape[2] <= HEAD_MAX && k.shape[1] <= 65535);
    LAUNCH(d, blocks_for(q.shape[0] * q.shape[1], WARPS), THREADS,
           back_paged_queries_kernel, p);
    LAUNCH(d, dim3((unsigned)k.shape[0], (unsigned)k.shape[1]), THREADS,
           back_pages_kernel, p);
}
