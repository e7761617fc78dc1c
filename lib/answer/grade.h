/* grade.h: a model grades predictions in free text, on a scale that has a name. */
#ifndef ANSWER_GRADE_H
#define ANSWER_GRADE_H
#include "answer/rows.h"
#include "model/model.h"
#include "qa/wording.h"

enum { GRADE_LABELS_MAX = 5 };

/* A scale: what a judge may reply, worst first; scores are even from 0 to 1. */
struct grade_scale {
    const char *name, *prompt; /* its file under share/prompts */
    const char *labels[GRADE_LABELS_MAX];
    int count;
};
const struct grade_scale *grade_scale_named(const char *name); /* NULL: there is none */

struct grading {
    struct model *model;
    const struct grade_scale *scale;
    struct wording wording; /* of {question}, {answer}, {prediction} */
    bool expected; /* from the labels' probabilities; else a reply is made and read */
    struct request request; /* sampling settings; turns, key and part are filled in */
    uint64_t seed;
};

/* The grade in a judge's reply: 0 to count - 1, or -1 where none can be read. A label,
 * alone or behind a lead-in ("Grade: 4", "The score is 4/5", "Yes, because ..."). */
int grade_read(struct span reply, const struct grade_scale *scale);

/* Have a row's predictions graded: fills in their verdicts. One that is empty, or that
 * ended while thinking, is worth 0 and not asked about. 0; -1 (missing: no `question`;
 * parse: a reply without a grade; those of model.h); MODEL_DEFERRED. */
int grade_row(const struct grading *g, struct answer_row *a, struct row *row);
#endif
