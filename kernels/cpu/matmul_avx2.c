/* matmul_avx2.c: y = x w^T with AVX2, FMA and F16C, and few rows of x (matmul.c is the
 * definition; matmul_wide_avx2.c takes many rows).
 *
 * The weights are read once, as stored: a few rows of w at a time go past up to TILE_ROWS
 * rows of x. With one row of x this is bound by memory.
 */
#include "matmul_avx2.h"

enum {
    NARROW_ROWS = 12, /* up to so many rows of x are computed here */
    AHEAD = 1024,     /* bytes: how far ahead of its use w is asked for */
};

/* Rows i.. (`rows` of them) of y at columns j.. (`count` of TILE_COLUMNS). */
ALWAYS_INLINE void tile(const struct product *p, int64_t i, int rows, int64_t j,
                        int64_t count, enum arr_type type, const float *bias)
{
    const int64_t size = type == ARR_F32 ? 4 : 2, whole = p->depth & -CPU_LANES;
    const char *w[TILE_COLUMNS];
    const float *x[TILE_ROWS];
    __m256 acc[TILE_ROWS][TILE_COLUMNS], a, b;
    /* Columns that are not there repeat the last one, and are not written. */
    for (int c = 0; c < TILE_COLUMNS; c++)
        w[c] = (const char *)p->w.data +
               (c < count ? j + c : j + count - 1) * p->w.stride * size;
    for (int r = 0; r < rows; r++) {
        x[r] = row_f32(p->x, i + r);
        for (int c = 0; c < TILE_COLUMNS; c++) acc[r][c] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < whole; k += CPU_LANES)
        for (int c = 0; c < TILE_COLUMNS; c++) {
            _mm_prefetch(w[c] + k * size + AHEAD, _MM_HINT_T0);
            b = load8(w[c] + k * size, type);
            for (int r = 0; r < rows; r++) {
                a = _mm256_loadu_ps(x[r] + k);
                acc[r][c] = _mm256_fmadd_ps(a, b, acc[r][c]);
            }
        }
    if (whole < p->depth)
        for (int c = 0; c < TILE_COLUMNS; c++) {
            b = load_tail(w[c] + whole * size, type, p->depth - whole);
            for (int r = 0; r < rows; r++) {
                a = load_tail((const char *)(x[r] + whole), ARR_F32, p->depth - whole);
                acc[r][c] = _mm256_fmadd_ps(a, b, acc[r][c]);
            }
        }
    for (int r = 0; r < rows; r++) finish(p, i + r, j, count, reduce4(acc[r]), bias);
}

/* All rows at columns j..: w's tile stays in the cache for the later rows. */
ALWAYS_INLINE void columns(const struct product *p, int64_t j, enum arr_type type)
{
    int64_t i = 0, count = p->n - j < TILE_COLUMNS ? p->n - j : TILE_COLUMNS;
    float bias[TILE_COLUMNS] = {0};
    bias_floats(bias, p, j, count);
    for (; i + 3 <= p->m; i += 3) tile(p, i, 3, j, count, type, bias);
    if (i + 2 == p->m)
        tile(p, i, 2, j, count, type, bias);
    else if (i + 1 == p->m)
        tile(p, i, 1, j, count, type, bias);
}

static void columns_typed(const struct product *p, int64_t j)
{
    switch (p->w.type) {
    case ARR_F32: columns(p, j, ARR_F32); break;
    case ARR_BF16: columns(p, j, ARR_BF16); break;
    case ARR_F16: columns(p, j, ARR_F16); break;
    case ARR_I32: assert(!"a float array");
    }
}

void matmul_avx2(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr bias,
                 enum matmul_mode mode)
{
    struct product p = {y, x, w, bias, mode, x.shape[0], w.shape[0], w.shape[1]};
    assert(x.shape[1] == p.depth && y.shape[0] == p.m && y.shape[1] == p.n);
    if (p.m <= NARROW_ROWS)
        CPU_EACH(d, t, (p.n + TILE_COLUMNS - 1) / TILE_COLUMNS, p.m * p.n * p.depth,
                 CPU_PRODUCTS, columns_typed(&p, t * TILE_COLUMNS));
    else
        matmul_wide_avx2(d, &p);
}
