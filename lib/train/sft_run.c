/* sft_run.c: see sft_run.h. What a step trains on is a function of (data, seed, step)
 * alone, so a run that goes on from a checkpoint goes on as if it had never stopped. */
#include "train/sft_run.h"
#include "base/buf.h"
#include "base/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A run under way. */
struct run {
    struct trainer *t;
    const struct trainer_text *text;
    const struct dataset *d, *eval;
    const struct checkpoints *c;
    const struct sft_options *o;
    const struct sft_calls *calls;
    struct lr lr;
    int64_t *order; /* [d->count], of the epoch */
    int64_t epoch, at, step;
    int64_t saved; /* step of the newest checkpoint; -1: none */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t sft_steps(const struct dataset *d, const struct sft_options *o)
{
    int64_t *order = malloc(((size_t)d->count + 1) * sizeof *order), steps = 0;
    if (!order)
        return fail_memory();
    for (int64_t e = 0; e < o->epochs; e++) {
        dataset_order(d, o->seed, e, o->shuffle, order);
        for (int64_t at = 0; at < d->count; steps++)
            at += dataset_batch(d, order, at, o->batch_tokens);
        if (o->steps && steps >= o->steps)
            break;
    }
    free(order);
    return o->steps && steps > o->steps ? o->steps : steps;
}

/* -- Losses ----------------------------------------------------------------------------
 */

/* Examples of rows; those that cannot be made are left out, said and counted. */
struct batch {
    struct example *e;
    int count;
    int64_t targets, tokens, failed;
};

static void batch_free(struct batch *b)
{
    for (int i = 0; i < b->count; i++) example_free(&b->e[i]);
    free(b->e);
    *b = (struct batch){0};
}

static int batch_make(struct batch *b, const struct run *r, const struct dataset *d,
                      const int64_t *rows, int64_t n)
{
    *b = (struct batch){.e = calloc((size_t)n + 1, sizeof *b->e)};
    if (!b->e)
        return fail_memory();
    for (int64_t i = 0; i < n; i++) {
        struct example *e = &b->e[b->count];
        if (dataset_example(d, rows[i], r->text, e) < 0) {
            r->calls->say(r->calls->context, fail_text());
            b->failed++;
            continue;
        }
        b->count++;
        b->targets += e->targets;
        b->tokens += example_tokens(e);
    }
    return 0;
}

/* Examples from `at` on that are computed together. */
static int micro(const struct batch *b, int at, int64_t tokens)
{
    int n = 0;
    int64_t sum = 0;
    while (at + n < b->count) {
        sum += example_tokens(&b->e[at + n]);
        if (n > 0 && sum > tokens)
            break;
        n++;
    }
    return n;
}

/* Sum of the losses of some examples; with train their gradients, of the mean over all of
 * the batch's targets. NaN: failed. */
static double micro_loss(const struct run *r, const struct batch *b, int at, int n,
                         bool train)
{
    const struct example **list = malloc((size_t)n * sizeof *list);
    double sum = 0;
    if (!list)
        return fail_memory(), NAN;
    for (int i = 0; i < n; i++) list[i] = &b->e[at + i];
    int status = trainer_forward(r->t, list, n, train);
    int targets = status == 0 ? trainer_targets(r->t) : 0;
    float *numbers = malloc(((size_t)targets * 2 + 1) * sizeof *numbers);
    if (status == 0 && !numbers)
        status = fail_memory();
    if (status == 0 && train) {
        for (int i = 0; i < targets; i++) numbers[i] = -1.0f / (float)b->targets;
        status = trainer_backward(r->t, numbers, NULL, numbers + targets);
    } else if (status == 0) {
        status = trainer_logprobs(r->t, numbers + targets, NULL);
    }
    for (int i = 0; status == 0 && i < targets; i++) sum -= (double)numbers[targets + i];
    free(numbers);
    free(list);
    if (status == 0 && !isfinite(sum))
        status = fail(FAIL_MODEL, "the loss is not a number");
    return status < 0 ? NAN : sum;
}

/* Mean loss of a batch. NaN: failed; *stopped: only because the run shall stop. */
static double batch_loss(const struct run *r, const struct batch *b, bool train,
                         bool *stopped)
{
    double sum = 0;
    *stopped = false;
    for (int at = 0, n; at < b->count; at += n) {
        if (r->calls->stop(r->calls->context)) {
            *stopped = true;
            return NAN;
        }
        n = micro(b, at, r->o->micro_tokens);
        sum += micro_loss(r, b, at, n, train);
        if (!isfinite(sum))
            return NAN;
    }
    return sum / (double)b->targets;
}

/* Mean loss over all targets of the evaluation rows. NaN: failed or stopped. */
static double eval_loss(const struct run *r)
{
    const struct dataset *d = r->eval;
    double sum = 0;
    int64_t targets = 0, *order = malloc(((size_t)d->count + 1) * sizeof *order), n;
    bool stopped;
    if (!order)
        return fail_memory(), NAN;
    dataset_order(d, 0, 0, false, order);
    for (int64_t at = 0; at < d->count; at += n) {
        struct batch b;
        n = dataset_batch(d, order, at, r->o->micro_tokens);
        if (batch_make(&b, r, d, order + at, n) < 0) {
            sum = NAN;
            break;
        }
        if (b.count > 0)
            sum += batch_loss(r, &b, false, &stopped) * (double)b.targets;
        targets += b.targets;
        batch_free(&b);
    }
    free(order);
    return targets ? sum / (double)targets : NAN;
}

/* -- Checkpoints -----------------------------------------------------------------------
 */

static int save(struct run *r)
{
    char hash[32], parts[80];
    if (r->saved == r->step)
        return 0;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->d->hash);
    params_text(parts, trainer_params(r->t));
    json_t *state = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "data", hash, "epoch",
        (json_int_t)r->epoch, "at", (json_int_t)r->at, "seed", (json_int_t)r->o->seed,
        "batch_tokens", (json_int_t)r->o->batch_tokens, "epochs",
        (json_int_t)r->o->epochs, "shuffle", r->o->shuffle, "train", parts);
    if (!state)
        return fail_memory();
    int status = checkpoint_save(r->c, trainer_kernels(r->t), trainer_dev(r->t),
                                 trainer_params(r->t), r->step, state);
    json_decref(state);
    if (status == 0)
        r->saved = r->step;
    return status;
}

