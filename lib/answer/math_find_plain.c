/* math_find_plain.c: numbers and plain expressions in a text. */
#include "answer/math_clean.h"
#include "answer/math_extract.h"

static bool digit(struct span t, size_t i)
{
    return i < t.n && t.s[i] >= '0' && t.s[i] <= '9';
}

/* The text's start (before), white space or '=', then maybe "**": what an answer may
 * follow. *to: the place behind; before: nothing is consumed at the start. */
static bool lead_in(struct span t, size_t i, bool start, size_t *to)
{
    size_t n;
    if (start && i == 0)
        *to = 0;
    else if (i < t.n && (math_space(t.s[i]) || t.s[i] == '='))
        *to = i + 1;
    else
        return false;
    if (math_at(t, *to, "**", &n))
        *to += n;
    return true;
}

/* An operator of plain expressions at i: its bytes; 0: none. */
static size_t operator_at(struct span t, size_t i)
{
    size_t n;
    if (i >= t.n)
        return 0;
    if (t.s[i] && strchr("+-*/^()", t.s[i]))
        return 1;
    return math_at(t, i, "×", &n) || math_at(t, i, "÷", &n) ? n : 0;
}

/* What may stand behind an answer: white space, the end, a mark. */
static bool mark_at(struct span t, size_t i)
{
    return i >= t.n || math_space(t.s[i]) || (t.s[i] && strchr(".,:)$", t.s[i]));
}

static size_t stars_at(struct span t, size_t i)
{
    size_t n;
    return math_at(t, i, "**", &n) && mark_at(t, i + n) ? n : 0;
}

static bool tail_at(struct span t, size_t i)
{
    return mark_at(t, i) || stars_at(t, i);
}

static size_t tail_end(struct span t, size_t i)
{
    i += stars_at(t, i);
    return i < t.n ? i + 1 : i;
}

/* A byte (or two, of a sign) that expressions are made of at i: how many; 0: none. */
static size_t part_at(struct span t, size_t i)
{
    if (digit(t, i) || (i < t.n && (t.s[i] == '.' || math_space(t.s[i]))))
        return 1;
    return operator_at(t, i);
}

enum { BYTES_A_STEP = 4 };

/* How far digits, points, white space and operators go from i, and where the first
 * operator among them is (*first; the end: none). What was found is kept, so that the
 * many places of one run are not each looked at to its end. */
static size_t run_end(struct math_search *s, size_t i, size_t *first)
{
    struct math_run *run = &s->run;
    struct span t = s->text;
    size_t from;
    if (i < run->from || i > run->end) {
        *run = (struct math_run){.from = i, .end = i, .sought = i, .found = i};
        for (size_t n; (n = part_at(t, run->end)) > 0; run->end += n) {
        }
        math_burn(s->w, (int64_t)(run->end - i) / BYTES_A_STEP);
    }
    if (i < run->sought || i > run->found)
        run->found = i;
    run->sought = i;
    for (from = run->found; run->found < run->end && !operator_at(t, run->found);)
        run->found++;
    math_burn(s->w, (int64_t)(run->found - from) / BYTES_A_STEP);
    *first = run->found;
    return run->end;
}

/* The longest expression from at: digits, points, white space and operators, with an
 * operator inside, that ends before what may follow an answer. */
static bool expression(struct math_search *s, size_t at, struct math_match *m)
{
    enum { LONGEST = 5000 };
    struct span t = s->text;
    size_t from = at, first, end;
    at += at < t.n && t.s[at] == '-';
    at += at < t.n && t.s[at] == '(';
    at += at < t.n && t.s[at] == '-';
    if (!digit(t, at))
        return false;
    end = run_end(s, at + 1, &first);
    if (end - from > LONGEST)
        for (end = from + LONGEST; (t.s[end] & 0xC0) == 0x80;) end++;
    if (first >= end)
        return false;
    for (first += operator_at(t, first); end > first; end--) {
        if (tail_at(t, end)) {
            *m = (struct math_match){.expression = true, .count = 1};
            m->parts[0].text = (struct span){t.s + from, end - from};
            m->end = tail_end(t, end);
            return true;
        }
        if (end % BYTES_A_STEP == 0 && !math_burn(s->w, 1))
            return false;
    }
    return false;
}

