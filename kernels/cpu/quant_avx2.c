/* quant_avx2.c: blocks as floats with AVX2, FMA and F16C. quant.c and quant_k.c define
 * the formats; these are their numbers to the bit: where a product and a sum are fused,
 * the product alone is exact (an f16 factor has 11 bits, scale and code 10 at most).
 */
#include "product_avx2.h"

/* An f16 at any address, in all lanes. */
ALWAYS_INLINE __m256 factor(const char *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

ALWAYS_INLINE __m128i load16(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

ALWAYS_INLINE __m256i load32(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Low and high halves of 16 bytes. */
ALWAYS_INLINE __m128i low4(__m128i b)
{
    return _mm_and_si128(b, _mm_set1_epi8(15));
}
ALWAYS_INLINE __m128i high4(__m128i b)
{
    return _mm_and_si128(_mm_srli_epi16(b, 4), _mm_set1_epi8(15));
}

ALWAYS_INLINE __m256 floats8(__m128i code)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(code));
}

/* to[i] = scale * code[i], 16 signed bytes. */
ALWAYS_INLINE void scaled(float *to, __m128i code, __m256 scale)
{
    __m128i upper = _mm_unpackhi_epi64(code, code);
    _mm256_storeu_ps(to, _mm256_mul_ps(scale, floats8(code)));
    _mm256_storeu_ps(to + 8, _mm256_mul_ps(scale, floats8(upper)));
}

/* to[i] = scale * code[i] + shift, 16 signed bytes. */
ALWAYS_INLINE void shifted(float *to, __m128i code, __m256 scale, __m256 shift)
{
    __m128i upper = _mm_unpackhi_epi64(code, code);
    _mm256_storeu_ps(to, _mm256_fmadd_ps(scale, floats8(code), shift));
    _mm256_storeu_ps(to + 8, _mm256_fmadd_ps(scale, floats8(upper), shift));
}

/* 16 for each bit of 16 that is set. */
ALWAYS_INLINE __m128i fifth_bits(const char *p)
{
    uint16_t bits;
    memcpy(&bits, p, 2);
    const __m128i each = _mm_set1_epi64x((long long)0x8040201008040201u);
    const __m128i spread = _mm_set_epi64x(0x0101010101010101, 0);
    __m128i b = _mm_and_si128(_mm_shuffle_epi8(_mm_cvtsi32_si128(bits), spread), each);
    return _mm_and_si128(_mm_cmpeq_epi8(b, each), _mm_set1_epi8(16));
}

ALWAYS_INLINE void q8_0(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from);
    scaled(to, load16(from + 2), d);
    scaled(to + 16, load16(from + 18), d);
}

ALWAYS_INLINE void q4_0(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from);
    const __m128i code = load16(from + 2), middle = _mm_set1_epi8(8);
    scaled(to, _mm_sub_epi8(low4(code), middle), d);
    scaled(to + 16, _mm_sub_epi8(high4(code), middle), d);
}

ALWAYS_INLINE void q4_1(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from), m = factor(from + 2);
    const __m128i code = load16(from + 4);
    shifted(to, low4(code), d, m);
    shifted(to + 16, high4(code), d, m);
}

ALWAYS_INLINE void q5_0(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from);
    const __m128i code = load16(from + 6), middle = _mm_set1_epi8(16);
    __m128i low = _mm_or_si128(low4(code), fifth_bits(from + 2));
    __m128i high = _mm_or_si128(high4(code), fifth_bits(from + 4));
    scaled(to, _mm_sub_epi8(low, middle), d);
    scaled(to + 16, _mm_sub_epi8(high, middle), d);
}

ALWAYS_INLINE void q5_1(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from), m = factor(from + 2);
    const __m128i code = load16(from + 8);
    shifted(to, _mm_or_si128(low4(code), fifth_bits(from + 4)), d, m);
    shifted(to + 16, _mm_or_si128(high4(code), fifth_bits(from + 6)), d, m);
}

ALWAYS_INLINE void iq4_nl(float *restrict to, const char *restrict from)
{
    const __m256 d = factor(from);
    const __m128i code = load16(from + 2), table = load16(quant_iq4);
    scaled(to, _mm_shuffle_epi8(table, low4(code)), d);
    scaled(to + 16, _mm_shuffle_epi8(table, high4(code)), d);
}

