/* run.h: a training run over rows, as a program asks for it: rows in, steps, checkpoints.
 * What is minimised is an objective of the program's (objective.h).
 */
#ifndef RUN_H
#define RUN_H
#include "engine/compute.h"
#include "row/stream.h"
#include "train/example.h"
#include "train/lr.h"
#include "train/objective.h"

enum run_dtype { RUN_AS_STORED, RUN_BF16, RUN_FP32 };

struct run_options {
    const char *dir;      /* the model's folder */
    const char *out;      /* where checkpoints go (checkpoint.h) */
    const char *parts;    /* trained: "vision,merger,text,embed" or "all" */
    const char *lora;     /* "RANK,ALPHA,TARGETS" (lora.h): then parts is not looked at */
    enum run_dtype dtype; /* of the weights written */
    const char *device;   /* "auto", "cpu", "cuda:N" */
    struct compute_options compute;
    int threads;    /* 0: all */
    bool recompute; /* keep each layer's input only */
    struct example_options example;
    char **files; /* [file_count] rows; "-" is standard input */
    int file_count;
    char *eval;            /* rows that are measured only; NULL: none */
    int keep;              /* checkpoints; 0: all */
    int64_t epochs, steps; /* steps 0: all of all epochs */
    int64_t batch_tokens;  /* of a step at most, unless one row has more */
    int64_t micro_tokens;  /* computed together at most, likewise */
    int64_t pack;          /* 0, or: these so many, whatever their order (pack.h) */
    bool shuffle;
    int64_t window; /* lines from a pipe in memory, of which each row is drawn */
    uint64_t seed;
    struct lr lr;             /* its steps are filled in */
    bool moments8;            /* the optimizer's moments in 8 bits */
    double beta1, beta2, eps; /* of AdamW */
    double weight_decay;      /* of matrices; norms and biases do not decay */
    double clip;              /* norm of the gradient at most; 0: no limit */
    int64_t save;       /* steps from checkpoint to checkpoint; 0: only at the end */
    int64_t eval_every; /* steps; 0: only at the end */
    bool resume;        /* go on from the newest whole checkpoint in out */
    bool force;         /* start anew though there are some */
    struct comm *comm;  /* ranks that share the run (comm.h), with the same options, rows
                           and folders; NULL: one is alone */
};

/* One step's numbers. */
struct run_metrics {
    int64_t step, epoch; /* from 1; from 0 */
    double loss;         /* before the update, mean over objective.over; NaN: no rows */
    double eval_loss;    /* NaN: not measured */
    double extra[OBJECTIVE_EXTRAS], eval_extra[OBJECTIVE_EXTRAS]; /* where these are */
    double lr, grad_norm, seconds;
    double peak_share; /* of what the machine's products reach (throughput.h) */
    int64_t tokens, rows;
    int64_t failed; /* rows, so far */
};

struct run_calls {
    void *context;
    void (*metrics)(void *context, const struct run_metrics *m);
    /* Of the bad rows that an earlier run told, the first `count` stay; those behind them
     * are told again. Before the first bad row, or (rows of a pipe) before the first of a
     * run that goes on. */
    void (*bad_rows)(void *context, int64_t count);
    /* A row that cannot be learnt, before the first step; its reason is in row->why. */
    void (*bad_row)(void *context, struct row *row);
    /* Something worth saying: a row that failed in its step, a checkpoint passed over. */
    void (*say)(void *context, const char *text);
    void (*note)(void *context, const char *text); /* for -v */
    const struct stream_wait *wait; /* around waits for a pipe; NULL: none */
    bool (*stop)(void *context);    /* true: end with a checkpoint, RUN_RESUMABLE */
};

enum { RUN_RESUMABLE = -2, RUN_BAD_STEP = -3 };

/* Rows of files are read before the first step and may be seen several times; those that
 * come from a pipe are read as the steps need them, unless the objective wants all of
 * them before (objective.reference).
 *
 * Read rows, train towards an objective, leave a checkpoint. program is the stage of
 * error rows. 0; -1: model, refused (options), missing (no row to learn from);
 * RUN_RESUMABLE: stopped, with a checkpoint of the last whole step, or no space for one;
 * RUN_BAD_STEP: the loss was no number or a file changed, with a checkpoint likewise.
 *
 * Ranks deal the rows of each step among them, so that the step is that of one process
 * but for the order in which numbers are added. They read all the rows; those that cannot
 * be learnt are told to each rank's calls, and so are metrics. Rank 0 alone writes
 * checkpoints. A rank that is gone ends the others: RUN_RESUMABLE without a new
 * checkpoint.
 */
int run_train(const struct run_options *o, const struct objective *objective,
              const char *program, const struct run_calls *calls);
#endif
