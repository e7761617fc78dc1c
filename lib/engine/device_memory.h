/* device_memory.h: what to say, and how much to take, where a device's memory is short.
 */
#ifndef DEVICE_MEMORY_H
#define DEVICE_MEMORY_H
#include "kernels.h"

/* alloc() or adopt() gave NULL: fail (class internal) with the sizes, where the device
 * keeps account of them. Returns -1. */
int device_memory_fail(const struct kernels *k, struct dev *dev);

/* Bytes that may still be taken. */
int64_t device_memory_room(const struct kernels *k, struct dev *dev);
#endif
