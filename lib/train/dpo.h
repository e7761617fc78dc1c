/* dpo.h: preference pairs as a run's objective (objective.h): rows with a chosen and a
 * rejected answer, the loss of dpo_loss.h, mean over pairs. Both answers stand behind one
 * prompt, which is computed once.
 */
#ifndef DPO_H
#define DPO_H
#include "train/dpo_loss.h"
#include "train/objective.h"

struct dpo_options {
    struct dpo_rules rules;
    const char *out; /* reference log-probabilities are kept there; NULL: nowhere */
    bool resume;     /* ... and taken from there, if they fit */
};

struct dpo;

/* NULL (memory). o is copied, out borrowed. */
struct dpo *dpo_open(const struct dpo_options *o);
void dpo_close(struct dpo *d);

/* Borrowed from d. Names of its extra numbers: rewards/chosen, rewards/rejected,
 * rewards/accuracies, rewards/margins, logps/chosen, logps/rejected. */
const struct objective *dpo_objective(const struct dpo *d);
#endif
