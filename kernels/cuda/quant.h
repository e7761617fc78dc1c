/* quant.h: single elements of weights in blocks (ggml's formats; kernels/cpu/quant*.c say
 * what each is made of, and this reads the same numbers). */
#ifndef CUDA_QUANT_H
#define CUDA_QUANT_H
#include "cuda.h"

__device__ __forceinline__ float f16_bytes(const uint8_t *p)
{
    return f16_float((uint16_t)(p[0] | p[1] << 8)); /* blocks lie at any address */
}

__device__ __forceinline__ float iq4_value(int code)
{
    const int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};
    return (float)values[code];
}

/* The code of element i where 16 bytes hold 32: low halves, then high halves. */
__device__ __forceinline__ int half_code(const uint8_t *codes, int i)
{
    return codes[i % 16] >> i / 16 * 4 & 15;
}

__device__ __forceinline__ int fifth_bit(const uint8_t *bits, int i)
{
    return (bits[i / 8] >> i % 8 & 1) << 4;
}

/* The 6-bit scale (or, `least`, the constant's factor) of run r in Q4_K and Q5_K. */
__device__ __forceinline__ int scale_k(const uint8_t *s, int r, bool least)
{
    const int at = least ? r + 4 : r;
    if (r < 4)
        return s[at] & 63;
    return (least ? s[r + 4] >> 4 : s[r + 4] & 15) | (s[least ? r : r - 4] >> 6) << 4;
}

__device__ __forceinline__ float block32_at(enum arr_type type, const uint8_t *p, int i)
{
    const float d = f16_bytes(p);
    switch (type) {
    case ARR_Q8_0: return d * (float)(int8_t)p[2 + i];
    case ARR_Q4_0: return d * (float)(half_code(p + 2, i) - 8);
    case ARR_Q4_1: return d * (float)half_code(p + 4, i) + f16_bytes(p + 2);
    case ARR_Q5_0: return d * (float)((half_code(p + 6, i) | fifth_bit(p + 2, i)) - 16);
    case ARR_Q5_1:
        return d * (float)(half_code(p + 8, i) | fifth_bit(p + 4, i)) + f16_bytes(p + 2);
    default: return d * iq4_value(half_code(p + 2, i)); /* IQ4_NL */
    }
}

__device__ __forceinline__ float q2_k_at(const uint8_t *p, int i)
{
    const int run = i / 16, code = p[16 + run / 8 * 32 + i % 32] >> run % 8 / 2 * 2 & 3;
    return f16_bytes(p + 80) * (float)(p[run] & 15) * (float)code -
           f16_bytes(p + 82) * (float)(p[run] >> 4);
}

__device__ __forceinline__ float q3_k_at(const uint8_t *p, int i)
{
    const uint8_t *s = p + 96;
    const int run = i / 16, code = p[32 + run / 8 * 32 + i % 32] >> run % 8 / 2 * 2 & 3;
    const int third = p[i % 32] >> run / 2 & 1;
    const int scale =
        (s[run % 8] >> run / 8 * 4 & 15) | (s[8 + run % 4] >> run / 4 * 2 & 3) << 4;
    return f16_bytes(p + 108) * (float)(scale - 32) * (float)(code + third * 4 - 4);
}

__device__ __forceinline__ float q45_k_at(const uint8_t *p, int i, bool fifth)
{
    const int run = i / 32, code = p[(fifth ? 48 : 16) + run / 2 * 32 + i % 32];
    const int high = fifth ? (p[16 + i % 32] >> run & 1) << 4 : 0;
    return f16_bytes(p) * (float)scale_k(p + 4, run, false) *
               (float)((code >> run % 2 * 4 & 15) | high) -
           f16_bytes(p + 2) * (float)scale_k(p + 4, run, true);
}

__device__ __forceinline__ float q6_k_at(const uint8_t *p, int i)
{
    const int half = i / 128, part = i % 128 / 32;
    const int low = p[half * 64 + part % 2 * 32 + i % 32] >> part / 2 * 4 & 15;
    const int high = p[128 + half * 32 + i % 32] >> part * 2 & 3;
    return f16_bytes(p + 208) * (float)(int8_t)p[192 + i / 16] *
           (float)((low | high << 4) - 32);
}

__device__ __forceinline__ float iq4_xs_at(const uint8_t *p, int i)
{
    const int run = i / 32;
    const int scale =
        (p[4 + run / 2] >> run % 2 * 4 & 15) | (p[2 + run / 4] >> run % 4 * 2 & 3) << 4;
    return f16_bytes(p) * (float)(scale - 32) *
           iq4_value(half_code(p + 8 + run * 16, i % 32));
}

__device__ __forceinline__ float block256_at(enum arr_type type, const uint8_t *p, int i)
{
    switch (type) {
    case ARR_Q2_K: return q2_k_at(p, i);
    case ARR_Q3_K: return q3_k_at(p, i);
    case ARR_Q4_K: return q45_k_at(p, i, false);
    case ARR_Q5_K: return q45_k_at(p, i, true);
    case ARR_Q6_K: return q6_k_at(p, i);
    default: return iq4_xs_at(p, i);
    }
}

/* Element i of a row of blocks. */
__device__ __forceinline__ float block_at(enum arr_type type, const void *row, int64_t i)
{
    const uint8_t *p = (const uint8_t *)row;
    switch (type) {
    case ARR_Q8_0: return block32_at(type, p + i / 32 * 34, (int)(i % 32));
    case ARR_Q4_0:
    case ARR_IQ4_NL: return block32_at(type, p + i / 32 * 18, (int)(i % 32));
    case ARR_Q4_1: return block32_at(type, p + i / 32 * 20, (int)(i % 32));
    case ARR_Q5_0: return block32_at(type, p + i / 32 * 22, (int)(i % 32));
    case ARR_Q5_1: return block32_at(type, p + i / 32 * 24, (int)(i % 32));
    case ARR_Q2_K: return block256_at(type, p + i / 256 * 84, (int)(i % 256));
    case ARR_Q3_K: return block256_at(type, p + i / 256 * 110, (int)(i % 256));
    case ARR_Q4_K: return block256_at(type, p + i / 256 * 144, (int)(i % 256));
    case ARR_Q5_K: return block256_at(type, p + i / 256 * 176, (int)(i % 256));
    case ARR_Q6_K: return block256_at(type, p + i / 256 * 210, (int)(i % 256));
    default: return block256_at(type, p + i / 256 * 136, (int)(i % 256)); /* IQ4_XS */
    }
}

/* Element i of a row of numbers or blocks. */
__device__ __forceinline__ float any_at(enum arr_type type, const void *row, int64_t i)
{
    return type < ARR_Q4_0 ? number_at(type, row, i) : block_at(type, row, i);
}
#endif
