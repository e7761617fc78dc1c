/* run_state.h: where a run stands, in its checkpoints: what is saved besides weights, and
 * what must be as it was for a run to go on. */
#ifndef RUN_STATE_H
#define RUN_STATE_H
#include "train/checkpoint.h"
#include "train/run_loop.h"
#include "train/trainer.h"

/* Rows done: all of `epoch` epochs and `at` of the next, or the draws of a stream; steps
 * made of them; rows that failed in them or on the way to them. */
struct run_place {
    int64_t epoch, at, step, failed;
    int64_t told; /* bad rows, those of evaluation included; -1: not known */
    struct window_place window;
    bool
        unmeasured; /* the last step's evaluation was stopped: its row is still to come */
    struct run_metrics row; /* ... as far as it is known */
};

/* Save a version. 0, -1, or CHECKPOINT_FULL. */
int run_state_save(const struct checkpoints *c, struct trainer *t,
                   const struct run_data *data, const struct run_options *o,
                   const struct run_place *place);

/* Load the newest whole version into t and *place; place->step -1: there is none. What
 * was wrong with newer ones is told to calls->say. 0, or -1 (refused: another run's rows,
 * options or objective; the stream stopped). A stream is where it was then. */
int run_state_load(const struct checkpoints *c, struct trainer *t,
                   const struct run_data *data, const struct run_options *o,
                   const struct run_calls *calls, struct run_place *place);
#endif
