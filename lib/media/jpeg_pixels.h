/* jpeg_pixels.h: libjpeg behind one call. */
#ifndef JPEG_PIXELS_H
#define JPEG_PIXELS_H
#include <stddef.h>
#include <stdint.h>

/* Decode a JPEG file of height x width and 1, 3 or 4 components (checked by the caller)
 * into out [height, width, 3] (4 components: [height, width, 4], CMYK as stored). Data
 * that libjpeg would patch over (missing, corrupt) are an error. 0, or -1 with libjpeg's
 * sentence in why. */
int jpeg_pixels(uint8_t *out, const uint8_t *data, size_t n, int height, int width,
                int components, char why[256]);
#endif
