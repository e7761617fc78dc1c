/* batch_pass.h: a micro-batch as one pass of the engine: rows, pages, targets. */
#ifndef BATCH_PASS_H
#define BATCH_PASS_H
#include "engine/text.h"
#include "train/example.h"

/* Which row of the pass predicts a target. */
struct target {
    int32_t row, id;
};

/* Zeroed is empty. */
struct batch_pass {
    struct pass pass;
    struct pass_list targets;  /* of struct target */
    struct features *features; /* [count] of each example, made before */
    struct kv_pages *pages;    /* [sequences]: owned */
    int count, sequences;
};

/* Pages that the examples take at most. */
int batch_pass_pages(const struct example *const *examples, int count);

/* Fill the pass; features[count] are borrowed. 0 or -1 (class model, internal). */
int batch_pass_make(struct batch_pass *b, const struct vlm *m, struct kv *kv,
                    const struct example *const *examples, int count,
                    struct features *features);
/* Drop pages, keep memory for the next. */
void batch_pass_clear(struct batch_pass *b, struct kv *kv);
void batch_pass_free(struct batch_pass *b);
#endif
