/* run.c: see run.h. */
#include "train/run.h"
#include "base/buf.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "engine/vlm.h"
#include "train/run_identity.h"
#include "train/run_loop.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Are there checkpoints already, which nobody said what to do with? 0 or -1. */
static int out_check(const struct checkpoints *c, const struct run_options *o)
{
    int64_t step;
    char *note;
    if (o->resume || o->force)
        return 0;
    if (checkpoint_find(c, &step, &note) < 0)
        return -1;
    free(note);
    if (step >= 0)
        return fail(FAIL_REFUSED,
                    "%s: has checkpoints: go on with --resume, or start anew with "
                    "--force",
                    c->out);
    return 0;
}

static bool stopped(void *context)
{
    const struct run_calls *calls = context;
    return calls->stop(calls->context);
}

static void bad_row(void *context, struct row *row)
{
    const struct run_calls *calls = context;
    calls->bad_row(calls->context, row);
}

/* Rows that are read as the steps need them: of what is no file. */
static bool is_pipe(const char *path)
{
    struct stat st;
    return strcmp(path, "-") == 0 ||
           (stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)));
}

/* Are rows streamed? 1 or 0, or -1: the options do not go with that. */
static int streamed(const struct run_options *o, const struct objective *objective)
{
    const char *pipe = NULL;
    for (int i = 0; i < o->file_count && !pipe; i++)
        pipe = is_pipe(o->files[i]) ? o->files[i] : NULL;
    if (!pipe)
        return 0;
    pipe = strcmp(pipe, "-") == 0 ? "stdin" : pipe;
    if (o->comm)
        return fail(FAIL_REFUSED,
                    "%s: every rank reads the rows: with --ranks they are in files, not "
                    "in a pipe",
                    pipe);
    if (o->epochs > 1)
        return fail(FAIL_REFUSED, "%s: several epochs need files, not a pipe", pipe);
    if (objective->reference)
        return 0;
    if (!o->steps && o->lr.kind != LR_CONSTANT)
        return fail(FAIL_REFUSED,
                    "%s: how many rows will come is not known: say --steps N, or "
                    "--schedule constant",
                    pipe);
    return 1;
}

static void say_plan(struct trainer *t, const struct run_data *data,
                     const struct run_options *o, const struct run_calls *calls)
{
    char text[272], parts[80], rows[96];
    const struct params *p = trainer_params(t);
    params_text(parts, p);
    if (data->stream)
        snprintf(rows, sizeof rows, "rows as they come");
    else
        snprintf(rows, sizeof rows, "%lld rows, %lld steps", (long long)data->d->count,
                 (long long)run_steps(data->d, o));
    snprintf(text, sizeof text, "%lld of %lld parameters are trained (%s); %s",
             (long long)p->trained, (long long)p->elements, parts, rows);
    calls->note(calls->context, text);
    const char *lacks = vlm_lacks(trainer_kernels(t), trainer_dev(t));
    if (lacks)
        calls->note(calls->context, lacks);
    if (o->comm) {
        snprintf(text, sizeof text, "%d ranks; gradients by %.160s", comm_world(o->comm),
                 p->transport);
        calls->note(calls->context, text);
    }
}

/* Everything that a run opens. */
struct opened {
    struct trainer_text *text;
    struct trainer *t;
    struct dataset d, eval;
    struct row_stream stream;
    json_t *identity;
    int lock;
};

/* Keep others out of the folder, and look what is in it. One that is not there is made
 * only once all else is known to be right (early: not yet). 0 or -1. */
static int folder_claim(struct opened *all, const struct checkpoints *c,
                        const struct run_options *o, bool early)
{
    if (early && access(c->out, F_OK) < 0)
        return 0;
    all->lock = checkpoint_lock(c);
    return all->lock < 0 ? -1 : out_check(c, o);
}

/* Can all files be opened? (Who reads them says why not.) */
static bool files_there(const struct run_options *o)
{
    bool there = !o->eval || access(o->eval, R_OK) == 0;
    for (int i = 0; i < o->file_count; i++)
        there =
            there && (strcmp(o->files[i], "-") == 0 || access(o->files[i], R_OK) == 0);
    return there;
}

static int rows_open(struct opened *all, struct run_data *data,
                     const struct run_options *o, const struct dataset_reading *how,
                     const struct run_calls *calls)
{
    char *eval_file = o->eval;
    int status = streamed(o, how->objective);
    if ((status == 0 || (status == 1 && !o->resume)) && files_there(o))
        calls->bad_rows(calls->context, 0);
    if (status == 1) {
        data->stream = &all->stream;
        status = row_stream_open(&all->stream, o->files, o->file_count,
                                 o->shuffle ? o->window : 1, o->seed, how);
        data->d = &all->stream.d;
    } else if (status == 0) {
        status = dataset_read(&all->d, o->files, o->file_count, how);
        data->d = &all->d;
        if (status == 0 && all->d.count == 0)
            status = fail(FAIL_MISSING, "no row to learn from");
    }
    if (status == 0 && o->eval) {
        status = dataset_read(&all->eval, &eval_file, 1, how);
        data->eval = &all->eval;
    }
    return status;
}

/* -- Ranks ------------------------------------------------------------------------------
 */

