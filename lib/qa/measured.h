/* measured.h: a question with what qa-answer measured: how often a model answers it with
 * the picture, and how often without. */
#ifndef MEASURED_H
#define MEASURED_H
#include "row/value.h"
#include <stdbool.h>

struct measured {
    struct span json; /* the whole object; all spans lie in the row's line */
    bool failed;      /* it has an `error`: nothing was measured, the rest is not set */
    double visual, text;                      /* accuracies, 0 to 1 */
    struct span question, answer;             /* raw values; s NULL where there is none */
    struct span visual_answers, text_answers; /* lists of letters; likewise */
};

/* Read question, which is qa[number]. 0, or -1 naming the place: missing
 * (`qa[0]: no number "text.acc"`) or type (no object, no number, not from 0 to 1). */
int measured_read(struct measured *m, struct value question, int number);
#endif
