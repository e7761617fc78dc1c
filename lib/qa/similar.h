/* similar.h: questions of one picture that ask the same thing in nearly the same words.
 *
 * Two texts are compared by the Jaccard index of their character trigrams: trigrams that
 * both have over trigrams that either has (Broder, "On the resemblance and containment of
 * documents", 1997). Before that letters become small ones, everything but letters,
 * digits and marks becomes a space, runs of spaces one, with one at either end: case and
 * punctuation do not count, numbers do.
 */
#ifndef SIMILAR_H
#define SIMILAR_H
#include "base/span.h"
#include <stddef.h>
#include <stdint.h>

/* A text's trigrams: sorted, each once. Owned by whoever made it. */
struct shingles {
    uint64_t *items; /* three code points of 21 bits each */
    size_t count;
};

/* Take the trigrams of a UTF-8 text. 0, or -1 (memory) with *s empty. */
int shingles_make(struct shingles *s, struct span text);
void shingles_free(struct shingles *s);

/* Jaccard index, 0 to 1; of two texts without any trigram: 1. */
double shingles_similarity(const struct shingles *a, const struct shingles *b);
#endif
