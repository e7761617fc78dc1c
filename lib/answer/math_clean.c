/* math_clean.c: LaTeX as people write it, made into LaTeX that the parser reads.
 *
 * The steps and their order are those of latex2sympy2_extended's normalisation, so that
 * what it forgives is forgiven here: each step is one pass from one buffer to the other.
 */
#include "answer/math_clean.h"
#include "answer/math_own.h"
#include "base/buf.h"

/* -- Small readers over a text at a place --------------------------------- */

bool math_at(struct span s, size_t i, const char *text, size_t *n)
{
    *n = strlen(text);
    return i + *n <= s.n && s.s[i] == text[0] && memcmp(s.s + i, text, *n) == 0;
}

bool math_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t math_spaces(struct span s, size_t i)
{
    enum { SPACES_MAX = 100 }; /* long runs would make every look ahead quadratic */
    for (int k = 0; k < SPACES_MAX && i < s.n && math_space(s.s[i]); k++) i++;
    return i;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool word_char(char c)
{
    return letter(c) || digit(c) || c == '_' || (unsigned char)c >= 128;
}

/* -- Commands without meaning --------------------------------------------- */

static bool delimiter(struct span s, size_t i, bool right)
{
    static const char *const left_ones[] = {
        "\\{",      "{",        "\\|",        "|",         "[",       "(",
        "\\lgroup", "\\lbrace", "\\lbrack",   "\\vert",    "\\lvert", "\\lceil",
        "\\lfloor", "\\langle", "\\llcorner", "\\ulcorner"};
    static const char *const right_ones[] = {
        "\\}",      "}",        "\\|",        "|",         "]",       ")",
        "\\rgroup", "\\rbrace", "\\rbrack",   "\\vert",    "\\rvert", "\\rceil",
        "\\rfloor", "\\rangle", "\\lrcorner", "\\urcorner"};
    size_t n;
    for (size_t k = 0; k < 16; k++)
        if (math_at(s, i, right ? right_ones[k] : left_ones[k], &n))
            return true;
    return false;
}

/* Fixed texts, and \left, \right before a delimiter. */
static void drop_frames(struct buf *out, struct span s)
{
    static const char *const fixed[][2] = {
        {"\\mathrm{T}", "T"},
        {"\\mathrm{d}", "d"},
        {"{\\rm d}", "d"},
        {"\\left[\\begin{matrix}", "\\begin{bmatrix}"},
        {"\\end{matrix}\\right]", "\\end{bmatrix}"},
    };
    static const char *const frames[] = {"\\left", "\\mleft", "\\right", "\\mright"};
    size_t n;
    for (size_t i = 0; i < s.n;) {
        bool done = false;
        if (s.s[i] == '\\' || s.s[i] == '{') {
            for (size_t k = 0; k < 5 && !done; k++)
                if (math_at(s, i, fixed[k][0], &n)) {
                    buf_text(out, fixed[k][1]);
                    i += n;
                    done = true;
                }
            for (size_t k = 0; k < 4 && !done; k++)
                if (math_at(s, i, frames[k], &n) && delimiter(s, i + n, k >= 2)) {
                    i += n;
                    done = true;
                }
        }
        if (!done)
            buf_char(out, s.s[i++]);
    }
}

/* The length of (..) or {..} of plain characters only at i, both ends in; 0: none. */
static size_t plain_run(struct span s, size_t i, char open, char close)
{
    size_t from = i;
    if (i >= s.n || s.s[i] != open)
        return 0;
    for (i++; i < s.n && s.s[i] != close; i++)
        if (!letter(s.s[i]) && !digit(s.s[i]) && !(s.s[i] && strchr("+-*/\\ ", s.s[i])))
            return 0;
    return i < s.n && i > from + 1 ? i - from + 1 : 0;
}

/* (n)_{k} is the number of permutations. */
static void expand_permutations(struct buf *out, struct span s)
{
    for (size_t i = 0, n, k; i < s.n;) {
        if (s.s[i] == '(' && (n = plain_run(s, i, '(', ')')) && i + n < s.n &&
            s.s[i + n] == '_' && (k = plain_run(s, i + n + 1, '{', '}'))) {
            int a = (int)n - 2, b = (int)k - 2;
            const char *top = s.s + i + 1, *down = s.s + i + n + 2;
            buf_print(out, "\\frac{(%.*s)!}{((%.*s)-(%.*s))!}", a, top, a, top, b, down);
            i += n + 1 + k;
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

static void drop_commands(struct buf *out, struct span s)
{
    size_t n, to;
    for (size_t i = 0; i < s.n;) {
        char c = s.s[i];
        if (c == '$' || ((c == '"' || c == '\'') && !(i && s.s[i - 1] == '\\'))) {
            i++;
        } else if (c != '\\') {
            buf_char(out, s.s[i++]);
        } else if (math_at(s, i, "\\mathrm{th}", &n) ||
                   math_at(s, i, "\\displaystyle", &n) || math_at(s, i, "\\$", &n)) {
            i += n;
        } else if (math_at(s, i, "\\!", &n)) {
            i = math_spaces(s, i + n);
        } else if (math_at(s, i, "\\text", &n) && (to = math_spaces(s, i + n)) < s.n &&
                   s.s[to] == '{' && (to = math_spaces(s, to + 1)) < s.n &&
                   s.s[to] == '}') {
            i = to + 1;
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

/* -- Words and short forms ------------------------------------------------ */

/* "and", "or" as words, with a comma and white space before them. */
static size_t joining_word(struct span s, size_t i)
{
    size_t n;
    if (i && letter(s.s[i - 1]))
        return 0;
    size_t to = math_spaces(s, i + (s.s[i] == ','));
    if (!math_at(s, to, "and", &n) && !math_at(s, to, "or", &n))
        return 0;
    to += n;
    return to < s.n && letter(s.s[to]) ? 0 : to - i;
}

static size_t joining_text(struct span s, size_t i)
{
    size_t n, to = math_spaces(s, i + (s.s[i] == ','));
    if (!math_at(s, to, "\\text{", &n))
        return 0;
    to = math_spaces(s, to + n);
    if (!math_at(s, to, "and", &n) && !math_at(s, to, "or", &n))
        return 0;
    to = math_spaces(s, to + n);
    return to < s.n && s.s[to] == '}' ? to + 1 - i : 0;
}

/* White space and that word, bounded. */
static size_t spaced_word(struct span s, size_t i, const char *word)
{
    size_t n, to = math_spaces(s, i);
    if (!math_at(s, to, word, &n) || (to && word_char(s.s[to - 1])) ||
        (to + n < s.n && word_char(s.s[to + n])))
        return 0;
    return to + n - i;
}

/* What stands at i for something else: its length, and *with what; 0: nothing. */
static size_t replaced(struct span s, size_t i, const char **with)
{
    static const char *const simple[][2] = {
        {"\\mathrm", "\\text"},     {"\\mathit", "\\text"}, {"\\mathbf", "\\text"},
        {"\\textnormal", "\\text"}, {"\\textbf", "\\text"}, {"\\textit", "\\text"},
        {"\\textrm", "\\text"},     {"\\dfrac", "\\frac"},  {"\\tfrac", "\\frac"},
        {"\\cfrac", "\\frac"}};
    static const char *const percents[][2] = {{"percentage", "\\text{percentage}"},
                                              {"percent", "\\text{percent}"},
                                              {"pct", "\\text{pct}"}};
    size_t n, to;
    if (s.s[i] == '\\')
        for (size_t k = 0; k < 10; k++)
            if (math_at(s, i, *with = simple[k][0], &n)) {
                *with = simple[k][1];
                return n;
            }
    if (math_space(s.s[i]) && i + 1 < s.n && s.s[i + 1] == '.')
        return *with = " 0.", 2;
    if (math_at(s, i, "{.", &n))
        return *with = "{0.", n;
    if (math_at(s, i, "~=", &n))
        return *with = "\\approx", n;
    to = math_spaces(s, i);
    if (to < s.n && s.s[to] == '{' && (to = math_spaces(s, to + 1)) < s.n &&
        s.s[to] == ',' && (to = math_spaces(s, to + 1)) < s.n && s.s[to] == '}')
        return *with = ",", to + 1 - i;
    if ((n = joining_word(s, i)) || (n = joining_text(s, i)))
        return *with = ",", n;
    if (s.s[i] == '\\' && i + 1 < s.n && math_space(s.s[i + 1]) &&
        !(i && s.s[i - 1] == '\\'))
        return *with = " ", 2;
    if (math_at(s, i, "infinity", &n))
        return *with = "\\infty", n;
    if (math_at(s, i, ",\\ldots", &n) || math_at(s, i, "\\ldots", &n))
        return *with = " ", n;
    for (int k = 0; k < 3; k++) {
        if ((n = spaced_word(s, i, percents[k][0])))
            return *with = "\\%", n;
        if (math_at(s, i, percents[k][1], &n))
            return *with = "%", n;
    }
    if (math_at(s, i, "inf", &n) && !(i && s.s[i - 1] == '\\') &&
        !math_at(s, i + 3, "inity", &to))
        return *with = "\\infty", n;
    if (math_at(s, i, " sqrt", &n))
        return *with = "\\sqrt", n;
    return 0;
}

/* Only these can begin something that replaced() knows. */
static bool may_start(char c)
{
    return c == '\\' || c == '{' || c == '~' || c == ',' || c == 'a' || c == 'o' ||
           c == 'i' || c == 'p' || math_space(c);
}

static void replace_words(struct buf *out, struct span s)
{
    const char *with = NULL;
    for (size_t i = 0, n; i < s.n;) {
        if (may_start(s.s[i]) && (n = replaced(s, i, &with))) {
            buf_text(out, with);
            i += n;
        } else {
            buf_char(out, s.s[i++]);
        }
    }
}

/* One line; \\frac is \frac where no matrix needs its \\. */
static void join_lines(struct buf *out, struct span s)
{
    bool matrix = s.n && memmem(s.s, s.n, "matrix", 6);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.s[i];
        if (!matrix && c == '\\' && i + 2 < s.n && s.s[i + 1] == '\\' &&
            letter(s.s[i + 2]))
            i++;
        buf_char(out, c == '\n' || c == '\t' ? ' ' : c);
    }
}

/* -- The order of it all -------------------------------------------------- */

struct span math_trim(struct span s)
{
    while (s.n && math_space(s.s[0])) s = (struct span){s.s + 1, s.n - 1};
    while (s.n && math_space(s.s[s.n - 1])) s.n--;
    return s;
}

struct span math_clean(struct math_work *w, struct span text, bool boxed_last)
{
    static void (*const steps[])(struct buf *, struct span) = {
        drop_frames,    expand_permutations, drop_commands,  replace_words,
        join_lines,     math_fix_powers,     math_fix_roots, math_fix_short,
        math_fix_split, math_fix_digits};
    enum { STEPS = sizeof steps / sizeof *steps, FIRST_FIX = 5, TEXT_MAX = 1 << 15 };
    struct buf a = {0}, b = {0}, *in = &a, *out = &b;
    struct span s = math_unbox(w, text, boxed_last), kept = {"", 0};
    if (s.n > TEXT_MAX || !math_burn(w, (int64_t)s.n / 2 + 1))
        return kept;
    for (int i = 0; i < STEPS; i++) {
        if (i == FIRST_FIX)
            s = math_fix_start(w, math_drop_unit(s));
        buf_clear(out);
        steps[i](out, s);
        if (buf_ok(out) < 0 || out->len > TEXT_MAX * 4 ||
            !math_burn(w, (int64_t)out->len / 8 + 1))
            goto out;
        s = (struct span){out->data ? out->data : "", out->len};
        struct buf *t = in;
        in = out;
        out = t;
    }
    s = math_trim(s);
    char *copy = math_alloc(w, s.n + 1);
    if (copy) {
        memcpy(copy, s.s, s.n);
        kept = (struct span){copy, s.n};
    }
out:
    buf_free(&a);
    buf_free(&b);
    return kept;
}
