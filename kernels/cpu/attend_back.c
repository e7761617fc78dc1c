/* attend_back.c: see attend_back.h. Every number is summed over queries, keys or
 * dimensions in ascending order. */
#include "attend_back.h"
#include "exp.h"
#include "turned.h"
#include "vector.h"

/* `vectors` of 8 columns of `rows` rows of out[][width]: (out +) the sum over i < n of
 * a[row * row_step + i * step] b[i][width]. */
VEC_INLINE void part(float *out, const float *a, int64_t row_step, int64_t step,
                     const float *b, int64_t width, int64_t n, int rows, int vectors,
                     bool add)
{
    vec8 sum[4][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = add ? ((const vec8 *)(out + r * width))[v] : vec8_of(0);
    for (int64_t i = 0; i < n; i++, a += step, b += width) {
        vec8 b0 = *(const vec8 *)b, b1 = vectors > 1 ? ((const vec8 *)b)[1] : b0;
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            vec8 x = vec8_of(a[r * row_step]);
            sum[r][0] = vec8_fma(x, b0, sum[r][0]);
            if (vectors > 1)
                sum[r][1] = vec8_fma(x, b1, sum[r][1]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) ((vec8 *)(out + r * width))[v] = sum[r][v];
}

/* Rows of out[rows][width]: (out +) the sum over i < n of
 * a[row * row_step + i * step] b[i][width]; width is whole vectors. */
VEC_INLINE void product(float *out, const float *a, int64_t row_step, int64_t step,
                        const float *b, int64_t width, int64_t n, int64_t rows, bool add)
{
    int64_t r, c = 0;
    for (; c + 16 <= width; c += 16) {
        for (r = 0; r + 4 <= rows; r += 4)
            part(out + r * width + c, a + r * row_step, row_step, step, b + c, width, n,
                 4, 2, add);
        for (; r < rows; r++)
            part(out + r * width + c, a + r * row_step, row_step, step, b + c, width, n,
                 1, 2, add);
    }
    if (c < width)
        for (r = 0; r < rows; r++)
            part(out + r * width + c, a + r * row_step, row_step, step, b + c, width, n,
                 1, 1, add);
}

/* From products to p and ds of one query. */
static void weights(struct tile_back *t, int n)
{
    float *restrict p = t->p + n * TILE, *restrict ds = t->ds + n * TILE;
    float scale = t->scale, lse = t->lse[n], delta = t->delta[n];
    int seen = t->seen[n] < 0 ? 0 : t->seen[n] > TILE ? TILE : t->seen[n];
    for (int j = 0; j < TILE; j++) {
        float weight = exp_f32(p[j] * scale - lse), slope = ds[j] - delta;
        p[j] = j < seen ? weight : 0;
        ds[j] = j < seen ? scale * weight * slope : 0;
    }
}

void CPU_OP(tile_back_run)(struct tile_back *t, int queries)
{
    int64_t wide = t->wide;
    turned(t->k_turned, TILE, t->k, wide, TILE, wide);
    turned(t->v_turned, TILE, t->v, wide, TILE, wide);
    product(t->p, t->q, wide, 1, t->k_turned, TILE, t->dim, queries, false);
    product(t->ds, t->dy, wide, 1, t->v_turned, TILE, t->dim, queries, false);
    for (int n = 0; n < queries; n++) weights(t, n);
    product(t->dq, t->ds, TILE, 1, t->k, wide, TILE, queries, true);
    product(t->dv, t->p, 1, TILE, t->dy, wide, queries, TILE, false);
    product(t->dk, t->ds, 1, TILE, t->q, wide, queries, TILE, false);
}
