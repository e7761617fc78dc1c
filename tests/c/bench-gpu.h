/* bench-gpu.h: what the benches of a GPU share: work for engines, and how many operations
 * it is.
 */
#ifndef BENCH_GPU_H
#define BENCH_GPU_H
#include "base/fail.h"
#include "engine/engine.h"
#include "kernels.h"
#include "machine.h"
#include "random-example.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static inline void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, fail_text());
    exit(1);
}

static inline void synced(const struct kernels *k, struct dev *d)
{
    const char *why = "";
    if (k->sync(d, &why) < 0) {
        fprintf(stderr, "bench: %s\n", why);
        exit(1);
    }
}

/* -- Operations ------------------------------------------------------------------------
 */

/* Parameters of the text model that multiply, its layers' and its head's. */
static inline double layers_of(const struct text_config *t)
{
    const double q = (double)t->heads * t->head_dim,
                 kv = (double)t->kv_heads * t->head_dim;
    return t->layers *
           (t->hidden * (q + 2 * kv) + q * t->hidden + 3.0 * t->hidden * t->mlp);
}

static inline double head_of(const struct text_config *t)
{
    return (double)t->vocab * t->hidden;
}

/* Of the tower: floating-point operations for one picture. */
static inline double tower_of(const struct vision_tower *vt, int64_t patches)
{
    const double h = vt->hidden, n = (double)patches;
    return vt->depth * (2 * n * (4 * h * h + 2 * h * vt->mlp) + 4 * n * n * h);
}

/* -- Captions --------------------------------------------------------------------------
 */

/* A prompt of random tokens, behind a picture where there is one. */
struct asked {
    struct engine *engine;
    pthread_t thread;
    int prompt, tokens, n, seed;
    const struct engine_picture *picture;
};

static inline int picture_tokens(const struct model_config *mc,
                                 const struct engine_picture *p)
{
    return p ? p->grid_h * p->grid_w / mc->vision.merge / mc->vision.merge : 0;
}

static inline void *ask(void *context)
{
    struct asked *a = context;
    const struct model_config *mc = engine_config(a->engine);
    const uint32_t plain = (uint32_t)mc->text.vocab * 9 / 10; /* no special one */
    int32_t *ids = malloc((size_t)a->prompt * sizeof *ids);
    struct sample *samples = calloc((size_t)a->n, sizeof *samples);
    uint32_t state = (uint32_t)a->seed;
    for (int i = 0; i < a->prompt; i++) {
        state = state * 1664525 + 1013904223;
        ids[i] = plain_token((int32_t)((state >> 8) % plain), mc);
        if (i < picture_tokens(mc, a->picture))
            ids[i] = mc->image_id;
    }
    struct engine_prompt prompt = {ids, a->prompt, a->picture, a->picture != NULL};
    struct sampling sampling = {.temperature = 1,
                                .top_p = 1,
                                .repetition_penalty = 1,
                                .max_tokens = a->tokens,
                                .ignore_eos = true};
    struct engine_generation g = {.prompt = &prompt, .sampling = &sampling, .n = a->n};
    if (engine_generate(a->engine, &g, samples) < 0)
        die("generate");
    for (int i = 0; i < a->n; i++) sample_free(&samples[i]);
    free(samples);
    free(ids);
    return NULL;
}

/* Seconds for so many requests side by side. Each has a prompt of its own in every call:
 * none is found in the cache. */
static inline double generated(struct engine *e, int requests, int prompt, int tokens,
                               int n, const struct engine_picture *picture)
{
    static int seed = 1;
    struct asked *list = calloc((size_t)requests, sizeof *list);
    double start = machine_now();
    for (int i = 0; i < requests; i++) {
        list[i] = (struct asked){e, 0, prompt, tokens, n, seed++, picture};
        pthread_create(&list[i].thread, NULL, ask, &list[i]);
    }
    for (int i = 0; i < requests; i++) pthread_join(list[i].thread, NULL);
    free(list);
    return machine_now() - start;
}

/* -- Judging ---------------------------------------------------------------------------
 */

/* Tokens of a caption as the judge reads it; questions behind it (orders of their options
 * are questions of their own), and tokens of each. */
struct judging {
    int caption, questions, question;
};

static inline double judging_tokens(const struct judging *j)
{
    return j->caption + (double)j->questions * j->question;
}

/* Captions number first, first + step, ... below end. */
struct judged {
    struct engine *engine;
    const struct judging *judging;
    pthread_t thread;
    int first, step, end;
};

static inline void *judge_some(void *context)
{
    const struct judged *w = context;
    const struct judging *j = w->judging;
    int plain = engine_config(w->engine)->text.vocab * 9 / 10;
    int32_t *ids = malloc((size_t)(j->caption + j->question) * sizeof *ids);
    int32_t letters[4] = {32, 33, 34, 35};
    float value[4], *out[4] = {&value[0], &value[1], &value[2], &value[3]};
    struct engine_continuation letter[4];
    struct engine_branch *branch = calloc((size_t)j->questions, sizeof *branch);
    for (int i = 0; i < 4; i++) letter[i] = (struct engine_continuation){&letters[i], 1};
    for (int i = w->first; i < w->end; i += w->step) {
        for (int k = 0; k < j->caption + j->question; k++)
            ids[k] = (i * 131 + k * 17 + 999) % plain;
        struct engine_prompt prompt = {ids, j->caption, NULL, 0};
        for (int k = 0; k < j->questions; k++)
            branch[k] =
                (struct engine_branch){ids + j->caption - k, j->question, letter, 4, out};
        struct engine_scoring s = {
            .prompt = &prompt, .branches = branch, .count = j->questions};
        if (engine_score_branches(w->engine, &s) < 0)
            die("score");
    }
    free(branch);
    free(ids);
    return NULL;
}

/* Seconds for so many captions, `together` of them at a time; other ones in each call. */
static inline double judged(struct engine *e, const struct judging *j, int captions,
                            int together)
{
    static int done = 0;
    struct judged *list = calloc((size_t)together, sizeof *list);
    double start = machine_now();
    for (int i = 0; i < together; i++) {
        list[i] = (struct judged){e, j, 0, done + i, together, done + captions};
        pthread_create(&list[i].thread, NULL, judge_some, &list[i]);
    }
    for (int i = 0; i < together; i++) pthread_join(list[i].thread, NULL);
    free(list);
    done += captions;
    return machine_now() - start;
}
#endif
