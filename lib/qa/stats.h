/* stats.h: what a filter saw of measured questions, and what became of them. */
#ifndef STATS_H
#define STATS_H
#include "base/buf.h"
#include "qa/measured.h"
#include "row/keys.h"
#include <stdint.h>

/* What became of a question. */
enum verdict {
    VERDICT_KEPT,
    VERDICT_VISUAL,    /* dropped: not answered often enough with the picture */
    VERDICT_TEXT,      /* dropped: answered too often without it */
    VERDICT_BOTH,      /* dropped for both reasons */
    VERDICT_ERROR,     /* dropped: it was not measured */
    VERDICT_DUPLICATE, /* dropped: nearly the same as one kept before in its row */
    VERDICTS,
};

enum {
    STATS_LETTERS = 9, /* A to I; behind them: none (null), and anything else */
    STATS_NONE = STATS_LETTERS,
    STATS_OTHER,
    STATS_PICKS,
    STATS_BINS = 20, /* of accuracies; the last one holds 1 */
};

/* Accuracies of one side, and the letters that were answered. */
struct stats_side {
    int64_t bins[STATS_BINS], picks[STATS_PICKS], count;
    double sum;
};

/* A zeroed struct is empty. */
struct stats {
    int64_t rows, rows_out, rows_empty; /* good rows; written; left without a question */
    int64_t questions[VERDICTS];
    int64_t answers[STATS_PICKS], answers_kept[STATS_PICKS]; /* which letter is right */
    struct stats_side visual, text;
    struct key_counts texts; /* of the questions kept */
    double repeats;          /* sum of c ln c over them, c how often one was kept */
};

/* Take in one question. 0 or -1 (memory). */
int stats_add(struct stats *s, const struct measured *m, enum verdict verdict);

/* How many different questions of equal frequency have the entropy of those kept: its
 * exponential. 1 if the same one was kept every time; 0 if none was. */
double stats_effective(const struct stats *s);

/* Append members of a JSON object, ',' between them and none at the end: "questions",
 * "letters", "visual", "text". See qa-filter(1). */
void stats_put(const struct stats *s, struct buf *out);
void stats_free(struct stats *s);
#endif
