/* item.h: one question of a benchmark, as a row brings it.
 *
 *     {"image":"a.png","question":"How many?","options":["1","2"],"answer":"B"}
 *     {"image":"a.png","prompt":"<|im_start|>system...","answer":"12"}      (as
 * published)
 */
#ifndef PRISM_ITEM_H
#define PRISM_ITEM_H
#include "answer/answer.h"
#include "prism/chatml.h"
#include "row/row.h"

enum { ITEM_OPTIONS_MAX = 26, ITEM_GOLDS_MAX = 256 };

struct item {
    struct span picture; /* its media, as JSON: what its captions are kept by; s NULL:
                            none, then `id` alone finds captions */
    enum answer_kind kind;
    struct span question;      /* decoded; empty where it stands in turns */
    struct chatml_turn *turns; /* [turn_count] of a finished prompt, else NULL */
    int turn_count;
    struct span *options; /* [option_count], decoded, without letters ("A) ") in front */
    int option_count;
    struct span *golds; /* [gold_count >= 1], decoded */
    int gold_count;
    struct span category; /* decoded; empty: none */
};

/* What rows leave open. */
struct item_defaults {
    int kind;             /* of enum answer_kind; -1: choice where there are options, else
                             the row must say */
    const char *category; /* dotted key; NULL: "category" */
};

/* Read a row. Everything is the row's. 0, or -1 (missing, type) naming the field. */
int item_read(struct item *item, struct row *row, const struct item_defaults *defaults);
#endif
