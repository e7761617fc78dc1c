/* jpeg.c: JPEG files: our own walk over the markers (ITU-T T.81, annex B) for size and
 * orientation, libjpeg-turbo for the pixels. */
#include "base/fail.h"
#include "media/bytes.h"
#include "media/decode.h"
#include "media/exif.h"
#include "media/jpeg_pixels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct header {
    int height, width, components, precision;
    int frame;       /* the SOF marker, 0xC0..0xCF; 0: none yet */
    int orientation; /* by EXIF, 0: none */
    int xmp;         /* by XMP, counts where EXIF says nothing */
};

static void read_app1(struct header *h, const uint8_t *body, size_t n)
{
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
    if (n >= 6 && memcmp(body, "Exif\0", 6) == 0 && h->orientation == 0)
        h->orientation = exif_orientation(body, n);
    else if (n > sizeof xmp && memcmp(body, xmp, sizeof xmp) == 0)
        h->xmp = exif_xmp_orientation(body + sizeof xmp, n - sizeof xmp);
}

static bool is_frame(int marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
           marker != 0xCC;
}

/* From SOI to the first scan. NULL, or what is wrong. */
static const char *read_header(struct header *h, const uint8_t *data, size_t n)
{
    *h = (struct header){0};
    for (size_t at = 2;;) {
        while (at < n && data[at] != 0xFF) at++; /* stray bytes: libjpeg skips them too */
        while (at < n && data[at] == 0xFF) at++;
        if (at >= n)
            return "truncated";
        int marker = data[at++];
        if (marker == 0xD9)
            return "it ends before any picture data";
        if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8))
            continue; /* markers without a body, or a stray one */
        if (n - at < 2)
            return "truncated";
        size_t length = bytes_be16(data + at);
        if (length < 2)
            return "damaged header";
        if (length > n - at)
            return "truncated";
        const uint8_t *body = data + at + 2;
        if (marker == 0xE1)
            read_app1(h, body, length - 2);
        if (is_frame(marker)) {
            if (h->frame)
                return "two frame headers";
            if (length < 8)
                return "damaged header";
            h->frame = marker;
            h->precision = body[0];
            h->height = (int)bytes_be16(body + 1);
            h->width = (int)bytes_be16(body + 3);
            h->components = body[5];
        }
        if (marker == 0xDA)
            return h->frame ? NULL : "no frame header";
        at += length;
    }
}

/* What we know that libjpeg-turbo, or anybody, does not decode. NULL: try. */
static const char *unsupported(const struct header *h)
{
    if (h->frame == 0xC3 || h->frame == 0xC7 || h->frame == 0xCB || h->frame == 0xCF)
        return "lossless JPEG is not supported";
    if (h->frame == 0xC5 || h->frame == 0xC6 || h->frame == 0xCD || h->frame == 0xCE)
        return "hierarchical JPEG is not supported";
    if (h->precision != 8)
        return h->precision == 12 ? "12 bits a sample are not supported"
                                  : "damaged header: bits a sample";
    if (h->components != 1 && h->components != 3 && h->components != 4)
        return "not 1, 3 or 4 colour components";
    return NULL;
}

/* a * b / 255, rounded, as Pillow rounds it. */
static unsigned scale255(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* CMYK files carry their inks inverted (Adobe's habit; Pillow takes it for all). Written
 * with c' = 255 - c: rgb = clip(k' - (255 - c') * k' / 255). */
static void rgb_of_cmyk(uint8_t *rgb, const uint8_t *cmyk, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(cmyk[3] - scale255(255u - cmyk[c], cmyk[3]));
}

int jpeg_decode(struct image *im, int *orientation, const struct picture *file)
{
    struct header h;
    char text[256] = "";
    const char *why = read_header(&h, file->data, file->n);
    if (!why)
        why = unsupported(&h);
    if (why)
        return picture_bad(file, "JPEG", why);
    if (h.orientation || h.xmp)
        *orientation = h.orientation ? h.orientation : h.xmp;
    int status = picture_new(im, file, h.height, h.width);
    if (status != 0)
        return status;
    size_t pixels = (size_t)h.height * (size_t)h.width;
    uint8_t *cmyk = h.components == 4 ? malloc(pixels * 4) : NULL;
    if (h.components == 4 && !cmyk)
        return fail_memory();
    status = jpeg_pixels(cmyk ? cmyk : im->rgb, file->data, file->n, h.height, h.width,
                         h.components, text);
    if (cmyk && status == 0)
        rgb_of_cmyk(im->rgb, cmyk, pixels);
    free(cmyk);
    return status < 0 ? picture_bad(file, "JPEG", text) : 0;
}
