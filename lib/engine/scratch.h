/* scratch.h: short-lived arrays of a pass, cut from one region of device memory.
 *
 * A layout function takes its arrays in order. It runs twice: on a scratch that only
 * measures (the arrays have no memory then), and, once scratch_room() has made that much
 * room, for real.
 */
#ifndef SCRATCH_H
#define SCRATCH_H
#include "kernels.h"

struct scratch {
    const struct kernels *k; /* NULL: only measures */
    struct dev *dev;
    char *base;  /* owned */
    size_t size; /* bytes behind base */
    size_t used; /* bytes taken; may pass size while measuring */
};

/* A new array of this type and shape, not cleared. */
struct arr scratch_take(struct scratch *s, enum arr_type type, int rank,
                        const int64_t *shape);
struct arr scratch_vector(struct scratch *s, enum arr_type type, int64_t n);
struct arr scratch_matrix(struct scratch *s, int64_t rows, int64_t columns); /* f32 */
/* Of a type of activations. */
struct arr scratch_act(struct scratch *s, enum arr_type act, int64_t rows,
                       int64_t columns);

/* All that was taken since `from` bytes were in use, as bytes. */
struct arr scratch_since(const struct scratch *s, size_t from);

/* Room for at least this many bytes; what was taken is void. 0, or -1 (memory). */
int scratch_room(struct scratch *s, size_t bytes);
void scratch_free(struct scratch *s);
#endif
