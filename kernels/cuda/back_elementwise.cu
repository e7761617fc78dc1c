/* back_elementwise.cu: gradients of activations, sums, copies: a thread for each element
 * (backward.h). */
#include "cuda.h"

struct pair_back {
    struct arr dx, dz, dy, x, z; /* dz, z: of the second operand, where there is one */
    int64_t columns;
    bool set, set_z;
    float scale;
};

enum what { SILU, SWIGLU, GELU_BY_ERF, GELU_BY_TANH, ADD_SCALED, ZERO };

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

__device__ __forceinline__ void put(const struct arr &to, int64_t r, int64_t c,
                                    float value, bool set)
{
    if (!to.data)
        return;
    float *x = row_of<float>(to, r) + c;
    *x = set ? value : *x + value;
}

template <int what> __global__ void back_elementwise_kernel(struct pair_back p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.dx.shape[0])
        return;
    if (what == ZERO) {
        row_of<float>(p.dx, r)[c] = 0.0f;
        return;
    }
    const float x = row_of<float>(p.x, r)[c];
    const float dy = what == ADD_SCALED ? p.scale : row_of<float>(p.dy, r)[c];
    switch (what) {
    case SILU: put(p.dx, r, c, dy * silu_slope(x), p.set); break;
    case GELU_BY_ERF: put(p.dx, r, c, dy * gelu_erf_slope(x), p.set); break;
    case GELU_BY_TANH: put(p.dx, r, c, dy * gelu_tanh_slope(x), p.set); break;
    case ADD_SCALED: put(p.dx, r, c, dy * x, false); break;
    case SWIGLU: {
        const float z = row_of<float>(p.z, r)[c];
        const float gate = dy * z * silu_slope(x), up = dy * (x / (1.0f + expf(-x)));
        put(p.dx, r, c, gate, p.set);
        put(p.dz, r, c, up, p.set_z);
    }
    }
}

/* like: an array of the shape. */
template <int what> static void run(struct dev *d, struct pair_back p, struct arr like)
{
    p.columns = arr_row_size(like);
    p.dx.shape[0] = like.shape[0]; /* dx may be absent */
    LAUNCH(d, blocks_for(arr_size(like), THREADS), THREADS, back_elementwise_kernel<what>,
           p);
}

void back_swiglu_cuda(struct dev *d, struct arr dgate, struct arr dup, struct arr dy,
                      struct arr gate, struct arr up, enum grad_mode gate_mode,
                      enum grad_mode up_mode)
{
    struct pair_back p = {
        dgate, dup, dy, gate, up, 0, gate_mode == GRAD_SET, up_mode == GRAD_SET, 0};
    run<SWIGLU>(d, p, gate);
}

void back_gelu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum gelu_kind kind, enum grad_mode mode)
{
    struct pair_back p = {dx, arr_none(),       dy,    x, arr_none(),
                          0,  mode == GRAD_SET, false, 0};
    (kind == GELU_ERF ? run<GELU_BY_ERF> : run<GELU_BY_TANH>)(d, p, x);
}

void back_silu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum grad_mode mode)
{
    struct pair_back p = {dx, arr_none(),       dy,    x, arr_none(),
                          0,  mode == GRAD_SET, false, 0};
    run<SILU>(d, p, x);
}

void add_scaled_cuda(struct dev *d, struct arr y, struct arr x, float scale)
{
    struct pair_back p = {y, arr_none(), arr_none(), x,    arr_none(),
                          0, false,      false,      scale};
    run<ADD_SCALED>(d, p, x);
}

void zero_cuda(struct dev *d, struct arr a)
{
    struct pair_back p = {a, arr_none(), arr_none(), arr_none(), arr_none(),
                          0, false,      false,      0};
    run<ZERO>(d, p, a);
}

/* -- Copies ----------------------------------------------------------------------------
 */

struct copy {
    struct arr to, from;
    int64_t columns;
};

template <class T> __global__ void copy_kernel(struct copy p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r < p.to.shape[0])
        row_of<T>(p.to, r)[c] = row_of<T>(p.from, r)[c];
}

void copy_cuda(struct dev *d, struct arr to, struct arr from)
{
    struct copy p = {to, from, arr_row_size(from)};
    assert(to.type == from.type && arr_size(to) == arr_size(from));
    if (arr_type_size(to.type) == 4)
        LAUNCH(d, blocks_for(arr_size(to), THREADS), THREADS, copy_kernel<uint32_t>, p);
    else
        LAUNCH(d, blocks_for(arr_size(to), THREADS), THREADS, copy_kernel<uint16_t>, p);
}
