/* attend_back.h: the gradient of some queries' attention over one block of keys: what
 * back_attention.c and back_attention_paged.c are made of (Dao, arXiv 2307.08691).
 *
 * With s = scale q k^T, p = exp(s - lse), delta = dy y: dv += p^T dy, dp = dy v^T,
 * ds = scale p (dp - delta), dq += ds k, dk += ds^T q. All in tiles of up to
 * ATTEND_QUERIES queries and KV_PAGE keys; heads are filled up with zeros to whole
 * vectors.
 */
#ifndef ATTEND_BACK_H
#define ATTEND_BACK_H
#include "attend.h"

enum { TILE = KV_PAGE };
_Static_assert((int)ATTEND_QUERIES <= (int)TILE, "queries fill one side of a tile");

/* Buffers of one thread, in its scratch: rows are `wide` floats, dim in whole vectors. */
struct tile_back {
    int64_t dim, wide;
    float scale;
    float *q, *dy, *dq;           /* [TILE, wide]: queries */
    float *k, *v, *dk, *dv;       /* [TILE, wide]: keys */
    float *k_turned, *v_turned;   /* [wide, TILE] */
    float *p, *ds;                /* [TILE, TILE]: queries, keys */
    float lse[TILE], delta[TILE]; /* of the queries */
    int seen[TILE]; /* keys of the block that a query sees, from its first */
};

/* Cut a thread's scratch. */
static inline void tile_back_make(struct tile_back *t, float *scratch, int64_t dim,
                                  float scale)
{
    int64_t wide = (dim + 7) / 8 * 8;
    float **const parts[] = {&t->q,  &t->dy, &t->dq,       &t->k,       &t->v,
                             &t->dk, &t->dv, &t->k_turned, &t->v_turned};
    t->dim = dim;
    t->wide = wide;
    t->scale = scale;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++, scratch += TILE * wide)
        *parts[i] = scratch;
    t->p = scratch;
    t->ds = scratch + TILE * TILE;
}

/* Query n: its row of q, dy and y at one head, and its lse. Its dq starts at 0. */
static inline void tile_back_query(struct tile_back *t, int n, const float *q,
                                   const float *dy, const float *y, float lse)
{
    float *to_q = t->q + n * t->wide, *to_dy = t->dy + n * t->wide;
    size_t size = (size_t)t->dim * sizeof *q;
    float lane[CPU_LANES] = {0};
    int64_t i = 0;
    memset(to_q, 0, (size_t)t->wide * sizeof *to_q);
    memset(to_dy, 0, (size_t)t->wide * sizeof *to_dy);
    memset(t->dq + n * t->wide, 0, (size_t)t->wide * sizeof *t->dq);
    memcpy(to_q, q, size);
    memcpy(to_dy, dy, size);
    for (; i + CPU_LANES <= t->dim; i += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += dy[i + l] * y[i + l];
    for (int l = 0; i + l < t->dim; l++) lane[l] += dy[i + l] * y[i + l];
    t->lse[n] = lse;
    t->delta[n] = lanes_sum(lane);
}

/* The block's keys and values stand in k and v (rows behind the last are zero): turn them
 * about, clear dk and dv, and add what `queries` queries give; dq too. */
void tile_back_run_plain(struct tile_back *t, int queries);
void tile_back_run_avx2(struct tile_back *t, int queries);
#endif
