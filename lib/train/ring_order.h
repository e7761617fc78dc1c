/* ring_order.h: which rows make the batch of a step. All of it is a function of the seed,
 * the step and the number of rows: whoever starts anywhere gets the same.
 */
#ifndef RING_ORDER_H
#define RING_ORDER_H
#include "base/random.h"
#include <stdint.h>

/* Where i in [0, n) goes under a permutation that the key decides: a Feistel network of
 * random.h's rounds over the next even power of two, walked until it lands below n (Black
 * and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). No memory. */
int64_t order_permuted(struct random_key key, int64_t n, int64_t i);

/* Row `place` (from 0) of the batch of a step (from 1): the rows in an order of their own
 * each epoch, one batch behind the other, also across the end of an epoch. */
int64_t order_row(uint64_t seed, int64_t rows, int64_t batch, int64_t step,
                  int64_t place);

/* More rows for a step, one by one: those that are not in its batch, in an order of the
 * step's own, then all of them again and again. */
struct order_more {
    uint64_t seed;
    int64_t rows, batch, step;
    int64_t at; /* how far it has come; 0 to begin */
};
int64_t order_more(struct order_more *m);
#endif
