/* json-compare.h: lib/row's JSON scanner against jansson: what both accept, and what they
 * read. For json-test and json-fuzz. */
#ifndef JSON_COMPARE_H
#define JSON_COMPARE_H
#include "base/fail.h"
#include "row/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The two headers share some names; those of jansson get another one here. */
#define json_type jansson_type
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

static inline bool compare_string(struct span value, const char *s, size_t n)
{
    struct buf text = {0};
    bool same = json_text(value, &text) == 0 && text.len == n &&
                (n == 0 || memcmp(text.data, s, n) == 0);
    /* ... and written again it must read the same. */
    struct buf again = {0}, back = {0};
    json_put_text(&again, (struct span){s, n});
    struct span written = {again.data, again.len};
    same = same && json_check(written) == 0 && json_text(written, &back) == 0 &&
           back.len == n && (n == 0 || memcmp(back.data, s, n) == 0);
    buf_free(&text);
    buf_free(&again);
    buf_free(&back);
    return same;
}

static inline bool compare_number(struct span value, const json_t *other)
{
    double x = json_number_value(other), y, z;
    int64_t i;
    if (json_double(value, &y) < 0 || x != y)
        return false;
    if (json_typeof(other) == JSON_INTEGER &&
        (json_int(value, &i) < 0 || i != json_integer_value(other)))
        return false;
    struct buf again = {0};
    json_put_real(&again, y);
    struct span written = {again.data, again.len};
    bool same = json_check(written) == 0 && json_double(written, &z) == 0 && z == y;
    buf_free(&again);
    return same;
}

static inline bool compare_value(struct span value, const json_t *other);

static inline bool compare_array(struct span value, const json_t *other)
{
    struct span item;
    size_t at = 0, n = 0;
    bool same = true;
    while (same && json_each(value, &at, &item))
        same = compare_value(item, json_array_get(other, n++));
    return same && n == json_array_size(other);
}

/* Duplicate keys: the last one counts for both. */
static inline bool compare_object(struct span value, const json_t *other)
{
    struct span key, item;
    size_t at = 0, members = 0;
    bool same = true;
    const char *name;
    json_t *child;
    while (json_member(value, &at, &key, &item)) members++;
    if (members < json_object_size(other))
        return false;
    json_object_foreach((json_t *)other, name, child)
    {
        item = json_get(value, name);
        same = same && item.s && compare_value(item, child);
    }
    return same;
}

/* Does value, as we read it, equal what jansson made of it? */
static inline bool compare_value(struct span value, const json_t *other)
{
    enum json_type type = json_type(value);
    if (!other)
        return false;
    switch (json_typeof(other)) {
    case JANSSON_OBJECT: return type == JSON_OBJECT && compare_object(value, other);
    case JANSSON_ARRAY: return type == JSON_ARRAY && compare_array(value, other);
    case JANSSON_STRING:
        return type == JSON_STRING &&
               compare_string(value, json_string_value(other), json_string_length(other));
    case JANSSON_TRUE: return type == JSON_TRUE;
    case JANSSON_FALSE: return type == JSON_FALSE;
    case JANSSON_NULL: return type == JSON_NULL;
    default: return type == JSON_NUMBER && compare_number(value, other);
    }
}

/* Nesting of brackets outside strings, as far as text goes. */
static inline int compare_depth(const char *s, size_t n)
{
    int depth = 0, most = 0;
    bool string = false;
    for (size_t i = 0; i < n; i++) {
        if (string && s[i] == '\\')
            i++;
        else if (s[i] == '"')
            string = !string;
        else if (!string && (s[i] == '{' || s[i] == '['))
            most = ++depth > most ? depth : most;
        else if (!string && (s[i] == '}' || s[i] == ']'))
            depth--;
    }
    return most;
}

/* NULL if both agree about text, but for what capmill(7) documents; else what is wrong.
 */
static inline const char *compare_text(const char *s, size_t n)
{
    json_error_t why;
    json_t *other = json_loadb(s, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    bool ours = json_check((struct span){s, n}) == 0;
    const char *wrong = NULL;
    if (ours && other) {
        if (!compare_value((struct span){s, n}, other))
            wrong = "both accept it and read it differently";
    } else if (ours) {
        /* Larger numbers, lone surrogates and \u0000 in a key are accepted. */
        if (json_error_code(&why) != json_error_numeric_overflow &&
            json_error_code(&why) != json_error_null_byte_in_key &&
            !strstr(why.text, "invalid Unicode"))
            wrong = "accepted, and jansson refuses it";
    } else if (other && compare_depth(s, n) <= JSON_DEPTH_MAX && !memchr(s, 0, n)) {
        /* (A NUL ends a text for jansson; it is a raw control byte for us.) */
        wrong = "refused, and jansson accepts it";
    }
    json_decref(other);
    return wrong;
}
#endif
