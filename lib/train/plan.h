/* plan.h: what training a model will take, before any of it is taken.
 *
 * The trainer itself runs one micro-batch, forward and back, and a step on a device that
 * only counts (measure.h): the figures are those of the very code that will run.
 */
#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H
#include "train/forecast.h"
#include "train/trainer.h"

struct train_plan_options {
    struct trainer_options trainer; /* parts, lora, moments8, recompute */
    int64_t batch_tokens;           /* of a step */
    int64_t micro_tokens;           /* computed together, at most */
    int row_tokens;                 /* of a row, its picture included */
    int samples, sample_tokens;     /* continuations of each row; 0: a row is one text */
    int grid_h, grid_w;             /* of a row's picture, in patches; 0: none */
};

/* 0 or -1 (class model, refused). */
int train_plan_make(struct train_plan *plan, const char *dir,
                    const struct train_plan_options *o);
#endif
