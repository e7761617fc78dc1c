/* rl_groups.c: see rl_groups.h. */
#include "train/rl_groups.h"
#include "base/fail.h"

#include <math.h>
#include <stdlib.h>

void rl_spread_add(struct rl_spread *s, double x)
{
    s->least = s->count == 0 || x < s->least ? x : s->least;
    s->most = s->count == 0 || x > s->most ? x : s->most;
    s->sum += x;
    s->squares += x * x;
    s->count++;
}

double rl_spread_mean(const struct rl_spread *s)
{
    return s->count ? s->sum / (double)s->count : NAN;
}

double rl_spread_std(const struct rl_spread *s)
{
    if (s->count < 2 || s->least == s->most)
        return 0;
    double n = (double)s->count, v = (s->squares - s->sum * s->sum / n) / (n - 1);
    return v > 0 ? sqrt(v) : 0;
}

/* -- Advantages -------------------------------------------------------------------------
 */

/* The deviation of the rewards. */
static double judge(struct rl_group *g, const struct rl_loss *o)
{
    int n = g->r->count;
    double mean, std;
    bool differ = false;
    for (int i = 1; i < n; i++) differ = differ || g->reward[i] != g->reward[0];
    rl_advantages(g->advantage, g->reward, n, o->advantage, &mean, &std);
    g->teaches = g->usable && differ;
    return differ ? std : 0;
}

static int group_make(struct rl_group *g, const struct rollout *r,
                      const struct rl_loss *o)
{
    size_t n = (size_t)r->count + 1;
    *g = (struct rl_group){.r = r, .usable = r->count >= 2};
    g->reward = calloc(n, sizeof *g->reward);
    g->advantage = calloc(n, sizeof *g->advantage);
    if (!g->reward || !g->advantage)
        return fail_memory();
    for (int i = 0; i < r->count; i++) {
        int tokens = (int)r->caption[i].ids.n;
        g->reward[i] = r->caption[i].reward + rl_overlong(o, tokens);
        g->tokens += tokens;
    }
    g->std = judge(g, o);
    return 0;
}

int rl_groups_make(struct rl_groups *g, const struct rl_batch *b, const struct rl_loss *o)
{
    *g = (struct rl_groups){.list = calloc((size_t)b->count + 1, sizeof *g->list)};
    if (!g->list)
        return fail_memory();
    for (; g->count < b->count; g->count++)
        if (group_make(&g->list[g->count], &b->rows[g->count], o) < 0) {
            g->count++;
            return -1;
        }
    return 0;
}

void rl_groups_free(struct rl_groups *g)
{
    for (int64_t i = 0; i < g->count; i++) {
        free(g->list[i].reward);
        free(g->list[i].advantage);
        free(g->list[i].ref);
    }
    free(g->list);
    *g = (struct rl_groups){0};
}

void rl_groups_punish(struct rl_groups *g, const struct rl_loss *o)
{
    for (int64_t i = 0; i < g->count; i++) {
        struct rl_group *one = &g->list[i];
        for (int j = 0, at = 0; one->ref && j < one->r->count; j++) {
            const struct rollout_caption *c = &one->r->caption[j];
            double kl = 0;
            for (size_t t = 0; t < c->ids.n; t++)
                kl += rl_kl(o->kl, (double)c->logprob[t], (double)one->ref[at++], NULL);
            one->reward[j] -= o->beta * kl;
        }
        judge(one, o);
    }
}

int64_t rl_groups_teaching(const struct rl_groups *g)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->count; i++) n += g->list[i].teaches;
    return n;
}

/* -- Numbers ----------------------------------------------------------------------------
 */

static void measure_caption(const struct rollout_caption *c, const struct rl_loss *o,
                            struct rl_metrics *m)
{
    rl_spread_add(&m->reward, c->reward);
    for (int k = 0; k < ROLLOUT_TERMS; k++)
        if (!isnan(c->term[k]))
            rl_spread_add(&m->term[k], c->term[k]);
    if (o->overlong)
        rl_spread_add(&m->overlong, rl_overlong(o, (int)c->ids.n));
    rl_spread_add(&m->length, (double)c->ids.n);
    if (c->ended)
        rl_spread_add(&m->ended_length, (double)c->ids.n);
}

void rl_groups_measure(const struct rl_groups *g, const struct rl_loss *o,
                       struct rl_metrics *m)
{
    for (int64_t i = 0; i < g->count; i++) {
        const struct rl_group *one = &g->list[i];
        m->captions_failed += one->r->failed;
        m->rows_failed += one->r->why[0] != '\0';
        for (int j = 0; j < one->r->count; j++)
            measure_caption(&one->r->caption[j], o, m);
    }
    rl_groups_count(g, m);
}

void rl_groups_count(const struct rl_groups *g, struct rl_metrics *m)
{
    m->groups = m->groups_equal = m->groups_skipped = 0;
    m->group_std = (struct rl_spread){0};
    for (int64_t i = 0; i < g->count; i++) {
        const struct rl_group *one = &g->list[i];
        if (!one->usable) {
            m->groups_skipped++;
            continue;
        }
        m->groups++;
        m->groups_equal += one->std == 0;
        rl_spread_add(&m->group_std, one->std);
    }
}
