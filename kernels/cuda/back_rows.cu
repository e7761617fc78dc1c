/* back_rows.cu: gradients of gather, scatter, gather_mix and pages (backward.h; rotary
 * positions are turned back in rows.cu). Where rows may meet in one place, a thread has a
 * column and takes them in ascending order. */
#include "cuda.h"

struct rows_back {
    struct arr to, dy, index, weight;
    int64_t columns;
    bool keep;
};

__global__ void gather_back_kernel(struct rows_back p)
{
    const int64_t c = thread_number();
    if (c >= p.columns)
        return;
    for (int64_t r = 0; r < p.dy.shape[0]; r++)
        row_of<float>(p.to, *row_of<int32_t>(p.index, r))[c] += row_of<float>(p.dy, r)[c];
}

__global__ void gather_mix_back_kernel(struct rows_back p)
{
    const int64_t c = thread_number(), taps = columns_of(p.index);
    if (c >= p.columns)
        return;
    for (int64_t r = 0; r < p.dy.shape[0]; r++)
        for (int64_t t = 0; t < taps; t++) {
            float *to = row_of<float>(p.to, row_of<int32_t>(p.index, r)[t]) + c;
            *to = fmaf(row_of<float>(p.weight, r)[t], row_of<float>(p.dy, r)[c], *to);
        }
}

__global__ void scatter_back_kernel(struct rows_back p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.index.shape[0])
        return;
    float *dy = row_of<float>(p.dy, *row_of<int32_t>(p.index, r)) + c;
    if (p.to.data)
        row_of<float>(p.to, r)[c] += *dy;
    if (!p.keep)
        *dy = 0.0f;
}

void back_gather_cuda(struct dev *d, struct arr dtable, struct arr dy, struct arr index)
{
    struct rows_back p = {dtable, dy, index, arr_none(), arr_row_size(dy), false};
    LAUNCH(d, blocks_for(p.columns, THREADS), THREADS, gather_back_kernel, p);
}

void back_gather_mix_cuda(struct dev *d, struct arr dtable, struct arr dy,
                          struct arr index, struct arr weight)
{
    struct rows_back p = {dtable, dy, index, weight, arr_row_size(dy), false};
    LAUNCH(d, blocks_for(p.columns, THREADS), THREADS, gather_mix_back_kernel, p);
}

void back_scatter_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr index,
                       bool keep)
{
    struct rows_back p = {dx, dy, index, arr_none(), arr_row_size(dy), keep};
    LAUNCH(d, blocks_for(index.shape[0] * p.columns, THREADS), THREADS,
           scatter_back_kernel, p);
}

/* -- Pages -----------------------------------------------------------------------------
 */

struct writing_back {
    struct arr dk, dv, dk_pages, dv_pages, slot;
};

__global__ void kv_write_back_kernel(struct writing_back p)
{
    const int64_t dim = p.dk_pages.shape[2], each = p.dk_pages.shape[1] * dim;
    const int64_t i = thread_number(), r = i / each, e = i % each;
    if (r >= p.slot.shape[0])
        return;
    const int32_t slot = *row_of<int32_t>(p.slot, r);
    const int64_t place = slot % KV_PAGE, h = e / dim, j = e % dim;
    float *k = row_of<float>(p.dk_pages, slot / KV_PAGE) + e * KV_PAGE + place;
    float *v =
        row_of<float>(p.dv_pages, slot / KV_PAGE) + (h * KV_PAGE + place) * dim + j;
    if (p.dk.data)
        row_of<float>(p.dk, r)[e] += *k;
    if (p.dv.data)
        row_of<float>(p.dv, r)[e] += *v;
    *k = *v = 0.0f;
}

void back_kv_write_cuda(struct dev *d, struct arr dk, struct arr dv, struct arr dk_pages,
                        struct arr dv_pages, struct arr slot)
{
    struct writing_back p = {dk, dv, dk_pages, dv_pages, slot};
    int64_t each = dk_pages.shape[1] * dk_pages.shape[2];
    LAUNCH(d, blocks_for(slot.shape[0] * each, THREADS), THREADS, kv_write_back_kernel,
           p);
}

struct copying_back {
    float *k_to, *v_to, *k_from, *v_from;
    int64_t size, dim;
    int places;
};

__global__ void kv_copy_back_kernel(struct copying_back p)
{
    const int64_t i = thread_number();
    if (i >= p.size)
        return;
    if (i % KV_PAGE < p.places) {
        p.k_from[i] += p.k_to[i];
        p.k_to[i] = 0.0f;
    }
    if (i / p.dim % KV_PAGE < p.places) {
        p.v_from[i] += p.v_to[i];
        p.v_to[i] = 0.0f;
    }
}

void back_kv_copy_cuda(struct dev *d, struct arr dk_pages, struct arr dv_pages, int from,
                       int to, int places)
{
    float *k = (float *)dk_pages.data, *v = (float *)dv_pages.data;
    struct copying_back p = {k + to * dk_pages.stride,
                             v + to * dv_pages.stride,
                             k + from * dk_pages.stride,
                             v + from * dv_pages.stride,
                             arr_row_size(dk_pages),
                             dk_pages.shape[2],
                             places};
    LAUNCH(d, blocks_for(p.size, THREADS), THREADS, kv_copy_back_kernel, p);
}
