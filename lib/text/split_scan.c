/* split_scan.c: see split_scan.h. The branches of the patterns in their order; each
 * takes what the regular expression's first match at this place would take. */
#include "text/split_scan.h"
#include "text/split.h"
#include "text/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <utf8proc.h>

enum kind { END, OTHER, LETTER, NUMBER, SPACE, NEWLINE };

#define O OTHER
#define L LETTER
#define N NUMBER
#define S SPACE
static const uint8_t ascii[128] = {
    O, O, O,       O, O, O,       O, O,
    O, S, NEWLINE, S, S, NEWLINE, O, O, /* 00: tab, LF, VT, FF, CR */
    O, O, O,       O, O, O,       O, O,
    O, O, O,       O, O, O,       O, O, /* 10: 1C to 1F are no space */
    S, O, O,       O, O, O,       O, O,
    O, O, O,       O, O, O,       O, O, /* 20 */
    N, N, N,       N, N, N,       N, N,
    N, N, O,       O, O, O,       O, O, /* 30 */
    O, L, L,       L, L, L,       L, L,
    L, L, L,       L, L, L,       L, L, /* 40 */
    L, L, L,       L, L, L,       L, L,
    L, L, L,       O, O, O,       O, O, /* 50 */
    O, L, L,       L, L, L,       L, L,
    L, L, L,       L, L, L,       L, L, /* 60 */
    L, L, L,       L, L, L,       L, L,
    L, L, L,       O, O, O,       O, O, /* 70 */
};
#undef O
#undef L
#undef N
#undef S

/* Letters and numbers of Unicode 15.1 and 16.0 (property General_Category), which the
 * reference's regular expressions know and utf8proc may be too old for. */
static const struct {
    uint32_t first, last;
    enum kind kind;
} young[] = {
    {0x1C89, 0x1C8A, LETTER},   {0xA7CB, 0xA7CD, LETTER},   {0xA7DA, 0xA7DC, LETTER},
    {0x105C0, 0x105F3, LETTER}, {0x10D40, 0x10D49, NUMBER}, {0x10D4A, 0x10D65, LETTER},
    {0x10D6F, 0x10D85, LETTER}, {0x10EC2, 0x10EC4, LETTER}, {0x11380, 0x11389, LETTER},
    {0x1138B, 0x1138B, LETTER}, {0x1138E, 0x1138E, LETTER}, {0x11390, 0x113B5, LETTER},
    {0x113B7, 0x113B7, LETTER}, {0x113D1, 0x113D1, LETTER}, {0x113D3, 0x113D3, LETTER},
    {0x116D0, 0x116E3, NUMBER}, {0x11BC0, 0x11BE0, LETTER}, {0x11BF0, 0x11BF9, NUMBER},
    {0x13460, 0x143FA, LETTER}, {0x16100, 0x1611D, LETTER}, {0x16130, 0x16139, NUMBER},
    {0x16D40, 0x16D6C, LETTER}, {0x16D70, 0x16D79, NUMBER}, {0x18CFF, 0x18CFF, LETTER},
    {0x1CCF0, 0x1CCF9, NUMBER}, {0x1E5D0, 0x1E5ED, LETTER}, {0x1E5F0, 0x1E5F0, LETTER},
    {0x1E5F1, 0x1E5FA, NUMBER}, {0x2EBF0, 0x2EE5D, LETTER},
};

static enum kind young_kind(uint32_t c)
{
    for (size_t i = 0; i < sizeof young / sizeof *young && c >= young[i].first; i++)
        if (c <= young[i].last)
            return young[i].kind;
    return OTHER;
}

static enum kind kind_of(uint32_t c)
{
    if ((c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3))
        return LETTER;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN: return young_kind(c);
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return NUMBER;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return SPACE;
    default: return c == 0x85 ? SPACE : OTHER; /* NEL: the one control that is left */
    }
}

/* The kind of the character at i, and its length; END behind the text. */
static inline enum kind look(struct span text, size_t i, size_t *n)
{
    if (i >= text.n)
        return END;
    unsigned char lead = (unsigned char)text.s[i];
    if (lead < 0x80) {
        *n = 1;
        return ascii[lead];
    }
    uint32_t c;
    int cut;
    *n = utf8_next(text.s + i, text.n - i, &c, &cut);
    return kind_of(c);
}

