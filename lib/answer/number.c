/* number.c: numbers as Python's float() reads them, through JSON's grammar: what float()
 * accepts and JSON does not (.5, 5., 007, 1_000) is brought into JSON's form. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"
#include "base/fail.h"
#include "row/json.h"

#include <math.h>

/* A text with each digit of any script as an ASCII one; any other character that is not
 * ASCII as '?'. Short texts stay in small[]. */
struct plain {
    char small[64];
    struct buf big;
    const char *s, *end;
};

static int plain_make(struct plain *p, struct span text)
{
    char *to = p->small;
    p->big = (struct buf){0};
    if (text.n > sizeof p->small && !(to = buf_room(&p->big, text.n)))
        return fail_memory();
    p->s = to;
    for (size_t i = 0; i < text.n;) {
        uint32_t c;
        i += chars_next(text.s + i, text.n - i, &c);
        int digit = c < 0x80 ? -1 : chars_digit(c);
        *to++ = (char)(c < 0x80 ? (int)c : digit < 0 ? '?' : '0' + digit);
    }
    p->end = to;
    return 0;
}

static bool has_separator(const char *s, const char *end)
{
    for (; s < end; s++)
        if (*s >= 0x1C && *s <= 0x1F)
            return true;
    return false;
}

/* Without the white space around it, which float() ignores but for U+001C to U+001F:
 * empty where one of those is there. */
static struct span trim(struct span t)
{
    struct span inner = chars_strip(t);
    if (has_separator(t.s, inner.s) || has_separator(inner.s + inner.n, t.s + t.n))
        inner.n = 0;
    return inner;
}

static bool is_word(const char *s, const char *end, const char *word)
{
    for (; s < end && *word && (*s | 0x20) == *word; s++) word++;
    return s == end && !*word;
}

/* Digits, single underscores between them, appended without those; whole: without zeros
 * in front, which JSON does not have. false: an underscore where none may stand. *count:
 * how many digits. */
static bool take_digits(const char **s, const char *end, bool whole, struct buf *out,
                        size_t *count)
{
    const char *at = *s;
    bool zero = false; /* nothing but a zero so far */
    *count = 0;
    for (; at < end; at++) {
        if (*at == '_') {
            if (*count == 0 || at + 1 == end || at[1] < '0' || at[1] > '9')
                return false;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        if (zero && out->len > 0)
            out->len--;
        zero = whole && (zero || *count == 0) && *at == '0';
        buf_char(out, *at);
        ++*count;
    }
    *s = at;
    return true;
}

/* Append [s, end) as a JSON number. false: it is no number. */
static bool to_json(const char *s, const char *end, struct buf *out)
{
    size_t whole, part = 0, exponent;
    if (!take_digits(&s, end, true, out, &whole))
        return false;
    if (whole == 0)
        buf_char(out, '0');
    if (s < end && *s == '.') {
        s++;
        buf_char(out, '.');
        if (!take_digits(&s, end, false, out, &part))
            return false;
        if (part == 0)
            buf_char(out, '0');
    }
    if (whole + part == 0)
        return false;
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        buf_char(out, 'e');
        if (s < end && (*s == '+' || *s == '-'))
            buf_char(out, *s++);
        if (!take_digits(&s, end, false, out, &exponent) || exponent == 0)
            return false;
    }
    return s == end;
}

static int read_plain(const char *s, const char *end, double *x)
{
    struct buf json = {0};
    bool minus = s < end && *s == '-';
    int found = 1;
    if (s < end && (*s == '-' || *s == '+'))
        s++;
    if (s == end)
        return 0;
    if (is_word(s, end, "inf") || is_word(s, end, "infinity"))
        *x = INFINITY;
    else if (is_word(s, end, "nan"))
        *x = NAN;
    else if (*s != '.' && (*s < '0' || *s > '9'))
        return 0;
    else if (!to_json(s, end, &json))
        found = 0;
    else if (buf_ok(&json) < 0)
        found = -1;
    else if (json_double((struct span){json.data, json.len}, x) < 0)
        *x = INFINITY; /* a number, then: too large for a double */
    buf_free(&json);
    if (found > 0 && minus)
        *x = -*x;
    return found;
}

int number_read(struct span text, double *x)
{
    struct plain p;
    if (text.n == 0)
        return 0;
    text = trim(text);
    /* most texts are no numbers, and tell at once */
    if (text.n == 0 ||
        ((unsigned char)*text.s < 0x80 && !strchr("+-.0123456789iInN", *text.s)))
        return 0;
    if (plain_make(&p, text) < 0)
        return -1;
    int found = read_plain(p.s, p.end, x);
    buf_free(&p.big);
    return found;
}

int number_percent(struct span text, double *x)
{
    bool percent = text.n > 0 && text.s[text.n - 1] == '%';
    while (text.n > 0 && text.s[text.n - 1] == '%') text.n--;
    int found = number_read(text, x);
    if (found > 0 && percent)
        *x /= 100.0;
    return found;
}
