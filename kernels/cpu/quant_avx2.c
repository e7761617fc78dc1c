/* quant_avx2.c: blocks unpacked (quant_avx2.h); quant.c and quant_k.c say what they are
 * made of. */
#include "quant_avx2.h"

ALWAYS_INLINE __m128i load8(const void *p)
{
    return _mm_loadl_epi64((const __m128i *)p);
}
ALWAYS_INLINE __m128i load16(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}
ALWAYS_INLINE __m256i load32(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
ALWAYS_INLINE void store32(uint8_t *to, __m256i codes)
{
    _mm256_store_si256((__m256i *)(void *)to, codes);
}

/* An f16 at any address, in all lanes. */
ALWAYS_INLINE __m256 factor(const char *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

/* Low and high halves of each byte. */
ALWAYS_INLINE __m128i low4(__m128i b)
{
    return _mm_and_si128(b, _mm_set1_epi8(15));
}
ALWAYS_INLINE __m128i high4(__m128i b)
{
    return low4(_mm_srli_epi16(b, 4));
}
ALWAYS_INLINE __m256i low4_32(__m256i b)
{
    return _mm256_and_si256(b, _mm256_set1_epi8(15));
}
ALWAYS_INLINE __m256i high4_32(__m256i b)
{
    return low4_32(_mm256_srli_epi16(b, 4));
}

/* -- Blocks of 32: the factors of up to 8 blocks at once -------------------------------
 */

/* The f16 at from, from + size, ...: n of 8, zeros behind them. */
ALWAYS_INLINE __m256 factors8(const char *from, size_t size, int n)
{
    uint16_t h[8] = {0};
    if (n < 8) {
        for (int b = 0; b < n; b++) memcpy(&h[b], from + (size_t)b * size, 2);
        return _mm256_cvtph_ps(load16(h));
    }
    __m128i all = _mm_setzero_si128(); /* not through memory, which would wait for it */
#define INSERT(b)                                                                        \
    memcpy(h, from + (b)*size, 2);                                                       \
    all = _mm_insert_epi16(all, h[0], b)
    INSERT(0);
    INSERT(1);
    INSERT(2);
    INSERT(3);
    INSERT(4);
    INSERT(5);
    INSERT(6);
    INSERT(7);
#undef INSERT
    return _mm256_cvtph_ps(all);
}

/* 16 bytes: low halves, then high halves. */
ALWAYS_INLINE __m256i halves(const char *p)
{
    const __m128i b = load16(p);
    return low4_32(_mm256_set_m128i(_mm_srli_epi16(b, 4), b));
}

/* 16 for each bit of 32 that is set. */
ALWAYS_INLINE __m256i fifth_bits(const char *p)
{
    uint32_t bits;
    memcpy(&bits, p, 4);
    const __m256i each = _mm256_set1_epi64x((long long)0x8040201008040201u);
    const __m256i spread =
        _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    __m256i b = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread);
    b = _mm256_cmpeq_epi8(_mm256_and_si256(b, each), each);
    return _mm256_and_si256(b, _mm256_set1_epi8(16));
}

/* codes() of each block; shift = scale * middle, or the f16 behind the scale. */
#define UNPACK_32(name, size, codes, shifts)                                             \
    static void name##_unpack(struct unpacked *to, const char *from, int n)              \
    {                                                                                    \
        const int blocks = n / 32;                                                       \
        const __m256 d = factors8(from, size, blocks);                                   \
        _mm256_store_ps(to->scale, d);                                                   \
        _mm256_store_ps(to->shift, shifts);                                              \
        for (int b = 0; b < blocks; b++, from += (size))                                 \
            store32(to->code + 32 * b, codes);                                           \
    }

/* d times what the middle code stands for. */
#define TIMES(x) _mm256_mul_ps(d, _mm256_set1_ps(x))

UNPACK_32(q8_0, 34, _mm256_xor_si256(load32(from + 2), _mm256_set1_epi8((char)0x80)),
          TIMES(-128))
UNPACK_32(q4_0, 18, halves(from + 2), TIMES(-8))
UNPACK_32(q4_1, 20, halves(from + 4), factors8(from + 2, 20, blocks))
UNPACK_32(q5_0, 22, _mm256_or_si256(halves(from + 6), fifth_bits(from + 2)), TIMES(-16))
UNPACK_32(q5_1, 24, _mm256_or_si256(halves(from + 8), fifth_bits(from + 4)),
          factors8(from + 2, 24, blocks))

/* Codes that pick from quant_iq4, made positive. */
ALWAYS_INLINE __m256i picked(__m256i index)
{
    const __m128i table = _mm_xor_si128(load16(quant_iq4), _mm_set1_epi8((char)0x80));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}

UNPACK_32(iq4_nl, 18, picked(halves(from + 2)), TIMES(-128))

/* -- Blocks of 256 ---------------------------------------------------------------------
 */

/* to[i] = d * code[i], 8 or 16 signed bytes. */
ALWAYS_INLINE void factors_of(float *to, __m128i code, __m256 d, int n)
{
    for (int i = 0; i < n; i += 8, code = _mm_unpackhi_epi64(code, code))
        _mm256_store_ps(to + i,
                        _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(code))));
}

