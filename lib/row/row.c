/* row.c: a row's fields and memory. See row.h; row_write.c writes it out. */
#include "row/keys.h"
#include "row/row_own.h"

#include <stdalign.h>
#include <stdlib.h>

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

/* The key of a row without an id: the hash of its line. 0 or -1 (memory). */
static int hash_line(struct row *row)
{
    enum { HEX = 32 };
    char *hex = row_alloc(row, HEX + 1);
    if (!hex)
        return -1;
    key_hex(hex, row->text.s, row->text.n);
    row->id = (struct span){hex, HEX};
    return 0;
}

/* Read the line: as a tape where it has one, else byte by byte, which also says what is
 * wrong with it. */
static void check_line(struct row *row, const struct tokens *tokens)
{
    struct row_private *own = row->own;
    size_t n = tokens ? tape_make(own->tape, tokens, row->text) : 0;
    if (tokens) { /* what the tape does not need of its room is the row's */
        own->room = (char *)(own->tape + n);
        own->room_n = (tokens->count + 1 - n) * sizeof *own->tape;
    }
    if (n > 0) {
        own->root = value_root(row->text, own->tape);
    } else if (json_check(row->text) < 0) {
        row_fail(row);
    } else if (json_type(row->text) != JSON_OBJECT) {
        fail(FAIL_JSON, "not a row: %s where an object must stand", type_name(row->text));
        row_fail(row);
    } else {
        own->root = value_root(row->text, NULL);
    }
}

/* Find the row's key, and whether it came in with an error. 0 or -1 (memory). */
static int examine(struct row *row, const char *id_key)
{
    const struct span names[] = {span_of("error"), span_of(id_key)};
    struct value found[2];
    bool same = span_is(names[1], "error"); /* --id-key error */
    value_pick(row->own->root, names, found, same ? 1 : 2);
    struct value id = found[same ? 0 : 1];
    if (!id.json.s && strchr(id_key, '.'))
        id = value_find(row->own->root, id_key);
    row->passed_error = found[0].json.s && json_type(found[0].json) != JSON_NULL;
    row->has_id = id.json.s && json_type(id.json) != JSON_NULL;
    row->id = id.json;
    return row->has_id ? 0 : hash_line(row);
}

int row_begin(struct row *row, const char *stage, const char *id_key, void *block,
              struct span text, struct tokens *tokens)
{
    bool found = tokens && tokens_find(tokens, text);
    size_t tape = found ? (tokens->count + 1) * sizeof *row->own->tape : 0;
    *row = (struct row){.text = text};
    row->own = malloc(sizeof *row->own + tape);
    if (!row->own) {
        free(block);
        return fail_memory();
    }
    *row->own = (struct row_private){.stage = stage, .block = block};
    check_line(row, found ? tokens : NULL);
    if (examine(row, id_key) < 0) {
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
        free(row->own);
    }
    *row = (struct row){0};
}

void *row_alloc(struct row *row, size_t bytes)
{
    struct row_private *own = row->own;
    size_t used = (bytes + alignof(max_align_t) - 1) & -alignof(max_align_t);
    size_t gap = -(uintptr_t)own->room & (alignof(max_align_t) - 1);
    if (used >= bytes && own->room_n >= gap && own->room_n - gap >= used) {
        void *room = own->room + gap;
        own->room += gap + used;
        own->room_n -= gap + used;
        return room;
    }
    struct row_block *b = bytes > SIZE_MAX - sizeof *b ? NULL : malloc(sizeof *b + bytes);
    if (!b) {
        fail_memory();
        return NULL;
    }
    b->next = own->blocks;
    own->blocks = b;
    return b->data;
}

struct span row_value(const struct row *row, const char *path)
{
    return value_find(row->own->root, path).json;
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
        return 0;                            /* nothing to decode */
    char *decoded = row_alloc(row, text->n); /* an escape is longer than what it means */
    if (!decoded)
        return -1;
    *text = (struct span){decoded, json_decode(value, decoded)};
    return 0;
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

int row_list(struct row *row, const char *path, struct value *list)
{
    *list = value_find(row->own->root, path);
    if (!list->json.s || json_type(list->json) == JSON_NULL)
        return fail(FAIL_MISSING, "no \"%s\"", path);
    return json_type(list->json) == JSON_ARRAY ? 0
                                               : wrong_type(path, list->json, "a list");
}

int row_array(struct row *row, const char *path, struct span *array)
{
    struct value list;
    if (row_list(row, path, &list) < 0)
        return -1;
    *array = list.json;
    return 0;
}

/* A row's place in the RL ring, numbers as they were written. */
static struct random_key ring_random(const struct row *row, struct random_key first,
                                     struct span step, struct span i)
{
    first = random_key_of(first.lo ^ first.hi, step.s, step.n);
    first = random_key_of(first.lo ^ first.hi, i.s, i.n);
    return random_key_of(first.lo ^ first.hi, row->id.s, row->id.n);
}

struct random_key row_random(const struct row *row, uint64_t seed, uint64_t version)
{
    struct span step = row_value(row, "_rl.step"), i = row_value(row, "_rl.i");
    bool ring = step.s && i.s;
    /* version, occurrence, whether the key is an id; then the key itself */
    unsigned char head[17];
    for (int j = 0; j < 8; j++) {
        head[j] = (unsigned char)(version >> 8 * j);
        head[8 + j] = ring ? 0 : (unsigned char)((uint64_t)row->occurrence >> 8 * j);
    }
    head[16] = row->has_id;
    struct random_key first = random_key_of(seed, head, sizeof head);
    if (ring)
        return ring_random(row, first, step, i);
    return random_key_of(first.lo ^ first.hi, row->id.s, row->id.n);
}
