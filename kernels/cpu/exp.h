/* exp.h: exp and log of our own, so that results do not vary with the system's libm, and
 * loops around them can be vectorised. */
#ifndef EXP_H
#define EXP_H
#include "cpu.h"

/* e^x to 1.5 units in the last place. 0 below -87; stays at e^88 above 88; NaN stays NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 is taken off in two parts (Cody and Waite), e^r
 * is a polynomial (Cephes' expf, Moshier). */
static inline float exp_f32(float x)
{
    float t = x < -87.0f ? -87.0f : x;
    t = t > 88.0f ? 88.0f : t;
    /* Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
    float shifted = t * 1.44269504f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    float r = (t - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float e = p * float_of_bits((bits << 23) + 0x3f800000u);
    return x < -87.0f ? 0.0f : e;
}

/* ln x for normal x > 0, to a few units in a double's last place: x = 2^n m with m in
 * [sqrt 1/2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)) as a series. */
static inline double log_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int n = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951)
        m /= 2, n++;
    double f = (m - 1) / (m + 1), square = f * f, sum = 0;
    for (int i = 21; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
    return 2 * f * sum + n * 0.6931471805599453;
}
#endif
