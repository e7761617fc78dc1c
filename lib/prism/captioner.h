/* captioner.h: stage 1 of Prism: the captions of a row's pictures. The question is never
 * shown to the captioner.
 */
#ifndef PRISM_CAPTIONER_H
#define PRISM_CAPTIONER_H
#include "model/conversation.h"
#include "prism/store.h"

struct captioner {
    struct model *model;
    struct conversation_options conversation; /* root, allow_url, system, prompt */
    struct request request; /* sampling settings; turns, key and part are filled in */
    uint64_t seed;
};

/* The captions of the row's pictures out of the store, made and put there if it has none:
 * a picture's captions depend on nothing but the picture's name, the seed and the
 * settings, so that rows share them. NULL with the reason (classes as model.h), or with
 * *deferred set: the requests were written to --batch-out. */
const struct store_captions *captioner_ask(const struct captioner *c, struct store *store,
                                           struct row *row, struct span picture,
                                           bool *deferred);
#endif
