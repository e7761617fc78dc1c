/* sft.h: supervised training, as a program asks for it: rows in, steps, checkpoints.
 */
#ifndef SFT_H
#define SFT_H
#include "train/example.h"
#include "train/lr.h"

enum sft_dtype { SFT_AS_STORED, SFT_BF16, SFT_FP32 };

struct sft_options {
    const char *dir;      /* the model's folder */
    const char *out;      /* where checkpoints go (checkpoint.h) */
    const char *parts;    /* trained: "vision,merger,text,embed" or "all" */
    const char *lora;     /* "RANK,ALPHA,TARGETS" (lora.h): then parts is not looked at */
    enum sft_dtype dtype; /* of the weights written */
    int threads;          /* 0: all */
    bool recompute;       /* keep each layer's input only */
    struct example_options example;
    char **files; /* [file_count] rows; "-" is standard input */
    int file_count;
    char *eval;            /* rows that are measured only; NULL: none */
    int keep;              /* checkpoints; 0: all */
    int64_t epochs, steps; /* steps 0: all of all epochs */
    int64_t batch_tokens;  /* of a step at most, unless one row has more */
    int64_t micro_tokens;  /* computed together at most, likewise */
    bool shuffle;
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
};

/* One step's numbers. */
struct sft_metrics {
    int64_t step, epoch; /* from 1; from 0 */
    double loss;         /* before the update, mean over target tokens */
    double eval_loss;    /* NaN: not measured */
    double lr, grad_norm, seconds;
    int64_t tokens, rows, failed;
};

struct sft_calls {
    void *context;
    void (*metrics)(void *context, const struct sft_metrics *m);
    /* A row that cannot be learnt, before the first step; its reason is in row->why. */
    void (*bad_row)(void *context, struct row *row);
    /* Something worth saying: a row that failed in its step, a checkpoint passed over. */
    void (*say)(void *context, const char *text);
    void (*note)(void *context, const char *text); /* for -v */
    bool (*stop)(void *context); /* true: end with a checkpoint, class refused */
};

/* Read rows, train, leave a checkpoint. program is the stage of error rows. 0, or -1:
 * model, refused (options; "interrupted", with a checkpoint of the last whole step),
 * missing (no row to learn from). */
int sft_train(const struct sft_options *o, const char *program,
              const struct sft_calls *calls);
#endif
