/* sft.c: see sft.h. */
#include "train/sft.h"
#include "base/fail.h"
#include "train/trainer.h"

#include <stdlib.h>

static int example(void *context, struct example *e, const struct trainer_text *t,
                   struct row *row, bool plan_only)
{
    (void)context;
    return plan_only ? example_sft_plan(e, t, row) : example_sft(e, t, row);
}

static double over(void *context, const struct example *e)
{
    (void)context;
    return e->targets;
}

static int micro(void *context, struct trainer *t, const struct micro *m,
                 struct objective_sums *sums)
{
    (void)context;
    int targets = trainer_targets(t), status;
    float *weight = malloc(((size_t)targets * 2 + 1) * sizeof *weight);
    if (!weight)
        return fail_memory();
    float *logprob = weight + targets;
    for (int i = 0; i < targets; i++) weight[i] = -1.0f / (float)m->over;
    status = m->train ? trainer_backward(t, weight, NULL, logprob)
                      : trainer_logprobs(t, logprob, NULL);
    double sum = 0;
    for (int i = 0; status == 0 && i < targets; i++) sum -= (double)logprob[i];
    sums->loss += sum;
    free(weight);
    return status;
}

const struct objective sft_objective = {
    .name = "sft", .example = example, .over = over, .micro = micro};
