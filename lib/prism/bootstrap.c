/* bootstrap.c: see bootstrap.h. */
#include "prism/bootstrap.h"
#include "base/random.h"

#include <math.h>

/* Which cluster the i-th of draw b is. */
static int drawn(int i, int b, int count, uint64_t seed)
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)b, 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t r[4];
    random_philox(r, counter, key);
    return (int)((uint64_t)r[0] * (uint64_t)count >> 32);
}

void bootstrap_draw(double *value, int k, const struct cluster *clusters, int count,
                    int draws, uint64_t seed)
{
    for (int b = 0; b < draws; b++) {
        double sum = 0;
        int64_t rows = 0;
        for (int i = 0; i < count; i++) {
            const struct cluster *c = &clusters[drawn(i, b, count, seed)];
            sum += c->sum[k];
            rows += c->rows;
        }
        value[b] = sum / (double)rows;
    }
}

void bootstrap_se(double se[2], const struct cluster *clusters, int count, int draws,
                  uint64_t seed)
{
    double mean[2] = {0, 0}, square[2] = {0, 0}; /* of Welford's running form */
    for (int b = 0; b < draws; b++) {
        double sum[2] = {0, 0};
        int64_t rows = 0;
        for (int i = 0; i < count; i++) {
            const struct cluster *c = &clusters[drawn(i, b, count, seed)];
            sum[0] += c->sum[0];
            sum[1] += c->sum[1];
            rows += c->rows;
        }
        for (int k = 0; k < 2; k++) {
            double value = sum[k] / (double)rows, off = value - mean[k];
            mean[k] += off / (b + 1);
            square[k] += off * (value - mean[k]);
        }
    }
    for (int k = 0; k < 2; k++)
        se[k] = count < 2 || draws < 2 ? 0 : sqrt(square[k] / (draws - 1));
}
