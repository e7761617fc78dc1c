/* dpo.c: see dpo.h. */
#include "train/dpo.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "train/dataset.h"
#include "train/dpo_reference.h"
#include "train/trainer.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

struct dpo {
    struct dpo_options o;
    struct objective objective;
    json_t *options;
    struct dpo_reference reference;
    const struct dataset *sets[DPO_SETS];
};

enum { CHOSEN, REJECTED, ACCURACIES, MARGINS, LOGPS_CHOSEN, LOGPS_REJECTED };
static const char *const extra[] = {"rewards/chosen",
                                    "rewards/rejected",
                                    "rewards/accuracies",
                                    "rewards/margins",
                                    "logps/chosen",
                                    "logps/rejected",
                                    NULL};

/* -- Examples --------------------------------------------------------------------------
 */

static int example(void *context, struct example *e, const struct trainer_text *t,
                   struct row *row, bool plan_only)
{
    struct dpo *d = context;
    if (example_pair(e, t, row, plan_only) < 0)
        return -1;
    if (plan_only) /* rows are read, each once and in order */
        dpo_reference_example(&d->reference, e);
    return 0;
}

static double over(void *context, const struct example *e)
{
    (void)context, (void)e;
    return 1;
}

/* Sums of log-probabilities of a micro-batch's answers, from those of its tokens. */
static void add_up(const struct micro *m, const float *logprob, double *sums)
{
    for (int i = 0; i < m->count; i++)
        for (int j = 0; j < PAIR_PARTS; j++) {
            double sum = 0;
            for (size_t n = m->examples[i]->part[j].ids.n; n > 0; n--)
                sum += (double)*logprob++;
            sums[PAIR_PARTS * i + j] = sum;
        }
}

/* -- The reference ---------------------------------------------------------------------
 */

/* What rank 0 found in its file, to all. 1 or 0 (nothing), or -1. */
static int share_known(struct dpo *d, int known, struct comm *comm)
{
    if (!comm)
        return known;
    if (comm_vote(comm, known < 0 ? known : 0) < 0 ||
        comm_broadcast(comm, 0, &known, sizeof known) < 0)
        return -1;
    for (int set = 0; known == 1 && set < DPO_SETS; set++)
        if (comm_broadcast(comm, 0, d->reference.sums[set],
                           (size_t)d->reference.count[set] * PAIR_PARTS *
                               sizeof(double)) < 0)
            return -1;
    return known;
}

static int begin(void *context, struct trainer *t, const struct dataset *d,
                 const struct dataset *eval, struct comm *comm)
{
    struct dpo *dpo = context;
    dpo->sets[DPO_LEARNT] = d;
    dpo->sets[DPO_EVAL] = eval;
    if (dpo_reference_make(&dpo->reference, d->count, eval ? eval->count : 0) < 0 ||
        dpo_reference_weights(&dpo->reference, trainer_params(t), trainer_kernels(t),
                              trainer_dev(t)) < 0)
        return -1;
    if (!dpo->o.out || !dpo->o.resume)
        return 0;
    int known =
        comm_rank(comm) == 0 ? dpo_reference_load(&dpo->reference, dpo->o.out) : 0;
    if ((known = share_known(dpo, known, comm)) != 0)
        return known;
    return dpo_reference_make(&dpo->reference, d->count, eval ? eval->count : 0);
}

/* Where a row's two sums are kept. */
static double *kept(const struct dpo *d, const struct micro *m, int i)
{
    int set = m->d == d->sets[DPO_EVAL] ? DPO_EVAL : DPO_LEARNT;
    return d->reference.sums[set] + PAIR_PARTS * m->rows[i];
}

static int reference(void *context, struct trainer *t, const struct micro *m)
{
    const struct dpo *d = context;
    float *logprob = malloc(((size_t)trainer_targets(t) + 1) * sizeof *logprob);
    double *sums = malloc((size_t)m->count * PAIR_PARTS * sizeof *sums);
    int status = logprob && sums ? trainer_logprobs(t, logprob, NULL) : fail_memory();
    if (status == 0)
        add_up(m, logprob, sums);
    for (int i = 0; status == 0 && i < m->count; i++)
        for (int j = 0; j < PAIR_PARTS; j++) kept(d, m, i)[j] = sums[PAIR_PARTS * i + j];
    free(logprob);
    free(sums);
    return status;
}

