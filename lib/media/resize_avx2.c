/* resize_avx2.c: the passes of resize.h for AVX2. Samples become 16 bits wide; vpmaddwd
 * multiplies two taps of eight sums at once with the low and with the high halves of
 * their coefficients; high * 2^12 + low puts the exact 32-bit sum of the plain version
 * together again (both wrap alike, and neither can: |sum| < 2^31). */
#include "media/resize.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* Two 16-bit numbers as one 32-bit element: what vpmaddwd takes for a pair of taps. */
static int32_t pair(const int16_t *k)
{
    int32_t both;
    memcpy(&both, k, sizeof both);
    return both;
}

AVX2 static inline __m256i finish(__m256i low, __m256i high)
{
    __m256i half = _mm256_set1_epi32(1 << (RESIZE_BITS - 1));
    __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, RESIZE_LOW_BITS), low);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, half), RESIZE_BITS);
}

/* 32 sums in the order that unpacking bytes leaves them, back to 32 bytes. */
AVX2 static inline __m256i pack(const __m256i low[4], const __m256i high[4])
{
    __m256i a = _mm256_packs_epi32(finish(low[0], high[0]), finish(low[1], high[1]));
    __m256i b = _mm256_packs_epi32(finish(low[2], high[2]), finish(low[3], high[3]));
    return _mm256_packus_epi16(a, b);
}

/* 32 bytes of the output row from x on. */
AVX2 static inline void down32(uint8_t *to, const uint8_t *const *rows, size_t x,
                               int taps, const int16_t *k_low, const int16_t *k_high)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i low[4] = {zero, zero, zero, zero}, high[4] = {zero, zero, zero, zero};
    for (int t = 0; t < taps; t += 2) {
        const uint8_t *second = rows[t + 1 < taps ? t + 1 : t]; /* times 0 behind taps */
        __m256i a = _mm256_loadu_si256((const __m256i *)(rows[t] + x));
        __m256i b = _mm256_loadu_si256((const __m256i *)(second + x));
        __m256i kl = _mm256_set1_epi32(pair(k_low + t));
        __m256i kh = _mm256_set1_epi32(pair(k_high + t));
        __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
        for (int i = 0; i < 4; i++) {
            __m256i pairs = i % 2 ? _mm256_unpackhi_epi8(ab[i / 2], zero)
                                  : _mm256_unpacklo_epi8(ab[i / 2], zero);
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(pairs, kl));
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(pairs, kh));
        }
    }
    _mm256_storeu_si256((__m256i *)(to + x), pack(low, high));
}

AVX2 static void down_avx2(uint8_t *to, const uint8_t *const *rows, int n,
                           const struct resize_axis *a, int y)
{
    size_t at = (size_t)y * (size_t)a->width, x = 0, end = (size_t)n;
    if (n < 32) {
        resize_plain.down(to, rows, n, a, y);
        return;
    }
    for (; x + 32 <= end; x += 32)
        down32(to, rows, x, a->taps[y], a->low + at, a->high + at);
    if (x < end) /* the last 32 once more, from where they end */
        down32(to, rows, end - 32, a->taps[y], a->low + at, a->high + at);
}

/* 16 bytes of each of two rows, one in either half. */
AVX2 static inline __m256i load2(const uint8_t *a, const uint8_t *b)
{
    __m128i low = _mm_loadu_si128((const __m128i *)a);
    __m128i high = _mm_loadu_si128((const __m128i *)b);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* One output pixel of two rows a and b, one in either half. 12 bytes hold four taps' r,
 * g, b: two shuffles make (r0 r1 g0 g1 b0 b1 . .) and the same of taps 2 and 3. */
AVX2 static inline void across_pixel(uint8_t *to_a, uint8_t *to_b, const uint8_t *a,
                                     const uint8_t *b, int taps, const int16_t *k_low,
                                     const int16_t *k_high)
{
    const __m256i first = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, /* row a */
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m256i second = _mm256_setr_epi8(
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1, /* row a */
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int t = 0; t < taps; t += 4, a += 12, b += 12) {
        __m256i pixels = load2(a, b);
        __m256i p01 = _mm256_shuffle_epi8(pixels, first);
        __m256i p23 = _mm256_shuffle_epi8(pixels, second);
        __m256i l01 = _mm256_set1_epi32(pair(k_low + t));
        __m256i l23 = _mm256_set1_epi32(pair(k_low + t + 2));
        __m256i h01 = _mm256_set1_epi32(pair(k_high + t));
        __m256i h23 = _mm256_set1_epi32(pair(k_high + t + 2));
        low = _mm256_add_epi32(low, _mm256_add_epi32(_mm256_madd_epi16(p01, l01),
                                                     _mm256_madd_epi16(p23, l23)));
        high = _mm256_add_epi32(high, _mm256_add_epi32(_mm256_madd_epi16(p01, h01),
                                                       _mm256_madd_epi16(p23, h23)));
    }
    __m256i sum = finish(low, high);
    sum = _mm256_packus_epi16(_mm256_packs_epi32(sum, sum), sum);
    /* Four bytes each, of which the fourth is the next pixel's to overwrite; behind a row
     * of the band there is slack for the last one. */
    int32_t rgb_a = _mm_cvtsi128_si32(_mm256_castsi256_si128(sum));
    int32_t rgb_b = _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1));
    memcpy(to_a, &rgb_a, 4);
    memcpy(to_b, &rgb_b, 4);
}

AVX2 static void across_avx2(uint8_t *to, size_t to_stride, const uint8_t *from,
                             size_t from_stride, int rows, const struct resize_axis *a)
{
    for (int y = 0; y < rows; y += 2) {
        size_t other = y + 1 < rows ? 1 : 0; /* an odd last row is made twice */
        const uint8_t *from_b = from + other * from_stride;
        uint8_t *to_b = to + other * to_stride;
        for (int x = 0; x < a->out; x++) {
            size_t at = (size_t)x * (size_t)a->width, p = 3 * (size_t)a->first[x];
            across_pixel(to + 3 * x, to_b + 3 * x, from + p, from_b + p, a->taps[x],
                         a->low + at, a->high + at);
        }
        to += 2 * to_stride;
        from += 2 * from_stride;
    }
}

const struct resize_passes resize_avx2 = {across_avx2, down_avx2};

bool resize_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
const struct resize_passes resize_avx2 = {0};

bool resize_has_avx2(void)
{
    return false;
}
#endif
