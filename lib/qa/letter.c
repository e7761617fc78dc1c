/* letter.c: see letter.h. */
#include "qa/letter.h"
#include "text/utf8.h"

#include <utf8proc.h>

/* What is left of a reply. */
struct rest {
    const char *s, *end;
};

static uint32_t next_char(struct rest r, size_t *n)
{
    uint32_t c = 0;
    int short_by;
    *n = r.s < r.end ? utf8_next(r.s, (size_t)(r.end - r.s), &c, &short_by) : 0;
    return c;
}

/* White space of any script (Unicode's White_Space, and the four separators U+001C to
 * U+001F, which most languages' strip() takes for space too). */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* A letter, a mark that belongs to the letter before it, or a digit or number sign. */
static bool is_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
    }
}

/* Skip space and, with marks, `*` and `(`. */
static void skip(struct rest *r, bool marks)
{
    size_t n;
    for (uint32_t c; (c = next_char(*r, &n)), n > 0; r->s += n)
        if (!is_space(c) && !(marks && (c == '*' || c == '(')))
            break;
}

/* If one of words (a NULL-ended list, lower case) stands here, in any case and as a word
 * of its own: step over it and what may be skipped behind it. */
static bool take_word(struct rest *r, const char *const *words)
{
    size_t n = 0, left = (size_t)(r->end - r->s);
    while (n < left && ((r->s[n] | 0x20) >= 'a' && (r->s[n] | 0x20) <= 'z')) n++;
    for (; *words; words++) {
        size_t i = 0;
        if (strlen(*words) != n)
            continue;
        while (i < n && (r->s[i] | 0x20) == (*words)[i]) i++;
        if (i < n)
            continue;
        struct rest behind = {r->s + n, r->end};
        size_t length;
        if (is_word(next_char(behind, &length)))
            return false;
        skip(&behind, true);
        *r = behind;
        return true;
    }
    return false;
}

/* "The correct answer is", "Answer:", "Option": [the | my] [correct ...] answer [is] [:]
 * [option]. Where none stands, nothing is skipped. */
static void skip_lead_in(struct rest *r)
{
    static const char *const whose[] = {"the", "my", NULL};
    static const char *const which[] = {"correct", "right", "best", "final", NULL};
    static const char *const noun[] = {"answer", "option", "choice", NULL};
    static const char *const is[] = {"is", NULL};
    struct rest at = *r;
    take_word(&at, whose);
    take_word(&at, which);
    if (!take_word(&at, noun))
        return;
    take_word(&at, is);
    if (at.s < at.end && *at.s == ':') {
        at.s++;
        skip(&at, true);
    }
    take_word(&at, noun);
    *r = at;
}

/* The place of the letter at r, or -1. */
static int letter_at(struct rest r, int letters)
{
    return r.s < r.end && *r.s >= 'A' && *r.s < 'A' + letters ? *r.s - 'A' : -1;
}

static int read_alone(struct rest r, int letters)
{
    skip(&r, true);
    skip_lead_in(&r);
    int place = letter_at(r, letters);
    if (place < 0)
        return -1;
    size_t n;
    r.s++;
    return is_word(next_char(r, &n)) ? -1 : place;
}

int letter_read(struct span reply, enum letter_rule rule)
{
    return letter_read_of(reply, rule, 9);
}

struct span letter_behind_lead_in(struct span reply)
{
    if (reply.n == 0)
        return reply;
    struct rest r = {reply.s, reply.s + reply.n};
    skip(&r, true);
    skip_lead_in(&r);
    return (struct span){r.s, (size_t)(r.end - r.s)};
}

int letter_read_of(struct span reply, enum letter_rule rule, int letters)
{
    if (reply.n == 0)
        return -1;
    struct rest r = {reply.s, reply.s + reply.n};
    if (rule == LETTER_ALONE)
        return read_alone(r, letters);
    if (rule == LETTER_FIRST_CHAR)
        skip(&r, false);
    else
        while (r.s < r.end && letter_at(r, letters) < 0) r.s++;
    return letter_at(r, letters);
}

int letter_rule_named(const char *name)
{
    static const char *const names[] = {"alone", "first-char", "anywhere"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}
