/* step_batch.h: the examples of one step, and their loss, micro-batch by micro-batch. */
#ifndef STEP_BATCH_H
#define STEP_BATCH_H
#include "train/dataset.h"
#include "train/objective.h"
#include "train/run.h"

/* Zeroed is empty. */
struct step_batch {
    const struct dataset *d;  /* borrowed */
    struct example *examples; /* [count], owned */
    int64_t *rows;            /* [count] in d, owned */
    int count;
    int64_t tokens, failed; /* failed: rows that could not be made */
    double over;            /* what the mean loss is over */
};

/* Examples of rows[n] of d; those that cannot be made are left out, told to calls->say
 * (NULL: not told) and counted. 0, or -1 (memory, a file changed). step_batch_free() in
 * both cases. */
int step_batch_make(struct step_batch *b, const struct dataset *d,
                    const struct trainer_text *text, const int64_t *rows, int64_t n,
                    const struct run_calls *calls);
void step_batch_free(struct step_batch *b);

enum step_work {
    STEP_REFERENCE, /* objective.reference of each micro-batch; no sums */
    STEP_MEASURE,   /* losses */
    STEP_TRAIN,     /* losses and gradients */
};
enum { STEP_STOPPED = -2 };

/* Go through a batch in micro-batches of at most o->pack tokens (pack.h), or, without
 * packing, of o->micro_tokens in order; an example that has more is one by itself. sums:
 * added to. 0, -1 (model: the loss is no number), or STEP_STOPPED if calls->stop() said
 * so before one. */
int step_batch_run(const struct step_batch *b, struct trainer *t, enum step_work work,
                   const struct run_options *o, const struct run_calls *calls,
                   struct objective_sums *sums);
#endif
