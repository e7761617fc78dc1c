/* math_find.c: LaTeX in a text: $$..$$, \[..\], $..$, \(..\), " [..] ", \frac{1}{2}. */
#include "answer/math_clean.h"
#include "answer/math_extract.h"

static bool escaped(struct span t, size_t i)
{
    return i > 0 && t.s[i - 1] == '\\';
}

/* The first mark at or behind i, which maybe must not stand behind a backslash; the
 * text's end: none. */
static size_t find(struct span t, size_t i, const char *mark, bool unescaped)
{
    size_t n = strlen(mark);
    const char *found;
    for (; i < t.n && (found = memmem(t.s + i, t.n - i, mark, n)); i++) {
        i = (size_t)(found - t.s);
        if (!unescaped || !escaped(t, i))
            return i;
    }
    return t.n;
}

/* The same, kept, so that a search that moves on reads the text once, however many marks
 * open. */
static size_t next(struct math_search *s, enum math_mark mark, size_t i)
{
    static const char *const marks[] = {"\\]", "\\)", "$$", "$", "\n", "\\boxed{", "}"};
    enum { BYTES_A_STEP = 64 };
    struct math_next *kept = &s->next[mark];
    if (kept->known && i >= kept->from && i <= kept->at)
        return kept->at;
    *kept =
        (struct math_next){true, i, find(s->text, i, marks[mark], mark == MATH_DOLLAR)};
    math_burn(s->w, (int64_t)(kept->at - i) / BYTES_A_STEP);
    return kept->at;
}

/* Is a box with something in it between two places? */
static bool holds_box(struct math_search *s, size_t from, size_t to)
{
    size_t box = next(s, MATH_BOX, from);
    return box + 8 < to && next(s, MATH_BRACE, box + 8) < to;
}

/* The content from i to the first closing mark; lines: it may go over lines. */
static bool closed(struct math_search *s, size_t i, enum math_mark mark, bool lines,
                   bool boxed, struct span *content, size_t *end)
{
    size_t at = i < s->text.n ? next(s, mark, i) : s->text.n;
    if (at == s->text.n || at == i || escaped(s->text, at) ||
        (!lines && next(s, MATH_LINE_END, i) < at) || (boxed && !holds_box(s, i, at)))
        return false;
    *content = (struct span){s->text.s + i, at - i};
    *end = at + (mark == MATH_DOLLAR ? 1 : 2);
    return true;
}

static size_t simple_number(struct span t, size_t i)
{
    size_t from = i, digits;
    i += i < t.n && t.s[i] == '-';
    for (digits = i; i < t.n && t.s[i] >= '0' && t.s[i] <= '9';) i++;
    if (i == digits)
        return 0;
    if (i + 1 < t.n && (t.s[i] == '.' || t.s[i] == ',') && t.s[i + 1] >= '0' &&
        t.s[i + 1] <= '9')
        for (i++; i < t.n && t.s[i] >= '0' && t.s[i] <= '9';) i++;
    return i - from;
}

static bool fraction_at(struct span t, size_t i, struct span *content, size_t *end)
{
    size_t n, from = i;
    i += t.s[i] == '-';
    if (!math_at(t, i, "\\frac", &n))
        return false;
    i += n;
    for (int k = 0; k < 2; k++) {
        if (i >= t.n || t.s[i] != '{' || !(n = simple_number(t, i + 1)))
            return false;
        i += n + 1;
        if (i >= t.n || t.s[i] != '}')
            return false;
        i++;
    }
    *content = (struct span){t.s + from, i - from};
    *end = i;
    return true;
}

/* White space, '[', content, ']', white space. */
static bool bracket_at(struct math_search *s, size_t i, bool boxed, struct span *content,
                       size_t *end)
{
    struct span t = s->text;
    size_t at;
    if (!math_space(t.s[i]) || i + 1 >= t.n || t.s[i + 1] != '[')
        return false;
    for (at = i + 2; at < t.n && t.s[at] != '[' && t.s[at] != ']' && t.s[at] != '\n';)
        at++;
    if (at + 1 >= t.n || t.s[at] != ']' || !math_space(t.s[at + 1]) || at == i + 2)
        return false;
    *content = (struct span){t.s + i + 2, at - i - 2};
    *end = at + 2;
    return !boxed || holds_box(s, i + 2, at);
}

/* One environment at i. */
static bool environment(struct math_search *s, size_t i, bool boxed, struct span *content,
                        size_t *end)
{
    struct span t = s->text;
    size_t n;
    if (i >= t.n)
        return false;
    switch (t.s[i]) {
    case '$':
        if (escaped(t, i))
            return false;
        if (math_at(t, i, "$$", &n) &&
            closed(s, i + 2, MATH_DOLLARS, true, boxed, content, end))
            return true;
        return !(i && t.s[i - 1] >= '0' && t.s[i - 1] <= '9') &&
               closed(s, i + 1, MATH_DOLLAR, false, boxed, content, end);
    case '\\':
        if (escaped(t, i))
            return false;
        if (math_at(t, i, "\\[", &n))
            return closed(s, i + 2, MATH_BRACKET, true, boxed, content, end);
        if (math_at(t, i, "\\(", &n))
            return closed(s, i + 2, MATH_PAREN, false, boxed, content, end);
        return !boxed && fraction_at(t, i, content, end);
    case '-': return !boxed && fraction_at(t, i, content, end);
    default: return bracket_at(s, i, boxed, content, end);
    }
}

static bool percent_at(struct span t, size_t i, size_t *end)
{
    static const char *const signs[] = {"\\%", "%", "Percent", "percent", "Pct", "pct"};
    size_t n;
    for (int k = 0; k < 6; k++)
        if (math_at(t, i, signs[k], &n)) {
            *end = i + n;
            return true;
        }
    return false;
}

/* White space, "and", "or" or a comma (or a comma and one of these), white space. */
static bool joint_at(struct span t, size_t i, size_t *end)
{
    static const char *const joints[] = {",and", "and", ",or", "or", ","};
    size_t n;
    i = math_spaces(t, i);
    for (int k = 0; k < 5; k++)
        if (math_at(t, i, joints[k], &n)) {
            *end = math_spaces(t, i + n);
            return true;
        }
    return false;
}

bool math_latex_at(struct math_search *s, size_t i, bool boxed, struct math_match *m)
{
    struct span content;
    size_t end, at = i, joint;
    *m = (struct math_match){.start = i, .latex = true};
    while (m->count < MATH_PARTS_MAX && environment(s, at, boxed, &content, &end)) {
        end = math_spaces(s->text, end);
        bool percent = percent_at(s->text, end, &end);
        m->parts[m->count++] = (struct math_part){content, percent, false};
        m->end = end;
        if (!joint_at(s->text, end, &joint))
            break;
        at = joint;
        if (at > end && !environment(s, at, boxed, &content, &joint) &&
            math_space(s->text.s[at - 1]))
            at--; /* " [..] " wants its own white space */
    }
    if (m->count && boxed)
        m->end = math_spaces(s->text, m->end);
    return m->count > 0;
}