/* The end of a run of one kind from i on. */
static size_t run_of(struct span text, size_t i, enum kind kind)
{
    for (size_t n = 0; look(text, i, &n) == kind; i += n) continue;
    return i;
}

/* Bytes of a contraction at the apostrophe text.s[0], or 0. Case is folded as Unicode
 * does, so U+017F (long s) is an s. */
static size_t contraction(struct span text)
{
    if (text.n < 2)
        return 0;
    char a = text.s[1] | 0x20, b = text.n > 2 ? text.s[2] | 0x20 : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    if (text.n > 2 && (unsigned char)text.s[1] == 0xC5 &&
        (unsigned char)text.s[2] == 0xBF)
        return 3;
    return 0;
}

/* White space from 0 on: `\s*[\r\n]+|\s+(?!\S)|\s+`. */
static size_t space(struct span text)
{
    size_t i = 0, n, last = 0,
           newline = 0; /* start of the last, end of the last newline */
    for (enum kind kind; (kind = look(text, i, &n)) >= SPACE; i += n) {
        last = i;
        if (kind == NEWLINE)
            newline = i + n;
    }
    if (newline > 0)
        return newline;
    return i == text.n || last == 0 ? i : last; /* one is left for what follows */
}

/* SPLIT_QWEN, and with numbers of up to three digits SPLIT_LLAMA3. */
static inline size_t scan_words(struct span text, int digits)
{
    size_t n = 0, next = 0;
    enum kind first = look(text, 0, &n);
    if (text.s[0] == '\'') {
        size_t taken = contraction(text);
        if (taken > 0)
            return taken;
    }
    if (first == LETTER)
        return run_of(text, n, LETTER);
    if (first == NUMBER) {
        for (size_t d; --digits > 0 && look(text, n, &d) == NUMBER; n += d) continue;
        return n;
    }
    if (first != NEWLINE && look(text, n, &next) == LETTER)
        return run_of(text, n + next, LETTER);
    if (first == OTHER || (text.s[0] == ' ' && look(text, n, &next) == OTHER))
        return run_of(text, run_of(text, n, OTHER), NEWLINE);
    return space(text);
}

static size_t scan_qwen(struct span text)
{
    return scan_words(text, 1);
}

static size_t scan_llama3(struct span text)
{
    return scan_words(text, 3);
}

/* A contraction in small letters. */
static size_t small_contraction(struct span text)
{
    size_t n = contraction(text);
    for (size_t i = 1; i < n; i++)
        if (text.s[i] < 'a' || text.s[i] > 'z')
            return 0;
    return n;
}

/* White space where a newline is one like any other: `\s+(?!\S)|\s+`. */
static size_t space_gpt2(struct span text, bool digits_apart)
{
    size_t i = 0, n, last = 0;
    enum kind kind;
    for (; (kind = look(text, i, &n)) >= SPACE; i += n) last = i;
    if (i == text.n || last == 0 || (digits_apart && kind == NUMBER))
        return i;
    return last;
}

static inline size_t scan_gpt2_like(struct span text, bool digits_apart)
{
    size_t n = 0, next = 0;
    enum kind first = look(text, 0, &n), kind = first;
    if (text.s[0] == '\'') {
        size_t taken = small_contraction(text);
        if (taken > 0)
            return taken;
    }
    if (text.s[0] == ' ') { /* it goes with what follows */
        kind = look(text, n, &next);
        if (kind == NUMBER && digits_apart)
            return n;
    }
    if (kind == NUMBER && digits_apart)
        return n;
    if (kind == LETTER || kind == NUMBER || kind == OTHER)
        return run_of(text, n, kind);
    return space_gpt2(text, digits_apart);
}

static size_t scan_gpt2(struct span text)
{
    return scan_gpt2_like(text, false);
}

static size_t scan_smollm(struct span text)
{
    return scan_gpt2_like(text, true);
}

split_scan *split_scan_of(struct span pattern)
{
    return span_is(pattern, SPLIT_QWEN)     ? scan_qwen
           : span_is(pattern, SPLIT_LLAMA3) ? scan_llama3
           : span_is(pattern, SPLIT_GPT2)   ? scan_gpt2
           : span_is(pattern, SPLIT_SMOLLM) ? scan_smollm
                                            : NULL;
}