/* 32 codes in two halves of a register. */
ALWAYS_INLINE void shifted32(float *to, __m256i code, __m256 scale, __m256 shift)
{
    shifted(to, _mm256_castsi256_si128(code), scale, shift);
    shifted(to + 16, _mm256_extracti128_si256(code, 1), scale, shift);
}

/* The factors of Q4_K's and Q5_K's 8 runs: d * scale, and -dmin * factor. */
ALWAYS_INLINE void factors_k(const char *from, float scale[8], float shift[8])
{
    uint8_t a[8], b[8];
    uint64_t scales, least;
    quant_scales_k((const uint8_t *)from + 4, a, b);
    memcpy(&scales, a, 8);
    memcpy(&least, b, 8);
    __m128i s = _mm_cvtsi64_si128((long long)scales);
    __m128i l = _mm_cvtsi64_si128((long long)least);
    __m256 dmin = _mm256_xor_ps(factor(from + 2), _mm256_set1_ps(-0.0f));
    _mm256_storeu_ps(scale, _mm256_mul_ps(factor(from), floats8(s)));
    _mm256_storeu_ps(shift, _mm256_mul_ps(dmin, floats8(l)));
}

ALWAYS_INLINE void q4_k(float *restrict to, const char *restrict from)
{
    const __m256i mask = _mm256_set1_epi8(15);
    float scale[8], shift[8];
    factors_k(from, scale, shift);
    for (int pair = 0; pair < 4; pair++, to += 64) {
        __m256i code = load32(from + 16 + pair * 32);
        shifted32(to, _mm256_and_si256(code, mask), _mm256_broadcast_ss(scale + 2 * pair),
                  _mm256_broadcast_ss(shift + 2 * pair));
        shifted32(to + 32, _mm256_and_si256(_mm256_srli_epi16(code, 4), mask),
                  _mm256_broadcast_ss(scale + 2 * pair + 1),
                  _mm256_broadcast_ss(shift + 2 * pair + 1));
    }
}

/* Bit r of each byte as its bit 4, the others cleared. */
ALWAYS_INLINE __m256i bit_as_16(__m256i b, int r)
{
    b = r < 4 ? _mm256_slli_epi16(b, 4 - r) : _mm256_srli_epi16(b, r - 4);
    return _mm256_and_si256(b, _mm256_set1_epi8(16));
}

ALWAYS_INLINE void q5_k(float *restrict to, const char *restrict from)
{
    const __m256i mask = _mm256_set1_epi8(15), fifth = load32(from + 16);
    float scale[8], shift[8];
    factors_k(from, scale, shift);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; pair++, to += 64) {
        __m256i code = load32(from + 48 + pair * 32);
        __m256i low = _mm256_and_si256(code, mask);
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(code, 4), mask);
        shifted32(to, _mm256_or_si256(low, bit_as_16(fifth, 2 * pair)),
                  _mm256_broadcast_ss(scale + 2 * pair),
                  _mm256_broadcast_ss(shift + 2 * pair));
        shifted32(to + 32, _mm256_or_si256(high, bit_as_16(fifth, 2 * pair + 1)),
                  _mm256_broadcast_ss(scale + 2 * pair + 1),
                  _mm256_broadcast_ss(shift + 2 * pair + 1));
    }
}

/* Two runs of 16 in the halves of a register, each with its scale. */
ALWAYS_INLINE void scaled32(float *to, __m256i code, const float scale[2])
{
    scaled(to, _mm256_castsi256_si128(code), _mm256_broadcast_ss(scale));
    scaled(to + 16, _mm256_extracti128_si256(code, 1), _mm256_broadcast_ss(scale + 1));
}

/* Bits 2 part and 2 part + 1 of each byte. */
ALWAYS_INLINE __m256i two_bits(__m256i b, int part)
{
    return _mm256_and_si256(_mm256_srli_epi16(b, 2 * part), _mm256_set1_epi8(3));
}

ALWAYS_INLINE void q6_k(float *restrict to, const char *restrict from)
{
    const __m256i mask = _mm256_set1_epi8(15), middle = _mm256_set1_epi8(32);
    float scale[16];
    scaled(scale, load16(from + 192), factor(from + 208));
    for (int half = 0; half < 2; half++) {
        const __m256i high = load32(from + 128 + half * 32);
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++, to += 32) {
            __m256i low = load32(from + half * 64 + part % 2 * 32);
            low = _mm256_and_si256(part < 2 ? low : _mm256_srli_epi16(low, 4), mask);
            __m256i code =
                _mm256_or_si256(low, _mm256_slli_epi16(two_bits(high, part), 4));
            scaled32(to, _mm256_sub_epi8(code, middle), scale + half * 8 + part * 2);
        }
    }
}

