/* attend.h: softmax attention of some queries over one block of keys: what attention.c
 * and attention_paged.c are made of.
 *
 * Order of summation. A score is summed along dim, ascending. Each query keeps the
 * largest score so far and, relative to it, the sum of weights and the weighted sum of
 * values; a block rescales both once, adds its weights over CPU_LANES lanes and its
 * values key by key. Nothing depends on the other queries of the call. (Milakov and
 * Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135)
 */
#ifndef ATTEND_H
#define ATTEND_H
#include "cpu.h"

#include <math.h>

enum { ATTEND_QUERIES = 64 }; /* queries that share a pass over the keys, at most */

/* One query on its way through the keys. */
struct query {
    const float *q; /* borrowed: [dim] */
    float *sum;     /* the caller's: [dim], weighted sum of values */
    float max;      /* largest score so far */
    float total;    /* sum of weights */
    int seen; /* keys of the block that this query sees, from its first; may be <= 0 */
};

/* KV_PAGE keys and values of one head. What no query sees is not used: any bits may be
 * there, but keys must be readable. */
struct block {
    const float *keys;    /* [dim, KV_PAGE] */
    const float *values;  /* [KV_PAGE, dim], stride floats from one to the next */
    int64_t value_stride; /* in floats */
    int64_t dim;
    float scale;
};

void attend_plain(struct query queries[], int count, const struct block *b);
void attend_avx2(struct query queries[], int count, const struct block *b);

/* count rows [dim] of keys, stride floats apart, to a block's [dim, KV_PAGE]. */
void attend_keys_plain(float *keys, const float *from, int64_t stride, int count,
                       int64_t dim);
void attend_keys_avx2(float *keys, const float *from, int64_t stride, int count,
                      int64_t dim);

/* Before the first block. */
static inline void query_start(struct query *query, const float *q, float *sum,
                               int64_t dim)
{
    *query = (struct query){.q = q, .sum = sum, .max = -INFINITY};
    for (int64_t i = 0; i < dim; i++) sum[i] = 0;
}

/* The logarithm of the sum of exponentials of a query's scores. */
static inline float query_lse(const struct query *query)
{
    return query->max + logf(query->total);
}

/* After the last block. */
static inline void query_end(const struct query *query, float *y, int64_t dim)
{
    for (int64_t i = 0; i < dim; i++) y[i] = query->sum[i] / query->total;
}
#endif
