/* rows.cu: gather, scatter, gather_mix, rotary positions (kernels.h): a block for each
 * row, or a part of it, WIDE elements a thread. */
#include "act.h"
#include "quant.h"

struct rows {
    struct arr y, x, index, weight;
    int64_t columns, x_bytes; /* of a row of x */
    bool wide;
};

/* Numbers [c, c + WIDE) of a row of any type. */
__device__ __forceinline__ void get_any(float (&x)[WIDE], const struct rows &p,
                                        int64_t row, int64_t c)
{
    const char *from = (const char *)p.x.data + row * p.x_bytes;
    if (p.x.type == ARR_F32)
        get_row(x, (const float *)(const void *)from, c, p.columns, p.wide);
    else if (p.x.type == ARR_BF16)
        get_row(x, (const bf16 *)(const void *)from, c, p.columns, p.wide);
    else
        for (int j = 0; j < WIDE; j++)
            x[j] = c + j < p.columns ? any_at(p.x.type, from, c + j) : 0.0f;
}

template <class Y> __global__ void gather_kernel(struct rows p)
{
    const auto [r, c] = row_here(p.columns);
    float x[WIDE];
    if (c >= p.columns)
        return;
    get_any(x, p, *row_of<int32_t>(p.index, r), c);
    put_row(row_of<Y>(p.y, r), c, p.columns, p.wide, x);
}

template <class Y, class X> __global__ void scatter_kernel(struct rows p, bool add)
{
    const auto [r, c] = row_here(p.columns);
    float x[WIDE], was[WIDE];
    if (c >= p.columns)
        return;
    Y *y = row_of<Y>(p.y, *row_of<int32_t>(p.index, r));
    get_row(x, row_of<X>(p.x, r), c, p.columns, p.wide);
    if (add) {
        get_row(was, y, c, p.columns, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) x[j] += was[j];
    }
    put_row(y, c, p.columns, p.wide, x);
}

__global__ void gather_mix_kernel(struct rows p)
{
    const auto [r, c] = row_here(p.columns);
    const int64_t taps = p.index.shape[1];
    float sum[WIDE] = {}, x[WIDE];
    if (c >= p.columns)
        return;
    const int32_t *from = row_of<int32_t>(p.index, r);
    const float *weight = row_of<float>(p.weight, r);
    for (int64_t t = 0; t < taps; t++) {
        get_any(x, p, from[t], c);
        UNROLL for (int j = 0; j < WIDE; j++) sum[j] = fmaf(weight[t], x[j], sum[j]);
    }
    get_row(x, row_of<float>(p.y, r), c, p.columns, p.wide);
    UNROLL for (int j = 0; j < WIDE; j++) x[j] += sum[j];
    put_row(row_of<float>(p.y, r), c, p.columns, p.wide, x);
}

static struct rows table_rows(struct arr y, struct arr table, struct arr index,
                              struct arr weight)
{
    struct rows p = {y, table, index, weight, arr_row_size(y), row_bytes(table), false};
    assert(arr_row_size(table) == p.columns && index.shape[0] == y.shape[0]);
    p.wide = lie_wide(WIDE, p.columns, y) &&
             (table.type == ARR_F32 || table.type == ARR_BF16) && lies_wide(table, WIDE);
    return p;
}

void gather_cuda(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    const struct rows p = table_rows(y, table, index, arr_none());
    if (arr_size(y) == 0)
        return;
    with_act(y.type, [&](auto t) {
        LAUNCH(d, row_blocks(y.shape[0], p.columns), row_threads(p.columns),
               gather_kernel<decltype(t)>, p);
    });
}

void scatter_cuda(struct dev *d, struct arr y, struct arr x, struct arr index, bool add)
{
    struct rows p = {y, x, index, arr_none(), arr_row_size(x), 0, false};
    assert(arr_row_size(y) == p.columns && index.shape[0] == x.shape[0]);
    if (arr_size(x) == 0)
        return;
    p.wide = lie_wide(WIDE, p.columns, y, x);
    with_acts(y.type, x.type, [&](auto ty, auto tx) {
        LAUNCH(d, row_blocks(x.shape[0], p.columns), row_threads(p.columns),
               (scatter_kernel<decltype(ty), decltype(tx)>), p, add);
    });
}

