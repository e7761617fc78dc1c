/* product_avx2.h: what the two halves of matmul share: a call's operands, and how 4 long
 * sums end. */
#ifndef PRODUCT_AVX2_H
#define PRODUCT_AVX2_H
#include "quant_avx2.h"
#include "transpose_avx2.h"

enum {
    TILE_ROWS = 3,    /* rows of x and */
    TILE_COLUMNS = 4, /* of w whose products are summed at once */
};

/* One call's operands. */
struct product {
    struct dev *d;
    struct arr y, x, w, bias;
    enum matmul_mode mode;
    int64_t m, n, depth;
    int64_t chunk; /* rows of x that are computed together */
};

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

/* matmul_blocks_avx2.c: rows [i, i + rows) of y, at most TILE_ROWS, at `count` columns
 * from j, where w is of blocks that are turned into floats a piece at a time. */
void product_blocks(const struct product *p, int64_t i, int rows, int64_t j,
                    int64_t count, const float bias[TILE_COLUMNS]);

/* matmul_many_avx2.c: all of a product, for so many rows and columns or more. false, and
 * nothing is done, where the rows are too long for its buffers. From where on its packing
 * pays (K of 2048; of 256 far earlier): where it saves turning halves into floats again
 * for every 3 rows, 128 rows; else the tiles of matmul_avx2.c do as well up to 256. */
enum { MANY_ROWS = 256, MANY_HALF_ROWS = 128, MANY_COLUMNS = 48 };
bool product_many(const struct product *p);
#endif
