/* buf.c: see buf.h. */
#include "base/buf.h"
#include "base/fail.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_room(struct buf *b, size_t n)
{
    if (b->bad)
        return NULL;
    if (n > b->cap - b->len || !b->data) { /* never NULL, not even for no byte */
        size_t want = b->cap ? b->cap : 256;
        while (want - b->len < n) {
            if (want > SIZE_MAX / 2) {
                b->bad = true;
                return NULL;
            }
            want *= 2;
        }
        char *data = realloc(b->data, want);
        if (!data) {
            b->bad = true;
            return NULL;
        }
        b->data = data;
        b->cap = want;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_room(b, n);
    if (!to)
        return;
    memcpy(to, bytes, n);
    b->len += n;
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    if (b->len < b->cap && !b->bad)
        b->data[b->len++] = c;
    else
        buf_add(b, &c, 1);
}

void buf_print(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
    if (!to) {
        b->bad = true;
        return;
    }
    va_start(args, format);
    vsnprintf(to, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
}

const char *buf_string(struct buf *b)
{
    char *end = buf_room(b, 1);
    if (!end)
        return NULL;
    *end = '\0';
    return b->data;
}

int buf_ok(const struct buf *b)
{
    return b->bad ? fail_memory() : 0;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->bad = false;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
