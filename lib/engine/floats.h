/* floats.h: stored numbers as floats on the host, and tensors made on the host. */
#ifndef FLOATS_H
#define FLOATS_H
#include "engine/safetensors_write.h"
#include "engine/weights.h"

/* In place: n numbers to bf16, rounded to nearest even, which then lie at the beginning;
 * and back. */
void floats_to_bf16(float *x, int64_t n);
void floats_of_bf16(float *x, int64_t n);

/* n numbers of a tensor of type f32, bf16 or f16, from element `first` on. */
void floats_read(float *to, const struct tensor *t, int64_t first, int64_t n);
bool floats_can(const struct tensor *t); /* is it of such a type? */

/* Numbers [first, first + n) of tensor i of a file: n is FLOATS_CHUNK or what is left of
 * the tensor, first a multiple of FLOATS_CHUNK. 0, or -1: the file is given up. */
enum { FLOATS_CHUNK = 1 << 16 };
typedef int floats_fill(void *context, int i, int64_t first, int n, float *to);

/* Write a safetensors file of tensors of type f32 or bf16 (rounded to nearest, ties to
 * even). 0 or -1; then the file is gone. */
int floats_write(const char *path, const struct tensor_plan *plan, int count,
                 floats_fill *fill, void *context);
#endif
