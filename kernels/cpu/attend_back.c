/* attend_back.c: see attend_back.h. Every number is summed over queries, keys or
 * dimensions in ascending order. */
#include "attend_back.h"
#include "exp.h"
#include "vector.h"

enum { VECTORS = TILE / 8 };

static void turn(float *to, const float *from, int64_t wide)
{
    for (int64_t i = 0; i < wide; i++)
        for (int64_t j = 0; j < TILE; j++) to[i * TILE + j] = from[j * wide + i];
}

/* out[TILE] = sum over i of a[i] b[i][...], b [n, TILE]. */
VEC_INLINE void row_product(float *out, const float *a, int64_t step, const float *b,
                            int64_t n)
{
    vec8 sum[VECTORS];
    for (int v = 0; v < VECTORS; v++) sum[v] = vec8_of(0);
    for (int64_t i = 0; i < n; i++) {
        vec8 x = vec8_of(a[i * step]);
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            sum[v] = vec8_fma(x, ((const vec8 *)(b + i * TILE))[v], sum[v]);
    }
    for (int v = 0; v < VECTORS; v++) ((vec8 *)out)[v] = sum[v];
}

/* Four vectors of out[wide] from `at` on: out += sum over i of a[i * step] b[i][wide]. */
VEC_INLINE void part_product(float *out, const float *a, int64_t step, const float *b,
                             int64_t wide, int64_t n, int vectors)
{
    vec8 sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = ((const vec8 *)out)[v];
    for (int64_t i = 0; i < n; i++) {
        vec8 x = vec8_of(a[i * step]);
        for (int v = 0; v < vectors; v++)
            sum[v] = vec8_fma(x, ((const vec8 *)(b + i * wide))[v], sum[v]);
    }
    for (int v = 0; v < vectors; v++) ((vec8 *)out)[v] = sum[v];
}

/* out[wide] += sum over i < n of a[i * step] b[i][wide]. */
static void wide_product(float *out, const float *a, int64_t step, const float *b,
                         int64_t wide, int64_t n)
{
    int64_t at = 0;
    for (; at + 32 <= wide; at += 32) part_product(out + at, a, step, b + at, wide, n, 4);
    for (; at < wide; at += 8) part_product(out + at, a, step, b + at, wide, n, 1);
}

/* p and ds of one query. */
static void weights(struct tile_back *t, int n)
{
    float *restrict p = t->p + n * TILE, *restrict ds = t->ds + n * TILE;
    float scale = t->scale, lse = t->lse[n], delta = t->delta[n];
    int seen = t->seen[n] < 0 ? 0 : t->seen[n] > TILE ? TILE : t->seen[n];
    row_product(p, t->q + n * t->wide, 1, t->k_turned, t->dim);
    row_product(ds, t->dy + n * t->wide, 1, t->v_turned, t->dim);
    for (int j = 0; j < TILE; j++) {
        float weight = exp_f32(p[j] * scale - lse), slope = ds[j] - delta;
        p[j] = j < seen ? weight : 0;
        ds[j] = j < seen ? scale * weight * slope : 0;
    }
}

void CPU_OP(tile_back_run)(struct tile_back *t, int queries)
{
    int64_t wide = t->wide;
    turn(t->k_turned, t->k, wide);
    turn(t->v_turned, t->v, wide);
    memset(t->dk, 0, (size_t)(TILE * wide) * sizeof *t->dk);
    memset(t->dv, 0, (size_t)(TILE * wide) * sizeof *t->dv);
    for (int n = 0; n < queries; n++) {
        weights(t, n);
        wide_product(t->dq + n * wide, t->ds + n * TILE, 1, t->k, wide, TILE);
    }
    for (int j = 0; j < TILE; j++) {
        wide_product(t->dv + j * wide, t->p + j, TILE, t->dy, wide, queries);
        wide_product(t->dk + j * wide, t->ds + j, TILE, t->q, wide, queries);
    }
}
