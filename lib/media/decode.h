/* decode.h: what the picture formats share; for the files of lib/media alone.
 *
 * Each format has one function FORMAT_decode(im, orientation, file): it reads the size by
 * itself, asks picture_new() (which holds the limits) for the memory, and only then
 * decodes. 0, or -1 with the reason kept; *im may then hold pixels that image_decode()
 * frees. *orientation is the EXIF one, 1..8; it stays as it was where there is none.
 */
#ifndef DECODE_H
#define DECODE_H
#include "media/image.h"
#include <stdbool.h>

/* A picture file in memory; borrows everything. */
struct picture {
    const uint8_t *data; /* [n] */
    size_t n;            /* bytes */
    const char *name;    /* for messages */
    int64_t max_pixels;  /* more than this is refused */
    bool measure;        /* the size is all that is wanted */
};

int jpeg_decode(struct image *im, int *orientation, const struct picture *file);
int png_decode(struct image *im, int *orientation, const struct picture *file);
int bmp_decode(struct image *im, int *orientation, const struct picture *file);
int gif_decode(struct image *im, int *orientation, const struct picture *file);
int webp_decode(struct image *im, int *orientation, const struct picture *file);

/* Check a size against the limits: 0, or -1 (media: a side is zero; too_large). */
int picture_size(const struct picture *file, int64_t height, int64_t width);

/* picture_size(), then give im pixels (not set). 0, or -1; 1 with file->measure: im has
 * its size and no pixels, and the decoder is done. */
int picture_new(struct image *im, const struct picture *file, int64_t height,
                int64_t width);

/* fail(FAIL_MEDIA, "NAME: FORMAT: why"). Returns -1. */
int picture_bad(const struct picture *file, const char *format, const char *why);

/* Paint each pixel of the colour key white: what the reference makes of a transparent
 * colour (transformers, image_transforms.py, convert_to_rgb), palette or not. */
void picture_key(struct image *im, const uint8_t key[3]);

/* Pixels without a limit but the machine's: 0, or -1 (memory) with *im empty. */
int image_new(struct image *im, int height, int width);

/* Turn im by an EXIF orientation (1..8; anything else is 1). 0, or -1 (memory), im as it
 * was. */
int image_orient(struct image *im, int orientation);
#endif
