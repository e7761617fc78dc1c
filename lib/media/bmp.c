/* bmp.c: BMP files (OS/2 1 and Windows headers), by our own reader: it is smaller than
 * what would be needed to keep stb_image's from reading palette entries that the file
 * does not have and from taking missing pixels for zeros, and it knows run-length codes.
 */
#include "media/bmp.h"
#include "base/fail.h"
#include "media/bytes.h"
#include "media/decode.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER = 14,
    RGB = 0,
    RLE8 = 1,
    RLE4 = 2,
    BITFIELDS = 3,
    ALPHA_BITFIELDS = 6
};

struct header {
    int64_t height, width;
    bool top_down;
    int bits, compression;
    size_t pixels_at; /* where the pixels begin in the file */
    size_t stride;    /* bytes of a stored row */
    uint32_t mask[3]; /* of r, g, b; 16 and 32 bits a pixel */
    uint8_t palette[256][3];
};

static const char *read_sizes(struct header *h, const uint8_t *data, size_t n,
                              uint32_t head)
{
    const uint8_t *p = data + FILE_HEADER;
    if (n < FILE_HEADER + (size_t)head)
        return "truncated";
    if (head == 12) { /* OS/2 1 */
        h->width = bytes_le16(p + 4);
        h->height = bytes_le16(p + 6);
        h->bits = (int)bytes_le16(p + 10);
    } else {
        h->width = (int32_t)bytes_le32(p + 4);
        h->height = (int32_t)bytes_le32(p + 8);
        h->bits = (int)bytes_le16(p + 14);
        h->compression = (int)bytes_le32(p + 16);
        if ((h->top_down = h->height < 0))
            h->height = -h->height;
    }
    return NULL;
}

static const char *check_layout(const struct header *h)
{
    int c = h->compression, bits = h->bits;
    bool fields = c == BITFIELDS || c == ALPHA_BITFIELDS;
    if (c != RGB && c != RLE8 && c != RLE4 && !fields)
        return "this compression is not supported";
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 && bits != 24 &&
        bits != 32)
        return "damaged header: bits a pixel";
    if ((c == RLE8 && bits != 8) || (c == RLE4 && bits != 4) ||
        (fields && bits != 16 && bits != 32) || (h->top_down && (c == RLE8 || c == RLE4)))
        return "damaged header: compression and bits a pixel";
    return NULL;
}

/* A mask must be one run of at most 8 bits. */
static bool mask_is_fit(uint32_t mask)
{
    if (mask == 0)
        return false;
    while (!(mask & 1)) mask >>= 1;
    return mask <= 255 && (mask & (mask + 1)) == 0;
}

static const char *read_masks(struct header *h, const uint8_t *data, size_t n)
{
    size_t at = FILE_HEADER + 40; /* inside a long header, or behind a short one */
    static const uint32_t usual[2][3] = {{0x7C00, 0x3E0, 0x1F}, {0xFF0000, 0xFF00, 0xFF}};
    bool given = h->compression == BITFIELDS || h->compression == ALPHA_BITFIELDS;
    if (given && n < at + 12)
        return "truncated";
    for (size_t c = 0; c < 3; c++) {
        h->mask[c] = given ? bytes_le32(data + at + 4 * c) : usual[h->bits == 32][c];
        if (!mask_is_fit(h->mask[c]))
            return "colour masks that are not supported";
    }
    return NULL;
}

