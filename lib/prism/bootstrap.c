/* bootstrap.c: see bootstrap.h. */
#include "prism/bootstrap.h"
#include "base/processors.h"
#include "base/random.h"

#include <math.h>
#include <pthread.h>

enum {
    BLOCK = 256,        /* places of clusters that are drawn at once: see draw() */
    THREADS_MAX = 64,   /* of one bootstrap */
    ALONE_BELOW = 2000, /* clusters that are no work for several threads */
};

/* One thread's share: every step-th draw from first on. */
struct share {
    double (*value)[BOOTSTRAP_DRAWS];
    const struct cluster *clusters;
    int count, first, step;
    uint64_t seed;
};

/* Which clusters the i-th and those behind it are, in draw b. */
static void draw_places(int place[BLOCK], int i, int n, int b, const struct share *s)
{
    const uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    for (int k = 0; k < n; k++) {
        const uint32_t counter[4] = {(uint32_t)(i + k), (uint32_t)b, 0, 0};
        uint32_t r[4];
        random_philox(r, counter, key);
        place[k] = (int)((uint64_t)r[0] * (uint64_t)s->count >> 32);
    }
}

/* One draw. Places first, then what stands there: of many clusters most are in no cache,
 * and so they are waited for together. */
static void draw(const struct share *s, int b)
{
    double sum[2] = {0, 0};
    int64_t rows = 0;
    int place[BLOCK];
    for (int i = 0; i < s->count; i += BLOCK) {
        int n = s->count - i < BLOCK ? s->count - i : BLOCK;
        draw_places(place, i, n, b, s);
        for (int k = 0; k < n; k++) __builtin_prefetch(&s->clusters[place[k]]);
        for (int k = 0; k < n; k++) {
            const struct cluster *c = &s->clusters[place[k]];
            sum[0] += c->sum[0];
            sum[1] += c->sum[1];
            rows += c->rows;
        }
    }
    for (int k = 0; k < 2; k++) s->value[k][b] = sum[k] / (double)rows;
}

static void *draw_share(void *context)
{
    const struct share *s = context;
    for (int b = s->first; b < BOOTSTRAP_DRAWS; b += s->step) draw(s, b);
    return NULL;
}

void bootstrap_draw(double value[2][BOOTSTRAP_DRAWS], const struct cluster *clusters,
                    int count, uint64_t seed)
{
    int n = count < ALONE_BELOW ? 1 : processors_usable(), started = 1;
    n = n > THREADS_MAX ? THREADS_MAX : n;
    struct share shares[THREADS_MAX] = {{value, clusters, count, 0, n, seed}};
    pthread_t threads[THREADS_MAX];
    for (int t = 1; t < n; t++)
        shares[t] = (struct share){value, clusters, count, t, n, seed};
    while (started < n &&
           pthread_create(&threads[started], NULL, draw_share, &shares[started]) == 0)
        started++;
    draw_share(&shares[0]);
    for (int t = started; t < n; t++)
        draw_share(&shares[t]); /* no thread was to be had */
    for (int t = 1; t < started; t++) pthread_join(threads[t], NULL);
}

double bootstrap_se(const double value[BOOTSTRAP_DRAWS], int count)
{
    double mean = 0, square = 0; /* of Welford's running form */
    for (int b = 0; b < BOOTSTRAP_DRAWS; b++) {
        double off = value[b] - mean;
        mean += off / (b + 1);
        square += off * (value[b] - mean);
    }
    return count < 2 ? 0 : sqrt(square / (BOOTSTRAP_DRAWS - 1));
}
