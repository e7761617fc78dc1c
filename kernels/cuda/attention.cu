/* attention.cu: attention inside segments and over pages, a warp for each row and head
 * (kernels.h); of float32. */
#include "attention.h"
#include "attention_bf16.h"

/* -- Segments --------------------------------------------------------------------------
 */

struct segments {
    struct arr y, q, k, v, start, lse;
    float scale;
};

__global__ void attention_kernel(struct segments p)
{
    __shared__ float weights[WARPS][KV_PAGE];
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const int64_t segment = segment_of(p.start, r);
    const int64_t first = *row_of<int32_t>(p.start, segment),
                  end = *row_of<int32_t>(p.start, segment + 1);
    struct query s;
    query_start(s, row_of<float>(p.q, r) + h * dim, (int)dim, p.scale);
    for (int64_t j = first; j < end; j += KV_PAGE)
        query_block(s, row_of<float>(p.k, j) + h * dim, 1, p.k.stride,
                    row_of<float>(p.v, j) + h * dim, p.v.stride, seen_of(end - j),
                    weights[threadIdx.x / LANES]);
    query_end(s, row_of<float>(p.y, r) + h * dim,
              p.lse.data ? row_of<float>(p.lse, r) + h : NULL);
}

void attention_cuda(struct dev *d, struct arr y, struct arr q, struct arr k, struct arr v,
                    struct arr start, float scale, struct arr lse)
{
    struct segments p = {y, q, k, v, start, lse, scale};
    if (q.type == ARR_BF16)
        return attention_bf16(d, y, q, k, v, start, scale, lse);
    assert(q.shape[2] <= HEAD_MAX && y.shape[0] == q.shape[0] && start.shape[0] >= 2);
    LAUNCH(d, blocks_for(q.shape[0] * q.shape[1], WARPS), THREADS, attention_kernel, p);
}

/* -- Pages -----------------------------------------------------------------------------
 */

struct paged {
    struct arr y, q, k, v, lse;
    struct kv_view view;
    float scale;
};

__global__ void attention_paged_kernel(struct paged p)
{
    __shared__ float weights[WARPS][KV_PAGE];
    const int64_t heads = p.q.shape[1], dim = p.q.shape[2];
    const int64_t r = warp_number() / heads, h = warp_number() % heads;
    if (r >= p.q.shape[0])
        return;
    const int64_t kv = h / (heads / p.k.shape[1]);
    struct query s;
    query_start(s, row_of<float>(p.q, r) + h * dim, (int)dim, p.scale);
    each_page(p.k, p.v, p.view, r, kv,
              [&](const float *keys, const float *values, int seen) {
                  query_block(s, keys, KV_PAGE, 1, values, dim, seen,
                              weights[threadIdx.x / LANES]);
              });
    query_end(s, row_of<float>(p.y, r) + h * dim,
              p.lse.data ? row_of<float>(p.lse, r) + h : NULL);
}

void attention_paged_cuda(struct dev *d, struct arr y, struct arr q, struct arr k,
                          struct arr v, struct kv_view view, float scale, struct arr lse)
{
    struct paged p = {y, q, k, v, lse, view, scale};
    if (q.type == ARR_BF16)
        return attention_paged_bf16(d, y, q, k, v, view, scale, lse);
    assert(q.shape[2] <= HEAD_MAX && q.shape[1] % k.shape[1] == 0);
    assert(k.shape[2] == q.shape[2] && k.shape[3] == KV_PAGE && v.shape[3] == q.shape[2]);
    LAUNCH(d, blocks_for(q.shape[0] * q.shape[1], WARPS), THREADS, attention_paged_kernel,
           p);
}
