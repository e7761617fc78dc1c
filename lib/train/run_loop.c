/* run_loop.c: see run_loop.h. What a step trains on is a function of (data, seed, step)
 * alone, so a run that goes on from a checkpoint goes on as if it had never stopped. */
#include "train/run_loop.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "train/deal.h"
#include "train/optimizer.h"
#include "train/run_state.h"
#include "train/step_batch.h"
#include "train/throughput.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A run under way. */
struct run {
    struct trainer *t;
    const struct run_data *data;
    const struct checkpoints *c;
    const struct run_options *o;
    const struct run_calls *calls;
    struct lr lr;
    struct throughput throughput;
    int64_t *order; /* [ordered] of the epoch; of a stream's step 0, 1, 2, ... */
    int64_t ordered;
    int64_t *rows, n; /* the step's, in order */
    int64_t *mine;    /* [ordered] those of them that this rank learns from */
    int64_t told;     /* rows of the stream that failed, in place.failed already */
    struct run_place place;
    int64_t saved; /* step of the newest checkpoint; -1: none */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t run_steps(const struct dataset *d, const struct run_options *o)
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

/* -- Ranks: all go on, or none ----------------------------------------------------------
 */

static int interrupted(int status)
{
    fail(FAIL_REFUSED, "interrupted");
    return status;
}

/* A step's numbers, over all ranks. */
static int sums_share(const struct run *r, struct objective_sums *sums)
{
    double x[1 + OBJECTIVE_EXTRAS] = {sums->loss};
    for (int i = 0; i < OBJECTIVE_EXTRAS; i++) x[1 + i] = sums->extra[i];
    if (comm_sum(r->o->comm, x, 1 + OBJECTIVE_EXTRAS) < 0)
        return -1;
    sums->loss = x[0];
    for (int i = 0; i < OBJECTIVE_EXTRAS; i++) sums->extra[i] = x[1 + i];
    return 0;
}

/* -- Passes over all rows --------------------------------------------------------------
 */

/* All rows of a data set in their own order, without gradients: sums, and what their
 * means are over. Ranks take turns. 0, -1 or STEP_STOPPED. */
static int pass_all(const struct run *r, const struct dataset *d, enum step_work work,
                    struct objective_sums *sums, double *over)
{
    int64_t *order = malloc(((size_t)d->count + 1) * sizeof *order), n, turn = 0;
    int status = order ? 0 : fail_memory();
    *sums = (struct objective_sums){0};
    *over = 0;
    if (order)
        dataset_order(d, 0, 0, false, order);
    for (int64_t at = 0; status == 0 && at < d->count; at += n) {
        struct step_batch b;
        n = dataset_batch(d, order, at, r->o->micro_tokens);
        if (turn++ % comm_world(r->o->comm) != comm_rank(r->o->comm))
            continue;
        status = step_batch_make(&b, d, r->data->text, order + at, n,
                                 work == STEP_REFERENCE ? NULL : r->calls);
        if (status == 0)
            status = step_batch_run(&b, r->t, work, r->o, r->calls, sums);
        *over += b.over;
        step_batch_free(&b);
    }
    free(order);
    if (status == STEP_STOPPED)
        interrupted(0);
    status = comm_vote(r->o->comm, status);
    if (status == 0)
        status = sums_share(r, sums);
    return status == 0 ? comm_sum(r->o->comm, over, 1) : status;
}

static void means(const struct run *r, const struct objective_sums *sums, double over,
                  double *loss, double *extra)
{
    const char *const *names = r->data->d->objective->extra;
    *loss = over > 0 ? sums->loss / over : NAN;
    for (int i = 0; names && names[i]; i++)
        extra[i] = over > 0 ? sums->extra[i] / over : NAN;
}

/* The evaluation rows' numbers; NaN where they failed. 0 or STEP_STOPPED. */
static int evaluate(const struct run *r, struct run_metrics *m)
{
    struct objective_sums sums;
    double over;
    int status = pass_all(r, r->data->eval, STEP_MEASURE, &sums, &over);
    if (status == -1 && comm_rank(r->o->comm) == 0)
        r->calls->say(r->calls->context, fail_text());
    means(r, &sums, status == 0 ? over : 0, &m->eval_loss, m->eval_extra);
    return status == STEP_STOPPED ? status : 0;
}

/* What the objective wants to know of the weights that the run begins with. 0, -1 or
 * STEP_STOPPED. */
static int begin(const struct run *r)
{
    const struct objective *of = r->data->d->objective;
    struct objective_sums sums;
    double over;
    const struct run_data *data = r->data;
    int status =
        of->begin ? of->begin(of->context, r->t, data->d, data->eval, r->o->comm) : 0;
    if (status != 0 || !of->reference)
        return status < 0 ? -1 : 0;
    status = pass_all(r, data->d, STEP_REFERENCE, &sums, &over);
    if (status == 0 && data->eval)
        status = pass_all(r, data->eval, STEP_REFERENCE, &sums, &over);
    return status == 0 && of->referenced ? of->referenced(of->context, r->o->comm)
                                         : status;
}

/* -- Steps -----------------------------------------------------------------------------
 */

static int save(struct run *r)
{
    if (r->saved == r->place.step)
        return 0;
    int status = run_state_save(r->c, r->t, r->data, r->o, &r->place);
    if (status == 0)
        r->saved = r->place.step;
    return status == CHECKPOINT_FULL || (status < 0 && comm_lost(r->o->comm))
               ? RUN_RESUMABLE
               : status;
}

/* The rows of a batch for a message: "a.jsonl:3, a.jsonl:9, ...". */
static void rows_text(char *text, size_t size, const struct run *r)
{
    int64_t n = r->n;
    int at = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < n && i < 8 && at < (int)size; i++) {
        const struct dataset_row *row = &r->data->d->rows[r->rows[i]];
        at += snprintf(text + at, size - (size_t)at, "%s%s:%lld", i ? ", " : "",
                       r->data->d->files[row->file], (long long)row->line);
    }
    if (n > 8 && at < (int)size)
        snprintf(text + at, size - (size_t)at, " and %lld more", (long long)(n - 8));
}

