/* fold.h: sums and maxima over a block's threads, in one fixed order. */
#ifndef CUDA_FOLD_H
#define CUDA_FOLD_H
#include "cuda.h"

/* Over the block's threads, in every thread; all: shared [THREADS]. */
template <class T, class F> __device__ T block_fold(T x, T *all, F join)
{
    all[threadIdx.x] = x;
    for (int n = THREADS / 2; n > 0; n /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < n)
            all[threadIdx.x] = join(all[threadIdx.x], all[threadIdx.x + n]);
    }
    __syncthreads();
    x = all[0];
    __syncthreads();
    return x;
}

struct larger {
    __device__ float operator()(float a, float b) const
    {
        return fmaxf(a, b);
    }
};
struct together {
    __device__ double operator()(double a, double b) const
    {
        return a + b;
    }
};
#endif
