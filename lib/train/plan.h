/* plan.h: what training a model will take, before any of it is taken.
 *
 * The trainer itself runs one micro-batch, forward and back, and a step on a device that
 * only counts (measure.h): the figures are those of the very code that will run.
 */
#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H
#include "train/trainer.h"

struct train_plan_options {
    struct trainer_options trainer; /* parts, lora, moments8, recompute */
    int64_t batch_tokens;           /* of a step */
    int64_t micro_tokens;           /* computed together, at most */
    int row_tokens;                 /* of a row, its picture included */
    int samples, sample_tokens;     /* continuations of each row; 0: a row is one text */
    int grid_h, grid_w;             /* of a row's picture, in patches; 0: none */
};

/* Bytes. */
struct train_plan {
    int64_t weights;     /* of the model and of low-rank pairs */
    int64_t gradients;   /* of what is trained */
    int64_t states;      /* of the optimizer */
    int64_t activations; /* buffers, the tape's copies, gradients of both */
    int64_t kv;          /* keys and values */
    int64_t pictures;    /* a step's patches, ready for the tower */
    int64_t total;
    int64_t tape; /* of activations: what trainer_bytes() will say */
    int64_t parameters, trained;
    int rows; /* computed together */
};

/* 0 or -1 (class model, refused). */
int train_plan_make(struct train_plan *plan, const char *dir,
                    const struct train_plan_options *o);
#endif
