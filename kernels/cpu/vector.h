/* vector.h: eight floats at once, in both tables: two halves where there is no AVX2. */
#ifndef VECTOR_H
#define VECTOR_H
#include "cpu.h"

#ifdef CPU_AVX2
#include <immintrin.h>
#endif

/* The functions below are always part of their callers: nothing is passed. */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));

#define VEC_INLINE static inline __attribute__((always_inline))

VEC_INLINE vec8 vec8_of(float x)
{
    return (vec8){x, x, x, x, x, x, x, x};
}

/* a b + c: fused with AVX2, else in two steps. */
VEC_INLINE vec8 vec8_fma(vec8 a, vec8 b, vec8 c)
{
#ifdef CPU_AVX2
    return (vec8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* The larger of each two, b's where they do not compare. */
VEC_INLINE vec8 vec8_larger(vec8 a, vec8 b)
{
#ifdef CPU_AVX2
    return (vec8)_mm256_max_ps((__m256)a, (__m256)b);
#else
    for (int l = 0; l < CPU_LANES; l++) b[l] = a[l] > b[l] ? a[l] : b[l];
    return b;
#endif
}
#endif
