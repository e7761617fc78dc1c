/* math_fix.c: short and malformed forms of powers, roots and fractions. */
#include "answer/math_clean.h"
#include "base/buf.h"

static bool digit(struct span s, size_t i)
{
    return i < s.n && s.s[i] >= '0' && s.s[i] <= '9';
}

static size_t maybe_space(struct span s, size_t i)
{
    return i < s.n && math_space(s.s[i]) ? i + 1 : i;
}

struct span math_fix_start(struct math_work *w, struct span s)
{
    if (s.n && s.s[0] == '.') {
        char *text = math_alloc(w, s.n + 1);
        if (!text)
            return s;
        text[0] = '0';
        memcpy(text + 1, s.s, s.n);
        s = (struct span){text, s.n + 1};
    }
    return span_is(s, "0.5") ? span_of("\\frac{1}{2}") : s;
}

/* Text up to the first ')' behind i: its end, or s.n. */
static size_t to_close(struct span s, size_t i)
{
    while (i < s.n && s.s[i] != ')') i++;
    return i;
}

static void replace_calls(struct buf *out, struct span s, const char *name,
                          const char *with)
{
    size_t n;
    for (size_t i = 0, open, close; i < s.n;) {
        if (math_at(s, i, name, &n) && (open = maybe_space(s, i + n)) < s.n &&
            s.s[open] == '(' && (close = to_close(s, open)) < s.n) {
            buf_text(out, with);
            buf_add(out, s.s + open + 1, close - open - 1);
            buf_char(out, '}');
            i = close + 1;
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

void math_fix_powers(struct buf *out, struct span s)
{
    replace_calls(out, s, "^", "^{");
}

void math_fix_roots(struct buf *out, struct span s)
{
    replace_calls(out, s, "sqrt", "\\sqrt{");
}

static void braced(struct buf *out, const char *s, size_t n)
{
    buf_char(out, '{');
    buf_add(out, s, n);
    buf_char(out, '}');
}

/* \frac12, \frac1{2}, \frac{1}2, \log_28: the place behind, or i. */
static size_t short_fraction(struct buf *out, struct span s, size_t i, bool *give_up)
{
    size_t n, a, b, close;
    bool log = math_at(s, i, "\\log_", &n);
    if (!log && !math_at(s, i, "\\frac", &n))
        return i;
    a = maybe_space(s, i + n);
    if (digit(s, a)) {
        b = maybe_space(s, a + 1);
        if (digit(s, b)) {
            for (close = b; digit(s, close);) close++;
            buf_add(out, s.s + i, n);
            braced(out, s.s + a, 1);
            braced(out, s.s + b, close - b);
            return close;
        }
        if (!log && b < s.n && s.s[b] == '{') {
            for (close = b; close < s.n && s.s[close] != '}';) close++;
            if (close < s.n) {
                buf_text(out, "\\frac");
                braced(out, s.s + a, 1);
                braced(out, s.s + b + 1, close - b - 1);
                return close + 1;
            }
        }
    } else if (!log && !*give_up && a < s.n && s.s[a] == '{') {
        for (close = a; close < s.n; close++)
            if (s.s[close] == '}' && digit(s, b = maybe_space(s, close + 1))) {
                buf_text(out, "\\frac");
                braced(out, s.s + a + 1, close - a - 1);
                braced(out, s.s + b, 1);
                return b + 1;
            }
        *give_up = true; /* nor will a later one find any */
    }
    return i;
}

void math_fix_short(struct buf *out, struct span s)
{
    bool give_up = false;
    size_t n;
    for (size_t i = 0, to; i < s.n;) {
        if (s.s[i] == '\\' && (to = short_fraction(out, s, i, &give_up)) > i) {
            i = to;
        } else if (math_at(s, i, "\\sqrt", &n) && digit(s, to = maybe_space(s, i + n))) {
            buf_text(out, "\\sqrt");
            braced(out, s.s + to, 1);
            i = to + 1;
        } else if (math_at(s, i, " sqrt", &n)) {
            buf_text(out, "\\sqrt");
            i += n;
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

/* \sqrt x and \frac ab, one character each, whatever they are. */
void math_fix_split(struct buf *out, struct span s)
{
    size_t n;
    for (size_t i = 0, a; i < s.n;) {
        if (math_at(s, i, "\\sqrt", &n) && (a = math_spaces(s, i + n)) <= s.n) {
            buf_text(out, "\\sqrt");
            i = a;
            if (a < s.n && s.s[a] != '{' && s.s[a] != '[') {
                braced(out, s.s + a, 1);
                i++;
            }
        } else if (math_at(s, i, "\\frac", &n)) {
            a = math_spaces(s, i + n);
            buf_text(out, "\\frac");
            i = a;
            if (a + 1 < s.n && s.s[a] != '{') {
                braced(out, s.s + a, 1);
                i++;
                if (s.s[a + 1] != '{') {
                    braced(out, s.s + a + 1, 1);
                    i++;
                }
            }
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

/* An integer as Python prints it back: no sign but '-', no leading zeros. */
static bool integer(const char *s, size_t n)
{
    bool minus = n && *s == '-';
    s += minus;
    n -= minus;
    if (n == 0 || (*s == '0' && (n > 1 || minus)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

void math_fix_digits(struct buf *out, struct span s)
{
    const char *slash = s.n ? memchr(s.s, '/', s.n) : NULL;
    size_t n = slash ? (size_t)(slash - s.s) : 0;
    if (slash && integer(s.s, n) && integer(slash + 1, s.n - n - 1)) {
        buf_text(out, "\\frac");
        braced(out, s.s, n);
        braced(out, slash + 1, s.n - n - 1);
    } else {
        buf_add(out, s.s, s.n);
    }
}
