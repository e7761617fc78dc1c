/* random_weights.c: see random_weights.h. */
#include "engine/random_weights.h"
#include "base/fail.h"
#include "base/random.h"
#include "engine/safetensors_write.h"
#include "engine/vlm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUANTILES = 1 << 12, /* normal deviates: one of so many, picked by 12 random bits */
    CHUNK = 1 << 16,     /* elements made at once */
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

static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >>
                      16); /* to nearest, ties to even */
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

static int write_tensor(struct safetensors_writer *w, const struct tensor_plan *t,
                        const float *table, const struct random_weights *how,
                        float *chunk)
{
    int64_t count = 1;
    struct random_key key = random_key_of(how->seed, t->name, strlen(t->name));
    bool one = t->rank == 1 && ends_with(t->name, ".weight"),
         zero = ends_with(t->name, ".bias");
    for (int i = 0; i < t->rank; i++) count *= t->shape[i];
    for (int64_t at = 0; at < count; at += CHUNK) {
        int n = (int)(count - at < CHUNK ? count - at : CHUNK);
        if (how->abandon && how->abandon(how->abandon_context))
            return fail(FAIL_REFUSED, "interrupted");
        if (one || zero)
            for (int i = 0; i < n; i++) chunk[i] = one ? 1 : 0;
        else
            draw(chunk, n, table, key, (uint32_t)(at / CHUNK));
        if (t->type ==
            ARR_BF16) /* in place: the i-th result lies before the i-th input */
            for (int i = 0; i < n; i++) {
                uint16_t half = bf16_of(chunk[i]);
                memcpy((char *)chunk + 2 * (size_t)i, &half, 2);
            }
        if (safetensors_append(w, chunk, (size_t)n * arr_type_size(t->type)) < 0)
            return -1;
    }
    return 0;
}

static int write_file(const char *path, const struct plan *p,
                      const struct random_weights *how)
{
    float *table = malloc((QUANTILES + CHUNK) * sizeof *table);
    if (!table)
        return fail_memory();
    for (int i = 0; i < QUANTILES; i++)
        table[i] = (float)(how->deviation * normal_quantile((i + 0.5) / QUANTILES));
    struct safetensors_writer *w = safetensors_create(path, p->tensors, p->count);
    int status = w ? 0 : -1;
    for (int i = 0; status == 0 && i < p->count; i++)
        status = write_tensor(w, &p->tensors[i], table, how, table + QUANTILES);
    if (w && status < 0)
        safetensors_abandon(w);
    else if (w)
        status = safetensors_finish(w);
    free(table);
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
