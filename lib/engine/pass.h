/* pass.h: one pass of the language model: rows of any number of sequences, whatever they
 * are for (prefill, decode, scoring). A list on the host; text.h computes it.
 */
#ifndef PASS_H
#define PASS_H
#include "engine/kv.h"

struct features;

/* One token at one place of a sequence. */
struct pass_row {
    int32_t id;
    int32_t sequence;    /* index into pass.sequences */
    int32_t place;       /* in the sequence, from 0 */
    int32_t position[3]; /* rotary: t, h, w */
};

/* Rows of a pass whose embedding a picture gives. */
struct pass_picture {
    const struct features *features; /* borrowed */
    int first;                       /* row of the features */
    int row;                         /* row of the pass */
    int count;
};

/* A growing list. */
struct pass_list {
    void *items; /* owned */
    int count, cap;
};

/* Copy an item of so many bytes to a list's end. 0 or -1 (memory). */
int pass_list_add(struct pass_list *list, const void *item, size_t size);

/* Places that a sequence takes over from another one of the same pass, layer by layer. */
struct pass_copy {
    int32_t from, to; /* pages */
    int places;
};

/* Zeroed is empty. Memory is kept by pass_clear(). */
struct pass {
    struct pass_list rows;      /* of struct pass_row */
    struct pass_list sequences; /* of const struct kv_pages *, borrowed */
    struct pass_list pictures;  /* of struct pass_picture */
    struct pass_list copies;    /* of struct pass_copy */
    struct pass_list wants;     /* of int: rows whose logits are asked for, ascending */
};

/* A new sequence: its pages cover every place that rows will be added for. Its number, or
 * -1 (memory). */
int pass_sequence(struct pass *p, const struct kv_pages *pages);

/* A row more. 0 or -1 (memory). */
int pass_row(struct pass *p, const struct pass_row *row);

/* The last row takes row `at` of a picture's features for its embedding. 0 or -1. */
int pass_feature(struct pass *p, const struct features *features, int at);

/* Ask for the logits behind the last row. 0 or -1. */
int pass_want(struct pass *p);

void pass_clear(struct pass *p);
void pass_free(struct pass *p);
#endif
