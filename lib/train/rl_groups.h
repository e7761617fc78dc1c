/* rl_groups.h: a batch's rows as groups of captions that are judged against each other.
 */
#ifndef RL_GROUPS_H
#define RL_GROUPS_H
#include "train/rl_input.h"

struct rl_group {
    const struct rollout *r;    /* borrowed */
    double *reward, *advantage; /* [r->count], owned */
    float *ref; /* [tokens], owned: log-probabilities of the reference; NULL: none */
    int tokens; /* of all captions */
    double std; /* of the rewards as they came */
    bool
        usable; /* two captions and more, and its pictures are there as far as is known */
    bool teaches; /* usable, and the rewards differ */
};

/* Zeroed is empty. */
struct rl_groups {
    struct rl_group *list; /* [count], owned */
    int64_t count;
};

/* Of a batch, which is borrowed. Rewards: total, and what is too long pays for it. 0 or
 * -1 (memory). */
int rl_groups_make(struct rl_groups *g, const struct rl_batch *b,
                   const struct rl_loss *o);
void rl_groups_free(struct rl_groups *g);

/* Take beta times the KL of old against ref from the reward of each caption whose group
 * has ref (verl, apply_kl_penalty), and see anew what is taught. */
void rl_groups_punish(struct rl_groups *g, const struct rl_loss *o);

int64_t rl_groups_teaching(const struct rl_groups *g);

/* What came in, into a step's numbers. */
void rl_groups_measure(const struct rl_groups *g, const struct rl_loss *o,
                       struct rl_metrics *m);
/* Of it what depends on which groups are usable, as is known now. */
void rl_groups_count(const struct rl_groups *g, struct rl_metrics *m);
#endif
