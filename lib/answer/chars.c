/* chars.c: see chars.h. */
#include "answer/chars.h"
#include "base/fail.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

size_t chars_next(const char *s, size_t n, uint32_t *c)
{
    int short_by;
    if ((unsigned char)*s < 0x80) {
        *c = (unsigned char)*s;
        return 1;
    }
    return utf8_next(s, n, c, &short_by);
}

bool chars_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool is_decimal(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

int chars_digit(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
    if (!is_decimal(c))
        return -1;
    /* a script's ten digits stand in order; five sets of mathematical ones in a row */
    uint32_t first = c;
    while (c - first < 60 && is_decimal(first - 1)) first--;
    return (int)((c - first) % 10);
}

struct span chars_strip(struct span text)
{
    uint32_t c;
    for (size_t n; text.n > 0; text.s += n, text.n -= n) {
        n = chars_next(text.s, text.n, &c);
        if (!chars_space(c))
            break;
    }
    while (text.n > 0) {
        size_t n = 1; /* back to where the last character begins */
        while (n < 4 && n < text.n && (text.s[text.n - n] & 0xC0) == 0x80) n++;
        chars_next(text.s + text.n - n, n, &c);
        if (!chars_space(c))
            break;
        text.n -= n;
    }
    return text;
}

static bool is_ignored(uint32_t c) /* Case_Ignorable, of which most matters in words */
{
    if (c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xB7 ||
        c == 0x2019)
        return true;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return false;
    }
}

static bool is_cased(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: return true;
    default: return false;
    }
}

/* Does the word end at a capital sigma (Unicode 15, table 3-17, Final_Sigma)? */
static bool is_final(bool cased_before, const char *s, size_t n)
{
    uint32_t c;
    for (size_t k; cased_before && n > 0; s += k, n -= k) {
        k = chars_next(s, n, &c);
        if (!is_ignored(c))
            return !is_cased(c);
    }
    return cased_before;
}

int points_lower(struct points *p, struct span text, bool collapse)
{
    size_t room = text.n + 1; /* no byte makes more than one code point, but U+0130 two */
    bool cased = false, gap = false;
    *p = (struct points){.at = p->small};
    if (room > sizeof p->small / sizeof *p->small &&
        !(p->at = malloc(room * sizeof *p->at)))
        return fail_memory();
    for (size_t i = 0, n; i < text.n; i += n) {
        uint32_t c;
        n = chars_next(text.s + i, text.n - i, &c);
        if (collapse && chars_space(c)) {
            gap = p->n > 0;
            cased = false;
            continue;
        }
        if (gap)
            p->at[p->n++] = ' ';
        gap = false;
        if (c < 0x80) {
            bool upper = c >= 'A' && c <= 'Z';
            cased = upper || (c >= 'a' && c <= 'z') || (cased && is_ignored(c));
            p->at[p->n++] = upper ? c + 32 : c;
            continue;
        }
        if (c == 0x3A3 && is_final(cased, text.s + i + n, text.n - i - n))
            p->at[p->n++] = 0x3C2;
        else if (c == 0x130) {
            p->at[p->n++] = 'i';
            p->at[p->n++] = 0x307;
        } else
            p->at[p->n++] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        cased = is_cased(c) || (cased && is_ignored(c));
    }
    return 0;
}

void points_free(struct points *p)
{
    if (p->at != p->small)
        free(p->at);
    p->n = 0;
    p->at = p->small;
}

/* Characters whose upper case is several (Unicode, SpecialCasing.txt, without
 * conditions).
 */
static const struct {
    uint16_t first, last;
    uint8_t length;
} grown[] = {
    {0xDF, 0xDF, 2},     {0x149, 0x149, 2},   {0x1F0, 0x1F0, 2},   {0x390, 0x390, 3},
    {0x3B0, 0x3B0, 3},   {0x587, 0x587, 2},   {0x1E96, 0x1E9A, 2}, {0x1F50, 0x1F50, 2},
    {0x1F52, 0x1F52, 3}, {0x1F54, 0x1F54, 3}, {0x1F56, 0x1F56, 3}, {0x1F80, 0x1FAF, 2},
    {0x1FB2, 0x1FB4, 2}, {0x1FB6, 0x1FB6, 2}, {0x1FB7, 0x1FB7, 3}, {0x1FBC, 0x1FBC, 2},
    {0x1FC2, 0x1FC4, 2}, {0x1FC6, 0x1FC6, 2}, {0x1FC7, 0x1FC7, 3}, {0x1FCC, 0x1FCC, 2},
    {0x1FD2, 0x1FD3, 3}, {0x1FD6, 0x1FD6, 2}, {0x1FD7, 0x1FD7, 3}, {0x1FE2, 0x1FE3, 3},
    {0x1FE4, 0x1FE4, 2}, {0x1FE6, 0x1FE6, 2}, {0x1FE7, 0x1FE7, 3}, {0x1FF2, 0x1FF4, 2},
    {0x1FF6, 0x1FF6, 2}, {0x1FF7, 0x1FF7, 3}, {0x1FFC, 0x1FFC, 2}, {0xFB00, 0xFB02, 2},
    {0xFB03, 0xFB04, 3}, {0xFB05, 0xFB06, 2}, {0xFB13, 0xFB17, 2},
};

size_t chars_upper_length(struct span text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.n; length++) {
        uint32_t c;
        i += chars_next(text.s + i, text.n - i, &c);
        for (size_t k = 0; c >= 0xDF && k < sizeof grown / sizeof *grown; k++)
            if (c >= grown[k].first && c <= grown[k].last)
                length += grown[k].length - 1u;
    }
    return length;
}
