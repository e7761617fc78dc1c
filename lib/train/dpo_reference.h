/* dpo_reference.h: log-probabilities of all answers under the weights that a run began
 * with. They are computed once, so that no second model is in memory, and kept in a file
 * beside the checkpoints, so that a run that goes on has them without computing.
 *
 *   OUT/reference.json    {"weights":HASH,"examples":HASH,"pairs":[[chosen,rejected],..],
 *                         "eval":[..]}: sums over an answer's tokens, natural logarithm;
 *                         null: the row could not be read then
 *
 * The hashes are of the weights and of the token ids and picture sizes: numbers of other
 * weights or other examples are never taken, and a run does not go on with such.
 */
#ifndef DPO_REFERENCE_H
#define DPO_REFERENCE_H
#include "train/pair_example.h"
#include "train/params.h"

enum { DPO_LEARNT, DPO_EVAL, DPO_SETS };

/* Zeroed is empty. */
struct dpo_reference {
    double *sums[DPO_SETS]; /* [count][PAIR_PARTS] owned; NaN: not known */
    int64_t count[DPO_SETS];
    uint64_t weights, examples; /* hashes */
};

/* Room for so many rows of each set, nothing known. 0 or -1 (memory). */
int dpo_reference_make(struct dpo_reference *r, int64_t learnt, int64_t eval);
void dpo_reference_free(struct dpo_reference *r);

/* Mix an example into the hash of examples. */
void dpo_reference_example(struct dpo_reference *r, const struct example *e);
/* Hash the weights, of a run with low-rank pairs these alone. 0 or -1 (memory). */
int dpo_reference_weights(struct dpo_reference *r, const struct params *p,
                          const struct kernels *k, struct dev *dev);

/* Take the sums from out's file. 1; 0: there is none, or it is damaged; -1 (refused): it
 * is of other weights or examples. */
int dpo_reference_load(struct dpo_reference *r, const char *out);
/* Write out's file, in one step. 0 or -1 (refused). */
int dpo_reference_save(const struct dpo_reference *r, const char *out);
#endif
