/* nfc.h: text made well-formed and brought into Unicode normalization form C, as of
 * Unicode 9.0, the version of the reference tokenizer's tables. */
#ifndef NFC_H
#define NFC_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

/* Read text, each maximal ill-formed part as U+FFFD, and normalise it (compose: else the
 * repair alone is done). *out is text itself where nothing changes, which costs one look
 * at the bytes for most scripts; else it lies in scratch, whose former content goes. Time
 * is O(n) whatever the text. 0, or -1 (memory). */
int nfc_text(struct span text, bool compose, struct buf *scratch, struct span *out);

/* Can c neither change by itself nor join with, or be reordered past, what stands before
 * it? Normalization never crosses the place before such a character. true is a promise;
 * false is the careful answer (UAX #15, NFC_Quick_Check). */
bool nfc_is_stable(uint32_t c);
#endif
