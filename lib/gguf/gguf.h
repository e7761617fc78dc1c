/* gguf.h: a GGUF file (v2, v3; ggml's docs/gguf.md), mapped and checked: metadata and the
 * places of tensors. Counts are bounded by the bytes that are left before anything is
 * allocated.
 */
#ifndef GGUF_H
#define GGUF_H
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gguf;

/* Numbers as ggml has them. */
enum gguf_type {
    GGUF_F32 = 0,
    GGUF_F16 = 1,
    GGUF_Q4_0 = 2,
    GGUF_Q4_1 = 3,
    GGUF_Q5_0 = 6,
    GGUF_Q5_1 = 7,
    GGUF_Q8_0 = 8,
    GGUF_Q2_K = 10,
    GGUF_Q3_K = 11,
    GGUF_Q4_K = 12,
    GGUF_Q5_K = 13,
    GGUF_Q6_K = 14,
    GGUF_IQ4_NL = 20,
    GGUF_IQ4_XS = 23,
    GGUF_BF16 = 30,
};

enum { GGUF_RANK_MAX = 4 };

struct gguf_tensor {
    const char *name;
    uint32_t type; /* an enum gguf_type, or one that this program does not compute with */
    int rank;
    int64_t shape[GGUF_RANK_MAX]; /* rows first: reversed from the file, so [out, in] */
    const void *data;             /* inside the mapping */
    int64_t bytes;
};

/* Map and check the whole header. NULL (class model) with file and reason. */
struct gguf *gguf_open(const char *path);
void gguf_close(struct gguf *g);
/* The same for bytes in memory, borrowed until gguf_close(); name is what messages call
 * them. */
struct gguf *gguf_read(const void *bytes, size_t size, const char *name);
bool gguf_is(const char *path); /* does a file begin with GGUF's magic bytes */

const char *gguf_name(const struct gguf *g); /* what messages call it */
int gguf_count(const struct gguf *g);        /* tensors */
const struct gguf_tensor *gguf_at(const struct gguf *g, int i);
const struct gguf_tensor *gguf_find(const struct gguf *g, const char *name);

/* "Q4_K"; "unknown" where it is. Static. */
const char *gguf_type_name(uint32_t type);
/* Elements and bytes of one block; false where the type is unknown. */
bool gguf_type_block(uint32_t type, int *elements, int *bytes);

/* Metadata by key. False if there is no such key or it is of another kind. Integers of
 * any width are read as int64 (u64 beyond it: false); floats of both widths. Spans view
 * the mapping. */
bool gguf_has(const struct gguf *g, const char *key); /* of any kind */
bool gguf_int(const struct gguf *g, const char *key, int64_t *value);
bool gguf_real(const struct gguf *g, const char *key, double *value);
bool gguf_bool(const struct gguf *g, const char *key, bool *value);
bool gguf_text(const struct gguf *g, const char *key, struct span *value);

/* Arrays. count or -1; elements of an integer or text array in order. */
int64_t gguf_array_count(const struct gguf *g, const char *key);
/* Walk an array of texts or integers once, from its start: zeroed but for g and key. */
struct gguf_walk {
    const struct gguf *g;
    const char *at, *end; /* the next element, the mapping's end */
    uint32_t type;        /* of elements */
    int64_t left;
};
bool gguf_walk_begin(struct gguf_walk *w, const struct gguf *g, const char *key);
bool gguf_walk_text(struct gguf_walk *w, struct span *value); /* false at the end */
bool gguf_walk_int(struct gguf_walk *w, int64_t *value);
bool gguf_walk_real(struct gguf_walk *w, double *value);

/* Hash of the header's bytes (all before the data), hex: a file's identity. */
void gguf_hash(const struct gguf *g, char hex[33]);
#endif
