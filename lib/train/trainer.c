/* trainer.c: see trainer.h. */
#include "train/trainer.h"
#include "base/fail.h"
#include "base/processors.h"
#include "train/batch_pass.h"
#include "train/head.h"
#include "train/tape.h"

#include <stdlib.h>

struct trainer {
    struct vlm *m;
    const struct kernels *k; /* the device itself, of which the model sees the tape */
    struct dev *dev;
    struct params params;
    struct tape *tape;
    struct kv kv;
    struct text text;
    struct head head;
    struct batch_pass batch;
    struct features *features; /* [feature_count] of the batch's examples */
    int feature_count;
    struct arr x; /* the last hidden rows of the batch */
    float scale;  /* 1 / temperature */
};

static int parameters_join(struct trainer *t)
{
    for (int i = 0; i < t->params.count; i++) {
        const struct param *p = &t->params.list[i];
        struct arr used = param_used(p);
        if (used.data && tape_parameter(t->tape, used, p->grad) < 0)
            return -1;
    }
    return lora_join(&t->params, t->tape);
}

static int start(struct trainer *t, const char *dir, const struct trainer_options *o)
{
    const struct param_options what = {.parts = o->parts,
                                       .lora = o->lora,
                                       .moments8 = o->moments8,
                                       .halves = o->halves,
                                       .comm = o->comm};
    const struct vlm_device on = {.name = o->device,
                                  .threads =
                                      o->threads ? o->threads : processors_usable(),
                                  .compute = o->compute,
                                  .kernels = o->kernels};
    t->m = params_open(&t->params, dir, &on, &what);
    if (!t->m)
        return -1;
    t->k = t->m->k;
    t->dev = t->m->dev;
    t->scale = 1;
    t->head.k = t->k;
    t->head.dev = t->dev;
    if (!t->k->back)
        return fail(FAIL_REFUSED, "device \"%s\" does not train", t->k->name);
    if (!(t->tape = tape_open(t->k, t->dev)) || parameters_join(t) < 0)
        return -1;
    tape_recompute(t->tape, o->recompute);
    t->m->k = tape_kernels();
    t->m->dev = tape_dev(t->tape);
    t->m->around = tape_around;
    t->m->around_context = t->tape;
    return text_open(&t->text, t->m, &t->kv);
}

struct trainer *trainer_open(const char *dir, const struct trainer_options *o)
{
    struct trainer *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    if (start(t, dir, o) < 0) {
        trainer_close(t);
        return NULL;
    }
    return t;
}

/* The batch is done with: pages and features go back. */
static void batch_end(struct trainer *t)
{
    batch_pass_clear(&t->batch, &t->kv);
    for (int i = 0; i < t->feature_count; i++) features_free(&t->features[i]);
    free(t->features);
    t->features = NULL;
    t->feature_count = 0;
}

void trainer_close(struct trainer *t)
{
    if (!t)
        return;
    if (t->tape) {
        batch_end(t);
        batch_pass_free(&t->batch);
        if (t->text.m)
            text_close(&t->text);
        if (t->kv.k)
            kv_close(&t->kv);
        head_free(&t->head);
        if (t->m) {
            t->m->k = t->k;
            t->m->dev = t->dev;
        }
        tape_close(t->tape);
    }
    if (t->m)
        params_free(&t->params, t->k, t->dev);
    vlm_close(t->m);
    free(t);
}

struct params *trainer_params(struct trainer *t)
{
    return &t->params;
}

const struct model_config *trainer_config(const struct trainer *t)
{
    return &t->m->config;
}

const struct kernels *trainer_kernels(const struct trainer *t)
{
    return t->k;
}

struct dev *trainer_dev(const struct trainer *t)
{
    return t->dev;
}

/* Pages for the batch. They are made anew where they are too few. */
static int pages_room(struct trainer *t, int pages)
{
    if (t->kv.k && t->kv.pages >= pages)
        return 0;
    if (t->kv.k)
        kv_close(&t->kv);
    return kv_open(&t->kv, t->m->k, t->m->dev, t->m->act, &t->m->config.text, pages);
}

static int forward(struct trainer *t, const struct example *const *examples, int count)
{
    t->features = calloc((size_t)count + 1, sizeof *t->features);
    if (!t->features)
        return fail_memory();
    for (; t->feature_count < count; t->feature_count++) {
        const struct example *e = examples[t->feature_count];
        struct engine_prompt prompt = {.pictures = e->pictures,
                                       .picture_count = e->picture_count};
        if (features_make(&t->features[t->feature_count], t->m, &prompt, NULL) < 0)
            return -1;
    }
    if (pages_room(t, batch_pass_pages(examples, count)) < 0 ||
        batch_pass_make(&t->batch, t->m, &t->kv, examples, count, t->features) < 0 ||
        text_forward(&t->text, &t->batch.pass, NULL) < 0)
        return -1;
    t->x = t->text.x;
    return 0;
}

int trainer_forward(struct trainer *t, const struct example *const *examples, int count,
                    bool record)
{
    batch_end(t);
    tape_forget(t->tape);
    tape_record(t->tape, record);
    int status = forward(t, examples, count);
    tape_record(t->tape, false);
    if (status < 0) {
        tape_forget(t->tape);
        batch_end(t);
    }
    return status;
}

void trainer_temperature(struct trainer *t, double temperature)
{
    t->scale = (float)(1 / temperature);
}

int trainer_targets(const struct trainer *t)
{
    return t->batch.targets.count;
}

int trainer_logprobs(struct trainer *t, float *logprob, float *entropy)
{
    struct head_work work = {.logprob = logprob, .entropy = entropy, .scale = t->scale};
    return head_run(&t->head, t->m, t->tape, t->x, t->batch.targets.items,
                    t->batch.targets.count, &work);
}

int trainer_backward(struct trainer *t, const float *weight, const float *entropy_weight,
                     float *logprob)
{
    struct head_work work = {.logprob = logprob,
                             .weight = weight,
                             .entropy_weight = entropy_weight,
                             .scale = t->scale};
    int status = head_run(&t->head, t->m, t->tape, t->x, t->batch.targets.items,
                          t->batch.targets.count, &work);
    if (status == 0)
        status = tape_backward(t->tape);
    else
        tape_forget(t->tape);
    batch_end(t);
    return status;
}

size_t trainer_bytes(const struct trainer *t)
{
    size_t most;
    tape_bytes(t->tape, &most);
    return most;
}

size_t trainer_kv_bytes(const struct trainer *t)
{
    return t->kv.k ? 2 * (size_t)t->kv.layers * t->kv.bytes : 0;
}

size_t trainer_untouched(const struct trainer *t)
{
    return tape_untouched(t->tape);
}
