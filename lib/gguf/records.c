/* records.c: the tensors of a GGUF file: shapes, sizes, places in the data. */
#include "base/fail.h"
#include "gguf/parts.h"

#include <stdlib.h>

enum { RECORD_LEAST = 8 + 4 + 8 + 4 + 8 }; /* bytes: a name's length, one size */

/* bytes from elements and type; the product is checked. 0 or -1. */
static int sizes_check(const struct gguf *g, struct gguf_tensor *t)
{
    int block, block_bytes;
    int64_t n = 1;
    if (!gguf_type_block(t->type, &block, &block_bytes))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" is of unknown type %u", g->name,
                    t->name, (unsigned)t->type);
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] <= 0)
            return fail(FAIL_MODEL, "%s: tensor \"%s\" has a size of %lld", g->name,
                        t->name, (long long)t->shape[i]);
        if (__builtin_mul_overflow(n, t->shape[i], &n))
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is too large", g->name, t->name);
    }
    if (t->shape[t->rank - 1] % block != 0)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has rows of %lld, %s has blocks of %d",
                    g->name, t->name, (long long)t->shape[t->rank - 1],
                    gguf_type_name(t->type), block);
    if (__builtin_mul_overflow(n / block, (int64_t)block_bytes, &t->bytes))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" is too large", g->name, t->name);
    return 0;
}

static int record_read(struct gguf *g, struct record *r, struct cursor *c)
{
    struct gguf_tensor *t = &r->tensor;
    struct span name;
    uint32_t rank;
    uint64_t size;
    if (!cursor_text(c, &name) || !cursor_u32(c, &rank))
        goto ended;
    if (name.n > GGUF_NAME_MAX || !gguf_plain(name))
        return fail(FAIL_MODEL,
                    "%s: a tensor's name is over %d bytes or no printable text", g->name,
                    GGUF_NAME_MAX);
    memcpy(r->name, name.s, name.n);
    t->name = r->name;
    if (rank < 1 || rank > GGUF_RANK_MAX)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has %u dimensions", g->name, t->name,
                    (unsigned)rank);
    t->rank = (int)rank;
    for (int i = t->rank - 1; i >= 0; i--) { /* the file has the fastest first */
        if (!cursor_u64(c, &size))
            goto ended;
        t->shape[i] = size > INT64_MAX ? -1 : (int64_t)size;
    }
    if (!cursor_u32(c, &t->type) || !cursor_u64(c, &r->offset))
        goto ended;
    return sizes_check(g, t);
ended:
    return fail(FAIL_MODEL, "%s: the file ends inside a tensor's record", g->name);
}

static int by_name(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int by_offset(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

int records_read(struct gguf *g, struct cursor *c, uint64_t count)
{
    if (count > cursor_left(c) / RECORD_LEAST || count > INT32_MAX)
        return fail(FAIL_MODEL, "%s: %llu tensors do not fit the file", g->name,
                    (unsigned long long)count);
    g->records = calloc(count + 1, sizeof *g->records);
    g->named = calloc(count + 1, sizeof *g->named);
    if (!g->records || !g->named)
        return fail_memory();
    for (; g->record_count < (int)count; g->record_count++) {
        struct record *r = &g->records[g->record_count];
        if (record_read(g, r, c) < 0)
            return -1;
        g->named[g->record_count] = r;
    }
    return 0;
}

/* Does a tensor's data lie inside the file, where the alignment allows it? */
static int place_check(const struct gguf *g, struct record *r, uint64_t alignment)
{
    uint64_t room = g->size > g->data ? g->size - g->data : 0;
    uint64_t bytes = (uint64_t)r->tensor.bytes;
    if (r->offset % alignment != 0)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" begins at %llu, the alignment is %llu",
                    g->name, r->name, (unsigned long long)r->offset,
                    (unsigned long long)alignment);
    if (r->offset > room || bytes > room - r->offset)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" goes beyond the end of the file",
                    g->name, r->name);
    r->tensor.data = g->bytes + g->data + r->offset;
    return 0;
}

int records_place(struct gguf *g, uint64_t alignment)
{
    size_t n = (size_t)g->record_count;
    for (size_t i = 0; i < n; i++)
        if (place_check(g, &g->records[i], alignment) < 0)
            return -1;
    if (n == 0)
        return 0;
    qsort(g->named, n, sizeof *g->named, by_offset);
    for (size_t i = 1; i < n; i++) {
        const struct record *a = g->named[i - 1], *b = g->named[i];
        if (a->offset + (uint64_t)a->tensor.bytes > b->offset) /* both are in the file */
            return fail(FAIL_MODEL, "%s: tensors \"%s\" and \"%s\" overlap", g->name,
                        a->name, b->name);
    }
    qsort(g->named, n, sizeof *g->named, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(g->named[i - 1]->name, g->named[i]->name) == 0)
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is there twice", g->name,
                        g->named[i]->name);
    return 0;
}

int gguf_count(const struct gguf *g)
{
    return g->record_count;
}

const struct gguf_tensor *gguf_at(const struct gguf *g, int i)
{
    return &g->records[i].tensor;
}

static int compare(const void *key, const void *b)
{
    const struct record *const *r = b;
    return strcmp(key, (*r)->name);
}

const struct gguf_tensor *gguf_find(const struct gguf *g, const char *name)
{
    const struct record **r =
        bsearch(name, g->named, (size_t)g->record_count, sizeof *g->named, compare);
    return r ? &(*r)->tensor : NULL;
}
