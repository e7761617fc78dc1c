/* rl.h: reinforcement learning, as a program asks for it: rows of rewarded captions in,
 * a step for each batch of them, a new version of the policy for each step.
 *
 * A group is the captions of one row. Its rewards against each other say what is learnt
 * (rl_loss.h). Groups of equal rewards teach nothing: they are counted and measured, and
 * have no part in a loss, not even in what its mean is taken over. A group of fewer than
 * two captions without an error is skipped and counted.
 *
 * A run goes on by itself from the newest whole checkpoint (policy.h says where). Between
 * checkpoints nothing of a step is kept: what is repeated ends in the same bits.
 */
#ifndef RL_H
#define RL_H
#include "base/buf.h"
#include "engine/compute.h"
#include "row/stream.h"
#include "train/hand_over.h"
#include "train/lr.h"
#include "train/rl_loss.h"
#include "train/rollout.h"

struct rl_options {
    const char *dir;  /* base model's folder */
    const char *out;  /* the policy (policy.h) */
    const char *work; /* where versions are written; NULL: policy.h's choice */
    enum policy_hand_over hand_over;
    const char *parts;  /* trained: "vision,merger,text,embed" or "all" */
    const char *device; /* "auto", "cpu", "cuda:N" */
    struct compute_options compute;
    int threads;                    /* 0: all */
    bool recompute;                 /* keep each layer's input only */
    struct example_options example; /* root and chat are looked at */
    const char *allow_url;
    int64_t max_input_pixels;
    char **files; /* [file_count] rows; "-" is standard input */
    int file_count;
    int64_t steps;   /* of the whole run; 0: until the input ends */
    int64_t batch;   /* rows a step where they have no `_rl`; 0: all there are */
    int64_t ahead;   /* versions that a row may be older than the newest */
    int minibatches; /* of a batch, an update each */
    int epochs;      /* how often a batch is gone through */
    int64_t micro;   /* tokens computed together, at most, unless one row has more */
    bool dynamic;    /* ask for more rows until as many groups as the batch has teach */
    int dynamic_rounds; /* how often at most */
    bool allow_truncated;
    struct rl_loss loss;
    struct lr lr;             /* its steps are filled in */
    double beta1, beta2, eps; /* of AdamW */
    double weight_decay;      /* of matrices; norms and biases do not decay */
    double clip;              /* norm of the gradient at most; 0: no limit */
    int64_t save;             /* steps from checkpoint to checkpoint */
    int keep;                 /* checkpoints that stay; 0: all */
    bool force;               /* start anew though there are checkpoints */
    struct comm *comm; /* ranks that share the run (rl_share.h); NULL: one is alone */
};

/* Mean, least, most and deviation of numbers. count 0: nothing was measured. */
struct rl_spread {
    double sum, squares, least, most;
    int64_t count;
};
void rl_spread_add(struct rl_spread *s, double x);
double rl_spread_mean(const struct rl_spread *s);
double rl_spread_std(const struct rl_spread *s); /* unbiased; 0 of one */

/* One step's numbers. */
struct rl_metrics {
    int64_t step, version;
    /* What came in: over captions without an error. */
    struct rl_spread reward, term[ROLLOUT_TERMS], overlong;
    struct rl_spread length, ended_length; /* tokens; of those that ended by themselves */
    struct rl_spread group_std;            /* of groups of two and more: their rewards' */
    int64_t groups, groups_equal; /* of two captions and more; of equal rewards */
    int64_t groups_skipped;       /* fewer than two captions, or no picture */
    int64_t captions_failed;
    int64_t rows_failed; /* for a reason that no earlier stage has told */
    /* What was learnt. */
    struct rl_spread loss, grad_norm;                    /* over updates */
    struct rl_spread clipped_low, clipped_high, clipped; /* shares of tokens, likewise */
    struct rl_spread entropy, kl; /* over tokens of the first epoch */
    double gap; /* largest difference of rollout's and trainer's log-probabilities,
                   before the first update; NaN: none was of these weights */
    double lr;
    int64_t updates, tokens; /* prompts once, and captions, of the first epoch */
    double wait, seconds;    /* for rows; from the last row to the new version */
};

struct rl_calls {
    void *context;
    /* The run begins behind this step; the version is there. */
    void (*hello)(void *context, int64_t step, int64_t version);
    /* So many more groups of this step are wanted. */
    void (*want)(void *context, int64_t step, int64_t count);
    void (*metrics)(void *context, const struct rl_metrics *m);
    /* Append the row that metrics() makes of these, without a line end. A checkpoint
     * keeps the newest, a line each, as text in `metrics` of its state, for whoever lost
     * the rows themselves (pipelines/rl.sh). */
    void (*row)(void *context, const struct rl_metrics *m, struct buf *out);
    /* Something worth saying: a row that is skipped, a checkpoint passed over. */
    void (*say)(void *context, const char *text);
    void (*note)(void *context, const char *text); /* for -v */
    bool (*stop)(void *context);                   /* true: end, resumable */
    const struct stream_wait *wait;                /* for reading rows */
};

enum {
    RL_FAILED = -1,     /* set-up, rows that do not fit, a loss that is no number */
    RL_UNFINISHED = -2, /* stopped, out of space, input that ends inside a batch: state is
                           kept, and the same call goes on */
};

/* With ranks, rank 0's calls are those of the one process; the others' are metrics(),
 * say() and note(), and they read no rows. A rank that is gone ends the others,
 * unfinished, without a new checkpoint.
 *
 * Read rows, train, publish. program is the stage of error rows. 0, RL_FAILED or
 * RL_UNFINISHED with the reason in fail_text(). */
int rl_train(const struct rl_options *o, const char *program,
             const struct rl_calls *calls);
#endif
