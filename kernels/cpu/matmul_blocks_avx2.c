/* matmul_blocks_avx2.c: few rows of x past w in blocks (product_avx2.h).
 *
 * A piece of each of TILE_COLUMNS rows of w is turned into floats in the first cache,
 * where the products read it at once: the conversions, which most of the time goes to,
 * then overlap with the products of the piece before. The numbers and their order are
 * those of a whole row turned into floats first.
 */
#include "product_avx2.h"

enum {
    PIECE = 256, /* elements: a multiple of every block */
    AHEAD = 2048 /* bytes of w that are asked for early */
};

/* Pieces of `n` elements from k on. */
ALWAYS_INLINE void piece(__m256 acc[TILE_ROWS][TILE_COLUMNS], const float *const x[],
                         float w[TILE_COLUMNS][PIECE], int rows, int64_t k, int n)
{
    for (int l = 0; l < n; l += CPU_LANES) {
        __m256 a[TILE_ROWS], b;
        for (int r = 0; r < rows; r++) a[r] = _mm256_loadu_ps(x[r] + k + l);
        for (int c = 0; c < TILE_COLUMNS; c++) {
            b = _mm256_load_ps(w[c] + l);
            for (int r = 0; r < rows; r++)
                acc[r][c] = _mm256_fmadd_ps(a[r], b, acc[r][c]);
        }
    }
}

ALWAYS_INLINE void tile(const struct product *p, int64_t i, int rows, int64_t j,
                        int64_t count, const float *bias)
{
    _Alignas(32) float piece_of[TILE_COLUMNS][PIECE];
    const char *w[TILE_COLUMNS];
    const float *x[TILE_ROWS];
    __m256 acc[TILE_ROWS][TILE_COLUMNS];
    for (int c = 0; c < TILE_COLUMNS; c++)
        w[c] = row_any(p->w, c < count ? j + c : j + count - 1);
    for (int r = 0; r < rows; r++) {
        x[r] = row_f32(p->x, i + r);
        for (int c = 0; c < TILE_COLUMNS; c++) acc[r][c] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < p->depth; k += PIECE) {
        int n = p->depth - k < PIECE ? (int)(p->depth - k) : PIECE;
        size_t bytes = arr_type_bytes(p->w.type, n);
        for (int c = 0; c < TILE_COLUMNS; c++) {
            for (size_t b = 0; b < bytes; b += 64)
                _mm_prefetch(w[c] + AHEAD + b, _MM_HINT_T0);
            blocks_avx2(piece_of[c], w[c], p->w.type, n);
            w[c] += bytes;
        }
        piece(acc, x, piece_of, rows, k, n);
    }
    for (int r = 0; r < rows; r++) finish(p, i + r, j, count, reduce4(acc[r]), bias);
}

void product_blocks(const struct product *p, int64_t i, int rows, int64_t j,
                    int64_t count, const float bias[TILE_COLUMNS])
{
    if (rows == 3)
        tile(p, i, 3, j, count, bias);
    else if (rows == 2)
        tile(p, i, 2, j, count, bias);
    else
        tile(p, i, 1, j, count, bias);
}
