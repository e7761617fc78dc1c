/* run_loop.h: the steps of a run: steps over a data set, a checkpoint now and then, a
 * metrics row each step.
 */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H
#include "train/checkpoint.h"
#include "train/row_stream.h"
#include "train/run.h"
#include "train/trainer.h"

/* What a run learns from. Borrowed. */
struct run_data {
    const struct json_t *identity; /* run_identity.h */
    const struct trainer_text *text;
    struct row_stream *stream;  /* NULL: they are of files, d */
    const struct dataset *d;    /* the stream's own, if there is one */
    const struct dataset *eval; /* may be NULL */
};

/* Train t on data towards its objective. 0, RUN_RESUMABLE (a checkpoint of the last whole
 * step is there, or the one before where the disk was full), RUN_BAD_STEP (likewise; the
 * reason names step and rows), or -1 before the first step: refused, model. */
int run_loop(struct trainer *t, const struct run_data *data, const struct checkpoints *c,
             const struct run_options *o, const struct run_calls *calls);

/* Steps that the options make over a data set. -1 (memory). */
int64_t run_steps(const struct dataset *d, const struct run_options *o);
#endif
