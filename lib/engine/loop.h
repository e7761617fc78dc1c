/* loop.h: notice an output that repeats itself.
 *
 * A loop is a tail that repeats one cycle of p tokens, p at most LOOP_PERIOD_MAX, at
 * least LOOP_TIMES times and over at least LOOP_TOKENS tokens. For each p the number of
 * tokens in a row that equal the one p before is kept, so a token costs one look at each
 * p.
 */
#ifndef LOOP_H
#define LOOP_H
#include <stdbool.h>
#include <stdint.h>

enum { LOOP_PERIOD_MAX = 256, LOOP_TIMES = 4, LOOP_TOKENS = 128 };

/* Zeroed is a new output. */
struct loop {
    int32_t last[LOOP_PERIOD_MAX]; /* ring of the latest tokens */
    int run[LOOP_PERIOD_MAX + 1];  /* [p]: tokens in a row that equal the one p before */
    int count;                     /* tokens so far */
};

/* A token more. true: the output loops now. */
bool loop_add(struct loop *l, int32_t id);
#endif
