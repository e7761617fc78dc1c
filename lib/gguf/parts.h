/* parts.h: what a struct gguf is made of. Inside lib/gguf. */
#ifndef GGUF_PARTS_H
#define GGUF_PARTS_H
#include "base/mapping.h"
#include "gguf/gguf.h"

/* Types of metadata values, as ggml numbers them. */
enum value_type {
    VALUE_U8,
    VALUE_I8,
    VALUE_U16,
    VALUE_I16,
    VALUE_U32,
    VALUE_I32,
    VALUE_F32,
    VALUE_BOOL,
    VALUE_TEXT,
    VALUE_ARRAY,
    VALUE_U64,
    VALUE_I64,
    VALUE_F64,
};

enum {
    GGUF_NAME_MAX = 64, /* bytes of a tensor's name (ggml's own limit) */
};

/* Bytes not read yet. */
struct cursor {
    const char *at, *end;
};

/* Read a little-endian number and move on. False, and nothing moves, if the bytes end. */
bool cursor_u32(struct cursor *c, uint32_t *value);
bool cursor_u64(struct cursor *c, uint64_t *value);
/* A text: its length in 8 bytes, then its bytes. */
bool cursor_text(struct cursor *c, struct span *value);
static inline uint64_t cursor_left(const struct cursor *c)
{
    return (uint64_t)(c->end - c->at);
}

/* Move past one value of this type, looking at all that it holds. 0, or -1 with the
 * reason, where `what` (its key) and the file are left for the caller to add. */
int value_skip(struct cursor *c, uint32_t type);

struct entry {
    struct span key;
    uint32_t type;  /* an enum value_type */
    const char *at; /* the value: checked */
};

struct record {
    struct gguf_tensor tensor;
    uint64_t offset; /* from the beginning of the data */
    char name[GGUF_NAME_MAX + 1];
};

struct gguf {
    char *name;
    struct mapping mapping; /* empty in one that was read from memory */
    const char *bytes;
    size_t size;
    uint64_t data; /* where the data begin; may be beyond size if there are none */
    struct entry *entries; /* sorted by key */
    int entry_count;
    struct record *records;      /* as in the file */
    const struct record **named; /* sorted by name */
    int record_count;
};

const struct entry *gguf_entry(const struct gguf *g, const char *key);

/* Read `count` tensor records, then check where their data lie. 0 or -1. */
int records_read(struct gguf *g, struct cursor *c, uint64_t count);
int records_place(struct gguf *g, uint64_t alignment);

/* Are these bytes printable ASCII, as the format asks of keys? */
bool gguf_plain(struct span text);
#endif
