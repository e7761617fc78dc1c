/* elementwise.cu: activations and sums, a thread for each WIDE elements (kernels.h). */
#include "act.h"

struct elements {
    struct arr y, x, z; /* z: a second operand of some */
    int64_t rows, columns;
    bool wide;
};

__device__ __forceinline__ float silu(float x)
{
    return x / (1.0f + expf(-x));
}

/* x/2 (1 + erf(x / sqrt 2)); the tail as erfc, which keeps its digits. */
__device__ __forceinline__ float gelu_erf(float x)
{
    return 0.5f * x * erfcf(x * -0.707106781f);
}

__device__ __forceinline__ float gelu_tanh(float x)
{
    return x / (1.0f + expf(-1.59576912f * (x + 0.044715f * x * x * x)));
}

enum what { SILU, SWIGLU, GELU_BY_ERF, GELU_BY_TANH, ADD };

template <int what> __device__ __forceinline__ float result(float x, float other)
{
    switch (what) {
    case SILU: return silu(x);
    case SWIGLU: return silu(x) * other;
    case GELU_BY_ERF: return gelu_erf(x);
    case GELU_BY_TANH: return gelu_tanh(x);
    default: return other + x;
    }
}

/* Arrays in one piece are one row. */
template <int what, class Y, class X>
__global__ void elementwise_kernel(struct elements p)
{
    const int64_t each = (p.columns + WIDE - 1) / WIDE, i = thread_number();
    const int64_t r = p.rows == 1 ? 0 : i / each, c = (i - r * each) * WIDE;
    if (r >= p.rows || c >= p.columns)
        return;
    float x[WIDE], other[WIDE];
    Y *y = row_of<Y>(p.y, r);
    get_row(x, row_of<X>(p.x, r), c, p.columns, p.wide);
    if constexpr (what == SWIGLU)
        get_row(other, row_of<X>(p.z, r), c, p.columns, p.wide);
    else if constexpr (what == ADD)
        get_row(other, y, c, p.columns, p.wide);
    UNROLL for (int j = 0; j < WIDE; j++) x[j] =
        result<what>(x[j], what == SWIGLU || what == ADD ? other[j] : 0.0f);
    put_row(y, c, p.columns, p.wide, x);
}

static struct elements elements_of(struct arr y, struct arr x, struct arr z)
{
    struct elements p = {y, x, z, x.shape[0], arr_row_size(x), false};
    assert(y.shape[0] == x.shape[0] && arr_row_size(y) == p.columns);
    assert(!z.data || z.type == x.type);
    if (arr_contiguous(y) && arr_contiguous(x) && (!z.data || arr_contiguous(z))) {
        p.columns *= p.rows;
        p.rows = p.columns > 0;
    }
    p.wide = lie_wide(WIDE, p.columns, y, x, z);
    return p;
}

template <int what, class Y, class X>
static void launch(struct dev *d, const struct elements &p)
{
    int64_t threads = p.rows * ((p.columns + WIDE - 1) / WIDE);
    LAUNCH(d, blocks_for(threads, THREADS), THREADS, (elementwise_kernel<what, Y, X>), p);
}

template <int what>
static void run(struct dev *d, struct arr y, struct arr x, struct arr z)
{
    const struct elements p = elements_of(y, x, z);
    assert(y.type == x.type);
    with_act(x.type, [&](auto t) { launch<what, decltype(t), decltype(t)>(d, p); });
}

void swiglu_cuda(struct dev *d, struct arr y, struct arr gate, struct arr up)
{
    run<SWIGLU>(d, y, gate, up);
}

void gelu_cuda(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind)
{
    (kind == GELU_ERF ? run<GELU_BY_ERF> : run<GELU_BY_TANH>)(d, y, x, arr_none());
}

void silu_cuda(struct dev *d, struct arr y, struct arr x)
{
    run<SILU>(d, y, x, arr_none());
}

void add_cuda(struct dev *d, struct arr y, struct arr x)
{
    const struct elements p = elements_of(y, x, arr_none());
    with_acts(y.type, x.type,
              [&](auto ty, auto tx) { launch<ADD, decltype(ty), decltype(tx)>(d, p); });
}
