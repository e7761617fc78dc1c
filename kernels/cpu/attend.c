/* attend.c: one block of attention, the definition (attend.h). */
#include "attend.h"
#include "exp.h"

static void attend_query(struct query *query, const struct block *b)
{
    float weight[KV_PAGE] = {0}, lane[CPU_LANES] = {0}, max = query->max;
    for (int64_t i = 0; i < b->dim; i++)
        for (int j = 0; j < KV_PAGE; j++)
            weight[j] += query->q[i] * b->keys[i * KV_PAGE + j];
    for (int j = 0; j < KV_PAGE; j++) {
        weight[j] = j < query->seen ? weight[j] * b->scale : -INFINITY;
        max = weight[j] > max ? weight[j] : max;
    }
    for (int j = 0; j < KV_PAGE; j++) weight[j] = exp_f32(weight[j] - max);
    for (int j = 0; j < KV_PAGE; j++) lane[j % CPU_LANES] += weight[j];
    float rescale = exp_f32(query->max - max);
    query->max = max;
    query->total = query->total * rescale + lanes_sum(lane);
    for (int64_t i = 0; i < b->dim; i++) query->sum[i] *= rescale;
    for (int j = 0; j < KV_PAGE && j < query->seen; j++)
        for (int64_t i = 0; i < b->dim; i++)
            query->sum[i] += weight[j] * b->values[j * b->value_stride + i];
}

void attend_plain(struct query queries[], int count, const struct block *b)
{
    for (int i = 0; i < count; i++)
        if (queries[i].seen > 0)
            attend_query(&queries[i], b);
}

void attend_keys_plain(float *keys, const float *from, int64_t stride, int count,
                       int64_t dim)
{
    for (int j = 0; j < count; j++)
        for (int64_t i = 0; i < dim; i++) keys[i * KV_PAGE + j] = from[j * stride + i];
}
