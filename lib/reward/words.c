/* words.c: see words.h. */
#include "reward/words.h"
#include "base/fail.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

size_t words_char(const char *s, const char *end, uint32_t *code)
{
    int cut;
    if ((unsigned char)*s < 0x80) {
        *code = (unsigned char)*s;
        return 1;
    }
    return utf8_next(s, (size_t)(end - s), code, &cut);
}

/* Unicode's White_Space, and the four separators U+001C to U+001F that regular
 * expressions of the published scorer take for space. */
bool words_space(uint32_t code)
{
    if (code < 0x80)
        return code == ' ' || (code >= '\t' && code <= '\r') ||
               (code >= 0x1C && code <= 0x1F);
    return code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
           code == 0x202F || code == 0x205F || code == 0x3000;
}

static bool is_digit(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_ND;
}

/* Decimal digits stand in runs of ten (or several tens), each from its zero on, so that a
 * digit's place in its run tells its value. The longest run has fifty. */
int words_digit(uint32_t code)
{
    if (code < 0x80)
        return code >= '0' && code <= '9' ? (int)(code - '0') : -1;
    if (!is_digit(code))
        return -1;
    int before = 0;
    while (is_digit(code - 1 - (uint32_t)before)) before++;
    return before % 10;
}

bool words_blank(struct span text)
{
    const char *s = text.s, *end = text.s + text.n;
    uint32_t code;
    while (s < end) {
        s += words_char(s, end, &code);
        if (!words_space(code))
            return false;
    }
    return true;
}

enum kind { APART, ENDS_SENTENCE, IN_WORD, WORD };

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80) {
        if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            return IN_WORD;
        return c == '.' || c == '!' || c == '?' || c == '\n' ? ENDS_SENTENCE : APART;
    }
    if ((c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) ||
        (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF))
        return WORD;
    if (c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x2028 || c == 0x2029)
        return ENDS_SENTENCE;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL: return IN_WORD;
    default: return APART;
    }
}

static int add_word(struct words *w, size_t *cap, struct word word)
{
    if (w->count == *cap) {
        size_t more = *cap ? 2 * *cap : 64;
        struct word *items = realloc(w->items, more * sizeof *items);
        if (!items)
            return fail_memory();
        w->items = items;
        *cap = more;
    }
    w->items[w->count++] = word;
    return 0;
}

int words_read(struct words *w, struct span text)
{
    const char *s = text.s, *end = text.s + text.n;
    size_t cap = 0;
    bool in_word = false, in_sentence = false;
    *w = (struct words){0};
    while (s < end) {
        uint32_t code;
        size_t n = words_char(s, end, &code);
        enum kind kind = kind_of(code);
        if (kind == IN_WORD && in_word) {
            w->items[w->count - 1].text.n += n;
        } else if (kind >= IN_WORD) {
            if (add_word(w, &cap, (struct word){{s, n}, w->sentences}) < 0) {
                words_free(w);
                return -1;
            }
            in_sentence = true;
        } else if (kind == ENDS_SENTENCE && in_sentence) {
            w->sentences++;
            in_sentence = false;
        }
        in_word = kind == IN_WORD;
        s += n;
    }
    w->sentences += in_sentence;
    return 0;
}

void words_free(struct words *w)
{
    free(w->items);
    *w = (struct words){0};
}
