/* added.h: finding added tokens in a text. Inside lib/text. */
#ifndef ADDED_H
#define ADDED_H
#include "base/span.h"
#include <stdint.h>

enum { ADDED_LENGTH_MAX = 1024 }; /* bytes: bounds the work at each place of a text */

struct added_token {
    struct span content; /* borrowed */
    int32_t id;
    bool special;
};

/* Added tokens in byte order of their contents. */
struct added {
    struct added_token *token; /* owned */
    size_t count;
    bool first[256]; /* does any begin with this byte? */
    int only_first;  /* the one byte they all begin with, or -1 */
};

/* Sort tokens and prepare the rest. -1 (class model) if two are the same. */
int added_prepare(struct added *a);
void added_free(struct added *a);

/* The next place from `from` on, below `to`, where an added token may begin; `to` if
 * none. */
size_t added_next(const struct added *a, const char *text, size_t from, size_t to);

/* Offer each added token that text begins with, the shortest first; NULL after the last.
 * A zeroed cursor is at the start. */
struct added_cursor {
    size_t low, high, depth;
    bool begun;
};
const struct added_token *added_match(const struct added *a, struct span text,
                                      struct added_cursor *at);
#endif
