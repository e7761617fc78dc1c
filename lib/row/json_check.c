/* json_check.c: is a text well-formed JSON? One pass, no recursion, no memory. */
#include "base/fail.h"
#include "row/json.h"
#include "row/scan.h"

struct checker {
    const char *start, *at, *end;
    int depth;
    uint64_t
        kinds[JSON_DEPTH_MAX / 64]; /* bit: the container at that depth is an object */
};

static int refuse(const struct checker *c, const char *what)
{
    return fail(FAIL_JSON, "not JSON: byte %zu: %s", (size_t)(c->at - c->start), what);
}

static void push(struct checker *c, bool object)
{
    uint64_t bit = (uint64_t)1 << (c->depth & 63), *word = &c->kinds[c->depth >> 6];
    *word = object ? *word | bit : *word & ~bit;
    c->depth++;
}

static bool in_object(const struct checker *c)
{
    int top = c->depth - 1;
    return c->kinds[top >> 6] >> (top & 63) & 1;
}

static bool is_digit(const struct checker *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return true;
    default: return false;
    }
}

static int check_escape(struct checker *c)
{
    if (c->end - c->at < 2)
        return refuse(c, "the string is not closed");
    char kind = c->at[1];
    if (kind != 'u') {
        if (!is_escape(kind))
            return refuse(c, "no such escape in a string");
        c->at += 2;
        return 0;
    }
    for (int i = 2; i < 6; i++)
        if (c->end - c->at <= i || !is_hex(c->at[i]))
            return refuse(c, "\\u is not followed by four hex digits");
    c->at += 6;
    return 0;
}

/* *at is a quote. */
static int check_string(struct checker *c)
{
    c->at++;
    for (;;) {
        c->at = scan_plain(c->at, c->end);
        if (c->at == c->end)
            return refuse(c, "the string is not closed");
        unsigned char b = (unsigned char)*c->at;
        if (b == '"') {
            c->at++;
            return 0;
        }
        if (b == '\\') {
            if (check_escape(c) < 0)
                return -1;
        } else if (b < 0x20) {
            return refuse(c, "a control byte in a string (it must be escaped)");
        } else {
            /* Texts in other scripts are long runs of these: stay here while it lasts. */
            do {
                int n = scan_utf8(c->at, c->end);
                if (n < 0)
                    return refuse(c, "invalid UTF-8");
                c->at += n;
            } while (c->at < c->end && (unsigned char)*c->at >= 0x80);
        }
    }
}

static int check_number(struct checker *c)
{
    if (*c->at == '-')
        c->at++;
    if (!is_digit(c))
        return refuse(c, c->at < c->end && *c->at == 'I' ? "Infinity is not JSON"
                                                         : "a digit must stand here");
    if (*c->at++ == '0') {
        if (is_digit(c))
            return refuse(c, "a number with a leading zero");
    } else {
        while (is_digit(c)) c->at++;
    }
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!is_digit(c))
            return refuse(c, "a digit must follow the decimal point");
        while (is_digit(c)) c->at++;
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        if (!is_digit(c))
            return refuse(c, "an exponent without digits");
        while (is_digit(c)) c->at++;
    }
    return 0;
}

static int check_word(struct checker *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return refuse(c, "a value must stand here");
    c->at += n;
    return 0;
}

static int check_scalar(struct checker *c)
{
    switch (c->at < c->end ? *c->at : '\0') {
    case '"': return check_string(c);
    case 't': return check_word(c, "true");
    case 'f': return check_word(c, "false");
    case 'n': return check_word(c, "null");
    case 'N': return refuse(c, "NaN is not JSON");
    case 'I': return refuse(c, "Infinity is not JSON");
    case '\'': return refuse(c, "a single quote; JSON has double quotes only");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return check_number(c);
    default:
        return refuse(c, c->at == c->end ? "the text ends where a value must stand"
                                         : "a value must stand here");
    }
}

/* A member's key and colon, *at at the key. */
static int check_key(struct checker *c)
{
    if (c->at == c->end || *c->at != '"')
        return refuse(c, c->at < c->end && *c->at == '\''
                             ? "a single quote; JSON has double quotes only"
                             : "a key in double quotes must stand here");
    if (check_string(c) < 0)
        return -1;
    c->at = scan_blank(c->at, c->end);
    if (c->at == c->end || *c->at != ':')
        return refuse(c, "a colon must stand here");
    c->at = scan_blank(c->at + 1, c->end);
    return 0;
}

/* A value began with { or [. 1 if a value must come next, 0 if it closed at once. */
static int check_open(struct checker *c)
{
    bool object = *c->at == '{';
    if (c->depth == JSON_DEPTH_MAX)
        return refuse(c, "nested too deeply (over 512)");
    push(c, object);
    c->at = scan_blank(c->at + 1, c->end);
    if (c->at < c->end && *c->at == (object ? '}' : ']')) {
        c->at++;
        c->depth--;
        return 0;
    }
    return object && check_key(c) < 0 ? -1 : 1;
}

/* A value has ended inside a container. 1 if another must come next, 0 if all is closed.
 */
static int check_close(struct checker *c)
{
    while (c->depth > 0) {
        bool object = in_object(c);
        c->at = scan_blank(c->at, c->end);
        if (c->at == c->end)
            return refuse(c, object ? "the object is not closed"
                                    : "the array is not closed");
        if (*c->at == ',') {
            c->at = scan_blank(c->at + 1, c->end);
            if (c->at < c->end && (*c->at == '}' || *c->at == ']'))
                return refuse(c, "a comma before the closing bracket");
            return object && check_key(c) < 0 ? -1 : 1;
        }
        if (*c->at != (object ? '}' : ']'))
            return refuse(c, object ? "a comma or } must stand here"
                                    : "a comma or ] must stand here");
        c->at++;
        c->depth--;
    }
    return 0;
}

int json_check(struct span text)
{
    struct checker c = {.start = text.s, .at = text.s, .end = text.s + text.n};
    int more = 1;
    c.at = scan_blank(c.at, c.end);
    while (more) {
        if (c.at < c.end && (*c.at == '{' || *c.at == '[')) {
            more = check_open(&c);
        } else {
            more = check_scalar(&c);
        }
        if (more == 0)
            more = check_close(&c);
        if (more < 0)
            return -1;
    }
    c.at = scan_blank(c.at, c.end);
    return c.at == c.end ? 0 : refuse(&c, "something follows the end of the value");
}
