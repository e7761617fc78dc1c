/* scan.c: see scan.h. Sixteen bytes at a time where SSE2 is (always, on x86-64). */
#include "row/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

const char *scan_plain(const char *s, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    for (; end - s >= 16; s += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
        /* As signed bytes both control bytes and those over 0x7F are below 0x20. */
        __m128i odd = _mm_or_si128(
            _mm_cmplt_epi8(v, space),
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        int mask = _mm_movemask_epi8(odd);
        if (mask)
            return s + __builtin_ctz((unsigned)mask);
    }
#endif
    while (s < end && is_plain((unsigned char)*s)) s++;
    return s;
}

const char *scan_string(const char *s, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    for (; end - s >= 16; s += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
        int mask = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        if (mask)
            return s + __builtin_ctz((unsigned)mask);
    }
#endif
    while (s < end && *s != '"' && *s != '\\') s++;
    return s;
}

const char *scan_close(const char *s, const char *end)
{
#ifdef __SSE2__
    /* Texts of many lines have an escape every few dozen bytes: no new start for each. */
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    while (end - s >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
        unsigned mask = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        bool last = false; /* a backslash ends the block: what it escapes comes next */
        for (; mask; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);
            if (s[i] == '"')
                return s + i + 1;
            mask &= ~(2u << i); /* the escaped byte counts for nothing */
            last = i == 15;
        }
        s += last && end - s > 16 ? 17 : 16;
    }
#endif
    while ((s = scan_string(s, end)) < end && *s == '\\') s += end - s > 1 ? 2 : 1;
    return s < end ? s + 1 : end;
}

size_t scan_copy(char *to, const char *s, const char *end)
{
    const char *from = s;
#ifdef __SSE2__
    const __m128i slash = _mm_set1_epi8('\\');
    for (; end - s >= 16; s += 16, to += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, slash));
        _mm_storeu_si128((__m128i *)(void *)to, v);
        if (mask)
            return (size_t)(s - from) + (unsigned)__builtin_ctz(mask);
    }
#endif
    while (s < end && *s != '\\') *to++ = *s++;
    return (size_t)(s - from);
}

int scan_utf8(const char *text, const char *end)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    unsigned char least = 0x80, most = 0xBF; /* what the second byte may be */
    int n;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        n = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        n = 3;
        if (s[0] == 0xE0)
            least = 0xA0; /* no overlong forms */
        if (s[0] == 0xED)
            most = 0x9F; /* no surrogates */
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        n = 4;
        if (s[0] == 0xF0)
            least = 0x90;
        if (s[0] == 0xF4)
            most = 0x8F; /* no more than U+10FFFF */
    } else {
        return -1;
    }
    if (left < 2 || s[1] < least || s[1] > most)
        return -1;
    for (int i = 2; i < n; i++)
        if (left <= (size_t)i || (s[i] & 0xC0) != 0x80)
            return -i;
    return n;
}
