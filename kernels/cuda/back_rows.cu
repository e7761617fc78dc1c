/* back_rows.cu: gradients of gather, scatter and gather_mix (backward.h; pages: kv.cu;
 * rotary positions: rows.cu). */
#include "act.h"

struct rows_back {
    struct arr to, dy, index, weight;
    int64_t columns, taps; /* of one row: 1 without weights */
    bool keep, wide;
};

__device__ __forceinline__ int32_t entry(const struct rows_back &p, int64_t e)
{
    return p.weight.data ? row_of<int32_t>(p.index, e / p.taps)[e % p.taps]
                         : *row_of<int32_t>(p.index, e);
}

/* Add one entry's row, times its weight. */
template <class Y>
__device__ __forceinline__ void entry_add(const struct rows_back &p, float (&sum)[WIDE],
                                          int64_t e, int64_t c)
{
    float dy[WIDE];
    const int64_t r = p.weight.data ? e / p.taps : e;
    const float by = p.weight.data ? row_of<float>(p.weight, r)[e - r * p.taps] : 1.0f;
    get_row(dy, row_of<Y>(p.dy, r), c, p.columns, p.wide);
    UNROLL for (int j = 0; j < WIDE; j++) sum[j] = fmaf(by, dy[j], sum[j]);
}

/* Many entries may add to one row of the table. The block of the first of them does it
 * for all, in ascending order; the others find an earlier one and leave. */
template <class T, class Y>
__global__ void __launch_bounds__(THREADS) gather_back_kernel(struct rows_back p)
{
    __shared__ int seen;
    __shared__ bool same[THREADS];
    const int64_t entries = p.dy.shape[0] * p.taps;
    const auto [first, c] = row_here(p.columns);
    const int32_t row = entry(p, first);
    if (threadIdx.x == 0)
        seen = 0;
    __syncthreads();
    for (int64_t e = threadIdx.x; e < first; e += THREADS)
        if (entry(p, e) == row)
            seen = 1; /* whoever says so */
    __syncthreads();
    if (seen)
        return;
    float sum[WIDE];
    T *to = row_of<T>(p.to, row);
    get_row(sum, to, c, p.columns, p.wide);
    for (int64_t from = first; from < entries; from += THREADS) {
        same[threadIdx.x] =
            from + threadIdx.x < entries && entry(p, from + threadIdx.x) == row;
        __syncthreads();
        for (int i = 0; i < THREADS; i++)
            if (same[i])
                entry_add<Y>(p, sum, from + i, c);
        __syncthreads();
    }
    put_row(to, c, p.columns, p.wide, sum);
}

template <class Y, class X> __global__ void scatter_back_kernel(struct rows_back p)
{
    const auto [r, c] = row_here(p.columns);
    const float none[WIDE] = {};
    float dy[WIDE], was[WIDE];
    if (c >= p.columns)
        return;
    Y *from = row_of<Y>(p.dy, *row_of<int32_t>(p.index, r));
    if (p.to.data) {
        X *to = row_of<X>(p.to, r);
        get_row(dy, from, c, p.columns, p.wide);
        get_row(was, to, c, p.columns, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) was[j] += dy[j];
        put_row(to, c, p.columns, p.wide, was);
    }
    if (!p.keep)
        put_row(from, c, p.columns, p.wide, none);
}

static struct rows_back rows_of(struct arr to, struct arr dy, struct arr index)
{
    struct rows_back p = {to, dy, index, arr_none(), arr_row_size(dy), 1, false, false};
    p.wide = lie_wide(WIDE, p.columns, to, dy);
    return p;
}

static void add_rows(struct dev *d, struct rows_back p)
{
    const int64_t entries = p.dy.shape[0] * p.taps;
    if (entries == 0)
        return;
    with_acts(p.to.type, p.dy.type, [&](auto tt, auto ty) {
        LAUNCH(d, row_blocks(entries, p.columns), THREADS,
               (gather_back_kernel<decltype(tt), decltype(ty)>), p);
    });
}

void back_gather_cuda(struct dev *d, struct arr dtable, struct arr dy, struct arr index)
{
    add_rows(d, rows_of(dtable, dy, index));
}

void back_gather_mix_cuda(struct dev *d, struct arr dtable, struct arr dy,
                          struct arr index, struct arr weight)
{
    struct rows_back p = rows_of(dtable, dy, index);
    p.weight = weight;
    p.taps = index.shape[1];
    add_rows(d, p);
}

void back_scatter_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr index,
                       bool keep)
{
    struct rows_back p = rows_of(dx, dy, index);
    p.keep = keep;
    if (index.shape[0] == 0)
        return;
    with_acts(dy.type, dx.data ? dx.type : dy.type, [&](auto ty, auto tx) {
        LAUNCH(d, row_blocks(index.shape[0], p.columns), row_threads(p.columns),
               (scatter_back_kernel<decltype(ty), decltype(tx)>), p);
    });
}
