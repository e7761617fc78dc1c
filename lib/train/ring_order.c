/* ring_order.c: see ring_order.h. */
#include "train/ring_order.h"

#include <stdbool.h>

enum { ROUNDS = 6 };

/* What one half is mixed with. */
static uint64_t round_of(struct random_key key, int round, uint64_t half)
{
    uint32_t out[4];
    const uint32_t counter[4] = {(uint32_t)half, (uint32_t)(half >> 32), (uint32_t)round,
                                 (uint32_t)key.hi};
    const uint32_t k[2] = {(uint32_t)key.lo,
                           (uint32_t)(key.lo >> 32) ^ (uint32_t)(key.hi >> 32)};
    random_philox(out, counter, k);
    return (uint64_t)out[0] << 32 | out[1];
}

int64_t order_permuted(struct random_key key, int64_t n, int64_t i)
{
    int bits = 1; /* of a half */
    while (bits < 31 && (int64_t)1 << 2 * bits < n) bits++;
    uint64_t mask = ((uint64_t)1 << bits) - 1, x = (uint64_t)i;
    do {
        uint64_t left = x >> bits, right = x & mask;
        for (int r = 0; r < ROUNDS; r++) {
            uint64_t next = left ^ (round_of(key, r, right) & mask);
            left = right;
            right = next;
        }
        x = left << bits | right;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}

static struct random_key key_for(uint64_t seed, char what, int64_t number)
{
    unsigned char bytes[9] = {(unsigned char)what};
    for (int i = 0; i < 8; i++) bytes[1 + i] = (unsigned char)((uint64_t)number >> 8 * i);
    return random_key_of(seed, bytes, sizeof bytes);
}

int64_t order_row(uint64_t seed, int64_t rows, int64_t batch, int64_t step, int64_t place)
{
    int64_t at = (step - 1) * batch + place;
    return order_permuted(key_for(seed, 'e', at / rows), rows, at % rows);
}

static bool in_batch(const struct order_more *m, int64_t row)
{
    for (int64_t i = 0; i < m->batch; i++)
        if (order_row(m->seed, m->rows, m->batch, m->step, i) == row)
            return true;
    return false;
}

int64_t order_more(struct order_more *m)
{
    for (;;) {
        int64_t at = m->at++, round = at / m->rows;
        struct random_key key = key_for(m->seed ^ (uint64_t)round << 32, 'm', m->step);
        int64_t row = order_permuted(key, m->rows, at % m->rows);
        if (round > 0 || !in_batch(m, row))
            return row;
    }
}
