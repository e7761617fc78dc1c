/* measure.h: a device that computes nothing and has no memory: it counts what a program
 * would take. Run on it, code says exactly what it will need elsewhere.
 */
#ifndef MEASURE_H
#define MEASURE_H
#include "kernels.h"

/* alloc() gives addresses that nothing lies at; download() gives zeros; sum_squares()
 * gives 1; activations are f32 unless bf16 is asked for. Not to be had by a device's
 * name; but opened as "cuda" it has bf16 by itself and counts as a GPU's memory is
 * counted, with what operations take for themselves. */
const struct kernels *measure_kernels(void);

/* Bytes held now, and at most so far. */
size_t measure_bytes(const struct dev *d, size_t *most);
#endif
