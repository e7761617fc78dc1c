/* objective.h: what a run minimises. The run (run.h) reads rows, makes micro-batches,
 * adds gradients up, steps, saves and measures; an objective says what example a row is
 * and what the loss of some examples is: sft.h, or a program's own.
 */
#ifndef OBJECTIVE_H
#define OBJECTIVE_H
#include "train/example.h"

struct comm;
struct dataset;
struct json_t; /* jansson.h and row/json.h do not go together */
struct row;
struct trainer;

enum { OBJECTIVE_EXTRAS = 12 };

/* Sums over examples, of which metrics show the means. */
struct objective_sums {
    double loss;
    double extra[OBJECTIVE_EXTRAS]; /* objective.extra */
};

/* Examples computed together. Their forward pass is done. */
struct micro {
    const struct dataset *d;               /* whose rows they are */
    const struct example *const *examples; /* [count] */
    const int64_t *rows;                   /* [count] in d, from 0 */
    int count;
    bool train;  /* gradients are asked for: those of sums.loss / over */
    double over; /* what the step's loss is the mean over: objective.over of all of its
                    examples, this micro-batch's and others' */
};

struct objective {
    const char *name; /* stored in checkpoints: "sft" */
    void *context;    /* first argument of what follows */
    /* Names of further numbers in metrics rows, means over `over` as the loss; ended by
     * NULL. NULL: none. */
    const char *const *extra;
    /* Options that a run goes on with only as it began, a flat object. Borrowed; NULL:
     * none. */
    const struct json_t *options;
    /* The example of a row; plan_only: without patches. 0, or -1 with the class and the
     * field. example_free() it. */
    int (*example)(void *context, struct example *e, const struct trainer_text *t,
                   struct row *row, bool plan_only);
    /* What an example adds to what the mean is over: its targets, or 1. */
    double (*over)(void *context, const struct example *e);
    /* Once, before the first step and with the weights of the model's folder (a resumed
     * run's too): how many rows there are. May be NULL. 0; 1: what reference() would see
     * is known already, it is not called; or -1. Ranks that share the run (comm.h; NULL:
     * one is alone) all come here, and return the same. */
    int (*begin)(void *context, struct trainer *t, const struct dataset *d,
                 const struct dataset *eval, struct comm *comm);
    /* Likewise, for each row of d and eval, in order: a forward pass without gradients is
     * done (trainer_logprobs()). May be NULL. A row whose picture is gone by now is left
     * out. Each rank sees some of the rows. 0 or -1. */
    int (*reference)(void *context, struct trainer *t, const struct micro *m);
    /* After the last of them: from here on all ranks know of all rows. May be NULL. 0 or
     * -1. */
    int (*referenced)(void *context, struct comm *comm);
    /* Losses of m's examples, added to sums; with m->train also trainer_backward() with
     * the derivatives of loss / m->over. 0 or -1. */
    int (*micro)(void *context, struct trainer *t, const struct micro *m,
                 struct objective_sums *sums);
};
#endif
