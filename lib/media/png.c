/* png.c: PNG files (ISO/IEC 15948): every chunk is checked here, to IEND and by its CRC;
 * stb_image gets a file rebuilt from the four that hold the picture, and nothing else. */
#include "base/buf.h"
#include "base/fail.h"
#include "media/bytes.h"
#include "media/decode.h"
#include "media/exif.h"
#include "media/stb.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIGNATURE_BYTES = 8, COLOUR_GRAY = 0, COLOUR_RGB = 2, COLOUR_PALETTE = 3 };

struct chunk {
    const uint8_t *type, *data;
    size_t n; /* bytes of data */
};

struct header {
    int64_t height, width;
    int depth, colour; /* bits a sample; colour type */
    const uint8_t *ihdr;
    struct chunk palette, alpha; /* PLTE and tRNS; n = 0: none */
    size_t compressed;           /* bytes of all IDAT chunks */
    struct chunk profile;        /* EXIF in a text chunk; n = 0: none */
    int orientation, xmp;        /* 0: none */
};

/* The chunk at *at, *at moving behind it. NULL, or what is wrong (but for its checksum).
 */
static const char *next_chunk(struct chunk *c, const struct picture *file, size_t *at)
{
    size_t left = file->n - *at;
    const uint8_t *p = file->data + *at;
    if (left < 12)
        return "truncated";
    c->n = bytes_be32(p);
    if (c->n > INT32_MAX)
        return "damaged: a chunk's length";
    if (c->n > left - 12)
        return "truncated";
    c->type = p + 4;
    c->data = p + 8;
    *at += c->n + 12;
    return NULL;
}

/* The same, with its checksum. */
static const char *next_checked(struct chunk *c, const struct picture *file, size_t *at)
{
    const char *why = next_chunk(c, file, at);
    if (!why && crc32(0, c->type, (uInt)(c->n + 4)) != bytes_be32(c->data + c->n))
        why = "damaged: a chunk's checksum is wrong";
    return why;
}

static bool is(const struct chunk *c, const char *type)
{
    return memcmp(c->type, type, 4) == 0;
}

/* Sizes and pixel layout. NULL, or what is wrong. */
static const char *read_ihdr(struct header *h, const struct chunk *c)
{
    static const uint8_t depths[7] = {/* bit d set: colour type allows depth d */
                                      [0] = 1 | 2 | 4 | 8 | 16,
                                      [2] = 8 | 16,
                                      [3] = 1 | 2 | 4 | 8,
                                      [4] = 8 | 16,
                                      [6] = 8 | 16};
    if (!is(c, "IHDR") || c->n != 13)
        return "it does not begin with its header";
    h->ihdr = c->data;
    h->width = bytes_be32(c->data);
    h->height = bytes_be32(c->data + 4);
    h->depth = c->data[8];
    h->colour = c->data[9];
    if (h->colour > 6 || !(depths[h->colour] & h->depth) || (h->depth & (h->depth - 1)))
        return "damaged header: no such colour type and depth";
    if (c->data[10] || c->data[11] || c->data[12] > 1)
        return "damaged header: unknown compression, filter or interlace";
    return NULL;
}

/* Text chunks of this keyword hold EXIF: how PNG had it before there was eXIf. The NUL
 * behind the keyword is the chunk's too. */
static const char profile_keyword[] = "Raw profile type exif";

static bool is_profile(const struct chunk *c)
{
    return (is(c, "tEXt") || is(c, "zTXt")) && c->n > sizeof profile_keyword &&
           memcmp(c->data, profile_keyword, sizeof profile_keyword) == 0;
}

/* All chunks. NULL, or what is wrong. */
static const char *read_chunks(struct header *h, const struct picture *file)
{
    struct chunk c;
    size_t at = SIGNATURE_BYTES;
    const char *why = next_checked(&c, file, &at);
    *h = (struct header){0};
    if (why || (why = read_ihdr(h, &c)))
        return why;
    while (!(why = next_checked(&c, file, &at)) && !is(&c, "IEND")) {
        if (is(&c, "IDAT"))
            h->compressed += c.n;
        else if (is(&c, "PLTE") && h->palette.n == 0)
            h->palette = c;
        else if (is(&c, "tRNS") && h->alpha.n == 0)
            h->alpha = c;
        else if (is(&c, "eXIf"))
            h->orientation = exif_orientation(c.data, c.n);
        else if (is(&c, "iTXt") && c.n > 17 && !memcmp(c.data, "XML:com.adobe.xmp", 17))
            h->xmp = exif_xmp_orientation(c.data, c.n);
        else if (is_profile(&c))
            h->profile = c;
        else if (!(c.type[0] & 0x20) && !is(&c, "PLTE"))
            return "damaged: an unknown critical chunk";
    }
    if (!why && h->compressed == 0)
        return "no picture data";
    if (!why && h->colour == COLOUR_PALETTE && (h->palette.n == 0 || h->palette.n % 3))
        return "damaged: its palette is missing or broken";
    return why;
}

/* The palette in full. Entries that the file lacks are black, as in Pillow. */
static void fill_palette(uint8_t palette[768], const struct header *h)
{
    size_t n = h->palette.n < 768 ? h->palette.n : 768;
    memset(palette, 0, 768);
    memcpy(palette, h->palette.data, n);
}

/* The one transparent colour that tRNS names, as Pillow reads it; false: none. Of a
 * palette, one entry is transparent and the others opaque: other alpha is dropped. */
