/* scan.h: the byte scanning that json_check.c, json_read.c and json_write.c share. */
#ifndef SCAN_H
#define SCAN_H
#include <stdbool.h>
#include <stddef.h>

/* From s on, the first byte that a JSON string does not simply hold as it is: a quote, a
 * backslash, a control byte or a byte that is not ASCII. end if there is none. */
const char *scan_plain(const char *s, const char *end);

/* From s on, the first quote or backslash; end if there is none. */
const char *scan_string(const char *s, const char *end);

/* Copy the bytes from s up to the first backslash, or to end, to `to`, which has room for
 * end - s. How many there are; bytes behind them may be written. */
size_t scan_copy(char *to, const char *s, const char *end);

/* s is a byte that is not ASCII. How long is the well-formed UTF-8 sequence that begins
 * there (2 to 4)? Else the length of what is to be replaced by one U+FFFD (1 to 3), as
 * a negative number (Unicode 15, section 3.9: the longest start of a sequence). */
int scan_utf8(const char *s, const char *end);

/* s is behind a string's first quote, in a text that json_check() accepted: behind its
 * last quote. */
const char *scan_close(const char *s, const char *end);

static inline bool scan_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline const char *scan_blank(const char *s, const char *end)
{
    while (s < end && scan_space(*s)) s++;
    return s;
}
#endif
