/* math_extract.c: find the answer in a text.
 *
 * Every way in which an answer may be marked has a priority, as in math-verify's parse():
 * 0 "final answer is ... I hope", 50 "final answer is", 100 "answer:", 200 "answer", 300
 * LaTeX or a plain number anywhere; \boxed{} has the priority that the rules give it. All
 * matches of a priority stand in line from the text's end; the first that parses is
 * taken.
 */
#include "answer/math_extract.h"
#include "answer/math_clean.h"
#include <stdlib.h>

enum { MATCHES_MAX = 4000 };

/* The end first, then the longest, then the one found first. */
static int by_end(const void *a, const void *b)
{
    const struct math_match *x = a, *y = b;
    if (x->end != y->end)
        return x->end < y->end ? 1 : -1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Matches are tried from the text's end: of too many those that end first go. */
static void drop_first(struct math_search *s)
{
    math_burn(s->w, s->count);
    qsort(s->list, (size_t)s->count, sizeof *s->list, by_end);
    s->count /= 2;
}

bool math_add_match(struct math_search *s, struct math_match m)
{
    if (s->count == MATCHES_MAX)
        drop_first(s);
    if (s->count == s->room) {
        int room = s->room * 2 + 16;
        struct math_match *list = math_alloc(s->w, (size_t)room * sizeof *list);
        if (!list)
            return false;
        if (s->count)
            memcpy(list, s->list, (size_t)s->count * sizeof *list);
        s->list = list;
        s->room = room;
    }
    m.number = s->added++;
    s->list[s->count++] = m;
    return true;
}

/* The place of an anchor's word at or behind i, case ignored; text.n: none. */
static size_t find_word(struct span text, size_t i, const char *word)
{
    size_t n = strlen(word);
    for (; i + n <= text.n; i++)
        if ((text.s[i] | 32) == word[0] && strncasecmp(text.s + i, word, n) == 0)
            return i;
    return text.n;
}

/* What is sought behind an anchor that ends at i, at most reach bytes on: LaTeX where it
 * matches first. */
static bool latex_behind(struct math_search *s, size_t i, size_t reach,
                         struct math_match *m)
{
    for (size_t at = i; at <= i + reach && at < s->text.n; at++)
        if (math_latex_at(s, at, false, m))
            return true;
    return false;
}

/* "is" behind white space, a colon or not, at i: the place behind; 0: no. */
static size_t skip_is(struct span t, size_t i)
{
    size_t n, at = math_spaces(t, i);
    if (at == i || !math_at(t, at, "is", &n))
        return 0;
    at += n;
    return at + (at < t.n && t.s[at] == ':');
}

static bool hope(struct span t, size_t i)
{
    size_t n;
    i += i < t.n && t.s[i] == '.';
    i += i < t.n && math_space(t.s[i]);
    return math_at(t, i, "I hope", &n);
}

static bool line_break_between(struct span t, size_t from, size_t to)
{
    return memchr(t.s + from, '\n', to - from) != NULL;
}

/* Priorities 0 and 50. */
static void after_final(struct math_search *s, bool latex, bool with_hope)
{
    struct span t = s->text;
    struct math_match m;
    const char *anchor = with_hope ? "final answer is" : "final answer";
    for (size_t i = 0; (i = find_word(t, i, anchor)) < t.n && math_burn(s->w, 50);) {
        size_t from = i + strlen(anchor), next = from;
        for (size_t gap = 0; gap <= (with_hope ? 0 : 100); gap++) {
            size_t at = from + gap;
            if (with_hope)
                at += at < t.n && t.s[at] == ':';
            else if (at > t.n || !(at = skip_is(t, at)) ||
                     (!latex && line_break_between(t, from, from + gap)))
                continue;
            size_t wide = math_spaces(t, at);
            bool found =
                latex ? math_latex_at(s, wide, false, &m) ||
                            (wide > at && math_latex_at(s, wide - 1, false, &m))
                      : math_plain_at(s, with_hope ? wide : at, &m) ||
                            (with_hope && wide > at && math_plain_at(s, wide - 1, &m));
            if (!found || (with_hope && !hope(t, m.end)))
                continue;
            m.start = i;
            math_add_match(s, m);
            next = m.end;
            break;
        }
        i = next;
    }
}

/* The last '=' at most reach bytes behind i, on the same line, with a plain answer
 * behind it. */
static bool after_equals(struct math_search *s, size_t i, struct math_match *m)
{
    struct span t = s->text;
    size_t end = i;
    while (end < t.n && end < i + 101 && t.s[end] != '\n') end++;
    for (size_t at = end; at-- > i;) {
        if (t.s[at] != '=')
            continue;
        size_t wide = math_spaces(t, at + 1);
        /* the sign itself, white space or nothing may be what goes before a number */
        if ((wide > at + 1 && math_plain_at(s, wide - 1, m)))
            if (!math_equals_behind(t, m->end))
                return true;
    }
    return false;
}

/* Priorities 100 and 200. */
static void after_answer(struct math_search *s, bool latex, bool colon)
{
    struct span t = s->text;
    struct math_match m;
    const char *anchor = colon ? "answer:" : "answer";
    for (size_t i = 0; (i = find_word(t, i, anchor)) < t.n && math_burn(s->w, 50);) {
        size_t from = i + strlen(anchor);
        bool found = false;
        if (latex) {
            found = latex_behind(s, from, 50, &m);
        } else {
            found = after_equals(s, from, &m);
            for (size_t at = from; !found && at <= from + 50 && at < t.n; at++) {
                found = math_plain_at(s, at, &m) && !math_equals_behind(t, m.end);
                if (t.s[at] == '\n')
                    break;
            }
        }
        if (found) {
            m.start = i;
            math_add_match(s, m);
        }
        i = found && m.end > from ? m.end : from;
    }
}

static void anywhere_latex(struct math_search *s, bool boxed)
{
    struct math_match m;
    for (size_t i = 0; i < s->text.n && math_burn(s->w, 1);) {
        if (math_latex_at(s, i, boxed, &m)) {
            math_add_match(s, m);
            i = m.end;
        } else {
            i++;
        }
    }
}

static void anywhere_plain(struct math_search *s, bool expression)
{
    struct math_match m;
    for (size_t i = 0; i < s->text.n && math_burn(s->w, 1);) {
        if (expression ? math_expression_at(s, i, &m) : math_number_at(s, i, &m)) {
            math_add_match(s, m);
            i = m.end > i ? m.end : i + 1;
        } else {
            i++;
        }
    }
}

/* \boxed{ to the last }: where it ends is found when it is cleaned. */
static void open_box(struct math_search *s)
{
    struct span t = s->text;
    const char *start = t.n ? memmem(t.s, t.n, "\\boxed{", 7) : NULL;
    const char *last = t.n ? memrchr(t.s, '}', t.n) : NULL;
    if (!start || !last || last < start + 8)
        return;
    size_t from = (size_t)(start - t.s), end = (size_t)(last - t.s) + 1;
    struct math_match m = {.start = from, .end = end, .latex = true, .count = 1};
    m.parts[0] = (struct math_part){{start, end - from}, false, true};
    math_add_match(s, m);
}

static void search(struct math_search *s, const struct math_rules *rules, int priority)
{
    s->count = 0;
    if (rules->latex) {
        if (priority == 0 || priority == 50)
            after_final(s, true, priority == 0);
        else if (priority == 100 || priority == 200)
            after_answer(s, true, priority == 100);
        else if (priority == 300)
            anywhere_latex(s, false);
        if (priority == rules->boxed) {
            anywhere_latex(s, true);
            open_box(s);
        }
    }
    if (!rules->plain)
        return;
    if (priority == 0 || priority == 50)
        after_final(s, false, priority == 0);
    else if (priority == 100 || priority == 200)
        after_answer(s, false, priority == 100);
    else if (priority == 300) {
        anywhere_plain(s, true);
        anywhere_plain(s, false);
    }
}

/* -- From a match to an expression ---------------------------------------- */

static struct math_node *gather(struct math_work *w, struct math_node **parts, int count)
{
    int total = 0, n = 0;
    for (int i = 0; i < count; i++)
        total += parts[i]->kind == MATH_SET ? parts[i]->count : 1;
    struct math_node *set = math_node(w, MATH_SET, 0, total);
    for (int i = 0; set && i < count; i++)
        for (int k = 0; k < (parts[i]->kind == MATH_SET ? parts[i]->count : 1); k++)
            set->args[n++] = parts[i]->kind == MATH_SET ? parts[i]->args[k] : parts[i];
    return set;
}

static struct math_node *read_latex(struct math_work *w, const struct math_match *m,
                                    struct span *text)
{
    struct math_node *parts[MATH_PARTS_MAX];
    struct span texts[MATH_PARTS_MAX] = {0};
    bool all = true;
    size_t size = 0;
    for (int i = 0; i < m->count; i++) {
        texts[i] = math_clean(w, m->parts[i].text, m->parts[i].boxed_last);
        size += texts[i].n + 5;
        parts[i] = math_parse(w, texts[i]);
        if (parts[i] && m->parts[i].percent) /* no relation is a percentage */
            parts[i] = math_is_relation(parts[i])
                           ? NULL
                           : math_node1(w, MATH_PERCENT, 0, parts[i]);
        all = all && parts[i];
    }
    *text = texts[0];
    if (m->count == 1 || !all)
        return parts[0];
    char *joined = math_alloc(w, size), *at = joined;
    if (!joined)
        return NULL;
    for (int i = 0; i < m->count; i++) {
        at = mempcpy(at, texts[i].s, texts[i].n);
        at = i + 1 < m->count ? mempcpy(at, " and ", 5) : at;
    }
    *text = (struct span){joined, (size_t)(at - joined)};
    return gather(w, parts, m->count);
}

static struct math_node *read_plain(struct math_work *w, const struct math_match *m,
                                    struct span *text)
{
    if (m->expression) {
        *text = m->parts[0].text;
        return math_plain(w, *text);
    }
    char *digits = math_alloc(w, m->parts[0].text.n + 2);
    size_t n = 0, integer = m->integer;
    bool leading = true;
    if (!digits)
        return NULL;
    for (size_t i = 0; i < m->parts[0].text.n; i++) {
        char c = m->parts[0].text.s[i];
        if (i < integer && (c == ',' || c == ' ' || (leading && c == '0')))
            continue;
        if (i == integer && n == 0)
            digits[n++] = '0';
        leading = false;
        digits[n++] = c == ',' ? '.' : c;
    }
    if (n == 0)
        digits[n++] = '0';
    *text = (struct span){digits, n};
    struct math_node *a = math_decimal(w, *text);
    return a && m->parts[0].percent ? math_node1(w, MATH_PERCENT, 0, a) : a;
}

struct math_found math_extract(struct math_work *w, struct span text,
                               const struct math_rules *rules)
{
    static const int priorities[] = {0, 50, 100, 200, 300};
    struct math_search s = {.w = w, .text = text};
    struct math_found found = {0};
    bool any = false;
    if (!text.s || text.n == 0)
        return found;
    for (int p = 0; p < 5 && !w->spent; p++) {
        search(&s, rules, priorities[p]);
        if (s.count)
            qsort(s.list, (size_t)s.count, sizeof *s.list, by_end);
        for (int i = 0; i < s.count && !w->spent; i++) {
            struct span shown;
            struct math_node *a = s.list[i].latex ? read_latex(w, &s.list[i], &shown)
                                                  : read_plain(w, &s.list[i], &shown);
            any = true;
            if (!found.text.n)
                found.text = shown;
            found.value = a;
            if (a || rules->first)
                break;
        }
        if (found.value || (any && rules->first))
            break;
    }
    return found;
}
