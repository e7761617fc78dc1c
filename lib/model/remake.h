/* remake.h: a model folder from another one: its weights cast, a low-rank adapter merged.
 */
#ifndef MODEL_REMAKE_H
#define MODEL_REMAKE_H
#include "model/init.h"

struct remake_options {
    const char *from;    /* SPEC of the base; NULL: the one that the adapter names */
    const char *adapter; /* PEFT's folder; NULL: none */
    enum init_type type; /* of the weights written; as stored: f16 as bf16 */
    bool (*abandon)(void *context); /* asked now and then: true gives up; may be NULL */
    void *abandon_context;
};

/* Make folder dir, which must not exist, whole or not at all. 0 or -1 (class model;
 * refused where it was abandoned). */
int remake(const char *dir, const struct remake_options *options);
#endif
