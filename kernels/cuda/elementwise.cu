/* elementwise.cu: activations and sums, a thread for each element (kernels.h). */
#include "cuda.h"

struct pair {
    struct arr y, x, z; /* z: a second operand of some */
    int64_t columns;
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

template <int what> __global__ void elementwise_kernel(struct pair p)
{
    const int64_t i = thread_number(), r = i / p.columns, c = i % p.columns;
    if (r >= p.x.shape[0])
        return;
    float *y = row_of<float>(p.y, r) + c;
    const float x = row_of<float>(p.x, r)[c];
    switch (what) {
    case SILU: *y = silu(x); break;
    case SWIGLU: *y = silu(x) * row_of<float>(p.z, r)[c]; break;
    case GELU_BY_ERF: *y = gelu_erf(x); break;
    case GELU_BY_TANH: *y = gelu_tanh(x); break;
    default: *y += x;
    }
}

template <int what>
static void run(struct dev *d, struct arr y, struct arr x, struct arr z)
{
    struct pair p = {y, x, z, arr_row_size(x)};
    assert(y.shape[0] == x.shape[0] && arr_row_size(y) == p.columns);
    LAUNCH(d, blocks_for(arr_size(x), THREADS), THREADS, elementwise_kernel<what>, p);
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
    run<ADD>(d, y, x, arr_none());
}
