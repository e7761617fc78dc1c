/* rows.h: rows with predictions and answers: read, scored, written. */
#ifndef ANSWER_ROWS_H
#define ANSWER_ROWS_H
#include "answer/answer.h"
#include "answer/sums.h"
#include "row/row.h"

enum { ANSWER_AUTO = -1, ANSWER_OPTIONS_MAX = 26 };

struct grading;

struct answer_rules_of_rows {
    int kind; /* of enum answer_kind, or ANSWER_AUTO: each row's own */
    enum answer_rules rules;
    enum letter_rule letter;
    struct grading *grading; /* for kind judge; NULL: such a row fails */
};

/* One prediction of a row. */
struct answer_prediction {
    struct span json; /* its object; s NULL: the row's `prediction` */
    struct span text; /* owned by the row */
    bool failed;      /* it carries `error`, and is not scored */
    struct answer_verdict verdict;
};

/* What a row is scored by. */
struct answer_row {
    struct answer_task task;               /* golds and options are owned by the row */
    struct answer_prediction *predictions; /* [count], owned by the row */
    int count;
    bool list; /* from `predictions`, else from `prediction` */
};

/* Read `answer`, `kind`, `options` (or `choices`, whose letters are taken off if they run
 * A, B, C), and `predictions` or `prediction`. 0, or -1 (missing, type) naming the field.
 */
int answer_row_read(struct answer_row *a, const struct answer_rules_of_rows *rules,
                    struct row *row);

/* Score a row: set `score`, and `score_flags` where there are any; with `predictions` a
 * score in each of them, the row's score their mean and `best` their most. What counts is
 * added to sums, from any thread. 0; -1: the row cannot be scored (missing, type,
 * refused; those of model.h with kind judge); MODEL_DEFERRED. */
int answer_row_score(const struct answer_rules_of_rows *rules, struct row *row,
                     struct answer_sums *sums);
#endif
