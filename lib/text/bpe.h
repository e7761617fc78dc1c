/* bpe.h: a piece of text to tokens by merges. Inside lib/text. */
#ifndef BPE_H
#define BPE_H
#include "base/span.h"
#include "text/ids.h"
#include "text/vocab.h"

/* Append piece's ids: its bytes, then again and again the pair of neighbours of lowest
 * rank (the leftmost of equals) merged, until none is left (Sennrich et al., "Neural
 * machine translation of rare words with subword units", 2016). O(n log n). 0, or -1
 * (memory, or a piece of 2^31 bytes and more: class too_large). */
int bpe_encode(const struct vocab *v, struct span piece, struct ids *out);
#endif
