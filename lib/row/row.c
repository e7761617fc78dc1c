/* row.c: a row's fields and memory. See row.h; row_write.c writes it out. */
#include "row/row_own.h"

#include <stdalign.h>
#include <stdlib.h>
#include <xxhash.h>

struct row_block {
    struct row_block *next;
    alignas(max_align_t) char data[];
};

static const char *type_name(struct span value)
{
    switch (json_type(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_NUMBER: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
    }
}

/* The key of a row without an id: the hash of its line. */
static void hash_line(struct row *row)
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(row->text.s, row->text.n));
    for (size_t i = 0; i < sizeof bytes.digest; i++)
        buf_print(&row->id, "%02x", bytes.digest[i]);
}

/* Check the line and find its key. */
static void examine(struct row *row, const char *id_key)
{
    struct span id = {0};
    row->own->no_object = true;
    if (json_check(row->text) < 0) {
        row_fail(row);
    } else if (json_type(row->text) != JSON_OBJECT) {
        fail(FAIL_JSON, "not a row: %s where an object must stand", type_name(row->text));
        row_fail(row);
    } else {
        row->own->no_object = false;
        row->passed_error = row_has(row, "error");
        id = json_get(row->text, id_key);
        if (!id.s)
            id = json_find(row->text, id_key);
        if (json_type(id) == JSON_NULL)
            id.s = NULL;
    }
    row->has_id = id.s != NULL;
    if (row->has_id)
        buf_add(&row->id, id.s, id.n);
    else
        hash_line(row);
}

int row_begin(struct row *row, const char *stage, const char *id_key, void *block,
              struct span text)
{
    *row = (struct row){.text = text};
    row->own = calloc(1, sizeof *row->own);
    if (!row->own) {
        free(block);
        return fail_memory();
    }
    row->own->stage = stage;
    row->own->block = block;
    examine(row, id_key);
    if (buf_ok(&row->id) < 0) {
        row_free(row);
        return -1;
    }
    return 0;
}

void row_free(struct row *row)
{
    if (row->own) {
        for (struct row_block *b = row->own->blocks, *next; b; b = next) {
            next = b->next;
            free(b);
        }
        free(row->own->block);
        free(row->own->edits);
        free(row->own);
    }
    buf_free(&row->id);
    *row = (struct row){0};
}

void *row_alloc(struct row *row, size_t bytes)
{
    struct row_block *b = bytes > SIZE_MAX - sizeof *b ? NULL : malloc(sizeof *b + bytes);
    if (!b) {
        fail_memory();
        return NULL;
    }
    b->next = row->own->blocks;
    row->own->blocks = b;
    return b->data;
}

struct span row_value(const struct row *row, const char *path)
{
    return row->own->no_object ? (struct span){0} : json_find(row->text, path);
}

bool row_has(const struct row *row, const char *path)
{
    struct span value = row_value(row, path);
    return value.s && json_type(value) != JSON_NULL;
}

/* The value at path, which must be there and not null. 0 or -1 (missing). */
static int need(const struct row *row, const char *path, struct span *value)
{
    *value = row_value(row, path);
    if (!value->s || json_type(*value) == JSON_NULL)
        return fail(FAIL_MISSING, "no \"%s\"", path);
    return 0;
}

static int wrong_type(const char *path, struct span value, const char *wanted)
{
    return fail(FAIL_TYPE, "\"%s\" is %s, not %s", path, type_name(value), wanted);
}

int row_text(struct row *row, const char *path, struct span *text)
{
    struct span value;
    if (need(row, path, &value) < 0)
        return -1;
    if (json_type(value) != JSON_STRING)
        return wrong_type(path, value, "a string");
    *text = (struct span){value.s + 1, value.n - 2};
    if (!memchr(text->s, '\\', text->n))
        return 0; /* nothing to decode */
    struct buf decoded = {0};
    char *kept = NULL;
    if (json_text(value, &decoded) == 0 && buf_ok(&decoded) == 0 &&
        (kept = row_alloc(row, decoded.len + 1))) {
        memcpy(kept, decoded.data, decoded.len);
        *text = (struct span){kept, decoded.len};
    }
    buf_free(&decoded);
    return kept ? 0 : -1;
}

int row_real(struct row *row, const char *path, double *x)
{
    struct span value;
    if (need(row, path, &value) < 0)
        return -1;
    if (json_type(value) != JSON_NUMBER)
        return wrong_type(path, value, "a number");
    return json_double(value, x) < 0 ? fail_in("\"%s\"", path) : 0;
}

int row_int(struct row *row, const char *path, int64_t *x)
{
    struct span value;
    if (need(row, path, &value) < 0)
        return -1;
    if (json_type(value) != JSON_NUMBER)
        return wrong_type(path, value, "an integer");
    return json_int(value, x) < 0 ? fail_in("\"%s\"", path) : 0;
}

int row_array(struct row *row, const char *path, struct span *array)
{
    if (need(row, path, array) < 0)
        return -1;
    return json_type(*array) == JSON_ARRAY ? 0 : wrong_type(path, *array, "a list");
}

struct random_key row_random(const struct row *row, uint64_t seed, uint64_t version)
{
    /* version, occurrence, whether the key is an id; then the key itself */
    unsigned char head[17];
    for (int i = 0; i < 8; i++) {
        head[i] = (unsigned char)(version >> 8 * i);
        head[8 + i] = (unsigned char)((uint64_t)row->occurrence >> 8 * i);
    }
    head[16] = row->has_id;
    struct random_key first = random_key_of(seed, head, sizeof head);
    return random_key_of(first.lo ^ first.hi, row->id.data, row->id.len);
}
