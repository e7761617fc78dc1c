/* device.h: a device of a table, for tests and benches. */
#ifndef DEVICE_H
#define DEVICE_H
#include "kernels.h"

/* With so many threads, its activations in f32. */
static inline struct dev *device_of(const struct kernels *table, const char *name,
                                    int threads)
{
    const struct dev_options o = {.threads = threads, .compute = DEV_COMPUTE_FP32};
    const char *why;
    return table->open(name, &o, &why);
}
#endif
