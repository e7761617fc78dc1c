/* decoder.c: the streaming decoder of tokenizer.h. */
#include "text/tokenizer.h"
#include "text/utf8.h"

#include <string.h>

/* Write what of s[0..n) is decided; returns how many bytes were used up. */
static size_t write_whole(const char *s, size_t n, struct buf *out)
{
    size_t i = 0;
    while (i < n) {
        uint32_t c;
        int cut;
        size_t length = utf8_next(s + i, n - i, &c, &cut);
        if (cut)
            break; /* may still become a character */
        char *to = buf_room(out, 4);
        if (to)
            out->len += utf8_put(to, c);
        i += length;
    }
    return i;
}

void decoder_push(struct decoder *d, const struct tokenizer *t, int32_t id,
                  struct buf *out)
{
    if (d->skip_special && tokenizer_is_special(t, id))
        return;
    struct span bytes = tokenizer_bytes(t, id);
    while (d->held_count > 0 &&
           bytes.n > 0) { /* settle the bytes held back, one by one */
        char text[4];
        memcpy(text, d->held, (size_t)d->held_count);
        text[d->held_count] = bytes.s[0];
        size_t n = (size_t)d->held_count + 1, used = write_whole(text, n, out);
        bytes.s++;
        bytes.n--;
        d->held_count = (int)(n - used);
        memcpy(d->held, text + used, n - used);
    }
    size_t used = write_whole(bytes.s, bytes.n, out);
    if (used < bytes.n) {
        d->held_count = (int)(bytes.n - used);
        memcpy(d->held, bytes.s + used, bytes.n - used);
    }
}

void decoder_end(struct decoder *d, struct buf *out)
{
    if (d->held_count > 0)
        buf_text(out,
                 "\xEF\xBF\xBD"); /* one maximal part: its bytes never end a character */
    d->held_count = 0;
}