/* shift = scale * middle of 16 runs. */
ALWAYS_INLINE void shifts_of(struct unpacked *to, float middle)
{
    for (int i = 0; i < 16; i += 8)
        _mm256_store_ps(to->shift + i, _mm256_mul_ps(_mm256_load_ps(to->scale + i),
                                                     _mm256_set1_ps(middle)));
}

ALWAYS_INLINE __m256 negative(__m256 x)
{
    return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
}

/* Q4_K's and Q5_K's 8 runs. */
ALWAYS_INLINE void factors_q45_k(struct unpacked *to, const char *from)
{
    uint32_t s[3];
    memcpy(s, from + 4, 12);
    /* quant_scales_k() on four bytes at a time */
    const __m128i scale =
        _mm_set_epi32(0, 0, (int)((s[2] & 0x0f0f0f0f) | (s[0] >> 2 & 0x30303030)),
                      (int)(s[0] & 0x3f3f3f3f));
    const __m128i least =
        _mm_set_epi32(0, 0, (int)((s[2] >> 4 & 0x0f0f0f0f) | (s[1] >> 2 & 0x30303030)),
                      (int)(s[1] & 0x3f3f3f3f));
    factors_of(to->scale, scale, factor(from), 8);
    factors_of(to->shift, least, negative(factor(from + 2)), 8);
}

static void q4_k_unpack(struct unpacked *to, const char *from, int n)
{
    assert(n == UNPACKED);
    factors_q45_k(to, from);
    for (int pair = 0; pair < 4; pair++) {
        const __m256i code = load32(from + 16 + 32 * pair);
        store32(to->code + 64 * pair, low4_32(code));
        store32(to->code + 64 * pair + 32, high4_32(code));
    }
}

/* Bit r of each byte as its bit 4, the others cleared. */
ALWAYS_INLINE __m256i bit_as_16(__m256i b, int r)
{
    b = r < 4 ? _mm256_slli_epi16(b, 4 - r) : _mm256_srli_epi16(b, r - 4);
    return _mm256_and_si256(b, _mm256_set1_epi8(16));
}

static void q5_k_unpack(struct unpacked *to, const char *from, int n)
{
    const __m256i fifth = load32(from + 16);
    assert(n == UNPACKED);
    factors_q45_k(to, from);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; pair++) {
        const __m256i code = load32(from + 48 + 32 * pair);
        store32(to->code + 64 * pair,
                _mm256_or_si256(low4_32(code), bit_as_16(fifth, 2 * pair)));
        store32(to->code + 64 * pair + 32,
                _mm256_or_si256(high4_32(code), bit_as_16(fifth, 2 * pair + 1)));
    }
}

/* Bits 2 part and 2 part + 1 of each byte. */
ALWAYS_INLINE __m256i two_bits(__m256i b, int part)
{
    return _mm256_and_si256(_mm256_srli_epi16(b, 2 * part), _mm256_set1_epi8(3));
}

static void q6_k_unpack(struct unpacked *to, const char *from, int n)
{
    assert(n == UNPACKED);
    factors_of(to->scale, load16(from + 192), factor(from + 208), 16);
    shifts_of(to, -32);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) { /* 32 elements */
        const __m256i low = load32(from + i / 4 * 64 + i % 2 * 32);
        const __m256i high = load32(from + 128 + i / 4 * 32);
        store32(to->code + 32 * i,
                _mm256_or_si256(i % 4 < 2 ? low4_32(low) : high4_32(low),
                                _mm256_slli_epi16(two_bits(high, i % 4), 4)));
    }
}

static void q2_k_unpack(struct unpacked *to, const char *from, int n)
{
    assert(n == UNPACKED);
    factors_of(to->scale, low4(load16(from)), factor(from + 80), 16);
    factors_of(to->shift, high4(load16(from)), negative(factor(from + 82)), 16);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        store32(to->code + 32 * i, two_bits(load32(from + 16 + i / 4 * 32), i % 4));
}

