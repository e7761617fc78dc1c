/* random-example.h: what benches train on. */
#ifndef RANDOM_EXAMPLE_H
#define RANDOM_EXAMPLE_H
#include "train/example.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* id, or another one if it stands for pictures; mc NULL: a model of texts. */
static inline int32_t plain_token(int32_t id, const struct model_config *mc)
{
    return mc && (id == mc->image_id || id == mc->video_id) ? 0 : id;
}

/* A prompt and continuations of random tokens, all of which are targets. */
static inline struct example *random_example(int prompt, int parts, int tokens, int vocab,
                                             const struct model_config *mc)
{
    struct example *e = calloc(1, sizeof *e);
    e->part = calloc((size_t)parts, sizeof *e->part);
    e->parts = parts;
    for (int i = 0; i < prompt; i++) ids_add(&e->prompt, plain_token(rand() % vocab, mc));
    for (int j = 0; j < parts; j++) {
        for (int i = 0; i < tokens; i++)
            ids_add(&e->part[j].ids, plain_token(rand() % vocab, mc));
        e->part[j].target = malloc((size_t)tokens);
        memset(e->part[j].target, true, (size_t)tokens);
    }
    e->targets = parts * tokens;
    return e;
}

static inline void random_example_free(struct example *e)
{
    for (int j = 0; j < e->parts; j++) {
        ids_free(&e->part[j].ids);
        free(e->part[j].target);
    }
    free(e->part);
    ids_free(&e->prompt);
    free(e);
}
#endif
