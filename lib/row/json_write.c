/* json_write.c: append JSON values to a buffer. */
#include "row/json.h"
#include "row/scan.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What follows the backslash of an ASCII character's escape; u where it has no short one.
 */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\': return (char)c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 'u';
    }
}

void json_put_text(struct buf *out, struct span text)
{
    static const char hex[] = "0123456789abcdef";
    const char *s = text.s ? text.s : "", *end = s + text.n, *from = s; /* not written */
    buf_char(out, '"');
    while ((s = scan_plain(s, end)) < end) {
        unsigned char c = (unsigned char)*s;
        int n = c >= 0x80 ? scan_utf8(s, end) : 0;
        if (n > 0) {
            s += n;
            continue;
        }
        buf_add(out, from, (size_t)(s - from));
        if (n < 0) {
            buf_text(out, "\xEF\xBF\xBD");
            from = s -= n;
            continue;
        }
        char escape[6] = {'\\', short_escape(c), '0', '0', hex[c >> 4], hex[c & 15]};
        buf_add(out, escape, escape[1] == 'u' ? 6 : 2);
        from = ++s;
    }
    buf_add(out, from, (size_t)(s - from));
    buf_char(out, '"');
}

/* An exponent as short as it reads back: e-07 -> e-7, e+308 -> e308. */
static void shorten_exponent(char *text)
{
    char *e = strchr(text, 'e'), *digits;
    if (!e)
        return;
    digits = e + 2 + strspn(e + 2, "0");
    memmove(e[1] == '-' ? e + 2 : e + 1, digits, strlen(digits) + 1);
}

/* The first form of `least` to `most` digits that reads back to x. */
static void put_digits(struct buf *out, double x, int least, int most, bool shortest)
{
    char text[40];
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    for (int digits = least; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    if (c) {
        uselocale(before);
        freelocale(c);
    }
    if (shortest)
        shorten_exponent(text);
    buf_text(out, text);
}

void json_put_real(struct buf *out, double x)
{
    if (!isfinite(x))
        buf_text(out, "null");
    else
        /* 15 digits hold for every decimal of up to 15 that is not subnormal. */
        put_digits(out, x, x != 0 && fabs(x) < DBL_MIN ? 1 : 15, 17, true);
}

void json_put_logprob(struct buf *out, double x)
{
    if (!isfinite(x))
        buf_text(out, "null");
    else
        put_digits(out, x, 9, 9, false);
}

void json_put_int(struct buf *out, int64_t x)
{
    buf_print(out, "%" PRId64, x);
}