/* The step ended half way (status: -1 or STEP_STOPPED): its gradients go, its beginning
 * is saved. RUN_BAD_STEP or RUN_RESUMABLE. */
static int step_failed(struct run *r, int status)
{
    char rows[600];
    struct failure why;
    if (comm_lost(r->o->comm)) { /* its part of the moments is gone: nothing to save */
        fail_in("step %lld", (long long)r->place.step + 1);
        return RUN_RESUMABLE;
    }
    params_clear(trainer_params(r->t), trainer_kernels(r->t), trainer_dev(r->t));
    if (status == STEP_STOPPED) {
        status = interrupted(RUN_RESUMABLE);
    } else {
        rows_text(rows, sizeof rows, r);
        status = RUN_BAD_STEP;
        fail_in("step %lld (%s)", (long long)r->place.step + 1, rows);
    }
    fail_save(&why);
    int saved = save(r);
    if (saved == -1)
        return RUN_BAD_STEP;
    return saved < 0 ? saved : (fail_again(&why), status);
}

static double optimize(const struct run *r, double lr)
{
    const struct run_options *o = r->o;
    struct optimizer_options how = {o->beta1, o->beta2, o->eps, o->weight_decay, o->clip};
    return optimizer_step(trainer_params(r->t), trainer_kernels(r->t), trainer_dev(r->t),
                          &how, r->place.step + 1, lr, 1);
}

