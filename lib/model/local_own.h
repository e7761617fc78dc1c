/* local_own.h: what local.c and local_score.c share: the parts of a local model, and
 * prompts that hold pictures for as long as the tower needs them. */
#ifndef LOCAL_OWN_H
#define LOCAL_OWN_H
#include "model/local.h"
#include "model/prompt.h"

#include <pthread.h>

struct local {
    struct tokenizer *tokenizer;
    struct chat *chat;
    struct engine *engine;
    struct patch_config patches;
    struct prompt_format format;
    struct buf notes;
    int workers;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t freed;
    int seats; /* how many more prompts may hold patches */
};

/* A prompt and the seat that it holds. Patches of a picture are some 20 MB, and many rows
 * may be in flight: only as many prompts hold theirs as keep the processors busy with
 * decoding. A seat is taken before pictures are decoded and given back once the tower has
 * read them. */
struct seated {
    struct local *l;
    struct prompt prompt;
    bool seat;
};

/* Wait for a seat if the request has pictures, and make its prompt. 0, or -1 as
 * prompt_make(). seated_free() in both cases. */
int seated_make(struct seated *s, struct local *l, const struct request *r);
void seated_stand_up(void *seated); /* as engine_generation.pictures_done */
void seated_free(struct seated *s);
#endif
