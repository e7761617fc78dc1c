/* gif.c: the first frame of GIF files (GIF89a specification, CompuServe 1990). The blocks
 * are walked here; stb_image gets a file rebuilt from the first frame alone: no
 * animation, the transparent colour white (see picture_key()), a
 * full palette. */
#include "base/buf.h"
#include "base/fail.h"
#include "media/bytes.h"
#include "media/decode.h"
#include "media/stb.h"

#include <stdbool.h>
#include <string.h>

struct header {
    int64_t height, width;            /* of the canvas */
    int64_t top, left, rows, columns; /* of the first frame on it */
    const uint8_t *palette;           /* entries x 3; NULL: gray */
    size_t entries;
    bool interlaced;
    int transparent;          /* palette index, -1: none */
    size_t data_at, data_end; /* the frame's LZW data with its block lengths */
};

/* Where the sub-blocks at at end (behind their terminator), or 0 if they are cut off. */
static size_t skip_blocks(const struct picture *file, size_t at)
{
    while (at < file->n && file->data[at]) at += (size_t)file->data[at] + 1;
    return at < file->n ? at + 1 : 0;
}

/* Take the palette that flags announce at *at. NULL, or what is wrong. */
static const char *read_palette(struct header *h, const struct picture *file, size_t *at,
                                unsigned flags)
{
    if (!(flags & 0x80))
        return NULL;
    size_t entries = (size_t)2 << (flags & 7);
    if (file->n - *at < entries * 3)
        return "truncated";
    h->palette = file->data + *at;
    h->entries = entries;
    *at += entries * 3;
    return NULL;
}

/* The frame at at (behind its 0x2C). NULL, or what is wrong. */
static const char *read_frame(struct header *h, const struct picture *file, size_t at)
{
    if (file->n - at < 10)
        return "truncated";
    const uint8_t *p = file->data + at;
    h->left = bytes_le16(p);
    h->top = bytes_le16(p + 2);
    h->columns = bytes_le16(p + 4);
    h->rows = bytes_le16(p + 6);
    h->interlaced = p[8] & 0x40;
    if (h->left + h->columns > h->width) /* the canvas grows with it, as in Pillow */
        h->width = h->left + h->columns;
    if (h->top + h->rows > h->height)
        h->height = h->top + h->rows;
    at += 9;
    const char *why = read_palette(h, file, &at, p[8]);
    if (why)
        return why;
    h->data_at = at;
    if (at >= file->n || !(h->data_end = skip_blocks(file, at + 1)))
        return "truncated";
    return file->data[at] < 1 || file->data[at] > 11 ? "damaged: its code size" : NULL;
}

/* From the header to the first frame's end. NULL, or what is wrong. */
static const char *read_header(struct header *h, const struct picture *file)
{
    const uint8_t *data = file->data;
    *h = (struct header){.transparent = -1};
    if (file->n < 13)
        return "truncated";
    h->width = bytes_le16(data + 6);
    h->height = bytes_le16(data + 8);
    size_t at = 13;
    const char *why = read_palette(h, file, &at, data[10]);
    while (!why) {
        if (at >= file->n)
            return "truncated";
        int kind = data[at++];
        if (kind == 0x2C)
            return read_frame(h, file, at);
        if (kind == 0x3B)
            return "no picture in it";
        if (kind != 0x21)
            return "damaged: an unknown block";
        if (file->n - at >= 6 && data[at] == 0xF9 && data[at + 1] == 4)
            h->transparent = data[at + 2] & 1 ? data[at + 5] : -1;
        if (file->n - at < 2 || !(at = skip_blocks(file, at + 1)))
            return "truncated";
    }
    return why;
}

/* Entry i of the full palette: black beyond the file's, gray where it has none at all, as
 * in Pillow. */
static void colour(uint8_t rgb[3], const struct header *h, size_t i)
{
    if (i < h->entries)
        memcpy(rgb, h->palette + 3 * i, 3);
    else
        memset(rgb, h->entries ? 0 : (int)i, 3);
}

/* A GIF of the frame alone with a palette of 256. */
static void rebuild(struct buf *out, const struct header *h, const struct picture *file)
{
    uint8_t head[13] = "GIF89a", frame[10] = {0x2C}, palette[768];
    bytes_put_le16(head + 6, (uint32_t)h->columns);
    bytes_put_le16(head + 8, (uint32_t)h->rows);
    bytes_put_le16(frame + 5, (uint32_t)h->columns);
    bytes_put_le16(frame + 7, (uint32_t)h->rows);
    frame[9] = (uint8_t)(0x87 | (h->interlaced ? 0x40 : 0));
    for (size_t i = 0; i < 256; i++) colour(palette + 3 * i, h, i);
    buf_add(out, head, sizeof head);
    buf_add(out, frame, sizeof frame);
    buf_add(out, palette, sizeof palette);
    buf_add(out, file->data + h->data_at, h->data_end - h->data_at);
    buf_char(out, 0x3B);
}

/* Put the frame on the canvas. 0, or -1 where a pixel was never coded (its alpha is 0).
 */
static int place(struct image *im, const uint8_t *rgba, const struct header *h)
{
    for (int64_t y = 0; y < h->rows; y++) {
        uint8_t *to = im->rgb + ((h->top + y) * h->width + h->left) * 3;
        for (int64_t x = 0; x < h->columns; x++, to += 3, rgba += 4) {
            if (rgba[3] == 0)
                return -1;
            memcpy(to, rgba, 3);
        }
    }
    return 0;
}

static void fill(struct image *im, const struct header *h)
{
    uint8_t back[3];
    colour(back, h, h->transparent >= 0 ? (size_t)h->transparent : 0);
    for (int64_t i = 0; i < h->width * h->height; i++) memcpy(im->rgb + 3 * i, back, 3);
}

int gif_decode(struct image *im, int *orientation, const struct picture *file)
{
    struct header h;
    struct buf clean = {0};
    (void)orientation; /* the format has none */
    const char *why = read_header(&h, file);
    if (why)
        return picture_bad(file, "GIF", why);
    if (h.rows == 0 || h.columns == 0)
        return picture_bad(file, "GIF", "a frame without pixels");
    int status = picture_new(im, file, h.height, h.width);
    if (status != 0)
        return status;
    rebuild(&clean, &h, file);
    status = buf_ok(&clean);
    if (status == 0) {
        uint8_t *rgba = stb_decode((const uint8_t *)clean.data, clean.len, (int)h.rows,
                                   (int)h.columns, 4, &why);
        fill(im, &h);
        if (!rgba)
            status = picture_bad(file, "GIF", why);
        else if (place(im, rgba, &h) < 0)
            status = picture_bad(file, "GIF", "truncated: pixels are missing");
        if (status == 0 && h.transparent >= 0) {
            uint8_t key[3];
            colour(key, &h, (size_t)h.transparent);
            picture_key(im, key);
        }
        stb_free(rgba);
    }
    buf_free(&clean);
    return status;
}
