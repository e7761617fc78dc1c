/* sft.h: the supervised loss: minus the mean log-probability of the assistants' tokens.
 */
#ifndef SFT_H
#define SFT_H
#include "train/objective.h"

/* Rows as example_sft() reads them. */
extern const struct objective sft_objective;
#endif
