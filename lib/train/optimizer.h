/* optimizer.h: one step of AdamW over a model's parameters. */
#ifndef OPTIMIZER_H
#define OPTIMIZER_H
#include "train/params.h"

struct optimizer_options {
    double beta1, beta2, eps;
    double decay; /* of matrices; norms and biases do not decay */
    double clip;  /* norm of all gradients at most; 0: no limit */
};

/* sqrt of the sum of squares of all gradients, times scale. In double, parameters in
 * order: the same bits for any number of threads. Of several ranks' gradients, sums over
 * ranks in the parts that are each rank's own (shards_reduce()). NaN: a rank is gone. */
double optimizer_norm(const struct params *p, const struct kernels *k, struct dev *dev,
                      double scale);

/* Step number `step` (from 1) at learning rate lr, for gradients times scale. If their
 * norm is beyond the limit, they are multiplied by clip / (norm + 1e-6), as torch does.
 * Then gradients are zero. The norm before clipping; not finite: nothing was changed.
 * Ranks that share the training (params.comm) add their gradients up, and all come here;
 * NaN with comm_lost(): a rank is gone, and weights may be of both steps. */
double optimizer_step(const struct params *p, const struct kernels *k, struct dev *dev,
                      const struct optimizer_options *o, int64_t step, double lr,
                      double scale);

/* Why no step was taken: a rank is gone, the device failed (class internal), or the
 * gradients are not numbers (model). Always -1. */
int optimizer_fail(const struct params *p, const struct kernels *k, struct dev *dev);
#endif
