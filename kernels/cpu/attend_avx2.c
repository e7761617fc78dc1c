/* attend_avx2.c: one block of attention with AVX2 and FMA (attend.h; attend.c is the
 * definition). Up to GROUP queries share each load of keys (HALF of them at a time, dim
 * after dim) and of values (WIDTH numbers at a time, key after key), as 12 accumulators;
 * each number is still summed in the definition's order, fused. */
#include "attend.h"
#include "transpose_avx2.h"

enum {
    GROUP = 3,
    VECTORS = 4,
    HALF = VECTORS * CPU_LANES,
    WIDTH = VECTORS * CPU_LANES,
};

/* exp_f32() of 8 numbers <= 0, fused. */
ALWAYS_INLINE __m256 exp8(__m256 x)
{
    const __m256 low = _mm256_set1_ps(-87.0f), round = _mm256_set1_ps(0x1.8p23f);
    __m256 t = _mm256_max_ps(low, x); /* NaN, the second operand, stays */
    __m256 shifted = _mm256_fmadd_ps(t, _mm256_set1_ps(1.44269504f), round);
    __m256 n = _mm256_sub_ps(shifted, round);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), t);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
    __m256i power = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    power = _mm256_add_epi32(power, _mm256_set1_epi32(0x3f800000));
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(power));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, low, _CMP_LT_OQ), p);
}

