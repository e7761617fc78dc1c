/* plan.c: see plan.h. */
#include "server/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

bool plan_add(struct plan *p, const char *rule)
{
    struct plan_rule *r = &p->rules[p->count];
    const char *when = strchr(rule, '=');
    size_t n = when ? (size_t)(when - rule) : strlen(rule);
    char *end = NULL;
    if (p->count == PLAN_MAX || n == 0 || n >= PLAN_NAME)
        return false;
    snprintf(r->name, sizeof r->name, "%.*s", (int)n, rule);
    when = when ? when + 1 : "always";
    p->count++;
    static const char *const words[] = {[PLAN_FIRST] = "first:",
                                        [PLAN_EVERY] = "every:",
                                        [PLAN_START] = "start:",
                                        [PLAN_AFTER] = "after:"};
    for (int i = PLAN_FIRST; i <= PLAN_AFTER; i++)
        if (strncmp(when, words[i], 6) == 0) {
            r->when = i;
            r->x = strtod(when + 6, &end);
            return end != when + 6 && *end == '\0';
        }
    r->when = PLAN_SHARE;
    r->x = 1;
    if (strcmp(when, "always") == 0)
        return true;
    r->x = strtod(when, &end) / 100;
    return end != when && strcmp(end, "%") == 0;
}

/* The place of hash in the table, which is grown where it is half full. */
static struct plan_seen *find(struct plan *p, uint64_t hash)
{
    if (2 * p->used >= p->cap) {
        struct plan old = *p;
        p->cap = old.cap ? 2 * old.cap : 1024;
        p->used = 0;
        p->seen = calloc(p->cap, sizeof *p->seen);
        if (!p->seen)
            abort();
        for (uint64_t i = 0; i < old.cap; i++)
            if (old.seen[i].tries)
                *find(p, old.seen[i].hash) = old.seen[i];
        free(old.seen);
    }
    uint64_t i = hash & (p->cap - 1);
    while (p->seen[i].tries && p->seen[i].hash != hash) i = (i + 1) & (p->cap - 1);
    p->used += !p->seen[i].tries;
    p->seen[i].hash = hash;
    return &p->seen[i];
}

static double unit(uint64_t seed, uint64_t hash, uint64_t try)
{
    uint64_t all[3] = {seed, hash, try};
    return (double)(XXH3_64bits(all, sizeof all) >> 11) * 0x1p-53;
}

static bool strikes(const struct plan_rule *r, uint64_t nth, int try)
{
    switch (r->when) {
    case PLAN_FIRST: return try < r->x;
    case PLAN_EVERY: return (nth + 1) % (uint64_t)r->x == 0;
    case PLAN_START: return (double)nth < r->x;
    case PLAN_AFTER: return (double)nth >= r->x;
    default: return false;
    }
}

const char *plan_choose(struct plan *p, uint64_t hash, int *try)
{
    pthread_mutex_lock(&p->lock);
    uint64_t nth = p->tries++;
    *try = find(p, hash)->tries++;
    pthread_mutex_unlock(&p->lock);
    double u = unit(p->seed, hash, (uint64_t)*try), sum = 0;
    for (int i = 0; i < p->count; i++) {
        const struct plan_rule *r = &p->rules[i];
        if (r->when == PLAN_SHARE)
            sum += r->x;
        if (r->when == PLAN_SHARE ? u < sum : strikes(r, nth, *try))
            return r->name;
    }
    return "";
}
