/* rl_micro.h: groups in micro-batches: as many at once as a number of tokens allows. */
#ifndef RL_MICRO_H
#define RL_MICRO_H
#include "train/rl_groups.h"

/* Groups that are computed together; they were sampled at one temperature. */
struct rl_micro {
    struct rl_group **group; /* [count] */
    struct example *e;       /* [count], owned */
    int count;
    int64_t tokens;
    float *logp, *entropy, *dlogp, *dentropy; /* [targets of all], for the work's use */
};

/* list: the examples, for the trainer. 0, or -1 with the reason. */
typedef int rl_micro_work(void *context, struct rl_micro *b, const struct example **list);

/* Who goes through groups, and what is done with them. All borrowed. */
struct rl_micro_run {
    const struct rl_options *o;
    const struct rollout_rules *rules;
    const struct rl_calls *calls;
    const bool *begun; /* while it is true, nobody is asked whether to stop */
    void *context;
    rl_micro_work *work;
    /* A group whose pictures are gone: said already. */
    void (*gone)(void *context, struct rl_group *g);
};

/* Go through the usable ones of list[count], in order. 0, -1 (the work's, or memory), or
 * RL_UNFINISHED (asked to stop). */
int rl_micro_each(const struct rl_micro_run *run, struct rl_group **list, int64_t count);
#endif
