/* sampler.h: from a row of logits to the next token.
 *
 * Order, as in the reference (transformers, generation/logits_process.py): repetition
 * penalty, presence penalty, temperature, top-k (ties with the k-th stay), top-p (removed
 * in ascending order while the running sum is <= 1 - p), min-p. Temperature 0 takes the
 * largest after the penalties, the lowest id among equals. A draw is the inverse of the
 * cumulative distribution in id order. Weights are whole numbers (draw.h), so that a
 * device that sums them in another order draws the same token.
 */
#ifndef SAMPLER_H
#define SAMPLER_H
#include "draw.h"
#include "engine/engine.h"

/* Room to work in, shared by all sequences of one thread. */
struct sampler_work {
    int vocab;
    float *logits, *sorted;       /* [vocab], owned */
    uint64_t *weights;            /* [vocab], owned */
    struct candidate *candidates; /* [vocab], owned */
};
int sampler_work_open(struct sampler_work *w, int vocab); /* 0, or -1 (memory) */
void sampler_work_close(struct sampler_work *w);

/* One sequence's sampling. */
struct sampler {
    const struct sampling *sampling; /* borrowed */
    struct sampler_work *work;       /* borrowed */
    uint8_t *seen; /* [vocab], owned: which ids are in prompt and output */
};

/* prompt's ids count for the repetition penalty. 0, or -1 (memory). */
int sampler_open(struct sampler *s, struct sampler_work *work,
                 const struct sampling *sampling, const int32_t *prompt, int len);
void sampler_close(struct sampler *s);

/* Are all parameters in their ranges? 0, or -1 (class type, names the parameter). */
int sampler_check(const struct sampling *sampling, int vocab);

/* The penalties and filters alone, in place: removed ids become -inf. */
void sampler_filter(struct sampler *s, float *logits);

/* The next token of sample number `sample` at `position` of its output; logits are
 * unchanged. The token counts as output from then on. */
int32_t sampler_next(struct sampler *s, const float *logits, int sample, int position);

/* The same for a device that draws (kernels.h): how, but for the row and what was seen,
 * which only a sampler that penalises needs; and what was drawn. */
struct draw sampler_draw(const struct sampling *sampling, int sample, int position);
bool sampler_penalises(const struct sampling *sampling);
void sampler_took(struct sampler *s, int32_t id);

/* 1 / temperature; 1 at temperature 0: what logprobs scale logits by. */
float sampler_scale(const struct sampling *sampling);

/* The count largest logits as log-probabilities, logit * scale - lse, best first, the
 * lower id first among equals. */
void sampler_top(const float *logits, int vocab, float scale, float lse, int count,
                 struct token_chance *top);
#endif
