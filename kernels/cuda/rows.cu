/* rows.cu: gather, scatter, gather_mix, rotary positions: a thread for each element or
 * pair (kernels.h). */
#include "quant.h"

struct rows {
    struct arr y, x, index, weight;
    int64_t columns, x_bytes; /* of a row of x */
};

__global__ void gather_kernel(struct rows p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.y.shape[0])
        return;
    const int64_t from = *row_of<int32_t>(p.index, r);
    row_of<float>(p.y, r)[c] =
        any_at(p.x.type, (const char *)p.x.data + from * p.x_bytes, c);
}

template <bool add> __global__ void scatter_kernel(struct rows p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.x.shape[0])
        return;
    float *y = row_of<float>(p.y, *row_of<int32_t>(p.index, r)) + c;
    *y = row_of<float>(p.x, r)[c] + (add ? *y : 0.0f);
}

__global__ void gather_mix_kernel(struct rows p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.y.shape[0])
        return;
    const int32_t *from = row_of<int32_t>(p.index, r);
    const float *weight = row_of<float>(p.weight, r);
    float sum = 0;
    for (int64_t t = 0; t < p.index.shape[1]; t++)
        sum = fmaf(weight[t],
                   number_at(p.x.type, (const char *)p.x.data + from[t] * p.x_bytes, c),
                   sum);
    row_of<float>(p.y, r)[c] += sum;
}

void gather_cuda(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    struct rows p = {y, table, index, arr_none(), arr_row_size(y), row_bytes(table)};
    assert(arr_row_size(table) == p.columns && index.shape[0] == y.shape[0]);
    LAUNCH(d, blocks_for(arr_size(y), THREADS), THREADS, gather_kernel, p);
}

void scatter_cuda(struct dev *d, struct arr y, struct arr x, struct arr index, bool add)
{
    struct rows p = {y, x, index, arr_none(), arr_row_size(x), 0};
    assert(arr_row_size(y) == p.columns && index.shape[0] == x.shape[0]);
    if (add)
        LAUNCH(d, blocks_for(arr_size(x), THREADS), THREADS, scatter_kernel<true>, p);
    else
        LAUNCH(d, blocks_for(arr_size(x), THREADS), THREADS, scatter_kernel<false>, p);
}

void gather_mix_cuda(struct dev *d, struct arr y, struct arr table, struct arr index,
                     struct arr weight)
{
    struct rows p = {y, table, index, weight, arr_row_size(y), row_bytes(table)};
    assert(arr_row_size(table) == p.columns && index.shape[0] == y.shape[0]);
    LAUNCH(d, blocks_for(arr_size(y), THREADS), THREADS, gather_mix_kernel, p);
}

/* -- Rotary positions ------------------------------------------------------------------
 */

struct rotation {
    struct arr x, cosine, sine;
    int64_t heads, half;
    float turn; /* 1, or -1: the rotation undone (backward.h) */
};

/* Element a of a pair is `near` apart from the last pair's, b `far` from a. */
template <bool pairs> __global__ void rope_kernel(struct rotation p)
{
    const int64_t i = thread_number(), each = p.heads * p.half, r = i / each;
    if (r >= p.x.shape[0])
        return;
    const int64_t h = i % each / p.half, j = i % p.half;
    float *x = row_of<float>(p.x, r) + h * 2 * p.half + (pairs ? 2 * j : j);
    const int64_t far = pairs ? 1 : p.half;
    const float c = row_of<float>(p.cosine, r)[j],
                s = p.turn * row_of<float>(p.sine, r)[j];
    const float a = x[0], b = x[far];
    x[0] = a * c - b * s;
    x[far] = b * c + a * s;
}

template <bool pairs>
static void rotate(struct dev *d, struct arr x, struct arr cosine, struct arr sine,
                   float turn)
{
    struct rotation p = {x, cosine, sine, x.shape[1], x.shape[2] / 2, turn};
    assert(cosine.shape[0] == x.shape[0] && cosine.shape[1] == p.half);
    LAUNCH(d, blocks_for(arr_size(x) / 2, THREADS), THREADS, rope_kernel<pairs>, p);
}

void rope_cuda(struct dev *d, struct arr x, struct arr cosine, struct arr sine)
{
    rotate<false>(d, x, cosine, sine, 1);
}

void rope_pairs_cuda(struct dev *d, struct arr x, struct arr cosine, struct arr sine)
{
    rotate<true>(d, x, cosine, sine, 1);
}

void back_rope_cuda(struct dev *d, struct arr dx, struct arr cosine, struct arr sine)
{
    rotate<false>(d, dx, cosine, sine, -1);
}

void back_rope_pairs_cuda(struct dev *d, struct arr dx, struct arr cosine,
                          struct arr sine)
{
    rotate<true>(d, dx, cosine, sine, -1);
}
