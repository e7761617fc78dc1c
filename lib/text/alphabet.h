/* alphabet.h: the byte-level alphabet, in which tokens and merges are written: a
 * character for each byte. Inside lib/text. */
#ifndef ALPHABET_H
#define ALPHABET_H
#include "base/buf.h"
#include "base/span.h"

/* Append the bytes that text stands for. 0, or -1 (class model: a character that is not
 * of the alphabet; memory). */
int alphabet_bytes(struct span text, struct buf *out);

enum { ALPHABET_SHOWN = 80 }; /* bytes of a text that a message shows at most */
int alphabet_shown(struct span text);
#endif
