/* rl_update.c: see rl_update.h. */
#include "train/rl_update.h"
#include "base/fail.h"
#include "train/optimizer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A step under way. */
struct step {
    struct rl_update *u;
    struct rl_metrics *m;
    struct rl_whole whole; /* of the minibatch, as far as was known before */
    struct rl_whole gone;  /* ... of which this much could not be made */
    struct rl_sums sums;   /* of the minibatch */
    bool first;            /* the weights are still those that the step began with */
    bool measured;         /* entropy and so on are of the first epoch alone */
};

/* Groups that are computed together. */
struct micro {
    struct rl_group **group; /* [count] */
    struct example *e;       /* [count], owned */
    int count, cap;
    int64_t tokens;
    float *logp, *entropy, *dlogp, *dentropy; /* [targets] */
};

typedef int micro_work(struct step *s, struct micro *b, const struct example **list,
                       int targets);

/* -- Micro-batches ----------------------------------------------------------------------
 */

static void micro_clear(struct micro *b)
{
    for (int i = 0; i < b->count; i++) example_free(&b->e[i]);
    free(b->logp);
    b->logp = NULL;
    b->count = 0;
    b->tokens = 0;
}

/* Room for four numbers of each target. */
static int micro_numbers(struct micro *b, int targets)
{
    size_t n = (size_t)targets + 1;
    if (!(b->logp = calloc(4 * n, sizeof *b->logp)))
        return fail_memory();
    b->entropy = b->logp + n;
    b->dlogp = b->entropy + n;
    b->dentropy = b->dlogp + n;
    return 0;
}

static int micro_run(struct step *s, struct micro *b, micro_work *work)
{
    const struct rl_calls *calls = s->u->calls;
    const struct example **list = malloc(((size_t)b->count + 1) * sizeof *list);
    int targets = 0, status;
    if (b->count > 0 && !s->u->begun && calls->stop(calls->context)) {
        free(list);
        return fail(FAIL_REFUSED, "interrupted"), RL_UNFINISHED;
    }
    for (int i = 0; list && i < b->count; i++) {
        list[i] = &b->e[i];
        targets += b->e[i].targets;
    }
    status = list ? micro_numbers(b, targets) : fail_memory();
    if (status == 0 && b->count > 0)
        status = work(s, b, list, targets);
    free(list);
    micro_clear(b);
    return status;
}

/* A group more, at the end of a micro-batch or as the first of the next. */
static int micro_add(struct step *s, struct micro *b, struct rl_group *g,
                     micro_work *work)
{
    struct example e;
    char text[600];
    if (rollout_example(&e, g->r, s->u->rules) < 0) {
        if (fail_kind() == FAIL_INTERNAL)
            return -1;
        snprintf(text, sizeof text, "%s: %s: the group is left out", g->r->where,
                 fail_text());
        s->u->calls->say(s->u->calls->context, text);
        g->usable = g->teaches = false;
        s->gone.sequences += g->r->count;
        s->gone.tokens += g->tokens;
        s->m->groups_skipped++;
        s->m->rows_failed++;
        return 0;
    }
    int64_t tokens = example_tokens(&e);
    bool fits = b->count == 0 || (b->tokens + tokens <= s->u->o->micro &&
                                  b->group[0]->r->temperature == g->r->temperature);
    int status = fits ? 0 : micro_run(s, b, work);
    if (status < 0) {
        example_free(&e);
        return status;
    }
    b->group[b->count] = g;
    b->e[b->count++] = e;
    b->tokens += tokens;
    return 0;
}

/* Go through groups, some at a time. 0, or what a work or memory said. */
static int each_micro(struct step *s, struct rl_group **list, int64_t count,
                      micro_work *work)
{
    struct micro b = {0};
    size_t n = (size_t)count + 1;
    b.group = calloc(n, sizeof(struct rl_group *));
    b.e = calloc(n, sizeof *b.e);
    int status = b.group && b.e ? 0 : fail_memory();
    for (int64_t i = 0; status == 0 && i < count; i++)
        if (list[i]->usable)
            status = micro_add(s, &b, list[i], work);
    if (status == 0)
        status = micro_run(s, &b, work);
    micro_clear(&b);
    free(b.group);
    free(b.e);
    return status;
}

