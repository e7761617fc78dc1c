/* throughput.h: how much of this machine's speed a step made use of. */
#ifndef THROUGHPUT_H
#define THROUGHPUT_H
#include "train/trainer.h"

/* Multiplications and additions of a step's matrix products: 2 a weight and row forward,
 * 2 for the gradient of what went in, 2 for that of the weight (Kaplan et al., arXiv
 * 2001.08361, 2.1); what is not trained has no third, and in a frozen vision tower no
 * second part. Attention's own products and recomputation are not counted. */
struct throughput {
    double token, target; /* for each token; each target (the output layer) */
    double patch, merged; /* for each patch; each token that patches become */
    double peak;          /* a second: one large product of this machine's kernels */
};

/* Counts, and measures peak with all threads of t: the best of several products of 256
 * rows with a matrix of 512 x 512, some 10 ms; of larger ones where the device makes
 * nothing of these. On failure (memory) peak is 0. */
void throughput_open(struct throughput *th, struct trainer *t);

/* What the products of some examples take. */
double throughput_of(const struct throughput *th, const struct trainer *t,
                     const struct example *examples, int count);
#endif
