/* sft_run.h: the steps of supervised training: steps over a data set, a checkpoint now
 * and then, a metrics row each step.
 */
#ifndef SFT_RUN_H
#define SFT_RUN_H
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/optimizer.h"
#include "train/sft.h"
#include "train/trainer.h"

/* Train t on d. eval may be NULL. 0, or -1: refused ("interrupted", with a checkpoint of
 * the last whole step), model (a loss that is no number: names step and rows; a
 * checkpoint of the step before is there). */
int sft_run(struct trainer *t, const struct trainer_text *text, const struct dataset *d,
            const struct dataset *eval, const struct checkpoints *c,
            const struct sft_options *o, const struct sft_calls *calls);

/* Steps that the options make over a data set. -1 (memory). */
int64_t sft_steps(const struct dataset *d, const struct sft_options *o);
#endif
