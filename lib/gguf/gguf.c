/* gguf.c: a file opened and its header read (gguf.h).
 *
 * The header: "GGUF", version u32, tensors u64, keys u64; the keys, each a text, a type
 * u32 and a value; the tensors' records; then, at the next multiple of the alignment, the
 * data. Numbers are little-endian, as on the machines that this program runs on.
 */
#include "gguf/gguf.h"
#include "base/fail.h"
#include "gguf/parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    ENTRY_LEAST = 8 + 4 + 1,     /* bytes: a key's length, a type, the smallest value */
    ALIGNMENT_DEFAULT = 32,      /* where general.alignment is not there */
    ALIGNMENT_MAX = 1 << 30,     /* bytes */
    VERSION_SWAPPED_3 = 3 << 24, /* 3 as a big-endian machine writes it */
};

bool gguf_plain(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.s[i] < ' ' || text.s[i] > '~')
            return false;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n ? memcmp(x->key.s, y->key.s, n) : 0;
    return order ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static int entry_read(const struct gguf *g, struct entry *e, struct cursor *c)
{
    if (!cursor_text(c, &e->key) || !cursor_u32(c, &e->type))
        return fail(FAIL_MODEL, "%s: the file ends inside a key", g->name);
    if (!gguf_plain(e->key))
        return fail(FAIL_MODEL, "%s: a key is no printable ASCII text", g->name);
    e->at = c->at;
    if (value_skip(c, e->type) < 0)
        return fail_in("%s: key \"%.*s\"", g->name, e->key.n < 100 ? (int)e->key.n : 100,
                       e->key.s);
    return 0;
}

static int entries_read(struct gguf *g, struct cursor *c, uint64_t count)
{
    if (count > cursor_left(c) / ENTRY_LEAST || count > INT32_MAX)
        return fail(FAIL_MODEL, "%s: %llu keys do not fit the file", g->name,
                    (unsigned long long)count);
    g->entries = calloc(count + 1, sizeof *g->entries);
    if (!g->entries)
        return fail_memory();
    for (; g->entry_count < (int)count; g->entry_count++)
        if (entry_read(g, &g->entries[g->entry_count], c) < 0)
            return -1;
    qsort(g->entries, (size_t)count, sizeof *g->entries, by_key);
    for (int i = 1; i < g->entry_count; i++)
        if (by_key(&g->entries[i - 1], &g->entries[i]) == 0)
            return fail(FAIL_MODEL, "%s: key \"%.*s\" is there twice", g->name,
                        g->entries[i].key.n < 100 ? (int)g->entries[i].key.n : 100,
                        g->entries[i].key.s);
    return 0;
}

/* What the data's and the tensors' places are multiples of. 0 or -1. */
static int alignment_of(const struct gguf *g, uint64_t *alignment)
{
    const char *key = "general.alignment";
    int64_t n = ALIGNMENT_DEFAULT;
    if (gguf_entry(g, key) && !gguf_int(g, key, &n))
        return fail(FAIL_MODEL, "%s: %s is no integer", g->name, key);
    if (n < 1 || n > ALIGNMENT_MAX || (n & (n - 1)) != 0)
        return fail(FAIL_MODEL, "%s: %s is %lld, no power of two", g->name, key,
                    (long long)n);
    *alignment = (uint64_t)n;
    return 0;
}

static int header_read(struct gguf *g)
{
    struct cursor c = {g->bytes, g->bytes + g->size};
    uint32_t version;
    uint64_t tensors, keys, alignment = ALIGNMENT_DEFAULT;
    if (g->size < 4 || memcmp(g->bytes, "GGUF", 4) != 0)
        return fail(FAIL_MODEL, "%s: no GGUF file", g->name);
    c.at += 4;
    if (!cursor_u32(&c, &version) || !cursor_u64(&c, &tensors) || !cursor_u64(&c, &keys))
        return fail(FAIL_MODEL, "%s: the file ends inside the header", g->name);
    if (version == VERSION_SWAPPED_3)
        return fail(FAIL_MODEL, "%s: a big-endian GGUF file is not read", g->name);
    if (version != 2 && version != 3)
        return fail(FAIL_MODEL, "%s: GGUF version %u, not 2 or 3", g->name,
                    (unsigned)version);
    if (entries_read(g, &c, keys) < 0 || alignment_of(g, &alignment) < 0 ||
        records_read(g, &c, tensors) < 0)
        return -1;
    uint64_t header = (uint64_t)(c.at - g->bytes); /* cannot wrap: it is in memory */
    g->data = (header + alignment - 1) / alignment * alignment;
    return records_place(g, alignment);
}

/* Owns the mapping from here on. */
static struct gguf *open_mapping(struct mapping mapping, const void *bytes, size_t size,
                                 const char *name)
{
    struct gguf *g = calloc(1, sizeof *g);
    if (!g) {
        mapping_close(&mapping);
        fail_memory();
        return NULL;
    }
    g->mapping = mapping;
    g->bytes = bytes ? bytes : "";
    g->size = size;
    g->name = strdup(name);
    if (!g->name)
        fail_memory();
    if (!g->name || header_read(g) < 0) {
        gguf_close(g);
        return NULL;
    }
    return g;
}

struct gguf *gguf_open(const char *path)
{
    struct mapping m;
    if (mapping_open(&m, path) < 0)
        return NULL;
    return open_mapping(m, m.data, m.size, path);
}

struct gguf *gguf_read(const void *bytes, size_t size, const char *name)
{
    return open_mapping((struct mapping){0}, bytes, size, name);
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    mapping_close(&g->mapping);
    free(g->entries);
    free(g->records);
    free(g->named);
    free(g->name);
    free(g);
}

bool gguf_is(const char *path)
{
    char magic[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    bool is = fd >= 0 && read(fd, magic, 4) == 4 && memcmp(magic, "GGUF", 4) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

const char *gguf_name(const struct gguf *g)
{
    return g->name;
}

void gguf_hash(const struct gguf *g, char hex[33])
{
    XXH128_hash_t h = XXH3_128bits(g->bytes, g->data < g->size ? g->data : g->size);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}
