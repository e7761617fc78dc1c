/* rl_update.h: the passes and updates of one step of reinforcement learning. */
#ifndef RL_UPDATE_H
#define RL_UPDATE_H
#include "train/rl_groups.h"
#include "train/trainer.h"

struct rl_update {
    struct trainer *t;
    struct trainer *ref; /* the frozen reference; NULL: none is needed */
    const struct rl_options *o;
    const struct rollout_rules *rules;
    const struct rl_calls *calls;
    int64_t updates; /* of the optimizer, in all */
    bool begun;      /* a step has changed the weights and is not at its end */
};

/* Learn from a step's groups: log-probabilities of the reference, then epochs of
 * minibatches, an update each. Groups whose pictures are gone are told, counted and left
 * out. m: what rl_groups_measure() fills is there already; the rest is filled in. 0,
 * RL_FAILED (a loss or gradient that is no number; memory), RL_UNFINISHED (asked to stop
 * before the first update: weights are as before). */
int rl_update_step(struct rl_update *u, struct rl_groups *g, double lr,
                   struct rl_metrics *m);
#endif