void gather_mix_cuda(struct dev *d, struct arr y, struct arr table, struct arr index,
                     struct arr weight)
{
    const struct rows p = table_rows(y, table, index, weight);
    assert(y.type == ARR_F32);
    if (arr_size(y) > 0)
        LAUNCH(d, row_blocks(y.shape[0], p.columns), row_threads(p.columns),
               gather_mix_kernel, p);
}

/* -- Rotary positions ------------------------------------------------------------------
 */

struct rotation {
    struct arr x, cosine, sine;
    int64_t heads, half;
    float turn; /* 1, or -1: the rotation undone (backward.h) */
};

/* N pairs a thread: N elements and, half a head on, N more; or 2 N in a row. */
template <class T, int N, bool pairs> __global__ void rope_kernel(struct rotation p)
{
    const int64_t r = blockIdx.x;
    const unsigned each = (unsigned)(p.half / N);
    const unsigned i = blockIdx.y * blockDim.x + threadIdx.x, h = i / each;
    const unsigned j = (i - h * each) * N;
    if (h >= p.heads)
        return;
    T *x = row_of<T>(p.x, r) + h * 2 * p.half + (pairs ? 2 * j : j);
    float c[N], s[N], a[N], b[N], both[2 * N];
    get<N>(c, row_of<float>(p.cosine, r) + j);
    get<N>(s, row_of<float>(p.sine, r) + j);
    if constexpr (pairs && N > 1) {
        get<2 * N>(both, x);
        UNROLL for (int l = 0; l < N; l++) a[l] = both[2 * l], b[l] = both[2 * l + 1];
    } else if constexpr (pairs) {
        a[0] = float_of(x[0]), b[0] = float_of(x[1]);
    } else {
        get<N>(a, x);
        get<N>(b, x + p.half);
    }
    UNROLL for (int l = 0; l < N; l++)
    {
        const float was = a[l], sine = p.turn * s[l];
        a[l] = was * c[l] - b[l] * sine;
        b[l] = b[l] * c[l] + was * sine;
    }
    if constexpr (pairs && N > 1) {
        UNROLL for (int l = 0; l < N; l++) both[2 * l] = a[l], both[2 * l + 1] = b[l];
        put<2 * N>(x, both);
    } else if constexpr (pairs) {
        x[0] = number_of<T>(a[0]), x[1] = number_of<T>(b[0]);
    } else {
        put<N>(x, a);
        put<N>(x + p.half, b);
    }
}

/* Pairs that a thread may take at once. */
static int pairs_at_once(const struct rotation &p, bool pairs)
{
    if (!pairs && lie_wide(8, p.half, p.x, p.cosine, p.sine))
        return 8;
    return lie_wide(4, p.half, p.cosine, p.sine) && lies_wide(p.x, pairs ? 8 : 4) ? 4 : 1;
}

template <bool pairs>
static void rotate(struct dev *d, struct arr x, struct arr cosine, struct arr sine,
                   float turn)
{
    const struct rotation p = {x, cosine, sine, x.shape[1], x.shape[2] / 2, turn};
    assert(cosine.shape[0] == x.shape[0] && cosine.shape[1] == p.half);
    if (arr_size(x) == 0)
        return;
    const int n = pairs_at_once(p, pairs);
    const int64_t threads = p.heads * (p.half / n);
    const dim3 grid(blocks_for(x.shape[0], 1), blocks_for(threads, THREADS));
    const unsigned block = threads < THREADS ? (unsigned)threads : THREADS;
    with_act(x.type, [&](auto t) {
        typedef decltype(t) T;
        if (n == 8)
            LAUNCH(d, grid, block, (rope_kernel<T, 8, false>), p);
        else if (n == 4)
            LAUNCH(d, grid, block, (rope_kernel<T, 4, pairs>), p);
        else
            LAUNCH(d, grid, block, (rope_kernel<T, 1, pairs>), p);
    });
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
