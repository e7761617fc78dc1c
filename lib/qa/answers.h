/* answers.h: how a model answers a row's questions, seeing the pictures and not: fields
 * visual and text of each question. */
#ifndef ANSWERS_H
#define ANSWERS_H
#include "qa/ask.h"

struct answers_rules {
    struct ask_rules ask;
    bool visual, text;     /* with the pictures; without them */
    const char *root;      /* folder of relative media paths; NULL: the current one */
    const char *allow_url; /* hosts of media by URL; NULL: none */
    const char *system;    /* a system turn's text; NULL: none */
};

/* Put a row's questions, and set `qa`: each question's object gets `visual` and `text`
 * {acc, n, answers, p?}, in place of older ones. A question of which a judgement failed
 * gets `error` {class, message, attempts?} in their place, and the row is flawed
 * (row_flaw()); the others stand. 0; -1: no questions, no pictures that can be read, or
 * the run must stop (model_failed() tells); MODEL_DEFERRED. */
int answers_set(struct model *model, const struct answers_rules *rules, struct row *row,
                struct random_key key);
#endif
