/* activation.h: the activations' formulas, one number at a time. */
#ifndef ACTIVATION_H
#define ACTIVATION_H
#include "exp.h"

static inline float silu_of(float x)
{
    return x / (1.0f + exp_f32(-x));
}

/* x/2 (1 + tanh u) is x / (1 + e^-2u): nothing cancels where tanh is near -1. */
static inline float gelu_tanh_of(float x)
{
    float u = 0.797884561f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp_f32(-2.0f * u));
}

/* erfc(z) for z >= 0, to some 1e-7 of itself where it is not tiny: t e^(-z^2) P(2.4 t
 * - 1.4) with t = 1 / (1 + z/2). P interpolates erfc(z) e^(z^2) / t at the Chebyshev
 * nodes of z in [0, 10] and is right to 4e-8 there; beyond, e^(-z^2) is 0. */
static inline float erfc_of(float z)
{
    float t = 1.0f / (1.0f + 0.5f * z), x = 2.4f * t - 1.4f;
    float p = 7.103646903e-06f;
    p = p * x - 5.297166569e-05f;
    p = p * x + 3.722103240e-06f;
    p = p * x + 5.847695055e-04f;
    p = p * x - 6.189306472e-04f;
    p = p * x - 6.150094774e-03f;
    p = p * x + 5.962614089e-03f;
    p = p * x + 1.020292796e-01f;
    p = p * x + 3.262225164e-01f;
    p = p * x + 5.720119858e-01f;
    return t * exp_f32(-z * z) * p;
}

/* x/2 (1 + erf(x / sqrt 2)), by erfc so that nothing cancels on either side. */
static inline float gelu_erf_of(float x)
{
    float size = x < 0.0f ? -x : x, tail = 0.5f * erfc_of(size * 0.707106781f);
    return x * (x < 0.0f ? tail : 1.0f - tail);
}
#endif