/* Gradients of a batch, and the step along them. 0, -1 or STEP_STOPPED. */
static int learn(const struct run *r, const struct step_batch *b, struct run_metrics *m)
{
    struct objective_sums sums = {0};
    if (m->rows == 0)
        return 0;
    int status = step_batch_run(b, r->t, STEP_TRAIN, r->o, r->calls, &sums);
    if (status == STEP_STOPPED)
        interrupted(0);
    if ((status = comm_vote(r->o->comm, status)) < 0 ||
        (status = sums_share(r, &sums)) < 0)
        return status;
    means(r, &sums, b->over, &m->loss, m->extra);
    m->grad_norm = optimize(r, m->lr);
    return isfinite(m->grad_norm)
               ? 0
               : optimizer_fail(trainer_params(r->t), trainer_kernels(r->t),
                                trainer_dev(r->t));
}

/* The examples of this rank's rows; what they add up to is of all ranks'. work: products
 * that they take. 0 or -1. */
static int batch_make(struct run *r, struct step_batch *b, struct run_metrics *m,
                      double *work)
{
    const struct run_data *data = r->data;
    struct comm *comm = r->o->comm;
    int64_t n =
        deal_rows(data->d, r->rows, r->n, comm_rank(comm), comm_world(comm), r->mine);
    *b = (struct step_batch){0};
    int status =
        n < 0 ? -1 : step_batch_make(b, data->d, data->text, r->mine, n, r->calls);
    if (status == 0)
        *work = throughput_of(&r->throughput, r->t, b->examples, b->count);
    double x[] = {b->over, (double)b->count, (double)b->tokens, (double)b->failed, *work};
    status = comm_vote(comm, status);
    if (status == 0)
        status = comm_sum(comm, x, sizeof x / sizeof *x);
    b->over = x[0];
    b->failed = (int64_t)x[3];
    m->rows = (int64_t)x[1];
    m->tokens = (int64_t)x[2];
    *work = x[4];
    return status;
}

/* Where the run stands behind a step. */
static void advance(struct run *r, const struct step_batch *b)
{
    const struct row_stream *s = r->data->stream;
    r->place.step++;
    r->place.failed += b->failed;
    if (!s) {
        r->place.at += r->n;
        return;
    }
    r->place.window = s->place;
    r->place.failed += s->bad - r->told;
    r->place.told += r->place.told < 0 ? 0 : s->bad - r->told;
    r->told = s->bad;
}

static bool last_step(const struct run *r)
{
    return r->place.step == r->lr.steps || (r->data->stream && r->data->stream->last);
}

/* A step is done: evaluation, where it is due, its row, a checkpoint, where one is. If
 * the evaluation is stopped, the row goes into a checkpoint, and out when the run goes
 * on. */
static int step_end(struct run *r, struct run_metrics *m)
{
    const struct run_data *data = r->data;
    double from = now();
    m->step = r->place.step;
    m->epoch = r->place.epoch;
    m->failed = r->place.failed + (data->stream ? 0 : data->d->bad) +
                (data->eval ? data->eval->bad : 0);
    bool due = r->place.unmeasured || last_step(r) ||
               (r->o->eval_every && m->step % r->o->eval_every == 0);
    if (data->eval && due && evaluate(r, m) == STEP_STOPPED) {
        r->place.unmeasured = true;
        r->place.row = *m;
        return step_failed(r, STEP_STOPPED);
    }
    if (comm_lost(r->o->comm))
        return step_failed(r, -1);
    m->seconds += now() - from;
    /* The row comes first: a run that is killed in between makes the step again, and so
     * the row, where a row behind its checkpoint would be lost. */
    r->calls->metrics(r->calls->context, m);
    if (r->place.unmeasured)
        r->saved = -1; /* what is saved still waits for the row */
    r->place.unmeasured = false;
    return r->o->save && m->step % r->o->save == 0 ? save(r) : 0;
}

static int one_step(struct run *r)
{
    double from = now();
    struct run_metrics m = {.loss = NAN, .eval_loss = NAN};
    struct step_batch b;
    double work = 0;
    int status = batch_make(r, &b, &m, &work);
    m.lr = lr_at(&r->lr, r->place.step + 1);
    if (status == 0)
        status = learn(r, &b, &m);
    if (status == 0)
        advance(r, &b);
    step_batch_free(&b);
    if (status < 0)
        return step_failed(r, status);
    m.seconds = now() - from;
    m.peak_share = work / m.seconds / r->throughput.peak / comm_world(r->o->comm);
    return step_end(r, &m);
}