static int64_t number(const json_t *state, const char *key)
{
    return json_integer_value(json_object_get(state, key));
}

/* What decides the order of the data must be as it was. 0 or -1 (class refused). */
static int same_run(const struct run *r, const json_t *state)
{
    char hash[32], parts[80];
    const char *data = json_string_value(json_object_get(state, "data"));
    const char *train = json_string_value(json_object_get(state, "train"));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->d->hash);
    params_text(parts, trainer_params(r->t));
    if (!data || strcmp(data, hash) != 0)
        return fail(FAIL_REFUSED, "the rows are not those that the run began with");
    if (!train || strcmp(train, parts) != 0)
        return fail(FAIL_REFUSED, "the run began with --%s%s",
                    train && strncmp(train, "lora ", 5) == 0 ? "" : "train ",
                    train ? train : "?");
    if (number(state, "seed") != (int64_t)r->o->seed)
        return fail(FAIL_REFUSED, "the run began with --seed %lld",
                    (long long)number(state, "seed"));
    if (number(state, "batch_tokens") != r->o->batch_tokens)
        return fail(FAIL_REFUSED, "the run began with --batch-tokens %lld",
                    (long long)number(state, "batch_tokens"));
    if (json_is_true(json_object_get(state, "shuffle")) != r->o->shuffle)
        return fail(FAIL_REFUSED, "the run began with%s --no-shuffle",
                    r->o->shuffle ? "" : "out");
    return 0;
}

/* Go on from the newest whole checkpoint, if there is one. 0 or -1. */
static int resume(struct run *r)
{
    char *note;
    json_t *state;
    int64_t step;
    if (checkpoint_find(r->c, &step, &note) < 0)
        return -1;
    if (note)
        r->calls->say(r->calls->context, note);
    free(note);
    if (step < 0)
        return 0;
    if (checkpoint_load(r->c, trainer_kernels(r->t), trainer_dev(r->t),
                        trainer_params(r->t), step, &state) < 0)
        return -1;
    int status = same_run(r, state);
    r->epoch = number(state, "epoch");
    r->at = number(state, "at");
    r->step = r->saved = step;
    json_decref(state);
    if (status == 0 && (r->at < 0 || r->at > r->d->count || r->epoch < 0))
        status = fail(FAIL_MODEL, "%s: a checkpoint of another run", r->c->out);
    return status < 0 ? fail_in("%s", r->c->out) : 0;
}

