/* base64.c: see base64.h (RFC 4648, section 4). */
#include "media/base64.h"

#include <stdint.h>

enum { BLANK = 64, END = 65, WRONG = 66 };

/* A letter's six bits, or what else it is. */
static unsigned value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 0u;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    switch (c) {
    case '+': return 62;
    case '/': return 63;
    case '=': return END;
    case ' ':
    case '\t':
    case '\n':
    case '\f':
    case '\r': return BLANK;
    default: return WRONG;
    }
}

int base64_decode(struct buf *out, struct span text)
{
    uint8_t table[256];
    uint32_t bits = 0;
    size_t letters = 0, ends = 0, n = 0;
    for (unsigned c = 0; c < 256; c++) table[c] = (uint8_t)value((unsigned char)c);
    uint8_t *to = (uint8_t *)buf_room(out, text.n / 4 * 3 + 3);
    if (!to)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        unsigned v = table[(unsigned char)text.s[i]];
        if (v == BLANK)
            continue;
        if (v == END) {
            ends++;
            continue;
        }
        if (v == WRONG || ends > 0)
            return -1;
        bits = bits << 6 | v;
        if (++letters % 4 == 0) {
            to[n++] = (uint8_t)(bits >> 16);
            to[n++] = (uint8_t)(bits >> 8);
            to[n++] = (uint8_t)bits;
        }
    }
    size_t rest = letters % 4;
    if (rest == 1 || ends > 2 || (ends > 0 && (letters + ends) % 4 != 0))
        return -1;
    if (rest >= 2)
        to[n++] = (uint8_t)(rest == 2 ? bits >> 4 : bits >> 10);
    if (rest == 3)
        to[n++] = (uint8_t)(bits >> 2);
    out->len += n;
    return 0;
}

void base64_encode(struct buf *out, const void *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    char *to = buf_room(out, (n + 2) / 3 * 4), *start = to;
    if (!to)
        return;
    for (; n >= 3; n -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *to++ = letters[bits >> 18];
        *to++ = letters[bits >> 12 & 63];
        *to++ = letters[bits >> 6 & 63];
        *to++ = letters[bits & 63];
    }
    if (n > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (n > 1 ? (uint32_t)from[1] << 8 : 0);
        *to++ = letters[bits >> 18];
        *to++ = letters[bits >> 12 & 63];
        *to++ = n > 1 ? letters[bits >> 6 & 63] : '=';
        *to++ = '=';
    }
    out->len += (size_t)(to - start);
}