static bool key_of(uint8_t key[3], const struct header *h)
{
    const struct chunk *a = &h->alpha;
    if (h->colour == COLOUR_PALETTE) {
        uint8_t palette[768];
        size_t at = 0, clear = 0;
        for (size_t i = 0; i < a->n; i++) {
            if (a->data[i] != 0 && a->data[i] != 255)
                return false;
            if (a->data[i] == 0)
                at = i, clear++;
        }
        fill_palette(palette, h);
        if (clear == 1 && at < 256)
            memcpy(key, palette + 3 * at, 3);
        return clear == 1 && at < 256;
    }
    size_t channels = h->colour == COLOUR_GRAY ? 1 : 3;
    if ((h->colour != COLOUR_GRAY && h->colour != COLOUR_RGB) || a->n < 2 * channels)
        return false;
    for (size_t c = 0; c < 3; c++) {
        const uint8_t *v = a->data + (channels == 1 ? 0 : 2 * c);
        unsigned value = (unsigned)v[0] << 8 | v[1];
        if (h->depth == 1 && value)
            value = 255;
        else if (h->colour == COLOUR_GRAY && h->depth == 16 && value)
            return false; /* what the reference reads there is no gray */
        key[c] = value < 255 ? (uint8_t)value : 255;
    }
    return true;
}

static void put_chunk_head(struct buf *out, const char *type, size_t n)
{
    uint8_t head[8];
    bytes_put_be32(head, (uint32_t)n);
    memcpy(head + 4, type, 4);
    buf_add(out, head, 8);
}

/* A PNG of IHDR, PLTE and one IDAT. stb_image does not look at checksums: they are 0. */
static void rebuild(struct buf *out, const struct header *h, const struct picture *file)
{
    static const uint8_t no_crc[4];
    struct chunk c;
    size_t at = SIGNATURE_BYTES;
    buf_room(out, h->compressed + 1024);
    buf_add(out, file->data, SIGNATURE_BYTES);
    put_chunk_head(out, "IHDR", 13);
    buf_add(out, h->ihdr, 13);
    buf_add(out, no_crc, 4);
    if (h->colour == COLOUR_PALETTE) {
        uint8_t palette[768];
        fill_palette(palette, h);
        put_chunk_head(out, "PLTE", sizeof palette);
        buf_add(out, palette, sizeof palette);
        buf_add(out, no_crc, 4);
    }
    put_chunk_head(out, "IDAT", h->compressed);
    while (!next_chunk(&c, file, &at) && !is(&c, "IEND"))
        if (is(&c, "IDAT"))
            buf_add(out, c.data, c.n);
    buf_add(out, no_crc, 4);
    put_chunk_head(out, "IEND", 0);
    buf_add(out, no_crc, 4);
}

/* Pixels of the rebuilt file into im. NULL, or what is wrong. */
static const char *decode(struct image *im, const struct header *h,
                          const struct buf *clean)
{
    const char *why;
    const uint8_t *data = (const uint8_t *)clean->data;
    size_t samples = (size_t)im->height * (size_t)im->width * 3;
    if (h->colour == COLOUR_GRAY && h->depth == 16) { /* saturated, not scaled */
        uint16_t *gray = stb_decode_gray16(data, clean->len, im->height, im->width, &why);
        if (!gray)
            return why;
        for (size_t i = 0; i < samples / 3; i++)
            memset(im->rgb + 3 * i, gray[i] < 255 ? gray[i] : 255, 3);
        stb_free(gray);
        return NULL;
    }
    uint8_t *rgb = stb_decode(data, clean->len, im->height, im->width, 3, &why);
    if (!rgb)
        return why;
    memcpy(im->rgb, rgb, samples);
    stb_free(rgb);
    return NULL;
}

/* The orientation in the profile: 0 for none, -1 without memory. */
static int profile_orientation(const struct chunk *profile)
{
    enum { MOST = 1 << 20 }; /* bytes of text */
    const uint8_t *data = profile->data + sizeof profile_keyword;
    size_t n = profile->n - sizeof profile_keyword;
    uLongf size = MOST;
    if (is(profile, "tEXt"))
        return exif_text_orientation((const char *)data, n);
    Bytef *text = malloc(MOST);
    if (!text)
        return fail_memory();
    int found = 0; /* first a byte for the method, then zlib's data */
    if (uncompress(text, &size, data + 1, (uLong)(n - 1)) == Z_OK)
        found = exif_text_orientation((const char *)text, size);
    free(text);
    return found;
}

/* By eXIf, else by the profile, else by XMP; 0: none, -1: memory. */
static int find_orientation(const struct header *h)
{
    int found = h->orientation;
    if (found == 0 && h->profile.n > 0)
        found = profile_orientation(&h->profile);
    return found ? found : h->xmp;
}

int png_decode(struct image *im, int *orientation, const struct picture *file)
{
    struct header h;
    struct buf clean = {0};
    const char *why = read_chunks(&h, file);
    /* A bomb's own word for its size is a better reason than its broken rest. */
    if (h.ihdr && picture_size(file, h.height, h.width) < 0)
        return -1;
    if (why)
        return picture_bad(file, "PNG", why);
    int found = find_orientation(&h);
    if (found < 0)
        return -1;
    if (found > 0)
        *orientation = found;
    int status = picture_new(im, file, h.height, h.width);
    if (status != 0)
        return status;
    rebuild(&clean, &h, file);
    status = buf_ok(&clean);
    if (status == 0 && (why = decode(im, &h, &clean)))
        status = picture_bad(file, "PNG", why);
    buf_free(&clean);
    uint8_t key[3];
    if (status == 0 && key_of(key, &h))
        picture_key(im, key);
    return status;
}