/* The first n lanes (n may be out of 0..8). */
ALWAYS_INLINE __m256i first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > CPU_LANES ? CPU_LANES : (int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Products of `group` queries with keys [from, from + HALF). */
ALWAYS_INLINE void products(float score[GROUP][KV_PAGE], struct query *const queries[],
                            int group, const struct block *b, int from)
{
    __m256 sum[GROUP][VECTORS], key[VECTORS], q;
    const float *keys = b->keys + from;
    for (int g = 0; g < group; g++)
        for (int v = 0; v < VECTORS; v++) sum[g][v] = _mm256_setzero_ps();
    for (int64_t i = 0; i < b->dim; i++, keys += KV_PAGE) {
        for (int v = 0; v < VECTORS; v++) key[v] = _mm256_loadu_ps(keys + v * CPU_LANES);
        for (int g = 0; g < group; g++) {
            q = _mm256_broadcast_ss(queries[g]->q + i);
            for (int v = 0; v < VECTORS; v++)
                sum[g][v] = _mm256_fmadd_ps(q, key[v], sum[g][v]);
        }
    }
    for (int g = 0; g < group; g++)
        for (int v = 0; v < VECTORS; v++)
            _mm256_storeu_ps(score[g] + from + v * CPU_LANES, sum[g][v]);
}

/* Scores to weights, in place; the query's max and total move on. Returns what its sums
 * must be multiplied by. */
static float weigh(float score[KV_PAGE], struct query *query, float scale)
{
    const __m256 none = _mm256_set1_ps(-INFINITY);
    __m256 s[KV_PAGE / CPU_LANES], top = none, lanes = _mm256_setzero_ps();
    float max = query->max, lane[CPU_LANES];
    for (int v = 0; v < KV_PAGE / CPU_LANES; v++) {
        __m256 seen = _mm256_castsi256_ps(first_lanes(query->seen - v * CPU_LANES));
        s[v] =
            _mm256_mul_ps(_mm256_loadu_ps(score + v * CPU_LANES), _mm256_set1_ps(scale));
        s[v] = _mm256_blendv_ps(none, s[v], seen);
        top = _mm256_max_ps(s[v], top);
    }
    _mm256_storeu_ps(lane, top);
    for (int l = 0; l < CPU_LANES; l++) max = lane[l] > max ? lane[l] : max;
    for (int v = 0; v < KV_PAGE / CPU_LANES; v++) {
        s[v] = exp8(_mm256_sub_ps(s[v], _mm256_set1_ps(max)));
        lanes = _mm256_add_ps(lanes, s[v]);
        _mm256_storeu_ps(score + v * CPU_LANES, s[v]);
    }
    _mm256_storeu_ps(lane, lanes);
    float rescale = _mm256_cvtss_f32(exp8(_mm256_set1_ps(query->max - max)));
    query->max = max;
    query->total = query->total * rescale + lanes_sum(lane);
    return rescale;
}

/* Numbers [i, ...) of the weighted sums, `vectors` of 8 (the last cut at dim if `cut`),
 * from the values of keys [from, to). */
ALWAYS_INLINE void values(struct query *const queries[], int group,
                          const float weight[GROUP][KV_PAGE], const float rescale[],
                          const struct block *b, int from, int to, int64_t i, int vectors,
                          bool cut)
{
    __m256 sum[GROUP][VECTORS], value[VECTORS], w;
    __m256i last = first_lanes(b->dim - i - (vectors - 1) * CPU_LANES);
    const float *p = b->values + from * b->value_stride + i;
    for (int g = 0; g < group; g++)
        for (int v = 0; v < vectors; v++) {
            float *at = queries[g]->sum + i + v * CPU_LANES;
            sum[g][v] = cut && v == vectors - 1 ? _mm256_maskload_ps(at, last)
                                                : _mm256_loadu_ps(at);
            sum[g][v] = _mm256_mul_ps(sum[g][v], _mm256_set1_ps(rescale[g]));
        }
    for (int j = from; j < to; j++, p += b->value_stride) {
        for (int v = 0; v < vectors; v++)
            value[v] = cut && v == vectors - 1
                           ? _mm256_maskload_ps(p + v * CPU_LANES, last)
                           : _mm256_loadu_ps(p + v * CPU_LANES);
        for (int g = 0; g < group; g++) {
            w = _mm256_broadcast_ss(&weight[g][j]);
            for (int v = 0; v < vectors; v++)
                sum[g][v] = _mm256_fmadd_ps(w, value[v], sum[g][v]);
        }
    }
    for (int g = 0; g < group; g++)
        for (int v = 0; v < vectors; v++) {
            float *at = queries[g]->sum + i + v * CPU_LANES;
            if (cut && v == vectors - 1)
                _mm256_maskstore_ps(at, last, sum[g][v]);
            else
                _mm256_storeu_ps(at, sum[g][v]);
        }
}

/* All numbers of the weighted sums from keys [from, to). */
ALWAYS_INLINE void all_values(struct query *const queries[], int group,
                              const float weight[GROUP][KV_PAGE], const float rescale[],
                              const struct block *b, int from, int to)
{
    int64_t i = 0, left;
    for (; i + WIDTH <= b->dim; i += WIDTH)
        values(queries, group, weight, rescale, b, from, to, i, 4, false);
    left = b->dim - i;
    if (left > 24)
        values(queries, group, weight, rescale, b, from, to, i, 4, true);
    else if (left > 16)
        values(queries, group, weight, rescale, b, from, to, i, 3, true);
    else if (left > 8)
        values(queries, group, weight, rescale, b, from, to, i, 2, true);
    else if (left > 0)
        values(queries, group, weight, rescale, b, from, to, i, 1, true);
}

/* Keys that one query of a group sees and another does not are its own to add: a value
 * that a query must not see is not even multiplied by zero. */
static void rest_of_values(struct query *query, const float *weight,
                           const struct block *b, int from)
{
    const float once[1] = {1};
    float own[GROUP][KV_PAGE];
    memcpy(own[0], weight, sizeof own[0]);
    all_values(&query, 1, (const float(*)[KV_PAGE])own, once, b, from, query->seen);
}

ALWAYS_INLINE void attend_group(struct query *const queries[], int group,
                                const struct block *b)
{
    float weight[GROUP][KV_PAGE] = {{0}}, rescale[GROUP];
    int least = KV_PAGE, most = 0;
    for (int g = 0; g < group; g++) {
        least = queries[g]->seen < least ? queries[g]->seen : least;
        most = queries[g]->seen > most ? queries[g]->seen : most;
    }
    for (int from = 0; from < most; from += HALF)
        products(weight, queries, group, b, from);
    for (int g = 0; g < group; g++) rescale[g] = weigh(weight[g], queries[g], b->scale);
    all_values(queries, group, (const float(*)[KV_PAGE])weight, rescale, b, 0, least);
    for (int g = 0; g < group; g++)
        if (queries[g]->seen > least)
            rest_of_values(queries[g], weight[g], b, least);
}

void attend_avx2(struct query queries[], int count, const struct block *b)
{
    struct query *live[ATTEND_QUERIES];
    int n = 0, i = 0;
    assert(count <= ATTEND_QUERIES);
    for (int j = 0; j < count; j++)
        if (queries[j].seen > 0)
            live[n++] = &queries[j];
    for (; i + 3 <= n; i += 3) attend_group(live + i, 3, b);
    if (i + 2 == n)
        attend_group(live + i, 2, b);
    else if (i + 1 == n)
        attend_group(live + i, 1, b);
}

void attend_keys_avx2(float *keys, const float *from, int64_t stride, int count,
                      int64_t dim)
{
    int64_t whole = dim & -CPU_LANES;
    int j = 0;
    for (; j + CPU_LANES <= count; j += CPU_LANES)
        for (int64_t i = 0; i < whole; i += CPU_LANES) {
            __m256 r[8];
            for (int l = 0; l < 8; l++)
                r[l] = _mm256_loadu_ps(from + (j + l) * stride + i);
            transpose8(r);
            for (int l = 0; l < 8; l++)
                _mm256_storeu_ps(keys + (i + l) * KV_PAGE + j, r[l]);
        }
    for (int n = 0; n < count; n++)
        for (int64_t i = n < j ? whole : 0; i < dim; i++)
            keys[i * KV_PAGE + n] = from[n * stride + i];
}
