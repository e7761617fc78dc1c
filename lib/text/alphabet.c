/* alphabet.c: see alphabet.h. */
#include "text/alphabet.h"
#include "base/fail.h"
#include "text/utf8.h"

/* The byte that a character of the byte-level alphabet stands for, or -1: printable
 * Latin-1 stands for itself, the other 68 bytes are U+0100 and up, in order. */
static int byte_of(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xFF && c != 0xAD))
        return (int)c;
    if (c < 0x100 || c > 0x143)
        return -1;
    int n = (int)c - 0x100;
    return n <= 0x20 ? n : n <= 0x42 ? n - 0x21 + 0x7F : 0xAD;
}

int alphabet_shown(struct span text)
{
    return text.n < ALPHABET_SHOWN ? (int)text.n : ALPHABET_SHOWN;
}

int alphabet_bytes(struct span text, struct buf *out)
{
    char *to = buf_room(out, text.n + 1);
    if (!to)
        return fail_memory();
    for (size_t i = 0; i < text.n;) {
        uint32_t c = (unsigned char)text.s[i];
        int cut;
        if (c >= 0x80)
            i += utf8_next(text.s + i, text.n - i, &c, &cut);
        else
            i++;
        int byte = byte_of(c);
        if (byte < 0)
            return fail(FAIL_MODEL, "\"%.*s\" is not a byte-level token",
                        alphabet_shown(text), text.s);
        *to++ = (char)byte;
        out->len++;
    }
    return 0;
}
