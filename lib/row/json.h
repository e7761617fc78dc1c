/* json.h: JSON as bytes: check it, find values in it, read them, write them.
 *
 * Rows pass through capmill byte for byte, so a program works on spans of the line and
 * never on a tree: json_check() walks a document once and everything after it may assume
 * that the bytes are well-formed. What is accepted and refused: capmill(7), "Lines".
 */
#ifndef JSON_H
#define JSON_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

enum { JSON_DEPTH_MAX = 512 };

enum json_type {
    JSON_NONE, /* no such value */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

/* Is text one JSON value, with white space around it at most? 0, or -1 (class json) with
 * the byte offset and what was expected. Accepts lone surrogates, \u0000, numbers of any
 * size and duplicate keys; refuses raw control bytes, invalid UTF-8, NaN and Infinity,
 * and nesting deeper than JSON_DEPTH_MAX. */
int json_check(struct span text);

/* Below, every span is (part of) a text that json_check() accepted. */

enum json_type json_type(struct span value);

/* Is there a value, and is it not null? (s NULL: there is none.) */
bool json_given(struct span value);

/* Is key, a raw string with its quotes, the text name once it is decoded? */
bool json_key_is(struct span key, struct span name);

/* The member called key (decoded form) of an object; the last one where it is there
 * twice. A span with s == NULL if there is none or object is no object. */
struct span json_get(struct span object, const char *key);

/* The value at a dotted path of keys: "reward_model.ground_truth". As json_get(). */
struct span json_find(struct span object, const char *path);

/* Step through an array's elements: *at is a zeroed cursor at first.
 * false when there are no more (or value is no array). */
bool json_each(struct span array, size_t *at, struct span *element);

/* Step through an object's members in order, duplicates too. key is the raw string span,
 * quotes included. */
bool json_member(struct span object, size_t *at, struct span *key, struct span *value);

/* Append a string value's text as UTF-8: escapes decoded, a lone surrogate as U+FFFD.
 * 0, or -1 (class type) if value is no string. */
int json_text(struct span value, struct buf *out);

/* The same for what is known to be a string: into to, which has room for what stands
 * between the quotes (an escape is never shorter than what it means).
 * How many were written. */
size_t json_decode(struct span value, char *to);

/* A number as a double / as an integer. 0, or -1 (class type) if value is no number, is
 * beyond what a double holds (1e400), or is no integer (3.0 and 1e2 are; 3.5 and 2^63 are
 * not). Never depends on the locale. (Not json_real(): jansson has a function of that
 * name, and programs are linked with both.) */
int json_double(struct span value, double *out);
int json_int(struct span value, int64_t *out);

/* Append text as a JSON string, quotes included; control bytes escaped, invalid UTF-8 as
 * U+FFFD, everything else as it is. */
void json_put_text(struct buf *out, struct span text);
/* Append the shortest form that reads back to the same double; null if it is not finite.
 */
void json_put_real(struct buf *out, double x);
void json_put_logprob(struct buf *out, double x); /* %.9g; null if not finite */
void json_put_int(struct buf *out, int64_t x);
#endif
