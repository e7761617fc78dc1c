/* exif.c: see exif.h. A TIFF file in little (TIFF 6.0, section 2): we follow its header
 * to the first directory and look at its entries. */
#include "media/exif.h"
#include "base/buf.h"
#include "media/bytes.h"

#include <stdbool.h>
#include <string.h>

enum { TAG_ORIENTATION = 0x0112, ENTRY_BYTES = 12 };

struct tiff {
    const uint8_t *data;
    size_t n;
    bool big; /* big-endian */
};

static uint32_t get16(const struct tiff *t, size_t at)
{
    return t->big ? bytes_be16(t->data + at) : bytes_le16(t->data + at);
}

static uint32_t get32(const struct tiff *t, size_t at)
{
    return t->big ? bytes_be32(t->data + at) : bytes_le32(t->data + at);
}

/* The value of an entry that holds one whole number; else 0. */
static uint32_t entry_value(const struct tiff *t, size_t at)
{
    if (get32(t, at + 4) != 1)
        return 0;
    switch (get16(t, at + 2)) {     /* the types of TIFF 6.0: */
    case 1: return t->data[at + 8]; /* BYTE */
    case 3:
    case 8: return get16(t, at + 8); /* SHORT, SSHORT */
    case 4:
    case 9: return get32(t, at + 8); /* LONG, SLONG */
    }
    return 0;
}

int exif_orientation(const uint8_t *data, size_t n)
{
    while (n >= 6 && memcmp(data, "Exif\0", 6) == 0) /* some writers put it twice */
        data += 6, n -= 6;
    struct tiff t = {data, n, n > 0 && data[0] == 'M'};
    if (n < 8 || (memcmp(data, "II*", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 0;
    size_t at = get32(&t, 4);
    if (at > n || n - at < 2)
        return 0;
    uint32_t entries = get16(&t, at), found = 0;
    for (at += 2; entries > 0 && n - at >= ENTRY_BYTES; entries--, at += ENTRY_BYTES)
        if (get16(&t, at) == TAG_ORIENTATION)
            found = entry_value(&t, at); /* the last one counts */
    return found >= 1 && found <= 8 ? (int)found : 0;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int exif_text_orientation(const char *text, size_t n)
{
    struct buf block = {0};
    size_t at = 0, digits = 0;
    int value = 0;
    for (int lines = 0; lines < 3 && at < n; at++) lines += text[at] == '\n';
    for (; at < n; at++) {
        int digit = digit_of(text[at]);
        if (digit < 0)
            continue; /* a line end */
        value = value * 16 + digit;
        if (++digits % 2 == 0) {
            buf_char(&block, (char)value);
            value = 0;
        }
    }
    int found = buf_ok(&block) < 0
                    ? -1
                    : exif_orientation((const uint8_t *)block.data, block.len);
    buf_free(&block);
    return found;
}

int exif_xmp_orientation(const uint8_t *data, size_t n)
{
    static const char key[] = "tiff:Orientation";
    const uint8_t *end = data + n, *at = data;
    while (at < end && (at = memmem(at, (size_t)(end - at), key, sizeof key - 1))) {
        at += sizeof key - 1;
        if (end - at >= 2 && at[0] == '>') /* an element: >6< */
            at += 1;
        else if (end - at >= 3 && at[0] == '=' && at[1] == '"') /* an attribute */
            at += 2;
        else
            continue;
        if (*at >= '0' && *at <= '9')
            return *at >= '1' && *at <= '8' ? *at - '0' : 0;
    }
    return 0;
}