/* Each rank knows the sums of its own rows: all get all. */
static int share_sums(const struct dpo *d, struct comm *comm)
{
    int status = 0;
    for (int set = 0; status == 0 && set < DPO_SETS; set++) {
        double *sums = d->reference.sums[set];
        int64_t n = d->reference.count[set] * PAIR_PARTS;
        double *known = malloc((2 * (size_t)n + 1) * sizeof *known);
        if (!known)
            return fail_memory();
        for (int64_t i = 0; i < n; i++) {
            known[2 * i] = isnan(sums[i]) ? 0 : sums[i];
            known[2 * i + 1] = !isnan(sums[i]);
        }
        status = comm_sum(comm, known, 2 * n);
        for (int64_t i = 0; i < n; i++)
            sums[i] = known[2 * i + 1] > 0 ? known[2 * i] : NAN;
        free(known);
    }
    return status;
}

/* A file that cannot be written costs no more than time: a run that goes on computes its
 * numbers again. */
static int referenced(void *context, struct comm *comm)
{
    const struct dpo *d = context;
    if (comm && share_sums(d, comm) < 0)
        return -1;
    if (d->o.out && comm_rank(comm) == 0)
        (void)dpo_reference_save(&d->reference, d->o.out);
    return 0;
}

/* -- The loss --------------------------------------------------------------------------
 */

static void add_metrics(struct objective_sums *sums, const struct dpo_loss *loss,
                        const double pair[PAIR_PARTS])
{
    sums->loss += loss->loss;
    sums->extra[CHOSEN] += loss->chosen;
    sums->extra[REJECTED] += loss->rejected;
    sums->extra[ACCURACIES] += loss->chosen > loss->rejected;
    sums->extra[MARGINS] += loss->chosen - loss->rejected;
    sums->extra[LOGPS_CHOSEN] += pair[PAIR_CHOSEN];
    sums->extra[LOGPS_REJECTED] += pair[PAIR_REJECTED];
}

/* Losses of a micro-batch's pairs; weight: their derivatives in each token's
 * log-probability, of the mean over m->over pairs. 0, or -1 (no reference). */
static int losses(const struct dpo *d, const struct micro *m, const double *pairs,
                  float *weight, struct objective_sums *sums)
{
    for (int i = 0; i < m->count; i++) {
        const double *pair = pairs + PAIR_PARTS * i, *ref = kept(d, m, i);
        const struct dpo_sums s = {pair[PAIR_CHOSEN], pair[PAIR_REJECTED],
                                   ref[PAIR_CHOSEN], ref[PAIR_REJECTED]};
        if (isnan(ref[PAIR_CHOSEN]) || isnan(ref[PAIR_REJECTED]))
            return fail(FAIL_MEDIA, "a row could not be read when the run began");
        struct dpo_loss loss = dpo_loss(&d->o.rules, &s);
        add_metrics(sums, &loss, pair);
        for (int j = 0; j < PAIR_PARTS; j++) {
            float slope =
                (float)((j == PAIR_CHOSEN ? loss.slope : -loss.slope) / m->over);
            for (size_t n = m->examples[i]->part[j].ids.n; n > 0; n--) *weight++ = slope;
        }
    }
    return 0;
}

static int micro(void *context, struct trainer *t, const struct micro *m,
                 struct objective_sums *sums)
{
    const struct dpo *d = context;
    size_t targets = (size_t)trainer_targets(t);
    float *numbers = malloc((2 * targets + 1) * sizeof *numbers);
    double *pairs = malloc((size_t)m->count * PAIR_PARTS * sizeof *pairs);
    int status = numbers && pairs ? trainer_logprobs(t, numbers, NULL) : fail_memory();
    if (status == 0) {
        add_up(m, numbers, pairs);
        status = losses(d, m, pairs, numbers + targets, sums);
    }
    if (status == 0 && m->train)
        status = trainer_backward(t, numbers + targets, NULL, NULL);
    free(numbers);
    free(pairs);
    return status;
}

/* -- Open and close --------------------------------------------------------------------
 */

struct dpo *dpo_open(const struct dpo_options *o)
{
    struct dpo *d = calloc(1, sizeof *d);
    if (!d)
        return fail_memory(), NULL;
    d->o = *o;
    d->options = json_pack("{s:f, s:f}", "beta", o->rules.beta, "label_smoothing",
                           o->rules.smoothing);
    d->objective = (struct objective){.name = "dpo",
                                      .context = d,
                                      .extra = extra,
                                      .options = d->options,
                                      .example = example,
                                      .over = over,
                                      .begin = begin,
                                      .reference = reference,
                                      .referenced = referenced,
                                      .micro = micro};
    if (!d->options) {
        dpo_close(d);
        return fail_memory(), NULL;
    }
    return d;
}

void dpo_close(struct dpo *d)
{
    if (!d)
        return;
    dpo_reference_free(&d->reference);
    json_decref(d->options);
    free(d);
}

const struct objective *dpo_objective(const struct dpo *d)
{
    return &d->objective;
}
