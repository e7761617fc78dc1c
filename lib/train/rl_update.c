/* rl_update.c: see rl_update.h. */
#include "train/rl_update.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "train/optimizer.h"
#include "train/rl_micro.h"
#include "train/rl_share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A step under way. */
struct step {
    struct rl_update *u;
    struct rl_metrics *m;
    struct rl_groups *groups;
    struct rl_whole whole; /* of the minibatch, as far as was known before */
    struct rl_whole gone;  /* ... of which this much could not be made */
    struct rl_sums sums;   /* of the minibatch */
    bool first;            /* the weights are still those that the step began with */
    bool measured;         /* entropy and so on are of the first epoch alone */
};

/* -- Passes -----------------------------------------------------------------------------
 */

/* Log-probabilities of the reference, kept in each group. */
static int refer(void *context, struct rl_micro *b, const struct example **list)
{
    struct step *s = context;
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
    }
    return 0;
}

/* Entropy, KL, and how far the rollout's log-probabilities are from ours. */
static void measure(struct step *s, const struct rl_micro *b)
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
static int look(void *context, struct rl_micro *b, const struct example **list)
{
    struct step *s = context;
    struct trainer *t = s->u->t;
    trainer_temperature(t, b->group[0]->r->temperature);
    if (trainer_forward(t, list, b->count, false) < 0 ||
        trainer_logprobs(t, b->logp, b->entropy) < 0)
        return -1;
    measure(s, b);
    return 0;
}

/* The loss of all captions, and its derivatives in their log-probabilities. */
static void losses(struct step *s, struct rl_micro *b)
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

static int learn(void *context, struct rl_micro *b, const struct example **list)
{
    struct step *s = context;
    struct trainer *t = s->u->t;
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

/* A group's pictures are gone. */
static void gone(void *context, struct rl_group *g)
{
    struct step *s = context;
    g->usable = g->teaches = false;
    s->gone.sequences += g->r->count;
    s->gone.tokens += g->tokens;
    s->m->rows_failed++;
}

/* A pass over groups, of which this rank computes its own. What is found out about them
 * is known to all ranks then. */
static int each_micro(struct step *s, struct rl_group **list, int64_t count,
                      rl_micro_work *work)
{
    const struct rl_micro_run run = {s->u->o, s->u->rules, s->u->calls, &s->u->begun,
                                     s,       work,        gone};
    struct comm *comm = s->u->o->comm;
    struct rl_group **mine = calloc((size_t)count + 1, sizeof *mine);
    int64_t n = 0;
    for (int64_t i = 0; mine && i < count; i++)
        if (rl_share_mine(comm, s->groups, list[i]))
            mine[n++] = list[i];
    int status = mine ? rl_micro_each(&run, mine, n) : fail_memory();
    free(mine);
    status = comm_vote(comm, status);
    return status < 0 ? status : rl_share_groups(comm, s->groups, gone, s);
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
    const struct params *p = trainer_params(u->t);
    const struct kernels *k = trainer_kernels(u->t);
    struct dev *dev = trainer_dev(u->t);
    double norm = optimizer_step(p, k, dev, &how, u->updates + 1, lr, scale);
    if (!isfinite(norm))
        return optimizer_fail(p, k, dev);
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
    if (status == 0)
        status = rl_share_sums(s->u->o->comm, &s->sums);
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
        if (status == 0 && s->u->o->loss.kl_in_reward) {
            rl_groups_punish(g, &s->u->o->loss);
            status = rl_share_groups(s->u->o->comm, g, gone, s);
        }
    }
    if (status == 0)
        status = each_micro(s, list, choose(g, list, false), look);
    return status < 0 ? status : epochs(s, list, choose(g, list, true), lr);
}

int rl_update_step(struct rl_update *u, struct rl_groups *g, double lr,
                   struct rl_metrics *m)
{
    struct step s = {.u = u, .m = m, .groups = g, .first = true};
    struct rl_group **list = calloc((size_t)g->count + 1, sizeof(struct rl_group *));
    if (!list)
        return fail_memory();
    m->gap = NAN;
    m->lr = lr;
    u->begun = false;
    int status = passes(&s, g, list, lr);
    rl_groups_count(g, m);
    if (status == 0)
        status = rl_share_metrics(u->o->comm, m);
    if (status < 0)
        params_clear(trainer_params(u->t), trainer_kernels(u->t), trainer_dev(u->t));
    else
        u->begun = false;
    free(list);
    return status;
}