static size_t digits_from(struct span t, size_t i)
{
    while (digit(t, i)) i++;
    return i;
}

/* 1,234.5 or 1 234; 12.5 or 12,5; .5; 12. */
static bool number(struct span t, size_t i, struct math_match *m)
{
    size_t from = i, at, end = 0, integer = 0, n;
    if (i && digit(t, i - 1))
        return false;
    at = i + (i < t.n && t.s[i] == '-');
    if (digit(t, at) && t.s[at] != '0') {
        size_t head = at;
        while (digit(t, head) && head < at + 3) head++;
        for (; head > at && !end; head--) { /* as many digits as leave groups of three */
            size_t group = head;
            while (group < t.n && (t.s[group] == ',' || t.s[group] == ' ') &&
                   digit(t, group + 1) && digit(t, group + 2) && digit(t, group + 3))
                group += 4;
            if (group > head)
                end = integer = group;
        }
        if (end && end < t.n && t.s[end] == '.' && digit(t, end + 1))
            end = digits_from(t, end + 1);
    }
    if (!end && digit(t, at)) {
        integer = end = digits_from(t, at);
        if (end < t.n && (t.s[end] == '.' || t.s[end] == ',') && digit(t, end + 1))
            end = digits_from(t, end + 1);
    } else if (!end && i < t.n && t.s[i] == '.' && digit(t, i + 1)) {
        integer = i;
        end = digits_from(t, i + 1);
    }
    if (!end)
        return false;
    *m = (struct math_match){.count = 1, .integer = integer - from};
    m->parts[0].text = (struct span){t.s + from, end - from};
    size_t percent = math_spaces(t, end);
    static const char *const signs[] = {"%",       "Percentage", "percentage", "Percent",
                                        "percent", "Pct",        "pct"};
    for (int k = 0; k < 7; k++)
        if (math_at(t, percent, signs[k], &n)) {
            m->parts[0].percent = true;
            end = percent + n;
            break;
        }
    m->end = end;
    return true;
}

static size_t currency(struct span t, size_t i)
{
    unsigned char c = i < t.n ? (unsigned char)t.s[i] : 0;
    if (c == '$')
        return 1;
    if (c == 0xc2 && i + 1 < t.n && (t.s[i + 1] == '\xa3' || t.s[i + 1] == '\xa5'))
        return 2; /* pound, yen */
    if (c == 0xe2 && i + 2 < t.n && t.s[i + 1] == '\x82' && t.s[i + 2] >= '\xa0')
        return 3; /* U+20A0 to U+20BF */
    size_t n;
    return math_at(t, i, "฿", &n) ? n : 0;
}

static bool number_behind(struct span t, size_t at, struct math_match *m)
{
    size_t sign = currency(t, at);
    return (sign && number(t, at + sign, m)) || number(t, at, m);
}

bool math_expression_at(struct math_search *s, size_t i, struct math_match *m)
{
    size_t at;
    bool found = (i == 0 && lead_in(s->text, 0, true, &at) && expression(s, at, m)) ||
                 (lead_in(s->text, i, false, &at) && expression(s, at, m));
    m->start = i;
    return found;
}

bool math_number_at(struct math_search *s, size_t i, struct math_match *m)
{
    size_t at;
    bool found =
        (i == 0 && lead_in(s->text, 0, true, &at) && number_behind(s->text, at, m)) ||
        (lead_in(s->text, i, false, &at) && number_behind(s->text, at, m));
    m->start = i;
    return found;
}

bool math_plain_at(struct math_search *s, size_t i, struct math_match *m)
{
    return math_expression_at(s, i, m) || math_number_at(s, i, m);
}

bool math_equals_behind(struct span t, size_t i)
{
    i = math_spaces(t, i);
    return i < t.n && t.s[i] == '=';
}