static void q3_k_unpack(struct unpacked *to, const char *from, int n)
{
    const __m256i third = load32(from);
    const __m128i low = load8(from + 96);
    uint32_t top;
    assert(n == UNPACKED);
    memcpy(&top, from + 104, 4);
    __m128i high = _mm_srlv_epi32(_mm_set1_epi32((int)top), _mm_setr_epi32(0, 2, 4, 6));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
    high = _mm_or_si128(_mm_unpacklo_epi64(low4(low), high4(low)), high);
    factors_of(to->scale, _mm_sub_epi8(high, _mm_set1_epi8(32)), factor(from + 108), 16);
    shifts_of(to, -4);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        const __m256i code = two_bits(load32(from + 32 + i / 4 * 32), i % 4);
        const __m256i bit = _mm256_srli_epi16(bit_as_16(third, i), 2);
        store32(to->code + 32 * i, _mm256_or_si256(code, bit));
    }
}

static void iq4_xs_unpack(struct unpacked *to, const char *from, int n)
{
    uint32_t low;
    uint16_t high;
    assert(n == UNPACKED);
    memcpy(&high, from + 2, 2);
    memcpy(&low, from + 4, 4);
    const __m256i each = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i l =
        _mm256_srlv_epi32(_mm256_set1_epi32((int)low), _mm256_slli_epi32(each, 2));
    __m256i h = _mm256_srlv_epi32(_mm256_set1_epi32(high), _mm256_slli_epi32(each, 1));
    l = _mm256_and_si256(l, _mm256_set1_epi32(15));
    h = _mm256_slli_epi32(_mm256_and_si256(h, _mm256_set1_epi32(3)), 4);
    l = _mm256_sub_epi32(_mm256_or_si256(l, h), _mm256_set1_epi32(32));
    _mm256_store_ps(to->scale, _mm256_mul_ps(factor(from), _mm256_cvtepi32_ps(l)));
    shifts_of(to, -128);
    for (int i = 0; i < 8; i++)
        store32(to->code + 32 * i, picked(halves(from + 8 + 16 * i)));
}

/* -- By type ---------------------------------------------------------------------------
 */

unpack_function *unpack_of(enum arr_type type, int *run)
{
    static const struct {
        unpack_function *unpack;
        int run;
    } of[ARR_TYPES] = {
        [ARR_Q4_0] = {q4_0_unpack, 32},     [ARR_Q4_1] = {q4_1_unpack, 32},
        [ARR_Q5_0] = {q5_0_unpack, 32},     [ARR_Q5_1] = {q5_1_unpack, 32},
        [ARR_Q8_0] = {q8_0_unpack, 32},     [ARR_Q2_K] = {q2_k_unpack, 16},
        [ARR_Q3_K] = {q3_k_unpack, 16},     [ARR_Q4_K] = {q4_k_unpack, 32},
        [ARR_Q5_K] = {q5_k_unpack, 32},     [ARR_Q6_K] = {q6_k_unpack, 16},
        [ARR_IQ4_NL] = {iq4_nl_unpack, 32}, [ARR_IQ4_XS] = {iq4_xs_unpack, 32},
    };
    assert(of[type].unpack);
    *run = of[type].run;
    return of[type].unpack;
}

/* n elements as floats in memory. */
ALWAYS_INLINE void floats_put(float *to, const struct unpacked *u, int n, int run)
{
    for (int r = 0; r * run < n; r++) {
        const __m256 scale = _mm256_broadcast_ss(u->scale + r);
        const __m256 shift = _mm256_broadcast_ss(u->shift + r);
#pragma GCC unroll 4
        for (int i = r * run; i < (r + 1) * run; i += CPU_LANES)
            _mm256_storeu_ps(to + i, unpacked_floats(u, i, scale, shift));
    }
}

void blocks_avx2(float *restrict to, const char *restrict from, enum arr_type type,
                 int64_t n)
{
    struct unpacked u;
    int run;
    unpack_function *unpack = unpack_of(type, &run);
    while (n > 0) {
        const int count = n < UNPACKED ? (int)n : UNPACKED;
        unpack(&u, from, count);
        if (run == 16)
            floats_put(to, &u, count, 16);
        else
            floats_put(to, &u, count, 32);
        to += count;
        from += arr_type_bytes(type, count);
        n -= count;
    }
}
