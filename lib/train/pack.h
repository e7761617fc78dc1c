/* pack.h: which sequences are computed together. A micro-batch is one pass of separate
 * sequences, without padding, that do not see each other: packing changes how much is
 * computed at once, and no log-probability by a bit.
 */
#ifndef PACK_H
#define PACK_H
#include <stdint.h>

/* Put sequences of tokens[n] into bins of at most len tokens (one that is longer has a
 * bin of its own): the longest first, each into the first bin with room (first-fit
 * decreasing: at most 11/9 of the fewest bins, and one; Johnson 1973). bin[n]: the bin of
 * each, from 0. How many bins, or -1 (memory). */
int pack_fit(const int *tokens, int n, int64_t len, int *bin);

/* Bins in order instead: a new one where the next does not fit. */
int pack_in_order(const int *tokens, int n, int64_t len, int *bin);
#endif
