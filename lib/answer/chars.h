/* chars.h: what the rules ask about characters, as Python's str has it. */
#ifndef ANSWER_CHARS_H
#define ANSWER_CHARS_H
#include "base/span.h"
#include <stddef.h>
#include <stdint.h>

/* The character at s, n >= 1 bytes there: how many bytes it takes. */
size_t chars_next(const char *s, size_t n, uint32_t *c);

bool chars_space(uint32_t c); /* str.isspace() */
int chars_digit(uint32_t c);  /* 0 to 9 for a decimal digit of any script, else -1 */
/* Without white space at both ends: str.strip(). */
struct span chars_strip(struct span text);

/* Code points, mostly few. points_free() when done. */
struct points {
    uint32_t *at; /* [n] */
    size_t n;
    uint32_t small[120];
};
/* The text in lower case (a capital sigma at a word's end becomes a final one); collapse:
 * runs of white space as one space, none at the ends. 0 or -1 (memory), *p then empty. */
int points_lower(struct points *p, struct span text, bool collapse);
void points_free(struct points *p);

/* How many characters the text has in upper case. */
size_t chars_upper_length(struct span text);
#endif
