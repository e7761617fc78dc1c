/* tape.h: a device that remembers: the forward pass of the engine, recorded, and its
 * gradients.
 *
 * A tape is itself a table of kernels (tape_kernels(), tape_dev()), put between a model
 * and its device. Each operation goes on to the real table, and, while the tape records,
 * is noted down with copies of what its gradient needs. So training runs the very code
 * that inference runs, to the bit, and a family that the engine knows can be trained.
 *
 * Gradients lie in shadows: every piece of memory that is allocated through the tape has
 * a second one of its size, in which the gradient of an array lies where the array lies
 * in the first, in the array's own type. Between passes all shadows are zero: an
 * operation's gradient, once it was handed to the operation's inputs, is cleared, for the
 * memory may have held something else before.
 *
 * What no trained parameter leads to is inactive: it is neither noted nor copied.
 */
#ifndef TRAIN_TAPE_H
#define TRAIN_TAPE_H
#include "backward.h"

struct tape;

/* A tape over a device; both are borrowed and outlive it. NULL (memory). */
struct tape *tape_open(const struct kernels *k, struct dev *dev);
void tape_close(struct tape *t);

const struct kernels *tape_kernels(void);
struct dev *tape_dev(struct tape *t);

/* w is a parameter, f32 or bf16 and never written by a pass, whose gradients are added to
 * grad (f32 of its shape; absent: it is not trained). 0 or -1 (memory). */
int tape_parameter(struct tape *t, struct arr w, struct arr grad);

/* A low-rank addition to the matrix w: products with it get + scale (x down^T) up^T, down
 * [rank, in] and up [out, rank], which are parameters themselves (Hu et al., arXiv
 * 2106.09685). 0 or -1 (memory). */
int tape_lora(struct tape *t, struct arr w, struct arr down, struct arr up, float scale);

/* Keep only the input of each layer, and compute the layer again for its gradient: a
 * vlm_around. */
void tape_around(void *tape, void (*call)(void *with, int index), void *with, int index,
                 struct arr x);
void tape_recompute(struct tape *t, bool on); /* off: tape_around() just calls */

/* Record what follows, or let it pass. */
void tape_record(struct tape *t, bool on);

/* The gradient of an array that was allocated through the tape or is a parameter; absent
 * if it has none. */
struct arr tape_grad(struct tape *t, struct arr a);
/* Does the loss reach a parameter through this array? */
bool tape_active(const struct tape *t, struct arr a);

/* Go back to the beginning: gradients of everything, from those that were put into
 * shadows. Then the tape is empty. 0, or -1 (memory ran out while recording or now). */
int tape_backward(struct tape *t);
/* Forget what was recorded, without gradients, and give back memory that passes since the
 * last time had no use for: to be called before each. Shadows must be zero still. */
void tape_forget(struct tape *t);

/* Bytes held now and at most: copies and shadows. */
size_t tape_bytes(const struct tape *t, size_t *most);
/* Bytes besides that were asked of the device and never used so far. */
size_t tape_untouched(const struct tape *t);
#endif
