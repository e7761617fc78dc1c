/* math_find.c: LaTeX in a text: $$..$$, \[..\], $..$, \(..\), " [..] ", \frac{1}{2}. */
#include "answer/math_clean.h"
#include "answer/math_extract.h"

/* Where the last closing mark of each kind is: beyond it, opening ones are not looked at
 * twice, which keeps the search linear. */
static void learn(struct math_search *s)
{
    struct span t = s->text;
    s->known = true;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '$')
            s->last_dollars = i;
        if (t.s[i] == '\\' && i + 1 < t.n && t.s[i + 1] == ']')
            s->last_bracket = i;
        if (t.s[i] == '\\' && i + 1 < t.n && t.s[i + 1] == ')')
            s->last_paren = i;
        if (t.s[i] == '\\' && t.n - i > 7 && memcmp(t.s + i, "\\boxed{", 7) == 0)
            s->last_box = i;
    }
}

static bool escaped(struct span t, size_t i)
{
    return i > 0 && t.s[i - 1] == '\\';
}

/* Is a box with something in it in content? */
static bool holds_box(struct span content, size_t *end)
{
    const char *box = content.n ? memmem(content.s, content.n, "\\boxed{", 7) : NULL;
    const char *close =
        box && content.s + content.n > box + 8
            ? memchr(box + 8, '}', (size_t)(content.s + content.n - box) - 8)
            : NULL;
    if (close)
        *end = (size_t)(close - content.s);
    return close != NULL;
}

/* The content from i to the first place where closing mark stands; no: none. */
static bool closed(struct math_search *s, size_t i, const char *mark, bool lines,
                   bool boxed, struct span *content, size_t *end)
{
    struct span t = s->text;
    size_t n, box_end;
    bool dollar = mark[0] == '$', display = mark[1] == '$';
    for (size_t at = i; at < t.n; at++) {
        if (math_at(t, at, mark, &n) && at > i && !escaped(t, at)) {
            *content = (struct span){t.s + i, at - i};
            if (!boxed || holds_box(*content, &box_end)) {
                *end = at + n;
                return true;
            }
        }
        if (!lines && t.s[at] == '\n')
            return false;
        if (dollar && t.s[at] == '$' &&
            (display ? math_at(t, at, "$$", &n) : !escaped(t, at)))
            return false;
        if (!dollar && math_at(t, at, mark, &n))
            return false;
        if (at % 64 == 63 && !math_burn(s->w, 1))
            return false;
    }
    return false;
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
    size_t at, box_end;
    if (!math_space(t.s[i]) || i + 1 >= t.n || t.s[i + 1] != '[')
        return false;
    for (at = i + 2; at < t.n && t.s[at] != '[' && t.s[at] != ']' && t.s[at] != '\n';)
        at++;
    if (at + 1 >= t.n || t.s[at] != ']' || !math_space(t.s[at + 1]) || at == i + 2)
        return false;
    *content = (struct span){t.s + i + 2, at - i - 2};
    *end = at + 2;
    return !boxed || holds_box(*content, &box_end);
}

/* One environment at i. */
static bool environment(struct math_search *s, size_t i, bool boxed, struct span *content,
                        size_t *end)
{
    struct span t = s->text;
    size_t n;
    if (i >= t.n)
        return false;
    if (boxed && s->last_box == 0 && t.n < 8)
        return false;
    switch (t.s[i]) {
    case '$':
        if (escaped(t, i) || i >= s->last_dollars)
            return false;
        if (math_at(t, i, "$$", &n) && closed(s, i + 2, "$$", true, boxed, content, end))
            return true;
        return !(i && t.s[i - 1] >= '0' && t.s[i - 1] <= '9') &&
               closed(s, i + 1, "$", false, boxed, content, end);
    case '\\':
        if (escaped(t, i))
            return false;
        if (math_at(t, i, "\\[", &n))
            return i < s->last_bracket &&
                   closed(s, i + 2, "\\]", true, boxed, content, end);
        if (math_at(t, i, "\\(", &n))
            return i < s->last_paren &&
                   closed(s, i + 2, "\\)", false, boxed, content, end);
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
    if (!s->known)
        learn(s);
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
