/* quant_k.c: the formats with blocks of 256 elements (quant.h; ggml's ggml-quants.c has
 * the formats). Elements go in runs of 16 or 32 of one scale. */
#include "cpu.h"

static float f16_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return float_of_f16(h);
}

/* 16 scale bytes (low half: scale, high half: the constant's factor), 64 bytes of codes,
 * d and dmin f16: d * scale * code - dmin * factor for each run of 16. Each half of 128
 * elements has 32 bytes of codes, whose lowest 2 bits are its first 32 elements. */
void q2_k_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *scale = (const uint8_t *)from, *code = scale + 16;
    const float d = f16_at(scale + 80), dmin = f16_at(scale + 82);
    for (int run = 0; run < 16; run++) {
        const uint8_t *c = code + run / 8 * 32 + run % 2 * 16;
        const int shift = run % 8 / 2 * 2;
        const float a = d * (float)(scale[run] & 15), b = dmin * (float)(scale[run] >> 4);
        for (int i = 0; i < 16; i++) *to++ = a * (float)(c[i] >> shift & 3) - b;
    }
}

/* 32 bytes of third bits, 64 bytes of codes as in Q2_K, 12 bytes of 16 scales (low 4 bits
 * in halves of the first 8 bytes, high 2 bits in the last 4), d f16: d * (scale - 32) *
 * (code - 4), where the third bit counts 4. */
void q3_k_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *third = (const uint8_t *)from, *code = third + 32, *s = third + 96;
    const float d = f16_at(third + 108);
    for (int run = 0; run < 16; run++) {
        const uint8_t *c = code + run / 8 * 32 + run % 2 * 16, *t = third + run % 2 * 16;
        const int shift = run % 8 / 2 * 2, bit = run / 2;
        const int low = s[run % 8] >> run / 8 * 4 & 15;
        const int high = s[8 + run % 4] >> run / 4 * 2 & 3;
        const float a = d * (float)((low | high << 4) - 32);
        for (int i = 0; i < 16; i++)
            *to++ = a * (float)((c[i] >> shift & 3) + (t[i] >> bit & 1) * 4 - 4);
    }
}

/* d and dmin f16, 12 bytes of scales (quant_scales_k), 128 bytes of codes: each 32 bytes
 * have 32 elements in their low halves, then 32 in their high halves; d * scale * code -
 * dmin * factor. */
void q4_k_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *p = (const uint8_t *)from, *code = p + 16;
    const float d = f16_at(p), dmin = f16_at(p + 2);
    uint8_t scale[8], least[8];
    quant_scales_k(p + 4, scale, least);
    for (int run = 0; run < 8; run++) {
        const uint8_t *c = code + run / 2 * 32;
        const int shift = run % 2 * 4;
        const float a = d * (float)scale[run], b = dmin * (float)least[run];
        for (int i = 0; i < 32; i++) *to++ = a * (float)(c[i] >> shift & 15) - b;
    }
}

/* As Q4_K with 32 bytes of fifth bits before the codes: bit r of byte i is run r's. */
void q5_k_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *p = (const uint8_t *)from, *fifth = p + 16, *code = p + 48;
    const float d = f16_at(p), dmin = f16_at(p + 2);
    uint8_t scale[8], least[8];
    quant_scales_k(p + 4, scale, least);
    for (int run = 0; run < 8; run++) {
        const uint8_t *c = code + run / 2 * 32;
        const int shift = run % 2 * 4;
        const float a = d * (float)scale[run], b = dmin * (float)least[run];
        for (int i = 0; i < 32; i++)
            *to++ = a * (float)((c[i] >> shift & 15) | (fifth[i] >> run & 1) << 4) - b;
    }
}

/* 128 bytes of low halves, 64 bytes of high 2 bits, 16 signed scales, d f16: d * scale *
 * (code - 32). Each half of 128 elements has 64 and 32 bytes of these; its runs of 32 are
 * the low halves of bytes 0..31 and 32..63, then the high halves; each takes 2 bits of
 * the 32 bytes in turn. A scale is for 16. */
void q6_k_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *low = (const uint8_t *)from, *high = low + 128;
    const int8_t *scale = (const int8_t *)from + 192;
    const float d = f16_at(low + 208);
    for (int run = 0; run < 16; run++) {
        const int half = run / 8, part = run % 8 / 2, at = run % 2 * 16;
        const uint8_t *l = low + half * 64 + part % 2 * 32 + at;
        const uint8_t *h = high + half * 32 + at;
        const float a = d * (float)scale[run];
        for (int i = 0; i < 16; i++)
            *to++ =
                a *
                (float)(((l[i] >> part / 2 * 4 & 15) | (h[i] >> part * 2 & 3) << 4) - 32);
    }
}

/* d f16, high 2 bits of 8 scales in 2 bytes, their low halves in 4 bytes, then 16 bytes
 * for each run of 32: element i in the low half of byte i, i + 16 in the high half, which
 * pick from a table; d * (scale - 32) * table[code]. */
void iq4_xs_plain(float *restrict to, const char *restrict from)
{
    const uint8_t *p = (const uint8_t *)from, *code = p + 8;
    const float d = f16_at(p);
    for (int run = 0; run < 8; run++, to += 32, code += 16) {
        const int low = p[4 + run / 2] >> run % 2 * 4 & 15;
        const int high = p[2 + run / 4] >> run % 4 * 2 & 3;
        const float a = d * (float)((low | high << 4) - 32);
        for (int i = 0; i < 16; i++) {
            to[i] = a * (float)quant_iq4[code[i] & 15];
            to[i + 16] = a * (float)quant_iq4[code[i] >> 4];
        }
    }
}
