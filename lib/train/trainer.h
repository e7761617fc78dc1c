/* trainer.h: a model under training: examples in, gradients of its parameters out.
 *
 * A micro-batch is one pass of the engine's own forward code over all its sequences: they
 * do not see each other. The parts of an example lie behind its prompt as branches of a
 * tree: the prompt is computed once, forward and backward, however many parts there are.
 *
 * The loss is a function of the log-probabilities of the target tokens, and of the
 * entropies there; the caller says its derivative in each. Logits are made in chunks of
 * rows and never stand in memory as a whole.
 */
#ifndef TRAINER_H
#define TRAINER_H
#include "engine/compute.h"
#include "train/example.h"
#include "train/params.h"

struct trainer;

struct trainer_options {
    const char *device; /* "auto", "cpu", "cuda:N" */
    int threads;        /* 0: all */
    struct compute_options compute;
    unsigned parts;           /* trained: bits of 1 << PART_x; 0 without pairs: nothing
                                 is, the model just says log-probabilities (a
                                 reference) */
    bool recompute;           /* keep each layer's input only */
    struct lora_options lora; /* rank > 0: pairs are trained and parts is 0 */
    const struct kernels *kernels; /* in place of the device's; NULL: none */
    bool moments8;                 /* the optimizer's moments of matrices in 8 bits */
    bool halves; /* compute with bf16 copies of matrices also where activations are f32 */
};

/* NULL (class model, refused). */
struct trainer *trainer_open(const char *dir, const struct trainer_options *o);
void trainer_close(struct trainer *t);
struct params *trainer_params(struct trainer *t);
const struct model_config *trainer_config(const struct trainer *t);
const struct kernels *trainer_kernels(const struct trainer *t);
struct dev *trainer_dev(const struct trainer *t);

/* The forward pass of a micro-batch, recorded (or not: then no gradient follows).
 * Examples are borrowed until trainer_backward(). 0, or -1: model (ids or pictures do not
 * fit), internal (memory). */
int trainer_forward(struct trainer *t, const struct example *const *examples, int count,
                    bool record);

/* The micro-batch's target tokens, in order: examples, parts, ids. */
int trainer_targets(const struct trainer *t);

/* From here on log-probabilities and entropies are those of logits / temperature, as a
 * sampler of that temperature has them, to the bit; gradients likewise. 1 at first. */
void trainer_temperature(struct trainer *t, double temperature);

/* Log-probability of each target, and the entropy of its row where
 * entropy is not NULL: the caller's [targets]. 0 or -1. */
int trainer_logprobs(struct trainer *t, float *logprob, float *entropy);

/* Gradients of all trained parameters += those of a loss whose derivatives in each
 * target's log-probability, and in its row's entropy (NULL: none), are given. logprob: as
 * above, on the way (may be NULL). The micro-batch is done then. 0 or -1. */
int trainer_backward(struct trainer *t, const float *weight, const float *entropy_weight,
                     float *logprob);

/* Bytes of activations, copies and gradients of activations: now most. */
size_t trainer_bytes(const struct trainer *t);
/* Bytes besides that the device was asked for and that were never used. */
size_t trainer_untouched(const struct trainer *t);
/* Bytes of keys and values of the largest micro-batch so far, without their gradients. */
size_t trainer_kv_bytes(const struct trainer *t);
#endif
