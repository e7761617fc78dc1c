/* json_read.c: find values in a text that json_check() accepted, and read them. */
#include "base/fail.h"
#include "row/json.h"
#include "row/scan.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

enum json_type json_type(struct span value)
{
    const char *end = value.s ? value.s + value.n : NULL,
               *s = end ? scan_blank(value.s, end) : end;
    if (s == end)
        return JSON_NONE;
    switch (*s) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

bool json_given(struct span value)
{
    return value.s && json_type(value) != JSON_NULL;
}

/* Behind the value that begins at s. */
static const char *skip_value(const char *s, const char *end)
{
    if (s == end)
        return s;
    if (*s == '"')
        return scan_close(s + 1, end);
    if (*s != '{' && *s != '[') {
        while (s < end && *s != ',' && *s != '}' && *s != ']' && !scan_space(*s)) s++;
        return s;
    }
    for (int depth = 0; s < end;) {
        char c = *s++;
        if (c == '"')
            s = scan_close(s, end);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            break;
    }
    return s;
}

/* Move *at, an offset in container, to its next entry. NULL at the end, or if container
 * does not begin with open. */
static const char *next_entry(struct span container, char open, size_t at)
{
    if (!container.s)
        return NULL;
    const char *end = container.s + container.n, *s = scan_blank(container.s + at, end);
    if (s == end || *s != (at == 0 ? open : ','))
        return NULL;
    s = scan_blank(s + 1, end);
    return s == end || *s == ']' || *s == '}' ? NULL : s;
}

bool json_each(struct span array, size_t *at, struct span *element)
{
    const char *end = array.n ? array.s + array.n : array.s,
               *s = next_entry(array, '[', *at);
    if (!s)
        return false;
    element->s = s;
    element->n = (size_t)(skip_value(s, end) - s);
    *at = (size_t)(s + element->n - array.s);
    return true;
}

bool json_member(struct span object, size_t *at, struct span *key, struct span *value)
{
    const char *end = object.n ? object.s + object.n : object.s,
               *s = next_entry(object, '{', *at);
    if (!s)
        return false;
    key->s = s;
    key->n = (size_t)(skip_value(s, end) - s);
    s = scan_blank(s + key->n, end); /* the colon */
    s = scan_blank(s < end ? s + 1 : s, end);
    value->s = s;
    value->n = (size_t)(skip_value(s, end) - s);
    *at = (size_t)(s + value->n - object.s);
    return true;
}

static unsigned hex4(const char *s)
{
    unsigned x = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)s[i];
        x = x << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return x;
}

/* Decode the escape at s (a backslash) to UTF-8 in out[4]. Its length; *s moves on. */
static int decode_escape(const char **s, const char *end, char out[4])
{
    char kind = (*s)[1];
    if (kind != 'u') {
        switch (kind) {
        case 'b': out[0] = '\b'; break;
        case 'f': out[0] = '\f'; break;
        case 'n': out[0] = '\n'; break;
        case 'r': out[0] = '\r'; break;
        case 't': out[0] = '\t'; break;
        default: out[0] = kind; break; /* a quote, a slash or a backslash */
        }
        *s += 2;
        return 1;
    }
    uint32_t c = hex4(*s + 2);
    *s += 6;
    if (c >= 0xD800 && c < 0xDC00 && end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u') {
        uint32_t low = hex4(*s + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            *s += 6;
        }
    }
    if (c >= 0xD800 && c < 0xE000)
        c = 0xFFFD; /* a surrogate without its other half */
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | c);
    return n;
}

bool json_key_is(struct span key, struct span name)
{
    const char *s = key.s + 1, *end = key.s + key.n - 1;
    if ((size_t)(end - s) == name.n && memcmp(s, name.s, name.n) == 0)
        return !memchr(s, '\\', name.n);
    if ((size_t)(end - s) <= name.n || !memchr(s, '\\', (size_t)(end - s)))
        return false;
    while (s < end) {
        char c[4] = {*s};
        size_t len = 1;
        if (*s == '\\')
            len = (size_t)decode_escape(&s, end, c);
        else
            s++;
        if (name.n < len || memcmp(name.s, c, len) != 0)
            return false;
        name.s += len;
        name.n -= len;
    }
    return name.n == 0;
}

static struct span get(struct span object, const char *key, size_t n)
{
    struct span found = {0}, name, value;
    for (size_t at = 0; json_member(object, &at, &name, &value);)
        if (json_key_is(name, (struct span){key, n}))
            found = value;
    return found;
}

struct span json_get(struct span object, const char *key)
{
    return get(object, key, strlen(key));
}

struct span json_find(struct span object, const char *path)
{
    for (;;) {
        size_t n = strcspn(path, ".");
        object = get(object, path, n);
        if (!object.s || !path[n])
            return object;
        path += n + 1;
    }
}

