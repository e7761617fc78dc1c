/* compute.h: what a model's numbers are computed with, as options say it. */
#ifndef COMPUTE_H
#define COMPUTE_H
#include <stdbool.h>
#include <stdint.h>

/* All zero: what is best on the device. */
struct compute_options {
    const char *type; /* of activations: "fp32", "bf16"; NULL: the device's own, which is
                         fp32 on the CPU (and nothing else) and bf16 on CUDA */
    int64_t memory;   /* bytes of a GPU's memory to use at most; 0: what there is */
    bool batch_variant; /* a row's numbers may depend on what else is computed, where that
                           is faster (CUDA; the CPU's never do) */
};
#endif
