/* texts.h: made-up texts to train on, for the C tests. */
#ifndef TEXTS_H
#define TEXTS_H
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

/* A prompt and `parts` continuations of so many tokens, all targets, of ids below vocab.
 */
static inline struct example *text_make(int prompt, int parts, int tokens, int vocab,
                                        unsigned seed)
{
    struct example *e = calloc(1, sizeof *e);
    e->part = calloc((size_t)parts, sizeof *e->part);
    e->parts = parts;
    for (int i = 0; i < prompt; i++)
        ids_add(&e->prompt, (int32_t)((seed = seed * 69069u + 1u) >> 8) % vocab);
    for (int j = 0; j < parts; j++) {
        for (int i = 0; i < tokens; i++)
            ids_add(&e->part[j].ids, (int32_t)((seed = seed * 69069u + 1u) >> 8) % vocab);
        e->part[j].target = malloc((size_t)tokens);
        memset(e->part[j].target, true, (size_t)tokens);
    }
    e->targets = parts * tokens;
    return e;
}

static inline void text_free(struct example *e)
{
    example_free(e);
    free(e);
}

/* Mean loss of some texts; with train, its gradients. Negative: failed. */
static inline double texts_loss(struct trainer *t, struct example **list, int count,
                                bool train)
{
    double loss = 0;
    if (trainer_forward(t, (const struct example *const *)list, count, train) < 0)
        return -1;
    int n = trainer_targets(t);
    float *weight = malloc((size_t)n * sizeof *weight),
          *logprob = malloc((size_t)n * sizeof *logprob);
    for (int i = 0; i < n; i++) weight[i] = -1.0f / (float)n;
    int status = train ? trainer_backward(t, weight, NULL, logprob)
                       : trainer_logprobs(t, logprob, NULL);
    for (int i = 0; i < n; i++) loss -= (double)logprob[i] / n;
    free(weight);
    free(logprob);
    return status < 0 ? -1 : loss;
}
#endif
