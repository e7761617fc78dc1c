/* math_boxed.c: what the \boxed{} (or \fbox{}) of a text hold. */
#include "answer/math_own.h"

enum { BOXES_MAX = 64 };

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span s)
{
    while (s.n && is_space(s.s[0])) s = (struct span){s.s + 1, s.n - 1};
    while (s.n && is_space(s.s[s.n - 1])) s.n--;
    return s;
}

static bool same(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

static bool is_letter(char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* A comma, a semicolon, or the word "and" or "or". */
static bool separates(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        size_t n = s.n - i >= 3 && memcmp(s.s + i, "and", 3) == 0  ? 3
                   : s.n - i >= 2 && memcmp(s.s + i, "or", 2) == 0 ? 2
                                                                   : 0;
        if (s.s[i] == ',' || s.s[i] == ';')
            return true;
        if (n && !(i && is_letter(s.s[i - 1])) && !(i + n < s.n && is_letter(s.s[i + n])))
            return true;
    }
    return false;
}

/* Do two boxes with that text between them belong together? */
static bool together(struct span content, struct span next, struct span between)
{
    if (between.n < 10)
        return true;
    return !same(content, next) && between.n < 70 && separates(between);
}

/* The start of the last command before end; its length in *n. */
static bool last_box(struct span text, size_t end, size_t *start, size_t *n)
{
    for (size_t i = end; i-- > 0;) {
        if (text.s[i] != '\\')
            continue;
        if (end - i >= 6 && memcmp(text.s + i, "\\boxed", 6) == 0)
            *n = 6;
        else if (end - i >= 5 && memcmp(text.s + i, "\\fbox", 5) == 0)
            *n = 5;
        else
            continue;
        *start = i;
        return true;
    }
    return false;
}

/* The brace that closes the one at open; end: there is none. */
static size_t closing(struct span text, size_t open, size_t end)
{
    int depth = 0;
    for (size_t i = open; i < end; i++) {
        depth += (text.s[i] == '{') - (text.s[i] == '}');
        if (depth == 0)
            return i;
    }
    return end;
}

struct span math_unbox(struct math_work *w, struct span text, bool last)
{
    struct span found[BOXES_MAX];
    size_t end = text.n, start, n, next_start = 0, total = 0;
    int count = 0;
    bool any = false;
    while (count < BOXES_MAX && math_burn(w, 4) && last_box(text, end, &start, &n)) {
        size_t open = start + n, close;
        while (open < end && is_space(text.s[open])) open++;
        if (open >= end)
            break;
        close = text.s[open] == '{' ? closing(text, open, end) : end;
        if (close >= end) { /* without an end: only the last box may be so */
            if (count == 0)
                found[count++] = (struct span){text.s + open, text.n - open};
            break;
        }
        struct span content = trim((struct span){text.s + open + 1, close - open - 1});
        struct span between = {text.s + close + 1, any ? next_start - close - 1 : 0};
        if (last && any &&
            !together(content, count ? found[count - 1] : (struct span){0}, between))
            break;
        if (count == 0 || !same(found[count - 1], content))
            found[count++] = content;
        any = true;
        end = next_start = start;
    }
    if (count == 0)
        return text;
    for (int i = 0; i < count; i++) total += found[i].n + 1;
    char *all = math_alloc(w, total), *at = all;
    if (!all)
        return text;
    for (int i = count; i-- > 0;) {
        at = mempcpy(at, found[i].s, found[i].n);
        if (i)
            *at++ = ',';
    }
    return (struct span){all, (size_t)(at - all)};
}
