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
    else if (unit == 0x7f) /* the one control byte that json.dump leaves alone */
        buf_char(out, '\x7f');
    else
        buf_print(out, "\\u%04x", unit);
}

static int put_string(struct buf *out, struct span json)
{
    struct buf text = {0};
    int status = json_text(json, &text);
    buf_char(out, '"');
    for (size_t at = 0; status == 0 && at < text.len;) {
        uint32_t c;
        int short_by;
        at += utf8_next(text.data + at, text.len - at, &c, &short_by);
        if (c >= 0x10000) {
            put_unit(out, 0xd800 + ((c - 0x10000) >> 10));
            put_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else
            put_unit(out, c);
    }
    buf_char(out, '"');
    buf_free(&text);
    return status;
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
    if (type == JSON_STRING)
        return put_string(out, json);
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
            status = put_string(out, key);
            buf_text(out, ": ");
        }
        if (status == 0)
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
