/* draw.h: what drawing a token is made of, on the host (engine/sampler.h) and on a device
 * (kernels.h, draw()): the same bits of the same logits on each.
 *
 * A logit's weight, exp(logit - largest), is a whole number of 2^-44: sums of weights are
 * sums of whole numbers, which are the same in any order. What is less probable than
 * 2^-45 of the most probable token has the weight 0. exp is our own, of additions and
 * multiplications alone, and a compiler must not fuse them (-ffp-contract=off,
 * -fmad=false).
 */
#ifndef DRAW_H
#define DRAW_H
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define DRAW_FUNCTION static __host__ __device__ __forceinline__
#else
#define DRAW_FUNCTION static inline
#endif

#define DRAW_ONE ((uint64_t)1 << 44)        /* the weight of the largest */
enum { DRAW_VOCAB_MAX = 1 << 19 };          /* a sum of weights is below 2^63 */
enum { DRAW_SEEN = 1, DRAW_IN_OUTPUT = 2 }; /* an id is in prompt or output; in output */

/* How a row's token is drawn: sampler.h says what it means. */
struct draw {
    int32_t row;                             /* of the logits */
    int32_t top_k;                           /* 0: off */
    float temperature, repetition, presence; /* 0: the largest; 1: off; 0: off */
    double top_p, min_p;                     /* 1: off; 0: off */
    double unit;                             /* the random number, in [0, 1) */
    uint8_t *seen; /* [vocab] of DRAW_SEEN, ... on the device; NULL without penalties. The
                      token that is drawn is noted there. */
};

/* A token, and its logit as the model gave it. */
struct drawn {
    int32_t id; /* -1: not all logits are finite */
    float logit;
};

/* Penalties (Keskar et al., arXiv 1909.05858: a positive logit is divided, a negative one
 * multiplied, once however often the id occurs), then the temperature. */
DRAW_FUNCTION float draw_penalised(float logit, unsigned seen, const struct draw *how)
{
    if (seen)
        logit = logit < 0 ? logit * how->repetition : logit / how->repetition;
    if (seen & DRAW_IN_OUTPUT)
        logit -= how->presence;
    return how->temperature > 0 ? logit / how->temperature : logit;
}

/* e^x of an x <= 0, to two units in the last place; 0 below -708. x = n ln 2 + r, |r| <=
 * ln 2 / 2; ln 2 is taken off in two parts (Cody and Waite), e^r is its series. */
DRAW_FUNCTION double draw_exp(double x)
{
    if (x < -708)
        return 0;
    /* Adding 1.5 * 2^52 rounds to a whole number and leaves it in the low bits. */
    double shifted = x * 1.4426950408889634 + 6755399441055744.0;
    double n = shifted - 6755399441055744.0;
    double r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    uint64_t bits;
    double scale;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 52) + ((uint64_t)1023 << 52);
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* exp(logit - largest); 1 also where both are infinite. */
DRAW_FUNCTION double draw_chance(float logit, float largest)
{
    return logit == largest ? 1 : draw_exp((double)logit - (double)largest);
}

/* The same as a whole number; 0 of minus infinity, which is what was removed. */
DRAW_FUNCTION uint64_t draw_weight(float logit, float largest)
{
    if (logit < -3.402823466e38f)
        return 0;
    return (uint64_t)(draw_chance(logit, largest) * (double)DRAW_ONE + 0.5);
}

/* The part of a sum of weights, > 0, that a fraction from 0 to 1 is: below the sum. */
DRAW_FUNCTION uint64_t draw_part(double fraction, uint64_t sum)
{
    uint64_t part = (uint64_t)(fraction * (double)sum);
    return part < sum ? part : sum - 1;
}
#endif
