/* back_elementwise.cu: gradients of activations, sums, copies: a thread for each WIDE
 * elements (backward.h). */
#include "act.h"

struct elements_back {
    struct arr dx, dz, dy, x, z; /* dz, z: of the second operand, where there is one */
    int64_t rows, columns;
    bool set, set_z, wide;
    float scale;
};

enum what { SILU, SWIGLU, GELU_BY_ERF, GELU_BY_TANH };

/* d/dx x s(x) with the logistic function s. */
__device__ __forceinline__ float silu_slope(float x)
{
    const float s = 1.0f / (1.0f + expf(-x));
    return s * (1.0f + x * (1.0f - s));
}

/* x s(2u), u = c (x + 0.044715 x^3). */
__device__ __forceinline__ float gelu_tanh_slope(float x)
{
    const float u = 0.797884561f * (x + 0.044715f * x * x * x);
    const float s = 1.0f / (1.0f + expf(-2.0f * u));
    return s + 2.0f * x * s * (1.0f - s) * (0.797884561f * (1.0f + 0.134145f * x * x));
}

/* Phi(x) + x phi(x). */
__device__ __forceinline__ float gelu_erf_slope(float x)
{
    return 0.5f * erfcf(x * -0.707106781f) + x * 0.398942280f * expf(-0.5f * x * x);
}

template <int what> __device__ __forceinline__ float slope(float x)
{
    switch (what) {
    case GELU_BY_ERF: return gelu_erf_slope(x);
    case GELU_BY_TANH: return gelu_tanh_slope(x);
    default: return silu_slope(x);
    }
}

/* The row and the first column of a thread's elements; false if it has none. */
__device__ __forceinline__ bool place_of(const struct elements_back &p, int64_t &r,
                                         int64_t &c)
{
    const int64_t each = (p.columns + WIDE - 1) / WIDE, i = thread_number();
    r = p.rows == 1 ? 0 : i / each;
    c = (i - r * each) * WIDE;
    return r < p.rows && c < p.columns;
}

/* to = or += value. */
template <class T>
__device__ __forceinline__ void hand_on(const struct elements_back &p,
                                        const struct arr &to, int64_t r, int64_t c,
                                        float (&value)[WIDE], bool set)
{
    if (!to.data)
        return;
    T *row = row_of<T>(to, r);
    float was[WIDE];
    if (!set) {
        get_row(was, row, c, p.columns, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) value[j] = was[j] + value[j];
    }
    put_row(row, c, p.columns, p.wide, value);
}

template <int what, class T>
__global__ void back_elementwise_kernel(struct elements_back p)
{
    int64_t r, c;
    if (!place_of(p, r, c))
        return;
    float x[WIDE], dy[WIDE], z[WIDE], up[WIDE];
    get_row(x, row_of<T>(p.x, r), c, p.columns, p.wide);
    get_row(dy, row_of<T>(p.dy, r), c, p.columns, p.wide);
    if (what == SWIGLU) {
        get_row(z, row_of<T>(p.z, r), c, p.columns, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++)
        {
            up[j] = dy[j] * (x[j] / (1.0f + expf(-x[j])));
            dy[j] *= z[j];
        }
        hand_on<T>(p, p.dz, r, c, up, p.set_z);
    }
    UNROLL for (int j = 0; j < WIDE; j++) x[j] = dy[j] * slope<what>(x[j]);
    hand_on<T>(p, p.dx, r, c, x, p.set);
}

template <class Y, class X> __global__ void add_scaled_kernel(struct elements_back p)
{
    int64_t r, c;
    float x[WIDE];
    if (!place_of(p, r, c))
        return;
    get_row(x, row_of<X>(p.x, r), c, p.columns, p.wide);
    UNROLL for (int j = 0; j < WIDE; j++) x[j] *= p.scale;
    hand_on<Y>(p, p.dx, r, c, x, false);
}

template <class To, class From> __global__ void convert_kernel(struct elements_back p)
{
    int64_t r, c;
    float x[WIDE];
    if (!place_of(p, r, c))
        return;
    get_row(x, row_of<From>(p.x, r), c, p.columns, p.wide);
    hand_on<To>(p, p.dx, r, c, x, true);
}

/* Arrays in one piece are one row. */
static void lay_out(struct elements_back &p, const struct arr &like)
{
    const struct arr *const all[] = {&p.dx, &p.dz, &p.dy, &p.x, &p.z};
    bool whole = true;
    p.rows = like.shape[0];
    p.columns = arr_row_size(like);
    for (const struct arr *a : all) {
        whole = whole && (!a->data || arr_contiguous(*a));
        assert(!a->data || arr_size(*a) == arr_size(like));
    }
    if (whole) {
        p.columns *= p.rows;
        p.rows = p.columns > 0;
    }
    p.wide = lie_wide(WIDE, p.columns, p.dx, p.dz, p.dy, p.x, p.z);
}

