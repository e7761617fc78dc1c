/* utf8.h: one character at a time, ill-formed bytes included. */
#ifndef UTF8_H
#define UTF8_H
#include <stddef.h>
#include <stdint.h>

enum { UTF8_REPLACEMENT = 0xFFFD };

/* Read the character at s[0], n >= 1 bytes there. Returns how many bytes it takes and
 * puts its code point in *c; for ill-formed bytes the length of the maximal ill-formed
 * part (Unicode 15, section 3.9, table 3-7) and UTF8_REPLACEMENT. *short_by is set to 1
 * when the bytes end in the middle of what may still become a character, else to 0. */
size_t utf8_next(const char *s, size_t n, uint32_t *c, int *short_by);

/* Write c's 1 to 4 bytes to s; how many. */
size_t utf8_put(char *s, uint32_t c);
#endif
