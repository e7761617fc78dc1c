/* random_weights.c: see random_weights.h. */
#include "engine/random_weights.h"
#include "base/fail.h"
#include "base/random.h"
#include "engine/floats.h"
#include "engine/vlm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Normal deviates: one of so many, picked by 12 random bits. */
enum { QUANTILES = 1 << 12 };

struct random_table {
    float deviate[QUANTILES];
};

struct plan {
    struct tensor_plan *tensors;
    int count, cap;
    bool bad;
};

static void add_tensor(void *context, const char *name, int rank, const int64_t *shape)
{
    struct plan *p = context;
    if (p->count == p->cap) {
        int cap = p->cap ? 2 * p->cap : 256;
        struct tensor_plan *more = realloc(p->tensors, (size_t)cap * sizeof *more);
        if (!more) {
            p->bad = true;
            return;
        }
        p->tensors = more;
        p->cap = cap;
    }
    struct tensor_plan *t = &p->tensors[p->count];
    *t = (struct tensor_plan){.name = strdup(name), .rank = rank};
    p->bad = p->bad || !t->name;
    memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
    p->count += t->name != NULL;
}

/* The inverse of the normal distribution, by bisection: it is a table of 4096 values. */
static double normal_quantile(double p)
{
    double low = -8, high = 8;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < p)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Ten picks of 12 bits from a block of 128. */
static void draw(float *out, int n, const float *table, struct random_key key,
                 uint32_t block)
{
    for (int i = 0; i < n; i += 10) {
        uint32_t r[4];
        const uint32_t counter[4] = {block, (uint32_t)i, (uint32_t)key.hi,
                                     (uint32_t)(key.hi >> 32)};
        const uint32_t k[2] = {(uint32_t)key.lo, (uint32_t)(key.lo >> 32)};
        random_philox(r, counter, k);
        const uint64_t word[2] = {(uint64_t)r[1] << 32 | r[0],
                                  (uint64_t)r[3] << 32 | r[2]};
        for (int j = 0; j < 10 && i + j < n; j++)
            out[i + j] = table[word[j / 5] >> (j % 5 * 12) & (QUANTILES - 1)];
    }
}

struct random_table *random_table_make(double deviation)
{
    struct random_table *t = malloc(sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    for (int i = 0; i < QUANTILES; i++)
        t->deviate[i] = (float)(deviation * normal_quantile((i + 0.5) / QUANTILES));
    return t;
}

void random_table_free(struct random_table *t)
{
    free(t);
}

void random_table_fill(const struct random_table *t, uint64_t seed,
                       const struct tensor_plan *plan, int64_t first, int n, float *to)
{
    bool one = plan->rank == 1 && ends_with(plan->name, ".weight");
    if (one || ends_with(plan->name, ".bias"))
        for (int i = 0; i < n; i++) to[i] = one ? 1 : 0;
    else
        draw(to, n, t->deviate, random_key_of(seed, plan->name, strlen(plan->name)),
             (uint32_t)(first / FLOATS_CHUNK));
}

/* What fill() goes by. */
struct filling {
    const struct random_weights *how;
    const struct plan *plan;
    const struct random_table *table;
};

static int fill(void *context, int i, int64_t first, int n, float *to)
{
    const struct filling *f = context;
    if (f->how->abandon && f->how->abandon(f->how->abandon_context))
        return fail(FAIL_REFUSED, "interrupted");
    random_table_fill(f->table, f->how->seed, &f->plan->tensors[i], first, n, to);
    return 0;
}

static int write_file(const char *path, const struct plan *p,
                      const struct random_weights *how)
{
    struct random_table *table = random_table_make(how->deviation);
    struct filling f = {how, p, table};
    int status = table ? floats_write(path, p->tensors, p->count, fill, &f) : -1;
    random_table_free(table);
    return status;
}

int random_weights_write(const char *dir, const struct random_weights *how)
{
    struct model_config mc;
    struct plan plan = {0};
    char path[4096];
    int status = -1;
    if (config_read(&mc, dir) < 0 || vlm_tensors(&mc, add_tensor, &plan) < 0)
        goto out;
    if (plan.bad) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < plan.count; i++) plan.tensors[i].type = how->type;
    if (snprintf(path, sizeof path, "%s/model.safetensors", dir) >= (int)sizeof path) {
        fail(FAIL_MODEL, "%s: path too long", dir);
        goto out;
    }
    status = write_file(path, &plan, how);
out:
    for (int i = 0; i < plan.count; i++) free((char *)plan.tensors[i].name);
    free(plan.tensors);
    return status;
}
