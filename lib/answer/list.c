/* list.c: a Python list written as a text, as some benchmarks keep several golds:
 * "['2 km', '2 kilometres']". Literals alone: nothing is evaluated. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"
#include "base/fail.h"
#include "text/utf8.h"

struct list {
    const char *s, *end;
    struct buf *out;
};

static void skip_space(struct list *l)
{
    while (l->s < l->end && strchr(" \t\r\n\f", *l->s) && *l->s) l->s++;
}

/* \xhh, \uhhhh, \Uhhhhhhhh behind the letter. */
static bool take_code(struct list *l, int digits)
{
    uint32_t c = 0;
    char *room = buf_room(l->out, 4);
    for (int i = 0; i < digits; i++, l->s++) {
        int d = l->s == l->end                               ? -1
                : *l->s >= '0' && *l->s <= '9'               ? *l->s - '0'
                : (*l->s | 32) >= 'a' && (*l->s | 32) <= 'f' ? (*l->s | 32) - 'a' + 10
                                                             : -1;
        if (d < 0)
            return false;
        c = c * 16 + (uint32_t)d;
    }
    if (c > 0x10FFFF)
        return false;
    if (c >= 0xD800 && c < 0xE000)
        c = UTF8_REPLACEMENT;
    if (room)
        l->out->len += utf8_put(room, c);
    return true;
}

static bool take_escape(struct list *l)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    if (l->s == l->end)
        return false;
    char c = *l->s++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known)
        buf_char(l->out, to[known - from]);
    else if (c == 'x')
        return take_code(l, 2);
    else if (c == 'u')
        return take_code(l, 4);
    else if (c == 'U')
        return take_code(l, 8);
    else if (c >= '0' && c <= '7') {
        unsigned code = (unsigned)(c - '0');
        for (int i = 0; i < 2 && l->s < l->end && *l->s >= '0' && *l->s <= '7'; i++)
            code = code * 8 + (unsigned)(*l->s++ - '0');
        char *room = buf_room(l->out, 4);
        if (room)
            l->out->len += utf8_put(room, code);
    } else if (c != '\n') { /* an unknown escape stays as it is */
        buf_char(l->out, '\\');
        buf_char(l->out, c);
    }
    return true;
}

static bool take_string(struct list *l)
{
    char quote = *l->s++;
    while (l->s < l->end && *l->s != quote) {
        char c = *l->s++;
        if (c == '\n' || (c == '\\' && !take_escape(l)))
            return false;
        if (c != '\\')
            buf_char(l->out, c);
    }
    return l->s++ < l->end;
}

/* A number or None, True, False: its own text. */
static bool take_word(struct list *l)
{
    const char *from = l->s;
    double x;
    while (l->s < l->end && *l->s != ',' && *l->s != ']') l->s++;
    struct span word = chars_strip((struct span){from, (size_t)(l->s - from)});
    bool digit = word.n > 0 && strchr("+-.0123456789", word.s[0]) && word.s[0];
    if (!span_is(word, "None") && !span_is(word, "True") && !span_is(word, "False") &&
        !(digit && number_read(word, &x) > 0))
        return false;
    buf_add(l->out, word.s, word.n);
    return true;
}

static int read_elements(struct list *l, size_t *ends)
{
    int count = 0;
    for (skip_space(l); l->s < l->end && *l->s != ']'; skip_space(l)) {
        if (count == LIST_MAX ||
            !(*l->s == '\'' || *l->s == '"' ? take_string(l) : take_word(l)))
            return -1;
        ends[count++] = l->out->len;
        skip_space(l);
        if (l->s < l->end && *l->s == ',')
            l->s++;
        else if (l->s == l->end || *l->s != ']')
            return -1;
    }
    if (l->s == l->end)
        return -1;
    l->s++;
    skip_space(l);
    return l->s == l->end ? count : -1;
}

int list_read(struct span text, struct buf *out, size_t *ends)
{
    struct list l = {text.s, text.s + text.n, out};
    /* eval() takes white space in front, but no line ends */
    while (l.s < l.end && (*l.s == ' ' || *l.s == '\t')) l.s++;
    if (l.s == l.end || *l.s++ != '[')
        return -1;
    int count = read_elements(&l, ends);
    return buf_ok(out) < 0 ? -2 : count;
}
