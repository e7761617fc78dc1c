/* params.h: a model's parameters as training has them: f32, in one piece of memory, with
 * a gradient and the optimizer's moments beside each.
 */
#ifndef PARAMS_H
#define PARAMS_H
#include "engine/config.h"
#include "kernels.h"

/* What --train chooses from. */
enum param_part { PART_VISION, PART_MERGER, PART_TEXT, PART_EMBED, PARTS };

/* One tensor. Arrays are views into the whole. */
struct param {
    const char *name;      /* as the model's own files call it */
    enum param_part part;  /* embed: the embedding and an output layer of its own */
    enum arr_type stored;  /* as the model's own files have it: bf16, f16, f32 */
    int rank;              /* as stored: a convolution has 5 */
    int64_t shape[8];
    bool trained;
    bool decayed;          /* matrices are, norms and biases are not */
    struct arr w;          /* f32 [elements] */
    struct arr grad, m, v; /* f32 [elements]; absent unless trained */
};

struct params {
    struct param *list; /* [count], in the order in which the family names them */
    int count;
    int64_t elements, trained; /* of all, of those trained */
};
#endif
