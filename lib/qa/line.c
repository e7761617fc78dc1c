/* line.c: see line.h. */
#include "qa/line.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What stands behind a number or a letter. */
static bool is_stop(char c)
{
    return c == '.' || c == ')' || c == ':';
}

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && is_blank(*s)) s++;
    return s;
}

static bool at_stars(const char *s, const char *end)
{
    return end - s >= 2 && s[0] == '*' && s[1] == '*';
}

/* The bytes of a bullet at s, 0 if there is none. */
static int bullet_at(const char *s, const char *end)
{
    if (s < end && (*s == '-' || *s == '*' || *s == '+'))
        return 1;
    return end - s >= 3 && memcmp(s, "\xE2\x80\xA2", 3) == 0 ? 3 : 0; /* U+2022 */
}

struct span line_trim(struct span text)
{
    const char *end = text.s + text.n, *s = skip_blanks(text.s, end);
    while (end > s && is_blank(end[-1])) end--;
    return (struct span){s, (size_t)(end - s)};
}

bool line_head(struct span line, struct span *number, struct span *question)
{
    const char *s = line.s, *end = line.s + line.n, *from = s;
    while (s < end && s - from < 3 && *s == ' ') s++;
    for (from = s; s < end && *s == '#';) s++;
    if (s == from || s - from > 6)
        return false;
    s = skip_blanks(s, end);
    for (from = s; s < end && is_digit(*s);) s++;
    if (s == from || s == end || !is_stop(*s))
        return false;
    *number = (struct span){from, (size_t)(s - from)};
    *question = (struct span){s + 1, (size_t)(end - s - 1)};
    return true;
}

bool line_rule(struct span line)
{
    line = line_trim(line);
    size_t n = 0;
    while (n < line.n && line.s[n] == '-') n++;
    return n >= 3 && n == line.n;
}

/* The label at s, behind any bullet. */
static bool label_at(const char *s, const char *end, int *place, struct span *text)
{
    if (at_stars(s, end))
        s += 2;
    if (s < end && *s == '(')
        s++;
    if (end - s < 2 || !is_upper(s[0]) || !is_stop(s[1]))
        return false;
    *place = s[0] - 'A';
    s += 2;
    if (at_stars(s, end))
        s += 2;
    if (s < end && !is_blank(*s))
        return false;
    *text = (struct span){s, (size_t)(end - s)};
    return true;
}

bool line_option(struct span line, int *place, struct span *text)
{
    const char *end = line.s + line.n, *s = skip_blanks(line.s, end);
    int bullet = bullet_at(s, end);
    /* One `*` may be a bullet, or half of the label's `**`. */
    return (bullet && label_at(skip_blanks(s + bullet, end), end, place, text)) ||
           label_at(s, end, place, text);
}

/* A line read as if every `**` in it were deleted. */
struct bare {
    const char *s, *end;
};

/* At the next byte that stays: is there one? */
static bool bare_more(struct bare *b)
{
    while (at_stars(b->s, b->end)) b->s += 2;
    return b->s < b->end;
}

static void bare_blanks(struct bare *b)
{
    while (bare_more(b) && is_blank(*b->s)) b->s++;
}

/* Step over word (lower case) in any case. If false, *b is anywhere. */
static bool bare_word(struct bare *b, const char *word)
{
    for (; *word; word++, b->s++)
        if (!bare_more(b) || (*b->s | 0x20) != *word)
            return false;
    return true;
}

bool line_answer(struct span line, int *place, struct buf *text)
{
    struct bare b = {line.s, line.s + line.n};
    bare_blanks(&b);
    if (bare_more(&b)) {
        b.s += bullet_at(b.s, b.end);
        bare_blanks(&b);
    }
    if (!bare_more(&b))
        return false;
    struct bare word = b;
    if (bare_word(&word, "correct") && bare_more(&word) && is_blank(*word.s)) {
        b = word;
        bare_blanks(&b);
    }
    if (!bare_word(&b, "answer"))
        return false;
    bare_blanks(&b);
    if (!bare_more(&b) || *b.s++ != ':')
        return false;
    *place = -1;
    bare_blanks(&b);
    if (bare_more(&b) && *b.s == '(')
        b.s++;
    if (!bare_more(&b) || !is_upper(*b.s))
        return true;
    int letter = *b.s++ - 'A';
    size_t before = text->len;
    if (bare_more(&b) && is_stop(*b.s)) {
        b.s++;
        bare_blanks(&b);
        while (bare_more(&b)) {
            size_t left = (size_t)(b.end - b.s);
            const char *star = memchr(b.s + 1, '*', left - 1);
            size_t n = star ? (size_t)(star - b.s) : left;
            buf_add(text, b.s, n);
            b.s += n;
        }
        while (text->len > before && is_blank(text->data[text->len - 1])) text->len--;
    } else {
        bare_blanks(&b);
        if (bare_more(&b))
            return true;
    }
    *place = letter;
    return true;
}

/* How many `**` text has, counted from the left. */
static size_t count_stars(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < text.n;) {
        const char *star = memchr(text.s + i, '*', text.n - 1 - i);
        if (!star)
            break;
        i = (size_t)(star - text.s) + 1;
        if (*++star == '*') {
            count++;
            i++;
        }
    }
    return count;
}

static bool opens(struct span text)
{
    return text.n >= 2 && at_stars(text.s, text.s + text.n);
}

static bool closes(struct span text)
{
    return text.n >= 2 && at_stars(text.s + text.n - 2, text.s + text.n);
}

struct span line_clean(struct span text)
{
    text = line_trim(text);
    while (text.n >= 4 && opens(text) && closes(text))
        text = line_trim((struct span){text.s + 2, text.n - 4});
    if (!(opens(text) || closes(text)) || count_stars(text) % 2 == 0)
        return text;
    if (opens(text))
        text.s += 2;
    text.n -= 2;
    return line_trim(text);
}
