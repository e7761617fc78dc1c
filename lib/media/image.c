/* image.c: see image.h. Picks the decoder; holds the limits that all of them share. */
#include "base/fail.h"
#include "media/decode.h"
#include "media/sniff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A picture larger than this is refused whatever the caller allows: its pixels and the
 * decoders' working memory are then beyond a few GB. */
static const int64_t pixels_most = (int64_t)1 << 28;

int image_new(struct image *im, int height, int width)
{
    *im = (struct image){0};
    if (!(im->rgb = malloc((size_t)height * (size_t)width * 3)))
        return fail_memory();
    im->height = height;
    im->width = width;
    return 0;
}

void image_free(struct image *im)
{
    free(im->rgb);
    *im = (struct image){0};
}

int picture_size(const struct picture *file, int64_t height, int64_t width)
{
    int64_t most = file->max_pixels < pixels_most ? file->max_pixels : pixels_most;
    if (height < 1 || width < 1)
        return fail(FAIL_MEDIA, "%s: a picture without pixels (%lld x %lld)", file->name,
                    (long long)width, (long long)height);
    if (width > most || height > most / width)
        return fail(FAIL_TOO_LARGE, "%s: %lld x %lld is over the limit of %lld pixels",
                    file->name, (long long)width, (long long)height, (long long)most);
    return 0;
}

int picture_new(struct image *im, const struct picture *file, int64_t height,
                int64_t width)
{
    if (picture_size(file, height, width) < 0)
        return -1;
    if (file->measure) {
        *im = (struct image){(int)height, (int)width, NULL};
        return 1;
    }
    return image_new(im, (int)height, (int)width);
}

void picture_key(struct image *im, const uint8_t key[3])
{
    uint8_t *end = im->rgb + (size_t)im->height * (size_t)im->width * 3;
    for (uint8_t *p = im->rgb; p < end; p += 3)
        if (p[0] == key[0] && p[1] == key[1] && p[2] == key[2])
            memset(p, 255, 3);
}

int picture_bad(const struct picture *file, const char *format, const char *why)
{
    return fail(FAIL_MEDIA, "%s: %s: %s", file->name, format, why);
}

/* Each orientation reads the stored picture from one corner along two directions. */
int image_orient(struct image *im, int orientation)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    int height = im->height, width = im->width;
    ptrdiff_t pixel = 3, row = 3 * (ptrdiff_t)width;
    bool right = orientation == 2 || orientation == 3 || orientation == 7 ||
                 orientation == 8; /* the first pixel is in the last column */
    bool below = orientation == 3 || orientation == 4 || orientation == 6 ||
                 orientation == 7; /* ... in the last row */
    const uint8_t *from =
        im->rgb + (right ? row - pixel : 0) + (below ? row * (height - 1) : 0);
    ptrdiff_t along_x = right ? -pixel : pixel, along_y = below ? -row : row;
    struct image out;
    if (orientation >= 5) { /* rows become columns */
        ptrdiff_t swap = along_x;
        along_x = along_y;
        along_y = swap;
    }
    if (image_new(&out, orientation >= 5 ? width : height,
                  orientation >= 5 ? height : width) < 0)
        return -1;
    uint8_t *to = out.rgb;
    for (int y = 0; y < out.height; y++) {
        const uint8_t *p = from + y * along_y;
        for (int x = 0; x < out.width; x++, p += along_x, to += 3) {
            to[0] = p[0];
            to[1] = p[1];
            to[2] = p[2];
        }
    }
    image_free(im);
    *im = out;
    return 0;
}

static int decode(struct image *im, int *orientation, const struct picture *file)
{
    switch (sniff(file->data, file->n)) {
    case SNIFF_JPEG: return jpeg_decode(im, orientation, file);
    case SNIFF_PNG: return png_decode(im, orientation, file);
    case SNIFF_BMP: return bmp_decode(im, orientation, file);
    case SNIFF_GIF: return gif_decode(im, orientation, file);
    case SNIFF_WEBP: return webp_decode(im, orientation, file);
    case SNIFF_OTHER: break;
    }
    return fail(FAIL_MEDIA, "%s: %s", file->name, sniff_reason(file->data, file->n));
}

int image_decode(struct image *im, const void *bytes, size_t n, const char *name,
                 int64_t max_pixels)
{
    struct picture file = {bytes, n, name, max_pixels, false};
    int orientation = 1;
    *im = (struct image){0};
    if (decode(im, &orientation, &file) < 0 || image_orient(im, orientation) < 0) {
        image_free(im);
        return -1;
    }
    return 0;
}

int image_measure(int *height, int *width, const void *bytes, size_t n, const char *name,
                  int64_t max_pixels)
{
    struct picture file = {bytes, n, name, max_pixels, true};
    struct image im = {0};
    int orientation = 1;
    if (decode(&im, &orientation, &file) < 0)
        return -1;
    *height = orientation >= 5 ? im.width : im.height;
    *width = orientation >= 5 ? im.height : im.width;
    return 0;
}

const char *image_subtype(const void *bytes, size_t n)
{
    switch (sniff(bytes, n)) {
    case SNIFF_JPEG: return "jpeg";
    case SNIFF_PNG: return "png";
    case SNIFF_BMP: return "bmp";
    case SNIFF_GIF: return "gif";
    case SNIFF_WEBP: return "webp";
    case SNIFF_OTHER: break;
    }
    return NULL;
}
