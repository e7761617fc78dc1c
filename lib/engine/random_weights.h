/* random_weights.h: weights of a given shape, drawn at random. */
#ifndef RANDOM_WEIGHTS_H
#define RANDOM_WEIGHTS_H
#include "kernels.h"

/* Write DIR/model.safetensors for DIR/config.json: every tensor that the family needs,
 * under its published names; matrices normal with the deviation given, norms' weights 1,
 * biases 0. The same seed gives the same bytes. type: ARR_BF16 or ARR_F32. 0 or -1 (class
 * model). */
int random_weights_write(const char *dir, uint64_t seed, double deviation,
                         enum arr_type type);
#endif