/* What must be the same on all ranks, as text. */
static void options_text(struct buf *b, const struct run_options *o,
                         const struct objective *objective)
{
    const struct example_options *e = &o->example;
    char *own = objective->options
                    ? json_dumps((const json_t *)objective->options, JSON_SORT_KEYS)
                    : NULL;
    buf_print(b, "%s %s|%s|%s|%d %d|", objective->name, own ? own : "",
              o->parts ? o->parts : "", o->lora ? o->lora : "", o->dtype, o->moments8);
    buf_print(b, "%s|%s|%s|%lld %lld %d %d|", e->prompt ? e->prompt : "",
              e->system ? e->system : "", e->chat ? e->chat : "",
              (long long)e->min_pixels, (long long)e->max_pixels, e->ctx, e->truncate);
    buf_print(b, "%lld %lld %lld %lld %lld %d %llu|", (long long)o->epochs,
              (long long)o->steps, (long long)o->batch_tokens, (long long)o->micro_tokens,
              (long long)o->pack, o->shuffle, (unsigned long long)o->seed);
    buf_print(b, "%d %.17g %.17g %lld|%.17g %.17g %.17g %.17g %.17g|", o->lr.kind,
              o->lr.peak, o->lr.least, (long long)o->lr.warmup, o->beta1, o->beta2,
              o->eps, o->weight_decay, o->clip);
    buf_print(b, "%lld %lld %d %d", (long long)o->save, (long long)o->eval_every,
              o->resume, o->force);
    free(own);
}

/* Are all ranks about the same run? 0 or -1. */
static int ranks_agree(const struct run_options *o, const struct objective *objective,
                       const struct run_data *data)
{
    struct buf b = {0};
    uint64_t rows[] = {data->d->hash, data->eval ? data->eval->hash : 0};
    const char *model = run_identity_model(data->identity);
    options_text(&b, o, objective);
    int status = buf_ok(&b);
    if (comm_vote(o->comm, status) < 0 ||
        comm_agree(o->comm, "set of options", b.data, b.len) < 0 ||
        comm_agree(o->comm, "model", model, strlen(model)) < 0 ||
        comm_agree(o->comm, "set of rows", rows, sizeof rows) < 0)
        status = -1;
    buf_free(&b);
    return status;
}

/* -- A run ------------------------------------------------------------------------------
 */

/* Whatever can be wrong with options, rows, model and folder. 0 or -1. */
static int all_open(struct opened *all, struct run_data *data,
                    const struct checkpoints *c, const struct run_options *o,
                    const struct objective *objective, const char *program,
                    const struct run_calls *calls)
{
    bool first = comm_rank(o->comm) == 0;
    struct trainer_options how = {.device = o->device,
                                  .threads = o->threads,
                                  .compute = o->compute,
                                  .recompute = o->recompute,
                                  .lora.seed = o->seed,
                                  .moments8 = o->moments8,
                                  .comm = o->comm};
    if ((o->lora ? lora_read(&how.lora, o->lora) : param_parts(&how.parts, o->parts)) < 0)
        return fail_in(o->lora ? "--lora" : "--train");
    if ((first && folder_claim(all, c, o, true) < 0) ||
        !(all->text = trainer_text_open(o->dir, &o->example)))
        return -1;
    const struct dataset_reading reading = {.objective = objective,
                                            .text = all->text,
                                            .program = program,
                                            .context = (void *)(uintptr_t)calls,
                                            .bad = bad_row,
                                            .stop = stopped,
                                            .wait = calls->wait};
    data->text = all->text;
    if (rows_open(all, data, o, &reading, calls) < 0 ||
        !(all->t = trainer_open(o->dir, &how)) || !(all->identity = run_identity(o)))
        return -1;
    data->identity = all->identity;
    return first && all->lock < 0 ? folder_claim(all, c, o, false) : 0;
}

static int train(struct opened *all, const struct run_options *o,
                 const struct objective *objective, const char *program,
                 const struct run_calls *calls)
{
    static const enum arr_type types[] = {ARR_TYPES, ARR_BF16, ARR_F32};
    const struct checkpoints c = {o->out, o->dir, types[o->dtype], o->keep};
    struct run_data data = {0};
    int status = all_open(all, &data, &c, o, objective, program, calls);
    if (comm_vote(o->comm, status) < 0 ||
        (o->comm && ranks_agree(o, objective, &data) < 0))
        return -1;
    if (o->force && comm_rank(o->comm) == 0)
        checkpoint_clear(&c);
    say_plan(all->t, &data, o, calls);
    return run_loop(all->t, &data, &c, o, calls);
}

int run_train(const struct run_options *o, const struct objective *objective,
              const char *program, const struct run_calls *calls)
{
    struct opened all = {.lock = -1};
    int status = train(&all, o, objective, program, calls);
    if (comm_lost(o->comm)) {
        struct failure why;
        fail_save(&why);
        fail(why.kind, "%.900s; --resume goes on from the newest checkpoint", why.text);
        status = RUN_RESUMABLE;
    } else if (status < 0) {
        comm_leave(o->comm, fail_text());
    }
    if (all.lock >= 0)
        close(all.lock);
    trainer_close(all.t);
    row_stream_close(&all.stream);
    dataset_free(&all.d);
    dataset_free(&all.eval);
    trainer_text_close(all.text);
    json_decref(all.identity);
    return status;
}
