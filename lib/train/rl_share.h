/* rl_share.h: what ranks that share a run of reinforcement learning (comm.h) tell each
 * other. Rank 0 is in the ring: it reads rows, writes metrics and publishes versions. All
 * ranks have all rows of a batch; group number i is computed by rank i modulo their
 * number.
 */
#ifndef RL_SHARE_H
#define RL_SHARE_H
#include "train/rl_groups.h"

/* Rank 0's batch *b to all. got: on rank 0 what came of reading it: 1, 0 (the input is at
 * its end) or a failure. Others wait for as long as rank 0 waits for its rows, and find
 * the batch in *room (rl_batch_free() it), to which *b is set. What all ranks return:
 * got, or a failure of one of them. */
int rl_share_batch(struct comm *c, int got, struct rl_batch **b, struct rl_batch *room,
                   const struct rollout_rules *rules);

/* Behind a pass over groups: what each rank knows of its own ones is known to all:
 * whether they are usable, and teach. gone() is called for those of others that are not
 * usable any more. 0 or -1. */
int rl_share_groups(struct comm *c, struct rl_groups *g,
                    void (*gone)(void *context, struct rl_group *g), void *context);
bool rl_share_mine(const struct comm *c, const struct rl_groups *g,
                   const struct rl_group *one);

/* Sums of a minibatch's pass. 0 or -1. */
int rl_share_sums(struct comm *c, struct rl_sums *sums);
/* What was measured in passes: entropy, kl, gap, tokens. 0 or -1. */
int rl_share_metrics(struct comm *c, struct rl_metrics *m);
#endif