ALWAYS_INLINE void q2_k(float *restrict to, const char *restrict from)
{
    const __m128i s = load16(from);
    float scale[16], shift[16];
    scaled(scale, low4(s), factor(from + 80));
    scaled(shift, high4(s), _mm256_xor_ps(factor(from + 82), _mm256_set1_ps(-0.0f)));
    for (int half = 0; half < 2; half++) {
        const __m256i code = load32(from + 16 + half * 32);
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++, to += 32) {
            const __m256i c = two_bits(code, part);
            const int run = half * 8 + part * 2;
            shifted(to, _mm256_castsi256_si128(c), _mm256_broadcast_ss(scale + run),
                    _mm256_broadcast_ss(shift + run));
            shifted(to + 16, _mm256_extracti128_si256(c, 1),
                    _mm256_broadcast_ss(scale + run + 1),
                    _mm256_broadcast_ss(shift + run + 1));
        }
    }
}

/* Q3_K's 16 scales, from halves of 8 bytes and 2 bits each of 4 bytes. */
ALWAYS_INLINE __m128i scales_q3_k(const char *p)
{
    uint32_t top;
    memcpy(&top, p + 8, 4);
    const __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)p);
    __m128i high = _mm_srlv_epi32(_mm_set1_epi32((int)top), _mm_setr_epi32(0, 2, 4, 6));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
    return _mm_sub_epi8(_mm_or_si128(_mm_unpacklo_epi64(low4(low), high4(low)), high),
                        _mm_set1_epi8(32));
}

ALWAYS_INLINE void q3_k(float *restrict to, const char *restrict from)
{
    const __m256i third = load32(from), four = _mm256_set1_epi8(4);
    float scale[16];
    scaled(scale, scales_q3_k(from + 96), factor(from + 108));
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m256i code = load32(from + 32 + half * 32);
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++, to += 32) {
            __m256i bit = _mm256_srli_epi16(bit_as_16(third, half * 4 + part), 2);
            __m256i c = _mm256_or_si256(two_bits(code, part), bit);
            scaled32(to, _mm256_sub_epi8(c, four), scale + half * 8 + part * 2);
        }
    }
}

ALWAYS_INLINE void iq4_xs(float *restrict to, const char *restrict from)
{
    const __m128i table = load16(quant_iq4);
    const __m256 d = factor(from);
    uint16_t high;
    memcpy(&high, from + 2, 2);
    for (int run = 0; run < 8; run++, to += 32) {
        const int low = (uint8_t)from[4 + run / 2] >> run % 2 * 4 & 15;
        const int scale = (low | (high >> 2 * run & 3) << 4) - 32;
        const __m256 a = _mm256_mul_ps(d, _mm256_set1_ps((float)scale));
        const __m128i code = load16(from + 8 + run * 16);
        scaled(to, _mm_shuffle_epi8(table, low4(code)), a);
        scaled(to + 16, _mm_shuffle_epi8(table, high4(code)), a);
    }
}

#define BLOCKS(format, elements, bytes)                                                  \
    for (; n > 0; n -= (elements), to += (elements), from += (bytes)) format(to, from);  \
    break

void blocks_avx2(float *restrict to, const char *restrict from, enum arr_type type,
                 int64_t n)
{
    assert(n % arr_type_block(type) == 0);
    switch (type) {
    case ARR_Q4_0: BLOCKS(q4_0, 32, 18);
    case ARR_Q4_1: BLOCKS(q4_1, 32, 20);
    case ARR_Q5_0: BLOCKS(q5_0, 32, 22);
    case ARR_Q5_1: BLOCKS(q5_1, 32, 24);
    case ARR_Q8_0: BLOCKS(q8_0, 32, 34);
    case ARR_Q2_K: BLOCKS(q2_k, 256, 84);
    case ARR_Q3_K: BLOCKS(q3_k, 256, 110);
    case ARR_Q4_K: BLOCKS(q4_k, 256, 144);
    case ARR_Q5_K: BLOCKS(q5_k, 256, 176);
    case ARR_Q6_K: BLOCKS(q6_k, 256, 210);
    case ARR_IQ4_NL: BLOCKS(iq4_nl, 32, 18);
    case ARR_IQ4_XS: BLOCKS(iq4_xs, 256, 136);
    default: assert(!"a type of blocks");
    }
}
