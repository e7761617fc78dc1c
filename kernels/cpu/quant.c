/* quant.c: the formats with blocks of 32 elements, and all by type (quant.h; ggml's
 * ggml-quants.c has the formats). */
#include "cpu.h"

const int8_t quant_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};

static float f16_at(const char *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return float_of_f16(h);
}

static uint32_t u32_at(const char *p)
{
    uint32_t n;
    memcpy(&n, p, 4);
    return n;
}

/* d f16, then 32 signed bytes: d * code. */
void q8_0_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from);
    const int8_t *code = (const int8_t *)from + 2;
    for (int i = 0; i < 32; i++) to[i] = d * (float)code[i];
}

/* d f16, then 16 bytes: element i in the low half of byte i, i + 16 in the high half;
 * d * (code - 8). */
void q4_0_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from);
    const uint8_t *code = (const uint8_t *)from + 2;
    for (int i = 0; i < 16; i++) {
        to[i] = d * (float)((code[i] & 15) - 8);
        to[i + 16] = d * (float)((code[i] >> 4) - 8);
    }
}

/* d and m f16, then halves as in Q4_0: d * code + m. */
void q4_1_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from), m = f16_at(from + 2);
    const uint8_t *code = (const uint8_t *)from + 4;
    for (int i = 0; i < 16; i++) {
        to[i] = d * (float)(code[i] & 15) + m;
        to[i + 16] = d * (float)(code[i] >> 4) + m;
    }
}

/* d f16, 32 bits: element i's code has bit i as its fifth, then halves as in Q4_0:
 * d * (code - 16). */
void q5_0_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from);
    const uint32_t fifth = u32_at(from + 2);
    const uint8_t *code = (const uint8_t *)from + 6;
    for (int i = 0; i < 16; i++) {
        int low = (code[i] & 15) | (int)(fifth >> i & 1) << 4;
        int high = code[i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
        to[i] = d * (float)(low - 16);
        to[i + 16] = d * (float)(high - 16);
    }
}

/* d and m f16, fifth bits and halves as in Q5_0: d * code + m. */
void q5_1_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from), m = f16_at(from + 2);
    const uint32_t fifth = u32_at(from + 4);
    const uint8_t *code = (const uint8_t *)from + 8;
    for (int i = 0; i < 16; i++) {
        int low = (code[i] & 15) | (int)(fifth >> i & 1) << 4;
        int high = code[i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
        to[i] = d * (float)low + m;
        to[i + 16] = d * (float)high + m;
    }
}

/* d f16, halves as in Q4_0 that pick from a table: d * table[code]. */
void iq4_nl_plain(float *restrict to, const char *restrict from)
{
    const float d = f16_at(from);
    const uint8_t *code = (const uint8_t *)from + 2;
    for (int i = 0; i < 16; i++) {
        to[i] = d * (float)quant_iq4[code[i] & 15];
        to[i + 16] = d * (float)quant_iq4[code[i] >> 4];
    }
}

void blocks_plain(float *restrict to, const char *restrict from, enum arr_type type,
                  int64_t n)
{
    static quant_block *const one[ARR_TYPES] = {
        [ARR_Q4_0] = q4_0_plain, [ARR_Q4_1] = q4_1_plain,     [ARR_Q5_0] = q5_0_plain,
        [ARR_Q5_1] = q5_1_plain, [ARR_Q8_0] = q8_0_plain,     [ARR_Q2_K] = q2_k_plain,
        [ARR_Q3_K] = q3_k_plain, [ARR_Q4_K] = q4_k_plain,     [ARR_Q5_K] = q5_k_plain,
        [ARR_Q6_K] = q6_k_plain, [ARR_IQ4_NL] = iq4_nl_plain, [ARR_IQ4_XS] = iq4_xs_plain,
    };
    const int block = arr_type_block(type);
    const size_t size = arr_type_size(type);
    assert(one[type] && n % block == 0);
    for (; n > 0; n -= block, to += block, from += size) one[type](to, from);
}
