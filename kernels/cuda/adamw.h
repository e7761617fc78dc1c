/* adamw.h: the factors of a step of AdamW (backward.h), as kernels/cpu makes them: for
 * moments of any kind the same. */
#ifndef CUDA_ADAMW_H
#define CUDA_ADAMW_H
#include "cuda.h"

struct factors {
    float keep, size, scale, beta2, rest1, rest2, root, eps;
};

static inline struct factors factors_of(const struct adamw *how)
{
    return {1.0f - how->lr * how->decay,
            (float)((double)how->lr / how->correct1),
            how->scale,
            how->beta2,
            1.0f - how->beta1,
            1.0f - how->beta2,
            (float)sqrt(how->correct2),
            how->eps};
}
#endif
