/* question.h: the multiple-choice questions of a row. */
#ifndef QUESTION_H
#define QUESTION_H
#include "row/row.h"

enum { QUESTION_OPTIONS_MAX = 9 }; /* letters A to I */

struct question {
    struct span json; /* its object in the row's line */
    struct span text; /* decoded; owned by the row, as the options are */
    struct span options[QUESTION_OPTIONS_MAX]; /* bare texts */
    int count;                                 /* options, at least 2 */
    int answer;                                /* place of the right one */
};

struct questions {
    struct span array;      /* the JSON array itself; in place of `qa` */
    struct question *items; /* [count], owned by the row */
    int count;
};

/* Read a row's `qa`, or `reward_model.ground_truth` where there is no `qa`; `choices` is
 * read as `options` with its letters ("A) x", "A. x", "(A) x", "A: x", full-width ones;
 * label.h) taken off, but only if they run A, B, C ...; "A. Smith" stays. An answer is an
 * option's letter, alone ("B", "B)", "(B)") or before that option's own text ("B) x").
 * 0, or -1: missing, type, naming the field ("qa[2].answer"): also where a text is blank,
 * or there are fewer than 2 options or more than 9. An empty array is no failure: count
 * is 0. A missing answer is a failure, never "A". */
int questions_read(struct questions *q, struct row *row);
#endif
