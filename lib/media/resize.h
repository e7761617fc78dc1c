/* resize.h: the two passes of image_resize(), in plain C (the definition) and for AVX2;
 * for lib/media and its tests. Both give the same bytes. */
#ifndef RESIZE_H
#define RESIZE_H
#include "media/image.h"
#include <stdbool.h>

enum {
    RESIZE_BITS = 22,    /* a coefficient is a whole number of 2^-22 */
    RESIZE_LOW_BITS = 12 /* of a coefficient's low half, see struct resize_axis */
};

/* How one axis is resized: output i is the sum of pixels first[i] .. + taps[i] - 1 of the
 * input, each times its coefficient. */
struct resize_axis {
    int in, out; /* pixels */
    int width;   /* coefficients kept for an output, a multiple of 4, 0 behind taps */
    int *first;  /* [out] */
    int *taps;   /* [out], 1..width */
    int32_t *k;  /* [out, width], 22-bit fixed point */
    /* The same as two 16-bit numbers, k = high * 2^12 + low, 0 <= low < 2^12: products of
     * 16 bits are summed in pairs by one instruction, and the sum stays exact. */
    int16_t *low, *high; /* [out, width] */
};

/* Make the coefficients. 0, or -1 (memory) with *a freed. */
int resize_axis_new(struct resize_axis *a, int in, int out);
void resize_axis_free(struct resize_axis *a);

/* One pass each; to and from never overlap. */
struct resize_passes {
    /* rows rows of a->in pixels to rows of a->out pixels, strides in bytes. After a row
     * of from come RESIZE_SLACK readable bytes more. */
    void (*across)(uint8_t *to, size_t to_stride, const uint8_t *from, size_t from_stride,
                   int rows, const struct resize_axis *a);
    /* One output row y of n bytes from the input rows it needs: row first[y] + i is
     * rows[i]. */
    void (*down)(uint8_t *to, const uint8_t *const *rows, int n,
                 const struct resize_axis *a, int y);
};

enum { RESIZE_SLACK = 16 };

extern const struct resize_passes resize_plain;
extern const struct resize_passes resize_avx2; /* only where the processor has it */
bool resize_has_avx2(void);

/* image_resize() by given passes. */
int resize_by(const struct resize_passes *passes, struct image *out,
              const struct image *in, int height, int width);
#endif
