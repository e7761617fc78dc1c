/* python_json.c: see python_json.h. */
#include "prism/python_json.h"
#include "row/json.h"
#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void python_line(struct buf *out, int depth)
{
    buf_print(out, "\n%*s", 4 * depth, "");
}

static void put_unit(struct buf *out, unsigned unit)
{
    static const char plain[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    for (int i = 0; plain[i]; i++)
        if (unit == (unsigned char)plain[i]) {
            buf_char(out, '\\');
            buf_char(out, letters[i]);
            return;
        }
    if (unit >= 0x20 && unit < 0x7f)
        buf_char(out, (char)unit);
    else
        buf_print(out, "\\u%04x", unit);
}

/* From its escapes, not from what they come to: half a pair of \uXXXX stays one. */
static void put_string(struct buf *out, struct span json)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *s = json.s + 1, *end = json.s + json.n - 1;
    buf_char(out, '"');
    while (s < end) {
        uint32_t c;
        int short_by;
        if (*s != '\\') {
            s += utf8_next(s, (size_t)(end - s), &c, &short_by);
            if (c >= 0x10000)
                put_unit(out, 0xd800 + ((c - 0x10000) >> 10));
            put_unit(out, c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
        } else if (s[1] == 'u') {
            const char digits[] = {s[2], s[3], s[4], s[5], '\0'};
            put_unit(out, (unsigned)strtoul(digits, NULL, 16));
            s += 6;
        } else {
            const char *letter = strchr(letters, s[1]);
            put_unit(out, (unsigned char)(letter ? meant[letter - letters] : s[1]));
            s += 2;
        }
    }
    buf_char(out, '"');
}

/* As Python reads and writes it: an integer keeps its digits, 1.50 is 1.5. */
static int put_number(struct buf *out, struct span json)
{
    double x;
    bool whole = true;
    for (size_t i = 0; i < json.n; i++) whole &= !strchr(".eE", json.s[i]);
    if (whole && json.n == 2 && json.s[0] == '-' && json.s[1] == '0')
        buf_char(out, '0');
    else if (whole)
        buf_add(out, json.s, json.n);
    else if (json_double(json, &x) == 0)
        python_put_float(out, x);
    else /* too large for a double */
        buf_text(out, json.s[0] == '-' ? "-Infinity" : "Infinity");
    return buf_ok(out);
}

int python_put(struct buf *out, struct span json, int depth)
{
    enum json_type type = json_type(json);
    struct span key, value;
    size_t at = 0;
    int count = 0, status = 0;
    if (type == JSON_STRING) {
        put_string(out, json);
        return buf_ok(out);
    }
    if (type == JSON_NUMBER)
        return put_number(out, json);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        buf_add(out, json.s, json.n);
        return buf_ok(out);
    }
    buf_char(out, type == JSON_OBJECT ? '{' : '[');
    while (status == 0 && (type == JSON_OBJECT ? json_member(json, &at, &key, &value)
                                               : json_each(json, &at, &value))) {
        buf_text(out, count++ ? "," : "");
        python_line(out, depth + 1);
        if (type == JSON_OBJECT) {
            put_string(out, key);
            buf_text(out, ": ");
        }
        status = python_put(out, value, depth + 1);
    }
    if (count)
        python_line(out, depth);
    buf_char(out, type == JSON_OBJECT ? '}' : ']');
    return status < 0 ? -1 : buf_ok(out);
}

void python_put_float(struct buf *out, double x)
{
    char digits[32];
    int precision = 0;
    do /* shortest first: 17 digits always read back */
        snprintf(digits, sizeof digits, "%.*e", precision, x);
    while (strtod(digits, NULL) != x && ++precision < 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        buf_text(out, digits);
        return;
    }
    int decimals = precision - exponent;
    buf_print(out, "%.*f", decimals < 1 ? 1 : decimals, x);
}