/* -- Passes -----------------------------------------------------------------------------
 */

/* Log-probabilities of the reference, kept in each group. */
static int refer(struct step *s, struct micro *b, const struct example **list,
                 int targets)
{
    struct trainer *ref = s->u->ref;
    trainer_temperature(ref, b->group[0]->r->temperature);
    if (trainer_forward(ref, list, b->count, false) < 0 ||
        trainer_logprobs(ref, b->logp, NULL) < 0)
        return -1;
    for (int i = 0, at = 0; i < b->count; i++) {
        struct rl_group *g = b->group[i];
        free(g->ref);
        if (!(g->ref = malloc(((size_t)g->tokens + 1) * sizeof *g->ref)))
            return fail_memory();
        memcpy(g->ref, b->logp + at, (size_t)g->tokens * sizeof *g->ref);
        at += g->tokens;
        assert(at <= targets);
    }
    return 0;
}

/* Entropy, KL, and how far the rollout's log-probabilities are from ours. */
static void measure(struct step *s, const struct micro *b)
{
    struct rl_metrics *m = s->m;
    const struct rl_loss *o = &s->u->o->loss;
    for (int i = 0, at = 0; i < b->count; i++) {
        const struct rl_group *g = b->group[i];
        bool same = s->first && g->r->version == m->step - 1;
        m->tokens += example_tokens(&b->e[i]);
        for (int j = 0, t = 0; j < g->r->count; j++) {
            const struct rollout_caption *c = &g->r->caption[j];
            for (size_t k = 0; k < c->ids.n; k++, t++, at++) {
                double gap = fabs((double)b->logp[at] - (double)c->logprob[k]);
                if (same && !(gap <= m->gap))
                    m->gap = gap;
                rl_spread_add(&m->entropy, (double)b->entropy[at]);
                if (g->ref)
                    rl_spread_add(&m->kl, rl_kl(o->kl, (double)b->logp[at],
                                                (double)g->ref[t], NULL));
            }
        }
    }
}

/* A look at groups that nothing is learnt from. */
static int look(struct step *s, struct micro *b, const struct example **list, int targets)
{
    struct trainer *t = s->u->t;
    (void)targets;
    trainer_temperature(t, b->group[0]->r->temperature);
    if (trainer_forward(t, list, b->count, false) < 0 ||
        trainer_logprobs(t, b->logp, b->entropy) < 0)
        return -1;
    measure(s, b);
    return 0;
}

/* The loss of all captions, and its derivatives in their log-probabilities. */
static void losses(struct step *s, struct micro *b)
{
    const struct rl_loss *o = &s->u->o->loss;
    for (int i = 0, at = 0; i < b->count; i++) {
        const struct rl_group *g = b->group[i];
        int from = at;
        for (int j = 0; j < g->r->count; j++) {
            const struct rollout_caption *c = &g->r->caption[j];
            struct rl_sequence one = {.tokens = (int)c->ids.n,
                                      .advantage = g->advantage[j],
                                      .logp = b->logp + at,
                                      .old = c->logprob,
                                      .ref = g->ref ? g->ref + (at - from) : NULL,
                                      .entropy = b->entropy + at,
                                      .dlogp = b->dlogp + at,
                                      .dentropy = b->dentropy + at};
            rl_sequence_add(&s->sums, &one, o, &s->whole);
            at += one.tokens;
        }
    }
}

static int learn(struct step *s, struct micro *b, const struct example **list,
                 int targets)
{
    struct trainer *t = s->u->t;
    (void)targets;
    trainer_temperature(t, b->group[0]->r->temperature);
    if (trainer_forward(t, list, b->count, true) < 0 ||
        trainer_logprobs(t, b->logp, b->entropy) < 0)
        return -1;
    if (s->measured)
        measure(s, b);
    losses(s, b);
    if (!isfinite(s->sums.loss))
        return fail(FAIL_MODEL, "the loss is not a number");
    return trainer_backward(t, b->dlogp, s->u->o->loss.entropy != 0 ? b->dentropy : NULL,
                            NULL);
}

