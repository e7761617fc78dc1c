/* lr.h: the learning rate of each step. */
#ifndef TRAIN_LR_H
#define TRAIN_LR_H
#include <stdint.h>

enum lr_kind { LR_CONSTANT, LR_COSINE, LR_LINEAR };

struct lr {
    enum lr_kind kind;
    double peak, least; /* least: where cosine and linear end */
    int64_t warmup;     /* steps that rise to the peak: step s has peak s / warmup */
    int64_t steps;      /* of the whole run */
};

/* "constant", "cosine", "linear". 0 or -1 (class refused). */
int lr_kind(enum lr_kind *kind, const char *name);
const char *lr_name(enum lr_kind kind);

/* Of a step, from 1. Behind the warm-up, at a share x of the rest (0 at its first step, 1
 * behind the last): constant; least + (peak - least) (1 + cos(pi x)) / 2 (Loshchilov and
 * Hutter, arXiv 1608.03983); or a straight line from peak to least. */
double lr_at(const struct lr *lr, int64_t step);
#endif
