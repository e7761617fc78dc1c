/* kv.cu: writing and copying pages of keys and values (kernels.h). */
#include "cuda.h"

struct writing {
    struct arr k_pages, v_pages, k, v, slot;
};

__global__ void kv_write_kernel(struct writing p)
{
    const int64_t dim = p.k.shape[2], each = p.k.shape[1] * dim;
    const int64_t i = thread_number(), r = i / each, e = i % each;
    if (r >= p.k.shape[0])
        return;
    const int32_t slot = *row_of<int32_t>(p.slot, r);
    const int64_t place = slot % KV_PAGE, h = e / dim, j = e % dim;
    row_of<float>(p.k_pages, slot / KV_PAGE)[e * KV_PAGE + place] =
        row_of<float>(p.k, r)[e];
    row_of<float>(p.v_pages, slot / KV_PAGE)[(h * KV_PAGE + place) * dim + j] =
        row_of<float>(p.v, r)[e];
}

void kv_write_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                   struct arr v, struct arr slot)
{
    struct writing p = {k_pages, v_pages, k, v, slot};
    assert(slot.shape[0] == k.shape[0] && k_pages.shape[2] == k.shape[2]);
    LAUNCH(d, blocks_for(arr_size(k), THREADS), THREADS, kv_write_kernel, p);
}

struct copying {
    float *k_to, *v_to;
    const float *k_from, *v_from;
    int64_t size, dim; /* of one page; of one head */
    int places;
};

__global__ void kv_copy_kernel(struct copying p)
{
    const int64_t i = thread_number();
    if (i >= p.size)
        return;
    if (i % KV_PAGE < p.places)
        p.k_to[i] = p.k_from[i];
    if (i / p.dim % KV_PAGE < p.places)
        p.v_to[i] = p.v_from[i];
}

void kv_copy_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, int from, int to,
                  int places)
{
    float *k = (float *)k_pages.data, *v = (float *)v_pages.data;
    struct copying p = {k + to * k_pages.stride,
                        v + to * v_pages.stride,
                        k + from * k_pages.stride,
                        v + from * v_pages.stride,
                        arr_row_size(k_pages),
                        k_pages.shape[2],
                        places};
    assert(places >= 0 && places <= KV_PAGE && from != to);
    LAUNCH(d, blocks_for(p.size, THREADS), THREADS, kv_copy_kernel, p);
}