/* Room for the order of so many rows. */
static int order_room(struct run *r, int64_t rows)
{
    if (rows <= r->ordered)
        return 0;
    int64_t *order = realloc(r->order, (size_t)rows * sizeof *order);
    if (!order)
        return fail_memory();
    r->order = order;
    int64_t *mine = realloc(r->mine, (size_t)rows * sizeof *mine);
    if (!mine)
        return fail_memory();
    r->mine = mine;
    r->ordered = rows;
    return 0;
}

/* The rows of the next step. 1, 0 (no more), or -1, STREAM_STOPPED. */
static int next_rows(struct run *r)
{
    const struct dataset *d = r->data->d;
    if (r->data->stream) {
        int got = row_stream_step(r->data->stream, r->o->batch_tokens);
        if (got != 1)
            return got;
        if (order_room(r, d->count) < 0)
            return -1;
        dataset_order(d, 0, 0, false, r->order);
        r->rows = r->order;
        r->n = d->count;
        return 1;
    }
    bool whole = r->place.at >= d->count, begun = r->ordered > 0;
    if (order_room(r, d->count) < 0)
        return -1;
    if (whole) {
        r->place.epoch++;
        r->place.at = 0;
    }
    if (whole || !begun)
        dataset_order(d, r->o->seed, r->place.epoch, r->o->shuffle, r->order);
    r->rows = r->order + r->place.at;
    r->n = dataset_batch(d, r->order, r->place.at, r->o->batch_tokens);
    return 1;
}

static int steps(struct run *r)
{
    if (r->place.unmeasured) {
        struct run_metrics m = r->place.row;
        int status = step_end(r, &m);
        if (status < 0)
            return status;
    }
    while (!r->lr.steps || r->place.step < r->lr.steps) {
        r->n = 0;
        bool stop = r->calls->stop(r->calls->context);
        int status = comm_vote(r->o->comm, stop ? interrupted(STEP_STOPPED) : 0);
        if (status < 0)
            return step_failed(r, status);
        status = next_rows(r);
        if (status == 0)
            break;
        if (status < 0)
            return step_failed(r, status == STREAM_STOPPED ? STEP_STOPPED : -1);
        if ((status = one_step(r)) < 0)
            return status;
    }
    if (r->place.step == 0)
        return fail(FAIL_MISSING, "no row to learn from");
    return save(r);
}

/* Go on from a checkpoint, if there is one. 0 or -1. */
static int resume(struct run *r)
{
    struct run_place place;
    if (run_state_load(r->c, r->t, r->data, r->o, r->calls, &place) < 0)
        return -1;
    if (place.step >= 0) {
        r->place = place;
        r->saved = place.step;
    }
    if (r->data->stream && r->place.told >= 0)
        r->calls->bad_rows(r->calls->context, r->place.told);
    return 0;
}

int run_loop(struct trainer *t, const struct run_data *data, const struct checkpoints *c,
             const struct run_options *o, const struct run_calls *calls)
{
    struct run r = {
        .t = t, .data = data, .c = c, .o = o, .calls = calls, .lr = o->lr, .saved = -1};
    r.place.told = data->eval ? data->eval->bad : 0;
    r.lr.steps = data->stream ? o->steps : run_steps(data->d, o);
    if (r.lr.steps < 0)
        return -1;
    int status = begin(&r);
    if (status < 0)
        return status == STEP_STOPPED ? interrupted(RUN_RESUMABLE) : -1;
    if (o->resume && resume(&r) < 0)
        return -1;
    throughput_open(&r.throughput, t);
    status = steps(&r);
    free(r.order);
    free(r.mine);
    return status;
}