/* Entries that the file lacks stay black, as in Pillow. */
static const char *read_palette(struct header *h, const uint8_t *data, size_t n,
                                uint32_t head)
{
    size_t bytes = head == 12 ? 3 : 4, at = FILE_HEADER + (size_t)head;
    uint32_t used = head == 12 ? 0 : bytes_le32(data + FILE_HEADER + 32);
    size_t entries = (size_t)1 << h->bits;
    if (used > 0 && used < entries)
        entries = used;
    if (h->pixels_at > at && (h->pixels_at - at) / bytes < entries)
        entries = (h->pixels_at - at) / bytes;
    if (n - at < entries * bytes)
        return "truncated";
    for (size_t i = 0; i < entries; i++)
        for (size_t c = 0; c < 3; c++) h->palette[i][c] = data[at + i * bytes + 2 - c];
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_header(struct header *h, const uint8_t *data, size_t n)
{
    const char *why;
    *h = (struct header){0};
    if (n < FILE_HEADER + 12)
        return "truncated";
    uint32_t head = bytes_le32(data + FILE_HEADER);
    if (head != 12 && head != 40 && head != 52 && head != 56 && head != 64 &&
        head != 108 && head != 124)
        return "damaged header: its length";
    if ((why = read_sizes(h, data, n, head)) || (why = check_layout(h)))
        return why;
    h->pixels_at = bytes_le32(data + 10);
    if (h->pixels_at < FILE_HEADER + (size_t)head)
        return "damaged header: where its pixels begin";
    if (h->pixels_at > n)
        return "truncated";
    if (h->bits == 16 || h->bits == 32)
        return read_masks(h, data, n);
    return h->bits <= 8 ? read_palette(h, data, n, head) : NULL;
}

/* The sample under a mask, scaled to 0..255. */
static uint8_t under_mask(uint32_t pixel, uint32_t mask)
{
    uint32_t lowest = mask & (~mask + 1);
    return (uint8_t)((pixel & mask) / lowest * 255 / (mask / lowest));
}

static void row_of_palette(uint8_t *to, const uint8_t *row, const struct header *h)
{
    unsigned per_byte = 8u / (unsigned)h->bits, most = (1u << h->bits) - 1;
    for (int64_t x = 0; x < h->width; x++, to += 3) {
        unsigned shift = (per_byte - 1 - (unsigned)(x % per_byte)) * (unsigned)h->bits;
        memcpy(to, h->palette[row[x / per_byte] >> shift & most], 3);
    }
}

static void convert_row(uint8_t *to, const uint8_t *row, const struct header *h)
{
    if (h->bits <= 8) {
        row_of_palette(to, row, h);
        return;
    }
    for (int64_t x = 0; x < h->width; x++, to += 3, row += h->bits / 8) {
        uint32_t pixel = h->bits == 16   ? bytes_le16(row)
                         : h->bits == 24 ? bytes_le24(row)
                                         : bytes_le32(row);
        for (int c = 0; c < 3; c++)
            to[c] = h->bits == 24 ? (uint8_t)(pixel >> (16 - 8 * c))
                                  : under_mask(pixel, h->mask[c]);
    }
}

static void convert(struct image *im, const uint8_t *rows, const struct header *h)
{
    for (int64_t y = 0; y < h->height; y++)
        convert_row(im->rgb + y * h->width * 3,
                    rows + (size_t)(h->top_down ? y : h->height - 1 - y) * h->stride, h);
}

int bmp_decode(struct image *im, int *orientation, const struct picture *file)
{
    struct header h;
    (void)orientation; /* the format has none */
    const char *why = read_header(&h, file->data, file->n);
    if (why && !(h.width && h.height))
        return picture_bad(file, "BMP", why);
    if (picture_size(file, h.height, h.width) < 0)
        return -1;
    if (why)
        return picture_bad(file, "BMP", why);
    bool runs = h.compression == RLE8 || h.compression == RLE4;
    const uint8_t *rows = file->data + h.pixels_at;
    size_t left = file->n - h.pixels_at;
    h.stride = ((size_t)h.width * (size_t)h.bits + 31) / 32 * 4;
    if (!runs && left / h.stride < (size_t)h.height)
        return picture_bad(file, "BMP", "truncated");
    int status = picture_new(im, file, h.height, h.width);
    if (status != 0)
        return status;
    if (!runs) {
        convert(im, rows, &h);
        return 0;
    }
    uint8_t *pixels = malloc((size_t)h.height * (size_t)h.width);
    if (!pixels)
        return fail_memory();
    status = bmp_expand(pixels, (int)h.height, (int)h.width, rows, left,
                        h.compression == RLE4);
    h.stride = (size_t)h.width;
    h.bits = 8; /* one byte a pixel now */
    if (status == 0)
        convert(im, pixels, &h);
    free(pixels);
    return status < 0 ? picture_bad(file, "BMP", "truncated") : 0;
}
