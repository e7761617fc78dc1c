/* tokens_avx512.c: tokens_find() with AVX-512: 64 bytes are one register, each comparison
 * gives its mask at once, and the places of the tokens are packed without a loop. */
#include "row/tokens.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TOKENS_FIND tokens_find_avx512
#define TOKENS_TARGET                                                                    \
    __attribute__((target("avx512f,avx512bw,avx512vbmi2,avx2,pclmul,bmi,bmi2,popcnt")))
#include "row/tokens_find.h"

TOKENS_TARGET static inline uint64_t tokens_fill(uint64_t bits)
{
    /* A product without carries by all ones sums, for each bit, itself and those below.
     */
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)bits),
                                           _mm_set1_epi8((char)0xFF), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

/* The numbers 16 * i and on, of four bytes each. */
TOKENS_TARGET static inline void put16(uint32_t *to, uint32_t base, __m512i places, int i)
{
    __m128i part = i == 0   ? _mm512_castsi512_si128(places)
                   : i == 1 ? _mm512_extracti32x4_epi32(places, 1)
                   : i == 2 ? _mm512_extracti32x4_epi32(places, 2)
                            : _mm512_extracti32x4_epi32(places, 3);
    _mm512_storeu_si512(to + 16 * i, _mm512_add_epi32(_mm512_cvtepu8_epi32(part),
                                                      _mm512_set1_epi32((int)base)));
}

TOKENS_TARGET static inline void tokens_put(uint32_t *to, uint32_t base, uint64_t bits)
{
    static const uint8_t numbers[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
        48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    __m512i places = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(numbers));
    put16(to, base, places, 0);
    put16(to, base, places, 1);
    if (__builtin_popcountll(bits) <= 32)
        return;
    put16(to, base, places, 2);
    put16(to, base, places, 3);
}

/* Looked up by a byte's lower half: see tokens_avx2.c. */
TOKENS_TARGET static inline struct masks tokens_block(const char *s)
{
    const __m512i spaces = _mm512_broadcast_i32x4(_mm_setr_epi8(
        ' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1));
    const __m512i marks = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0));
    __m512i v = _mm512_loadu_si512(s);
    __m512i low = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
    struct masks m = {
        .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .slash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
        .mark = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(marks, v), low),
        .space = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(spaces, v), v),
        .control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
        .high = _mm512_movepi8_mask(v),
    };
    return m;
}

bool tokens_has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi2") && tokens_has_avx2();
}
#else
bool tokens_has_avx512(void)
{
    return false;
}

bool tokens_find_avx512(struct tokens *t, struct span text)
{
    (void)t, (void)text;
    return false;
}
#endif