/* -- Updates ----------------------------------------------------------------------------
 */

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* What was left out has no part in the mean either. */
static double rescale(const struct step *s)
{
    double sequences = s->whole.sequences - s->gone.sequences;
    double tokens = s->whole.tokens - s->gone.tokens;
    if (sequences <= 0 || tokens <= 0)
        return 0;
    return s->u->o->loss.aggregate == RL_TOKEN_MEAN ? s->whole.tokens / tokens
                                                    : s->whole.sequences / sequences;
}

static int optimize(struct step *s, double lr)
{
    struct rl_update *u = s->u;
    struct rl_metrics *m = s->m;
    const struct rl_options *o = u->o;
    struct optimizer_options how = {o->beta1, o->beta2, o->eps, o->weight_decay, o->clip};
    double scale = rescale(s);
    if (scale == 0)
        return 0;
    double norm = optimizer_step(trainer_params(u->t), trainer_kernels(u->t),
                                 trainer_dev(u->t), &how, u->updates + 1, lr, scale);
    if (!isfinite(norm))
        return fail(FAIL_MODEL, "the gradient is not a number");
    u->updates++;
    u->begun = true;
    m->updates++;
    rl_spread_add(&m->loss, s->sums.loss * scale);
    rl_spread_add(&m->grad_norm, norm);
    rl_spread_add(&m->clipped, share(s->sums.clipped, s->sums.tokens));
    rl_spread_add(&m->clipped_low, share(s->sums.clipped_low, s->sums.tokens));
    rl_spread_add(&m->clipped_high, share(s->sums.clipped_high, s->sums.tokens));
    s->first = false;
    return 0;
}

static int minibatch(struct step *s, struct rl_group **list, int64_t count, double lr)
{
    s->whole = s->gone = (struct rl_whole){0, 0};
    s->sums = (struct rl_sums){0};
    for (int64_t i = 0; i < count; i++)
        if (list[i]->teaches) {
            s->whole.sequences += list[i]->r->count;
            s->whole.tokens += list[i]->tokens;
        }
    int status = each_micro(s, list, count, learn);
    return status < 0 ? status : optimize(s, lr);
}

/* Groups that teach, or that do not, in order. How many. */
static int64_t choose(const struct rl_groups *g, struct rl_group **list, bool teaches)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->count; i++)
        if (g->list[i].usable && g->list[i].teaches == teaches)
            list[n++] = &g->list[i];
    return n;
}

static int epochs(struct step *s, struct rl_group **list, int64_t count, double lr)
{
    int64_t parts = s->u->o->minibatches < count ? s->u->o->minibatches : count;
    for (int epoch = 0; epoch < s->u->o->epochs; epoch++)
        for (int64_t i = 0; i < parts; i++) {
            int64_t from = count * i / parts, to = count * (i + 1) / parts;
            s->measured = epoch == 0;
            int status = minibatch(s, list + from, to - from, lr);
            if (status < 0)
                return status;
        }
    return 0;
}

static int passes(struct step *s, struct rl_groups *g, struct rl_group **list, double lr)
{
    int status = 0;
    if (s->u->ref) {
        int64_t n = choose(g, list, true);
        n += choose(g, list + n, false);
        status = each_micro(s, list, n, refer);
        if (status == 0 && s->u->o->loss.kl_in_reward)
            rl_groups_punish(g, &s->u->o->loss);
    }
    if (status == 0)
        status = each_micro(s, list, choose(g, list, false), look);
    return status < 0 ? status : epochs(s, list, choose(g, list, true), lr);
}

int rl_update_step(struct rl_update *u, struct rl_groups *g, double lr,
                   struct rl_metrics *m)
{
    struct step s = {.u = u, .m = m, .first = true};
    struct rl_group **list = calloc((size_t)g->count + 1, sizeof(struct rl_group *));
    if (!list)
        return fail_memory();
    m->gap = NAN;
    m->lr = lr;
    u->begun = false;
    int status = passes(&s, g, list, lr);
    if (status < 0)
        params_clear(trainer_params(u->t), trainer_kernels(u->t), trainer_dev(u->t));
    else
        u->begun = false;
    free(list);
    return status;
}
