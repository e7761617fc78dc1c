/* tokens.c: see tokens.h. */
#include "row/tokens.h"
#include "row/scan.h"

#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

bool tokens_room(struct tokens *t)
{
    if (t->count >= TOKENS_MAX)
        return false;
    size_t cap = t->cap ? 2 * t->cap : 4096;
    uint32_t *at = realloc(t->at, cap * sizeof *at);
    if (!at)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

void tokens_free(struct tokens *t)
{
    free(t->at);
    *t = (struct tokens){0};
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool tokens_escape(struct span text, size_t at)
{
    if (text.n - at < 2)
        return false;
    const char *s = text.s + at + 1;
    switch (*s) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return true;
    case 'u':
        return text.n - at >= 6 && is_hex(s[1]) && is_hex(s[2]) && is_hex(s[3]) &&
               is_hex(s[4]);
    default: return false;
    }
}

size_t tokens_utf8(struct span text, size_t at)
{
    const char *s = text.s + at, *end = text.s + text.n;
    while (s < end && (unsigned char)*s >= 0x80) {
        int n = scan_utf8(s, end);
        if (n < 0)
            return 0;
        s += n;
    }
    return (size_t)(s - text.s);
}

#define TOKENS_FIND tokens_find_plain
#define TOKENS_TARGET
#include "row/tokens_find.h"

static inline uint64_t tokens_fill(uint64_t bits)
{
    for (int i = 1; i < 64; i *= 2) bits ^= bits << i;
    return bits;
}

static inline void tokens_put(uint32_t *to, uint32_t base, uint64_t bits)
{
    while (bits) { /* eight at a time: what is too much is overwritten */
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            /* (the highest bit: of no bits the first is not defined) */
            *to++ = base + (uint32_t)__builtin_ctzll(bits | (uint64_t)1 << 63);
            bits &= bits - 1;
        }
    }
}

#ifdef __SSE2__
static inline uint64_t bits_of(__m128i v)
{
    return (uint16_t)_mm_movemask_epi8(v);
}

static inline uint64_t equal(__m128i v, char c)
{
    return bits_of(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

static inline struct masks tokens_block(const char *s)
{
    struct masks m = {0};
    for (int i = 0; i < 64; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        __m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ ] as { } */
        m.quote |= equal(v, '"') << i;
        m.slash |= equal(v, '\\') << i;
        m.mark |= (equal(low, '{') | equal(low, '}') | equal(low, ':') | equal(low, ','))
                  << i;
        m.space |= (equal(v, ' ') | equal(v, '\n') | equal(v, '\t') | equal(v, '\r'))
                   << i;
        m.control |= bits_of(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v))
                     << i;
        m.high |= bits_of(v) << i;
    }
    return m;
}
#else
static inline struct masks tokens_block(const char *s)
{
    struct masks m = {0};
    for (int i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)s[i], low = c | 0x20;
        uint64_t bit = (uint64_t)1 << i;
        m.quote |= c == '"' ? bit : 0;
        m.slash |= c == '\\' ? bit : 0;
        m.mark |= low == '{' || low == '}' || low == ':' || low == ',' ? bit : 0;
        m.space |= scan_space((char)c) ? bit : 0;
        m.control |= c < 0x20 ? bit : 0;
        m.high |= c >= 0x80 ? bit : 0;
    }
    return m;
}
#endif

bool tokens_find(struct tokens *t, struct span text)
{
    if (tokens_has_avx512())
        return tokens_find_avx512(t, text);
    return tokens_has_avx2() ? tokens_find_avx2(t, text) : tokens_find_plain(t, text);
}