static unsigned grid_of(const struct elements_back &p)
{
    return blocks_for(p.rows * ((p.columns + WIDE - 1) / WIDE), THREADS);
}

template <int what> static void run(struct dev *d, struct elements_back p)
{
    lay_out(p, p.x);
    assert(p.dy.type == p.x.type && (!p.dx.data || p.dx.type == p.x.type));
    with_act(p.x.type, [&](auto t) {
        LAUNCH(d, grid_of(p), THREADS, (back_elementwise_kernel<what, decltype(t)>), p);
    });
}

void back_swiglu_cuda(struct dev *d, struct arr dgate, struct arr dup, struct arr dy,
                      struct arr gate, struct arr up, enum grad_mode gate_mode,
                      enum grad_mode up_mode)
{
    struct elements_back p = {};
    p.dx = dgate, p.dz = dup, p.dy = dy, p.x = gate, p.z = up;
    p.set = gate_mode == GRAD_SET;
    p.set_z = up_mode == GRAD_SET;
    run<SWIGLU>(d, p);
}

void back_gelu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum gelu_kind kind, enum grad_mode mode)
{
    struct elements_back p = {};
    p.dx = dx, p.dy = dy, p.x = x;
    p.set = mode == GRAD_SET;
    (kind == GELU_ERF ? run<GELU_BY_ERF> : run<GELU_BY_TANH>)(d, p);
}

void back_silu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum grad_mode mode)
{
    struct elements_back p = {};
    p.dx = dx, p.dy = dy, p.x = x;
    p.set = mode == GRAD_SET;
    run<SILU>(d, p);
}

void add_scaled_cuda(struct dev *d, struct arr y, struct arr x, float scale)
{
    struct elements_back p = {};
    p.dx = y, p.x = x, p.scale = scale;
    lay_out(p, x);
    with_acts(y.type, x.type, [&](auto ty, auto tx) {
        LAUNCH(d, grid_of(p), THREADS, (add_scaled_kernel<decltype(ty), decltype(tx)>),
               p);
    });
}

/* -- Copies of bytes --------------------------------------------------------------------
 */

/* Rows of bytes, as many of them at once as lie aligned. */
struct bytes {
    void *to;
    const void *from;                           /* NULL: zeros */
    int64_t rows, each, to_stride, from_stride; /* in accesses */
};

/* N times T at once. */
template <int N, class T> __global__ void bytes_kernel(struct bytes p)
{
    const int64_t i = thread_number(), r = p.rows == 1 ? 0 : i / p.each;
    const int64_t c = i - r * p.each;
    if (r >= p.rows || c >= p.each)
        return;
    several<N, T> all = {};
    if (p.from)
        all = get_several<N>((const T *)p.from + (r * p.from_stride + c) * N);
    put_several<N>((T *)p.to + (r * p.to_stride + c) * N, all);
}

static void bytes_run(struct dev *d, struct arr to, struct arr from)
{
    const int64_t size = (int64_t)arr_type_size(to.type);
    const bool whole = arr_contiguous(to) && (!from.data || arr_contiguous(from));
    struct bytes p = {to.data,
                      from.data,
                      whole ? 1 : to.shape[0],
                      (whole ? arr_size(to) : arr_row_size(to)) * size,
                      whole ? 0 : to.stride * size,
                      whole || !from.data ? 0 : from.stride * size};
    const uintptr_t all = (uintptr_t)p.to | (uintptr_t)p.from | (uintptr_t)p.each |
                          (uintptr_t)p.to_stride | (uintptr_t)p.from_stride;
    int n = 16;
    while (all % n) n /= 2;
    p.each /= n;
    p.to_stride /= n;
    p.from_stride /= n;
    const unsigned grid = blocks_for(p.rows * p.each, THREADS);
    switch (n) {
    case 16: LAUNCH(d, grid, THREADS, (bytes_kernel<4, uint32_t>), p); break;
    case 8: LAUNCH(d, grid, THREADS, (bytes_kernel<2, uint32_t>), p); break;
    case 4: LAUNCH(d, grid, THREADS, (bytes_kernel<1, uint32_t>), p); break;
    case 2: LAUNCH(d, grid, THREADS, (bytes_kernel<1, uint16_t>), p); break;
    default: LAUNCH(d, grid, THREADS, (bytes_kernel<1, uint8_t>), p);
    }
}

void zero_cuda(struct dev *d, struct arr a)
{
    bytes_run(d, a, arr_none());
}

void copy_cuda(struct dev *d, struct arr to, struct arr from)
{
    assert(arr_size(to) == arr_size(from));
    if (to.type == from.type) {
        bytes_run(d, to, from);
        return;
    }
    struct elements_back p = {};
    p.dx = to, p.x = from;
    lay_out(p, from);
    with_acts(to.type, from.type, [&](auto a, auto b) {
        LAUNCH(d, grid_of(p), THREADS, (convert_kernel<decltype(a), decltype(b)>), p);
    });
}
