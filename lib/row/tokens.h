/* tokens.h: where the tokens of a JSON text begin: the first of two passes over a row.
 *
 * A text is looked at 64 bytes at a time; each byte becomes a bit in a few masks, and
 * quotes, strings and tokens are found by arithmetic on those (Langdale and Lemire,
 * "Parsing gigabytes of JSON per second", VLDB Journal 28, 2019). What strings hold is
 * checked on the way: control bytes, escapes, UTF-8.
 */
#ifndef TOKENS_H
#define TOKENS_H
#include "base/span.h"
#include <stdint.h>

enum { TOKENS_MAX = 1 << 22 }; /* of one text; a text of more is read another way */

enum { TOKENS_BEHIND = 3 };

/* Offsets of the brackets, colons and commas outside strings, of the first quotes of
 * strings and of the first bytes of everything else. A zeroed struct is empty; it may be
 * used for one text after the other. Behind the last one the first stands TOKENS_BEHIND
 * times. Owns its memory. */
struct tokens {
    uint32_t *at;
    size_t count, cap;
};

/* Find the tokens of text. true: each string is closed and good; nothing is known of the
 * order of the tokens, nor of those that are no strings. false: not so, or there are too
 * many, or memory is short. */
bool tokens_find(struct tokens *t, struct span text);
void tokens_free(struct tokens *t);

/* The same for any processor, and for those that have what it needs. tokens_find() picks.
 */
bool tokens_find_plain(struct tokens *t, struct span text);
bool tokens_has_avx2(void);
bool tokens_find_avx2(struct tokens *t, struct span text);
bool tokens_has_avx512(void);
bool tokens_find_avx512(struct tokens *t, struct span text);

/* Room for 64 more tokens behind count. false: too many, or no memory. */
bool tokens_room(struct tokens *t);

/* Is the backslash at offset at of text the first byte of a good escape? */
bool tokens_escape(struct span text, size_t at);
/* From offset at on, where a byte that is not ASCII stands: the offset behind the run of
 * those, or 0 if it is no UTF-8. */
size_t tokens_utf8(struct span text, size_t at);
#endif
