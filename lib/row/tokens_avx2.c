/* tokens_avx2.c: tokens_find() with AVX2: the masks of 64 bytes from two registers, two
 * table look-ups for all marks and white space, and a carry-less product for strings. */
#include "row/tokens.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TOKENS_FIND tokens_find_avx2
#define TOKENS_TARGET __attribute__((target("avx2,pclmul,bmi,bmi2,popcnt")))
#include "row/tokens_find.h"

TOKENS_TARGET static inline uint64_t tokens_fill(uint64_t bits)
{
    /* A product without carries by all ones sums, for each bit, itself and those below.
     */
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)bits),
                                           _mm_set1_epi8((char)0xFF), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

TOKENS_TARGET static inline void tokens_put(uint32_t *to, uint32_t base, uint64_t bits)
{
    while (bits) { /* eight at a time: what is too much is overwritten */
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            /* (the highest bit: of no bits the first is not defined) */
            *to++ = base + (uint32_t)__builtin_ctzll(bits | (uint64_t)1 << 63);
            bits &= bits - 1;
        }
    }
}

TOKENS_TARGET static inline uint64_t join(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

TOKENS_TARGET static inline uint64_t equal(__m256i low, __m256i high, char c)
{
    const __m256i wanted = _mm256_set1_epi8(c);
    return join(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted));
}

/* Looked up by a byte's lower half: the one byte that it may be (with bit 5 set, for the
 * marks). Bytes over 0x7F find 0. */
#define SPACES ' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1
#define MARKS 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0

TOKENS_TARGET static inline struct masks tokens_block(const char *s)
{
    const __m256i spaces = _mm256_setr_epi8(SPACES, SPACES);
    const __m256i marks = _mm256_setr_epi8(MARKS, MARKS);
    const __m256i bit5 = _mm256_set1_epi8(0x20), most = _mm256_set1_epi8(0x1F);
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)s);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + 32));
    struct masks m = {
        .quote = equal(a, b, '"'),
        .slash = equal(a, b, '\\'),
        .mark = join(
            _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, a), _mm256_or_si256(a, bit5)),
            _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, b), _mm256_or_si256(b, bit5))),
        .space = join(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, a), a),
                      _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, b), b)),
        .control = join(_mm256_cmpeq_epi8(_mm256_min_epu8(a, most), a),
                        _mm256_cmpeq_epi8(_mm256_min_epu8(b, most), b)),
        .high = join(a, b),
    };
    return m;
}

bool tokens_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}
#else
bool tokens_has_avx2(void)
{
    return false;
}

bool tokens_find_avx2(struct tokens *t, struct span text)
{
    (void)t, (void)text;
    return false;
}
#endif
