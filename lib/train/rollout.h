/* rollout.h: a row of sampled captions, as `caption --logprobs | reward` leaves it: what
 * reinforcement learning learns from.
 */
#ifndef ROLLOUT_H
#define ROLLOUT_H
#include "train/example.h"

enum { ROLLOUT_TERMS = 3 };
extern const char *const rollout_terms[ROLLOUT_TERMS]; /* "acc", "format", "len" */

/* One caption that may be learnt from. */
struct rollout_caption {
    struct ids ids;             /* owned; the end token is the last if it came to that */
    float *logprob;             /* [ids.n], owned: as sampled */
    double reward;              /* total */
    double term[ROLLOUT_TERMS]; /* NaN: the row has none */
    bool ended;                 /* by itself: finish "stop" */
};

/* One row. */
struct rollout {
    char *text; /* the row's line, owned: its prompt is made of it again */
    size_t size;
    char where[256];            /* for messages: "stdin:12 (id=cat)" */
    int64_t step, i, of, least; /* _rl: least is the oldest version that may have sampled
                                   it; step -1: the row has none */
    int64_t version;            /* gen.version */
    double temperature;
    struct rollout_caption *caption; /* [count], owned */
    int count;
    int failed;    /* captions with an error or without a reward */
    bool error;    /* the row came in with an error, or is none: there is nothing else */
    char why[256]; /* what was wrong with the row or one of its captions that no earlier
                      stage has told; "": nothing */
};

/* What rows must fit. */
struct rollout_rules {
    const struct trainer_text *text;
    const char *hash[2]; /* gen.model is one of these; NULL: none */
    const char *root;    /* of relative media paths */
    const char *allow_url;
    int64_t max_input_pixels;
    bool allow_truncated; /* take rows from truncated distributions */
};

/* Read a row, which is as rows.h makes it. What is wrong with the row itself is in
 * r->error, r->failed, r->why. 0, or -1 with *r empty: class refused: it does not fit
 * these weights or this way of learning (gen.model, gen.chat, gen.prompt, truncated
 * sampling, no ids or log-probabilities); memory. */
int rollout_read(struct rollout *r, const struct rollout_rules *rules, struct row *row);
void rollout_free(struct rollout *r); /* leaves it empty */

/* Its prompt, exactly as the sampler had it, with pictures, and all its captions behind
 * it. 0, or -1 (media and so on: a picture is gone). */
int rollout_example(struct example *e, const struct rollout *r,
                    const struct rollout_rules *rules);
#endif
