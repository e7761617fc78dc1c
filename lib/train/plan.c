/* plan.c: see plan.h. */
#include "train/plan.h"
#include "base/fail.h"
#include "engine/vlm.h"
#include "engine/weights.h"
#include "measure.h"
#include "train/optimizer.h"

#include <stdlib.h>
#include <string.h>

static int64_t bytes_of(struct arr a)
{
    return a.data ? (int64_t)arr_type_bytes(a.type, arr_size(a)) : 0;
}

static void count_params(struct train_plan *plan, const struct params *p)
{
    plan->parameters = p->elements;
    plan->trained = p->trained;
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        plan->weights += bytes_of(one->w) + bytes_of(one->half);
        plan->gradients += bytes_of(one->grad);
        plan->shared += bytes_of(param_used(one)) * (one->trained ? 2 : 1);
        plan->states += bytes_of(one->m) + bytes_of(one->v) + bytes_of(one->m_most) +
                        bytes_of(one->v_most);
    }
}

static int64_t patch_numbers(const struct vision_tower *vt)
{
    return 3 * (int64_t)vt->frames * vt->patch * vt->patch;
}

/* A row: its picture's tokens, then text of which all but the first token are learnt; or
 * a prompt with continuations behind it. 0 or -1. */
static int row_make(struct example *e, const struct model_config *mc,
                    const struct train_plan_options *o, const float *patches)
{
    int merge = mc->vision.merge, parts = o->samples ? o->samples : 1;
    int picture = o->grid_h ? o->grid_h * o->grid_w / merge / merge : 0;
    int text = o->row_tokens - picture > 2 ? o->row_tokens - picture : 2;
    int prompt = o->samples ? text : 1, tokens = o->samples ? o->sample_tokens : text - 1;
    *e = (struct example){.part = calloc((size_t)parts, sizeof *e->part)};
    if (!e->part)
        return fail_memory();
    if (picture) {
        if (!(e->pictures = calloc(1, sizeof *e->pictures)))
            return fail_memory();
        e->pictures[0] = (struct engine_picture){patches, 1, o->grid_h, o->grid_w};
        e->picture_count = 1;
    }
    for (int i = 0; i < picture; i++) ids_add(&e->prompt, mc->image_id);
    for (int i = 0; i < prompt; i++) ids_add(&e->prompt, 0);
    for (e->parts = 0; e->parts < parts; e->parts++) {
        struct example_part *p = &e->part[e->parts];
        for (int i = 0; i < tokens; i++) ids_add(&p->ids, 0);
        if (!(p->target = malloc((size_t)tokens + 1)))
            return fail_memory();
        memset(p->target, true, (size_t)tokens);
    }
    e->targets = parts * tokens;
    return 0;
}

/* The caller's patches are not the example's. */
static void row_free(struct example *e)
{
    if (e->picture_count)
        e->pictures[0].patches = NULL;
    example_free(e);
}

/* One micro-batch, forward and back, and a step. 0 or -1. */
static int step(struct trainer *t, const struct example *row, int rows)
{
    static const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    const struct example **list = malloc((size_t)rows * sizeof *list);
    int status = list ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < rows; i++) list[i] = row;
    if (status == 0)
        status = trainer_forward(t, list, rows, true);
    int targets = status == 0 ? trainer_targets(t) : 0;
    float *weight = calloc((size_t)targets + 1, sizeof *weight);
    if (status == 0 && !weight)
        status = fail_memory();
    if (status == 0)
        status = trainer_backward(t, weight, NULL, NULL);
    if (status == 0)
        optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &how, 1, 1,
                       1);
    free(weight);
    free(list);
    return status;
}

static int measure(struct train_plan *plan, struct trainer *t,
                   const struct train_plan_options *o)
{
    const struct model_config *mc = trainer_config(t);
    struct example row;
    size_t most;
    int64_t numbers = (int64_t)o->grid_h * o->grid_w *
                      (mc->vision.depth ? patch_numbers(&mc->vision) : 0);
    float *patches = calloc((size_t)numbers + 1, sizeof *patches); /* never touched */
    int status = patches ? row_make(&row, mc, o, patches) : fail_memory();
    if (!patches)
        return -1;
    int64_t tokens = example_tokens(&row), together = o->micro_tokens;
    if (together > o->batch_tokens)
        together = o->batch_tokens;
    plan->rows = tokens < together ? (int)(together / tokens) : 1;
    for (int i = 0; status == 0 && i < 2; i++) /* the second finds what the first left */
        status = step(t, &row, plan->rows);
    int64_t in_step = tokens < o->batch_tokens ? o->batch_tokens / tokens : 1;
    plan->pictures = in_step * numbers * (int64_t)sizeof *patches;
    row_free(&row);
    free(patches);
    if (status < 0)
        return -1;
    count_params(plan, trainer_params(t));
    measure_bytes(trainer_dev(t), &most);
    plan->tape = (int64_t)trainer_bytes(t);
    plan->kv = (int64_t)trainer_kv_bytes(t);
    bool lazy = !vlm_on_gpu(o->trainer.device); /* what is not touched costs nothing */
    plan->activations = (int64_t)most - (lazy ? (int64_t)trainer_untouched(t) : 0) -
                        plan->weights - plan->gradients - plan->states - plan->kv;
    return 0;
}

int train_plan_make(struct train_plan *plan, const char *dir,
                    const struct train_plan_options *o)
{
    struct trainer_options how = o->trainer;
    how.kernels = measure_kernels();
    how.threads = 1;
    *plan = (struct train_plan){0};
    struct trainer *t = trainer_open(dir, &how);
    if (!t)
        return -1;
    int status = measure(plan, t, o);
    trainer_close(t);
    if (status == 0 && how.lora.rank) { /* the model's own are used as they are stored */
        struct weights *w = weights_open(dir);
        plan->weights += w ? weights_bytes(w) : 0;
        status = w ? 0 : -1;
        weights_close(w);
    }
    plan->total = plan->weights + plan->gradients + plan->states + plan->activations +
                  plan->kv + (vlm_on_gpu(o->trainer.device) ? 0 : plan->pictures);
    return status;
}
