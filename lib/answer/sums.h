/* sums.h: what scored rows come to. Sums are kept in fixed point, so that the order in
 * which threads add to them does not show. */
#ifndef ANSWER_SUMS_H
#define ANSWER_SUMS_H
#include "answer/answer.h"
#include <stdatomic.h>
#include <stdint.h>

struct buf;

enum { ANSWER_KINDS = ANSWER_JUDGE + 1, ANSWER_FLAGS = 3 };

/* The names of enum answer_flag, by bit. */
extern const char *const answer_flag_names[ANSWER_FLAGS];

struct answer_sum {
    _Atomic int64_t rows, score, best; /* score and best in 2^-40 */
};

/* A zeroed one is empty. */
struct answer_sums {
    struct answer_sum kinds[ANSWER_KINDS];
    _Atomic int64_t predictions;         /* scored ones */
    _Atomic int64_t failed;              /* predictions that carry an error */
    _Atomic int64_t flags[ANSWER_FLAGS]; /* predictions with the flag */
};

void answer_sums_add(struct answer_sums *s, enum answer_kind kind, double score,
                     double best);
void answer_sums_flags(struct answer_sums *s, unsigned flags);

/* Rows scored; their mean score, and mean best one: NAN without a row. */
int64_t answer_sums_rows(const struct answer_sums *s);
double answer_sums_mean(const struct answer_sums *s);

/* Append members of a JSON object, without a ',' at the end: "score", "best", "scored",
 * "predictions", "kinds", "flags". */
void answer_sums_put(const struct answer_sums *s, struct buf *out);
/* Append a line for people: "0.75 over 4 rows; choice 0.5 (2), math 1 (2)". */
void answer_sums_say(const struct answer_sums *s, struct buf *out);
#endif
