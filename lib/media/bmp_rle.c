/* bmp_rle.c: BMP's run-length codes (Windows GDI, "Bitmap Compression"). */
#include "media/bmp.h"

#include <stdbool.h>
#include <string.h>

struct canvas {
    uint8_t *out;
    int height, width;
    int64_t x, y;
};

/* Set the next pixel; what runs over the right edge is dropped. */
static void put(struct canvas *c, unsigned v)
{
    if (c->x < c->width && c->y < c->height)
        c->out[c->y * c->width + c->x++] = (uint8_t)v;
}

/* The i-th pixel of a run whose bytes are at p. */
static unsigned sample(const uint8_t *p, size_t i, bool rle4)
{
    if (!rle4)
        return p[i];
    return i % 2 ? p[i / 2] & 15u : p[i / 2] >> 4;
}

int bmp_expand(uint8_t *out, int height, int width, const uint8_t *codes, size_t n,
               int rle4)
{
    struct canvas c = {out, height, width, 0, 0};
    memset(out, 0, (size_t)height * (size_t)width);
    for (size_t at = 0; n - at >= 2;) {
        unsigned count = codes[at], code = codes[at + 1];
        at += 2;
        if (count > 0) { /* one byte, repeated; with rle4 its halves take turns */
            for (unsigned i = 0; i < count; i++)
                put(&c, rle4 ? (i % 2 ? code & 15 : code >> 4) : code);
        } else if (code == 0) { /* end of a row */
            c.x = 0;
            c.y++;
        } else if (code == 1) { /* end of the picture */
            return 0;
        } else if (code == 2) { /* a step right and up */
            if (n - at < 2)
                return -1;
            c.x += codes[at];
            c.y += codes[at + 1];
            at += 2;
        } else { /* that many pixels follow, padded to a multiple of 16 bits */
            size_t bytes = rle4 ? (code + 1) / 2 : code;
            if (n - at < bytes)
                return -1;
            for (unsigned i = 0; i < code; i++) put(&c, sample(codes + at, i, rle4));
            at += bytes;
            at += at < n ? bytes % 2 : 0;
        }
    }
    return -1;
}
