/* run_loop.h: the steps of a run: steps over a data set, a checkpoint now and then, a
 * metrics row each step.
 */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/run.h"
#include "train/trainer.h"

/* Train t on d towards d->objective. eval may be NULL. 0, RUN_RESUMABLE (a checkpoint of
 * the last whole step is there, or the one before where the disk was full), or -1: model
 * (a loss that is no number: names step and rows; a checkpoint of the step before is
 * there), refused. */
int run_loop(struct trainer *t, const struct trainer_text *text, const struct dataset *d,
             const struct dataset *eval, const struct checkpoints *c,
             const struct run_options *o, const struct run_calls *calls);

/* Steps that the options make over a data set. -1 (memory). */
int64_t run_steps(const struct dataset *d, const struct run_options *o);
#endif
