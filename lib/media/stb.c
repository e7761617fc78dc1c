/* stb.c: see stb.h. The one place where stb_image is compiled. */
#include "media/stb.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A block that stb may grow to four times its first size (+ 64 KB), no further. Its only
 * growing block here is the inflated PNG data, first sized from the header: what wants
 * much more is a bomb. */
struct block {
    _Alignas(16) size_t first;
};

static void *block_new(size_t n)
{
    struct block *b = n > SIZE_MAX / 8 ? NULL : malloc(sizeof *b + n);
    if (!b)
        return NULL;
    b->first = n;
    return b + 1;
}

static void block_free(void *p)
{
    if (p)
        free((struct block *)p - 1);
}

static void *block_grow(void *p, size_t n)
{
    if (!p)
        return block_new(n);
    struct block *b = (struct block *)p - 1;
    if (n > 4 * b->first + 65536)
        return NULL;
    struct block *grown = realloc(b, sizeof *b + n);
    return grown ? grown + 1 : NULL; /* cppcheck-suppress memleak */
}

#define STBI_MALLOC(n) block_new(n)
#define STBI_REALLOC(p, n) block_grow(p, n)
#define STBI_FREE(p) block_free(p)
#define STBI_ASSERT(x)                                                                   \
    ((void)0) /* on what the file says, not only on its own mistakes                     \
               */
#define STBI_ONLY_PNG
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
/* Told at the end of the file, so for all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

/* Why stb gave nothing. It forgets to say so where memory for inflating is short. */
static const char *reason(void)
{
    const char *told = stbi_failure_reason();
    return told ? told : "out of memory";
}

uint8_t *stb_decode(const uint8_t *data, size_t n, int height, int width, int channels,
                    const char **why)
{
    int w, h, stored;
    if (n > INT_MAX) {
        *why = "too long";
        return NULL;
    }
    uint8_t *out = stbi_load_from_memory(data, (int)n, &w, &h, &stored, channels);
    *why = out ? "the size is not the header's" : reason();
    if (out && w == width && h == height)
        return out;
    stb_free(out);
    return NULL;
}

uint16_t *stb_decode_gray16(const uint8_t *data, size_t n, int height, int width,
                            const char **why)
{
    int w, h, stored;
    if (n > INT_MAX) {
        *why = "too long";
        return NULL;
    }
    uint16_t *out = stbi_load_16_from_memory(data, (int)n, &w, &h, &stored, 1);
    *why = out ? "the size is not the header's" : reason();
    if (out && w == width && h == height)
        return out;
    stb_free(out);
    return NULL;
}

void stb_free(void *pixels)
{
    block_free(pixels);
}
