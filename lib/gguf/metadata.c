/* metadata.c: values by key (gguf.h). All was checked when the file was opened. */
#include "gguf/parts.h"

#include <stdlib.h>

struct wanted {
    const char *key;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    const struct wanted *w = a;
    const struct entry *e = b;
    size_t n = w->n < e->key.n ? w->n : e->key.n;
    int order = n ? memcmp(w->key, e->key.s, n) : 0;
    return order ? order : (w->n > e->key.n) - (w->n < e->key.n);
}

const struct entry *gguf_entry(const struct gguf *g, const char *key)
{
    struct wanted w = {key, strlen(key)};
    return bsearch(&w, g->entries, (size_t)g->entry_count, sizeof *g->entries, compare);
}

bool gguf_has(const struct gguf *g, const char *key)
{
    return gguf_entry(g, key) != NULL;
}

/* An integer of any width at `at`; how many bytes it has, or 0: none, or over int64. */
static int integer_at(const char *at, uint32_t type, int64_t *value)
{
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
    } n;
#define READ(field)                                                                      \
    memcpy(&n.field, at, sizeof n.field);                                                \
    *value = (int64_t)n.field;                                                           \
    return sizeof n.field
    switch (type) {
    case VALUE_U8: READ(u8);
    case VALUE_I8: READ(i8);
    case VALUE_U16: READ(u16);
    case VALUE_I16: READ(i16);
    case VALUE_U32: READ(u32);
    case VALUE_I32: READ(i32);
    case VALUE_I64: READ(i64);
    case VALUE_U64:
        memcpy(&n.u64, at, sizeof n.u64);
        *value = (int64_t)n.u64;
        return n.u64 <= INT64_MAX ? 8 : 0;
    default: return 0;
    }
#undef READ
}

static int real_at(const char *at, uint32_t type, double *value)
{
    float f;
    if (type == VALUE_F32) {
        memcpy(&f, at, sizeof f);
        *value = (double)f;
        return sizeof f;
    }
    if (type == VALUE_F64) {
        memcpy(value, at, sizeof *value);
        return sizeof *value;
    }
    return 0;
}

bool gguf_int(const struct gguf *g, const char *key, int64_t *value)
{
    const struct entry *e = gguf_entry(g, key);
    int64_t n;
    if (!e || !integer_at(e->at, e->type, &n))
        return false;
    *value = n;
    return true;
}

bool gguf_real(const struct gguf *g, const char *key, double *value)
{
    const struct entry *e = gguf_entry(g, key);
    return e && real_at(e->at, e->type, value) > 0;
}

bool gguf_bool(const struct gguf *g, const char *key, bool *value)
{
    const struct entry *e = gguf_entry(g, key);
    if (!e || e->type != VALUE_BOOL)
        return false;
    *value = *e->at != 0;
    return true;
}

bool gguf_text(const struct gguf *g, const char *key, struct span *value)
{
    const struct entry *e = gguf_entry(g, key);
    struct cursor c = {e ? e->at : NULL, g->bytes + g->size};
    return e && e->type == VALUE_TEXT && cursor_text(&c, value);
}

bool gguf_walk_begin(struct gguf_walk *w, const struct gguf *g, const char *key)
{
    const struct entry *e = gguf_entry(g, key);
    struct cursor c = {e ? e->at : NULL, g->bytes + g->size};
    uint64_t count;
    *w = (struct gguf_walk){.g = g};
    if (!e || e->type != VALUE_ARRAY || !cursor_u32(&c, &w->type) ||
        !cursor_u64(&c, &count))
        return false;
    w->at = c.at;
    w->end = c.end;
    w->left = (int64_t)count; /* its elements take a byte each at least */
    return true;
}

int64_t gguf_array_count(const struct gguf *g, const char *key)
{
    struct gguf_walk w;
    return gguf_walk_begin(&w, g, key) ? w.left : -1;
}

bool gguf_walk_text(struct gguf_walk *w, struct span *value)
{
    struct cursor c = {w->at, w->end};
    if (w->left <= 0 || w->type != VALUE_TEXT || !cursor_text(&c, value))
        return false;
    w->at = c.at;
    w->left--;
    return true;
}

/* After a number of n bytes, 0: there was none. */
static bool walk_on(struct gguf_walk *w, int n)
{
    w->at += n;
    w->left -= n > 0;
    return n > 0;
}

bool gguf_walk_int(struct gguf_walk *w, int64_t *value)
{
    return w->left > 0 && walk_on(w, integer_at(w->at, w->type, value));
}

bool gguf_walk_real(struct gguf_walk *w, double *value)
{
    return w->left > 0 && walk_on(w, real_at(w->at, w->type, value));
}
