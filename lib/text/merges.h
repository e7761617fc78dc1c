/* merges.h: collecting a tokenizer file's merges. Inside lib/text. */
#ifndef MERGES_H
#define MERGES_H
#include "base/buf.h"
#include "text/vocab.h"

/* Zeroed is empty. Owns its memory: merges_free(). */
struct merges {
    struct buf ids;   /* int32_t[3] each: left, right, what they become */
    struct buf bytes; /* scratch */
    size_t count;
};

/* Add the next merge, its sides written in the byte-level alphabet; all three tokens must
 * be in the vocabulary. 0, or -1 (class model, which names the merge by its number). */
int merges_add(struct merges *m, const struct vocab *v, struct span left,
               struct span right);
/* The same, written "left right". */
int merges_add_line(struct merges *m, const struct vocab *v, struct span both);
/* Put them all into the vocabulary, the first goes first. 0 or -1. */
int merges_finish(struct merges *m, struct vocab *v);
void merges_free(struct merges *m);
#endif
