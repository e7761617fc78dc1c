/* matmul_avx2.h: what the two ways of matmul share for AVX2 (matmul_avx2.c says which
 * takes what). Both sum an output the same way: one accumulator of 8 lanes, fused, K
 * ascending, places past K filled with zeros, and one reduction in lanes_sum()'s order.
 */
#ifndef MATMUL_AVX2_H
#define MATMUL_AVX2_H
#include "cpu.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    TILE_ROWS = 3,    /* rows of x, and */
    TILE_COLUMNS = 4, /* rows of w whose products are summed at once: 12 accumulators */
};

/* One call's operands. */
struct product {
    struct arr y, x, w, bias;
    enum matmul_mode mode;
    int64_t m, n, depth;
};

/* 8 elements of a float type, at any address. */
ALWAYS_INLINE __m256 load8(const char *p, enum arr_type type)
{
    if (type == ARR_F32)
        return _mm256_loadu_ps((const float *)(const void *)p);
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (type == ARR_F16)
        return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* The same of n < 8 elements, zeros behind them. */
ALWAYS_INLINE __m256 load_tail(const char *p, enum arr_type type, int64_t n)
{
    char bytes[32] = {0};
    memcpy(bytes, p, (size_t)n * (type == ARR_F32 ? 4 : 2));
    return load8(bytes, type);
}

/* The sums of 4 accumulators, each in lanes_sum()'s order. */
ALWAYS_INLINE __m128 reduce4(const __m256 a[4])
{
    __m128 r[4];
    for (int i = 0; i < 4; i++)
        r[i] = _mm_add_ps(_mm256_castps256_ps128(a[i]), _mm256_extractf128_ps(a[i], 1));
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
    return _mm_add_ps(_mm_add_ps(r[0], r[2]), _mm_add_ps(r[1], r[3]));
}

/* Finish and write `count` outputs of row i from column j: bias, then what y held. */
ALWAYS_INLINE void finish(const struct product *p, int64_t i, int64_t j, int64_t count,
                          __m128 sums, const float bias[TILE_COLUMNS])
{
    float out[TILE_COLUMNS], *y = row_f32(p->y, i) + j;
    if (p->bias.data)
        sums = _mm_add_ps(sums, _mm_loadu_ps(bias));
    if (count == TILE_COLUMNS) {
        if (p->mode == MATMUL_ADD)
            sums = _mm_add_ps(_mm_loadu_ps(y), sums);
        _mm_storeu_ps(y, sums);
        return;
    }
    _mm_storeu_ps(out, sums);
    for (int64_t c = 0; c < count; c++)
        y[c] = p->mode == MATMUL_ADD ? y[c] + out[c] : out[c];
}

/* The bias of columns [j, j + count) as floats, if there is one. */
static inline void bias_floats(float to[TILE_COLUMNS], const struct product *p, int64_t j,
                               int64_t count)
{
    if (p->bias.data)
        floats_of(to, row_any(p->bias, j), p->bias.type, count);
}

/* Many rows: w is turned into floats, block by block (matmul_wide_avx2.c). */
void matmul_wide_avx2(struct dev *d, const struct product *p);
#endif
