/* sft.c: see sft.h. */
#include "train/sft.h"
#include "base/fail.h"
#include "train/sft_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Are there checkpoints already, which nobody said what to do with? 0 or -1. */
static int out_check(const struct checkpoints *c, const struct sft_options *o)
{
    int64_t step;
    char *note;
    if (checkpoint_find(c, &step, &note) < 0)
        return -1;
    free(note);
    if (step >= 0 && !o->resume && !o->force)
        return fail(FAIL_REFUSED,
                    "%s: has checkpoints: go on with --resume, or start anew with "
                    "--force",
                    c->out);
    return 0;
}

static bool stopped(void *context)
{
    const struct sft_calls *calls = context;
    return calls->stop(calls->context);
}

static void bad_row(void *context, struct row *row)
{
    const struct sft_calls *calls = context;
    calls->bad_row(calls->context, row);
}

static int rows_read(struct dataset *d, char **files, int count, const char *program,
                     const struct trainer_text *text, const struct sft_calls *calls)
{
    void *context = (void *)(uintptr_t)calls;
    return dataset_read(d, files, count, program, text, bad_row, context, stopped);
}

static void say_plan(struct trainer *t, const struct dataset *d,
                     const struct sft_options *o, const struct sft_calls *calls)
{
    char text[256], parts[80];
    const struct params *p = trainer_params(t);
    params_text(parts, p);
    snprintf(text, sizeof text,
             "%lld of %lld parameters are trained (%s); %lld rows, %lld steps",
             (long long)p->trained, (long long)p->elements, parts, (long long)d->count,
             (long long)sft_steps(d, o));
    calls->note(calls->context, text);
}

int sft_train(const struct sft_options *o, const char *program,
              const struct sft_calls *calls)
{
    static const enum arr_type types[] = {ARR_TYPES, ARR_BF16, ARR_F32};
    const struct checkpoints c = {o->out, o->dir, types[o->dtype], o->keep};
    struct trainer_options how = {.threads = o->threads, .recompute = o->recompute};
    struct dataset d = {0}, eval = {0};
    struct trainer_text *text = NULL;
    struct trainer *t = NULL;
    char *eval_file = o->eval;
    int lock = -1;
    how.lora.seed = o->seed;
    how.moments8 = o->moments8;
    int status =
        o->lora ? lora_read(&how.lora, o->lora) : param_parts(&how.parts, o->parts);
    if (status < 0)
        return fail_in(o->lora ? "--lora" : "--train");
    if (out_check(&c, o) < 0 || !(text = trainer_text_open(o->dir, &o->example)))
        return -1;
    status = rows_read(&d, o->files, o->file_count, program, text, calls);
    if (status == 0 && o->eval)
        status = rows_read(&eval, &eval_file, 1, program, text, calls);
    if (status == 0 && d.count == 0)
        status = fail(FAIL_MISSING, "no row to learn from");
    if (status == 0 && !(t = trainer_open(o->dir, &how)))
        status = -1;
    if (status == 0)
        status = lock = checkpoint_lock(&c);
    status = status < 0 ? -1 : 0;
    if (status == 0 && o->force)
        checkpoint_clear(&c);
    if (status == 0) {
        say_plan(t, &d, o, calls);
        status = sft_run(t, text, &d, o->eval ? &eval : NULL, &c, o, calls);
    }
    if (lock >= 0)
        close(lock);
    trainer_close(t);
    dataset_free(&d);
    dataset_free(&eval);
    trainer_text_close(text);
    return status;
}
