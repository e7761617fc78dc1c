/* dpo_loss.c: see dpo_loss.h. */
#include "train/dpo_loss.h"

#include <math.h>

/* -log sigmoid(z), without overflow on either side. */
static double softplus_of_minus(double z)
{
    return z > 0 ? log1p(exp(-z)) : log1p(exp(z)) - z;
}

struct dpo_loss dpo_loss(const struct dpo_rules *rules, const struct dpo_sums *sums)
{
    double chosen = rules->beta * (sums->chosen - sums->reference_chosen);
    double rejected = rules->beta * (sums->rejected - sums->reference_rejected);
    double z = chosen - rejected, s = rules->smoothing;
    double right = 1 / (1 + exp(-z)), wrong = 1 / (1 + exp(z));
    return (struct dpo_loss){.loss = (1 - s) * softplus_of_minus(z) +
                                     (s > 0 ? s * softplus_of_minus(-z) : 0),
                             .chosen = chosen,
                             .rejected = rejected,
                             .slope = rules->beta * (s * right - (1 - s) * wrong)};
}
