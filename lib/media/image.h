/* image.h: pictures in memory. */
#ifndef IMAGE_H
#define IMAGE_H
#include <stddef.h>
#include <stdint.h>

/* One picture. Owns its pixels; image_free() releases them. */
struct image {
    int height, width; /* pixels, after EXIF orientation */
    uint8_t *rgb;      /* [height, width, 3], sRGB, 0..255 */
};

/* Decode a JPEG, PNG, BMP, GIF (first frame) or WebP file, known by its content, to what
 * Pillow's exif_transpose and convert("RGB") give: EXIF orientation applied (also where a
 * PNG holds EXIF as text); gray, palette and CMYK converted; alpha dropped (but the one
 * transparent colour of a PNG or GIF is white, as in the reference); 16-bit gray
 * saturated at 255. The size is read from the header first: more than max_pixels is class
 * too_large before anything is decoded. name is for messages. 0, or -1 (class media or
 * too_large) with *im empty. Truncated and damaged files are errors, never a picture with
 * holes; what follows the picture proper (a GIF's other frames, bytes behind a JPEG's
 * end) is not looked at. Besides the result it needs up to some 12 bytes a pixel while it
 * runs. Threads may decode side by side. */
int image_decode(struct image *im, const void *bytes, size_t n, const char *name,
                 int64_t max_pixels);

/* The size that image_decode() would give, from the file's structure alone: nothing is
 * decoded. 0, or -1 (media, too_large) as there; damage inside the pixels stays unseen.
 */
int image_measure(int *height, int *width, const void *bytes, size_t n, const char *name,
                  int64_t max_pixels);

/* The subtype in "image/jpeg" of a file that is read here; NULL: of any other. */
const char *image_subtype(const void *bytes, size_t n);

/* Pillow's own limit on decompression bombs: pixels of a picture where the user gives no
 * other. */
#define IMAGE_PIXELS_DEFAULT ((int64_t)178956970)

/* Bicubic with antialiasing (a = -0.5, support grows with the shrink factor), two 8-bit
 * passes, horizontal first: Pillow <= 11 and torchvision on uint8. out is a new picture
 * of height x width. 0, or -1 (memory) with *out empty. */
int image_resize(struct image *out, const struct image *in, int height, int width);

void image_free(struct image *im); /* leaves *im empty */
#endif
