/* rl_input.h: rows of rewarded captions, gathered into the batches of steps. */
#ifndef RL_INPUT_H
#define RL_INPUT_H
#include "train/rl.h"

/* The rows of one step. */
struct rl_batch {
    int64_t step;
    struct rollout *rows; /* [count], owned; sorted by their place once it is whole */
    int64_t count, cap;
    int64_t need; /* rows that make it whole; 0: not known yet */
};
void rl_batch_free(struct rl_batch *b);

struct rl_input;

/* Nothing is read yet. rules and o are borrowed. NULL (memory). */
struct rl_input *rl_input_open(const struct rl_options *o, const char *program,
                               const struct rollout_rules *rules,
                               const struct rl_calls *calls);
void rl_input_close(struct rl_input *in);

/* Wait for the whole batch of a step, which is the one after the step before. 1: it is
 * there, and lives until the next call; 0: the input ended before its first row;
 * RL_UNFINISHED: it ended inside the batch, or the run shall stop; RL_FAILED: a row that
 * does not fit (its model, version, step...), or the input cannot be read. */
int rl_input_batch(struct rl_input *in, int64_t step, struct rl_batch **batch);

/* The same batch again, with so many rows more. */
int rl_input_more(struct rl_input *in, int64_t count, struct rl_batch **batch);
#endif