size_t json_decode(struct span value, char *to)
{
    const char *end = value.s + value.n, *s = scan_blank(value.s, end) + 1;
    char *start = to;
    while (*--end != '"') {
    }
    for (;;) {
        size_t n = scan_copy(to, s, end);
        to += n;
        s += n;
        if (s == end)
            return (size_t)(to - start);
        char c[4];
        int len = decode_escape(&s, end, c);
        for (int i = 0; i < len; i++) *to++ = c[i];
    }
}

int json_text(struct span value, struct buf *out)
{
    if (json_type(value) != JSON_STRING)
        return fail(FAIL_TYPE, "not a string");
    char *to = buf_room(out, value.n);
    if (to)
        out->len += json_decode(value, to);
    return 0;
}

/* A number's text as strtod() reads it in the C locale. */
static double parse_real(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    double x = strtod(text, NULL);
    if (c) {
        uselocale(before);
        freelocale(c);
    }
    return x;
}

/* value without the white space around it. */
static struct span trimmed(struct span value)
{
    const char *end = value.s + value.n, *s = scan_blank(value.s, end);
    while (end > s && scan_space(end[-1])) end--;
    return (struct span){s, (size_t)(end - s)};
}

/* A number of at most 15 digits and few decimals: both it and the power of ten are exact
 * as doubles, so one division rounds correctly (Clinger, "How to read floating point
 * numbers accurately", PLDI 1990). Without exponent. */
static bool parse_short(struct span value, double *out)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *s = value.s, *end = value.s + value.n, *dot = end;
    int64_t digits = 0;
    bool minus = *s == '-';
    s += minus;
    if (end - s > 16) /* 15 digits and a point */
        return false;
    for (; s < end; s++) {
        if (*s == '.')
            dot = s + 1;
        else if (*s >= '0' && *s <= '9')
            digits = digits * 10 + (*s - '0');
        else
            return false;
    }
    double x = (double)digits / tens[end - dot];
    *out = minus ? -x : x;
    return end - dot < 16 && digits < 1000000000000000;
}

int json_double(struct span value, double *out)
{
    char small[64], *text = small;
    if (json_type(value) != JSON_NUMBER)
        return fail(FAIL_TYPE, "not a number");
    value = trimmed(value);
    if (parse_short(value, out))
        return 0;
    if (value.n >= sizeof small && !(text = malloc(value.n + 1)))
        return fail_memory();
    memcpy(text, value.s, value.n);
    text[value.n] = '\0';
    double x = parse_real(text);
    if (text != small)
        free(text);
    if (!isfinite(x))
        return fail(FAIL_TYPE, "a number larger than a double can be");
    *out = x;
    return 0;
}

/* The number's digits without its point, and where the point stands in them once the
 * exponent is taken in: value = 0.DIGITS * 10^point. */
struct decimal {
    bool minus;
    const char *s, *end; /* the digits, maybe with a '.' among them */
    int64_t point;
};

static struct decimal decimal_of(struct span value)
{
    struct decimal d = {.s = value.s, .end = value.s + value.n};
    int64_t exponent = 0, sign = 1;
    if (*d.s == '-') {
        d.minus = true;
        d.s++;
    }
    const char *e = d.s;
    while (e < d.end && *e != 'e' && *e != 'E') e++;
    if (e < d.end) {
        const char *x = e + 1;
        if (*x == '+' || *x == '-')
            sign = *x++ == '-' ? -1 : 1;
        for (; x < d.end; x++)
            if (exponent < (int64_t)1 << 56) /* far beyond any text's length */
                exponent = exponent * 10 + (*x - '0');
    }
    d.end = e;
    const char *dot = memchr(d.s, '.', (size_t)(e - d.s));
    d.point = (dot ? dot : e) - d.s + sign * exponent;
    return d;
}

int json_int(struct span value, int64_t *out)
{
    if (json_type(value) != JSON_NUMBER)
        return fail(FAIL_TYPE, "not a number");
    struct decimal d = decimal_of(trimmed(value));
    uint64_t x = 0, most = (uint64_t)INT64_MAX + d.minus;
    int64_t place = 0; /* digits seen */
    bool zero = true;
    for (const char *s = d.s; s < d.end; s++) {
        if (*s == '.')
            continue;
        unsigned digit = (unsigned)(*s - '0');
        if (place++ >= d.point) {
            if (digit)
                return fail(FAIL_TYPE, "not an integer");
            continue;
        }
        if (x > (most - digit) / 10)
            return fail(FAIL_TYPE, "an integer of more than 64 bits");
        x = x * 10 + digit;
        zero = zero && digit == 0;
    }
    for (; place < d.point && !zero; place++) {
        if (x > most / 10)
            return fail(FAIL_TYPE, "an integer of more than 64 bits");
        x *= 10;
    }
    *out = d.minus ? (int64_t)(0 - x) : (int64_t)x;
    return 0;
}