/* -- Steps -----------------------------------------------------------------------------
 */

/* The rows of a batch for a message: "a.jsonl:3, a.jsonl:9, ...". */
static void rows_text(char *text, size_t size, const struct run *r, int64_t n)
{
    int at = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < n && i < 8 && at < (int)size; i++) {
        const struct dataset_row *row = &r->d->rows[r->order[r->at + i]];
        at += snprintf(text + at, size - (size_t)at, "%s%s:%lld", i ? ", " : "",
                       r->d->files[row->file], (long long)row->line);
    }
    if (n > 8 && at < (int)size)
        snprintf(text + at, size - (size_t)at, " and %lld more", (long long)(n - 8));
}

/* The step failed half way: its gradients go, its beginning is saved. Returns -1. */
static int step_failed(struct run *r, int64_t n, bool stopped)
{
    char rows[600];
    struct failure why;
    params_clear(trainer_params(r->t), trainer_kernels(r->t), trainer_dev(r->t));
    if (stopped) {
        fail(FAIL_REFUSED, "interrupted");
    } else {
        rows_text(rows, sizeof rows, r, n);
        fail_in("step %lld (%s)", (long long)r->step + 1, rows);
    }
    fail_save(&why);
    return save(r) < 0 ? -1 : fail_again(&why);
}

static double optimize(const struct run *r, double lr)
{
    const struct sft_options *o = r->o;
    struct optimizer_options how = {o->beta1, o->beta2, o->eps, o->weight_decay, o->clip};
    return optimizer_step(trainer_params(r->t), trainer_kernels(r->t), trainer_dev(r->t),
                          &how, r->step + 1, lr, 1);
}

static int one_step(struct run *r)
{
    double from = now();
    int64_t n = dataset_batch(r->d, r->order, r->at, r->o->batch_tokens);
    struct sft_metrics m = {.epoch = r->epoch, .eval_loss = NAN};
    struct batch b;
    bool stopped = false;
    if (batch_make(&b, r, r->d, r->order + r->at, n) < 0)
        return -1;
    m.rows = b.count;
    m.tokens = b.tokens;
    m.failed = b.failed;
    m.lr = lr_at(&r->lr, r->step + 1);
    m.loss = b.count ? batch_loss(r, &b, true, &stopped) : NAN;
    bool any = b.count > 0;
    batch_free(&b);
    if (any && !isfinite(m.loss))
        return step_failed(r, n, stopped);
    if (any) {
        m.grad_norm = optimize(r, m.lr);
        if (!isfinite(m.grad_norm)) {
            fail(FAIL_MODEL, "the gradient is not a number");
            return step_failed(r, n, false);
        }
    }
    m.step = ++r->step;
    r->at += n;
    bool last = r->step == r->lr.steps;
    if (r->eval && (last || (r->o->eval_every && r->step % r->o->eval_every == 0)))
        m.eval_loss = eval_loss(r);
    m.seconds = now() - from;
    if (r->o->save && r->step % r->o->save == 0 && save(r) < 0)
        return -1;
    r->calls->metrics(r->calls->context, &m);
    return 0;
}

static int steps(struct run *r)
{
    while (r->step < r->lr.steps) {
        if (r->at >= r->d->count) {
            r->epoch++;
            r->at = 0;
        }
        dataset_order(r->d, r->o->seed, r->epoch, r->o->shuffle, r->order);
        while (r->step < r->lr.steps && r->at < r->d->count) {
            if (r->calls->stop(r->calls->context))
                return step_failed(r, 0, true);
            if (one_step(r) < 0)
                return -1;
        }
    }
    return save(r);
}

int sft_run(struct trainer *t, const struct trainer_text *text, const struct dataset *d,
            const struct dataset *eval, const struct checkpoints *c,
            const struct sft_options *o, const struct sft_calls *calls)
{
    struct run r = {.t = t,
                    .text = text,
                    .d = d,
                    .eval = eval,
                    .c = c,
                    .o = o,
                    .calls = calls,
                    .lr = o->lr,
                    .saved = -1};
    r.lr.steps = sft_steps(d, o);
    if (r.lr.steps < 0 || (o->resume && resume(&r) < 0))
        return -1;
    r.order = malloc(((size_t)d->count + 1) * sizeof *r.order);
    int status = r.order ? steps(&r) : fail_memory();
    free(r.order);
    return status;
}
