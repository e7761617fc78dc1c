/* tape.c: see tape.h. */
#include "row/tape.h"
#include "row/json.h"
#include "row/scan.h"

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Is [s, end) a number with nothing but white space behind it? At end a token begins, so
 * that the byte there is no part of a number that comes so far: it ends the loops. */
static bool is_number(const char *s, const char *end)
{
    s += *s == '-';
    if (!is_digit(*s))
        return false;
    if (*s++ != '0')
        while (is_digit(*s)) s++;
    if (*s == '.') {
        if (!is_digit(*++s))
            return false;
        while (is_digit(*s)) s++;
    }
    if ((*s | 0x20) == 'e') {
        s++;
        s += *s == '+' || *s == '-';
        if (!is_digit(*s))
            return false;
        while (is_digit(*s)) s++;
    }
    return s == end || scan_blank(s, end) == end;
}

static bool is_word(const char *s, const char *end, const char *word, size_t n)
{
    return (size_t)(end - s) >= n && memcmp(s, word, n) == 0 &&
           scan_blank(s + n, end) == end;
}

/* Is [s, end), which begins with c, something that is neither string nor container? */
static bool is_scalar(char c, const char *s, const char *end)
{
    switch (c) {
    case 't': return is_word(s, end, "true", 4);
    case 'f': return is_word(s, end, "false", 5);
    case 'n': return is_word(s, end, "null", 4);
    default: return is_number(s, end);
    }
}

size_t tape_make(struct tape_entry *tape, const struct tokens *t, struct span text)
{
    const char *s = text.s;
    /* Behind the last token the first one, an opening brace, stands three times: it fits
     * nowhere but as a value, and what must follow it then is no brace. So only a scalar
     * needs to know whether there is another token. */
    const uint32_t *at = t->at, *end = t->at + t->count;
    uint32_t open[JSON_DEPTH_MAX]; /* entries of the containers around */
    struct tape_entry *to = tape;
    int depth = 0;
    bool object = true; /* is the innermost container one */
    char c;
    if (at == end || s[*at] != '{')
        return 0;

value: /* a value must begin at *at */
    c = s[*at];
    to->at = *at++;
    to->link = 0;
    if (c == '{' || c == '[') {
        if (depth == JSON_DEPTH_MAX)
            return 0;
        open[depth++] = (uint32_t)(to++ - tape);
        object = c == '{';
        if (s[*at] == (object ? '}' : ']'))
            goto close;
        if (object)
            goto key;
        goto value;
    }
    if (c != '"' && (at == end || !is_scalar(c, s + to->at, s + *at)))
        return 0;
    to++->link = *at;

behind: /* a value has ended */
    c = s[*at];
    if (c == ',') {
        at++;
        if (object)
            goto key;
        goto value;
    }
    if (c != (object ? '}' : ']'))
        return 0;

close: /* *at is the closing bracket of the innermost container */
    to->at = *at++;
    to->link = 0;
    depth--;
    tape[open[depth]].link = (uint32_t)(++to - tape) - open[depth];
    if (depth == 0)
        return at == end ? (size_t)(to - tape) : 0;
    object = s[tape[open[depth - 1]].at] == '{';
    goto behind;

key: /* a key and its colon must stand at *at */
    if (s[at[0]] != '"' || s[at[1]] != ':')
        return 0;
    *to++ = (struct tape_entry){at[0], at[1]};
    at += 2;
    goto value;
}
