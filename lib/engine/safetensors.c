/* safetensors.c: see safetensors.h. */
#include "engine/safetensors.h"
#include "base/fail.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LIMIT = 100000000 }; /* bytes, as in the reference library */

static const struct dtype {
    const char *name;
    int bits; /* of one element */
    bool usable;
    enum arr_type type;
} dtypes[] = {
    {"F32", 32, true, ARR_F32},         {"BF16", 16, true, ARR_BF16},
    {"F16", 16, true, ARR_F16},         {"I32", 32, true, ARR_I32},
    {"BOOL", 8, false, ARR_I32},        {"F4", 4, false, ARR_I32},
    {"F6_E2M3", 6, false, ARR_I32},     {"F6_E3M2", 6, false, ARR_I32},
    {"U8", 8, false, ARR_U8},           {"I8", 8, false, ARR_I32},
    {"F8_E5M2", 8, false, ARR_I32},     {"F8_E4M3", 8, false, ARR_I32},
    {"F8_E8M0", 8, false, ARR_I32},     {"F8_E4M3FNUZ", 8, false, ARR_I32},
    {"F8_E5M2FNUZ", 8, false, ARR_I32}, {"I16", 16, false, ARR_I32},
    {"U16", 16, false, ARR_I32},        {"U32", 32, false, ARR_I32},
    {"C64", 64, false, ARR_I32},        {"F64", 64, false, ARR_I32},
    {"I64", 64, false, ARR_I32},        {"U64", 64, false, ARR_I32},
};

static const struct dtype *dtype_of(json_t *value)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(name, dtypes[i].name) == 0)
            return &dtypes[i];
    return NULL;
}

/* A non-negative integer. jansson refuses those over 2^63 - 1 while parsing. */
static bool natural(json_t *value, int64_t *n)
{
    *n = json_integer_value(value);
    return json_is_integer(value) && *n >= 0;
}

/* Bytes of shape elements of this many bits, or -1: not whole bytes, or over 2^63. */
static int64_t bytes_of(const struct tensor *t, int bits)
{
    int64_t n = bits, i;
    for (i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, t->shape[i], &n))
            return -1;
    return n % 8 ? -1 : n / 8;
}

/* One entry {dtype, shape, data_offsets} into *t; from: where its bytes begin. */
static int entry_read(struct tensor *t, int64_t *from, json_t *entry)
{
    const char *in = t->file, *name = t->name;
    if (!json_is_object(entry))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" is no object", in, name);
    const struct dtype *dtype = dtype_of(json_object_get(entry, "dtype"));
    if (!dtype)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has no known dtype", in, name);
    t->dtype = dtype->name;
    t->usable = dtype->usable;
    t->type = dtype->type;

    json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_RANK_MAX)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has no shape of at most %d sizes", in,
                    name, TENSOR_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++)
        if (!natural(json_array_get(shape, (size_t)i), &t->shape[i]))
            return fail(FAIL_MODEL, "%s: tensor \"%s\": a size is no natural number", in,
                        name);

    json_t *range = json_object_get(entry, "data_offsets");
    int64_t to;
    if (json_array_size(range) != 2 || !natural(json_array_get(range, 0), from) ||
        !natural(json_array_get(range, 1), &to) || *from > to)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has no data_offsets [begin, end]", in,
                    name);
    t->bytes = to - *from;
    if (bytes_of(t, dtype->bits) != t->bytes)
        return fail(FAIL_MODEL,
                    "%s: tensor \"%s\": shape and dtype do not fill its %lld bytes", in,
                    name, (long long)t->bytes);
    return 0;
}

static int metadata_check(json_t *metadata, const char *file)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return fail(FAIL_MODEL, "%s: __metadata__ is no object", file);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return fail(FAIL_MODEL, "%s: __metadata__ \"%s\" is no string", file, key);
    }
    return 0;
}

/* A tensor and where its bytes begin in the data. */
struct placed {
    struct tensor tensor;
    int64_t from;
};

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->tensor.bytes != y->tensor.bytes)
        return x->tensor.bytes < y->tensor.bytes ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

/* All entries of the header, sorted by their place: the caller's to free. NULL on
 * failure. */
static struct placed *entries_read(json_t *header, int *count, const char *file)
{
    struct placed *list = calloc(json_object_size(header) + 1, sizeof *list);
    const char *key;
    json_t *value;
    *count = 0;
    if (!list) {
        fail_memory();
        return NULL;
    }
    json_object_foreach(header, key, value)
    {
        struct placed *p = &list[*count];
        if (strcmp(key, "__metadata__") == 0) {
            if (metadata_check(value, file) < 0)
                goto bad;
            continue;
        }
        p->tensor.name = key;
        p->tensor.file = file;
        if (entry_read(&p->tensor, &p->from, value) < 0)
            goto bad;
        ++*count;
    }
    qsort(list, (size_t)*count, sizeof *list, by_place);
    return list;
bad:
    free(list);
    return NULL;
}

/* Without holes and overlaps, every byte of the data is some tensor's. */
static int places_check(const struct placed *list, int count, int64_t data_bytes,
                        const char *file)
{
    int64_t end = 0;
    for (int i = 0; i < count; i++) {
        if (list[i].from != end)
            return fail(FAIL_MODEL, "%s: tensor \"%s\" begins at %lld where %lld is next",
                        file, list[i].tensor.name, (long long)list[i].from,
                        (long long)end);
        end += list[i].tensor.bytes; /* at most 2^63 - 1: it is a checked data_offset */
    }
    if (end != data_bytes)
        return fail(FAIL_MODEL, "%s: tensors fill %lld bytes, the file has %lld", file,
                    (long long)end, (long long)data_bytes);
    return 0;
}

/* The header's document; *end: where the data begin. NULL on failure. */
static json_t *header_read(const unsigned char *bytes, size_t size, size_t *end,
                           const char *file)
{
    uint64_t n = 0;
    json_error_t error;
    if (size < 8) {
        fail(FAIL_MODEL, "%s: %zu bytes are no safetensors file", file, size);
        return NULL;
    }
    for (int i = 7; i >= 0; i--) n = n << 8 | bytes[i];
    if (n > HEADER_LIMIT || n > size - 8) {
        fail(FAIL_MODEL, "%s: header length %llu does not fit the file", file,
             (unsigned long long)n);
        return NULL;
    }
    *end = 8 + (size_t)n;
    json_t *header =
        json_loadb((const char *)bytes + 8, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (!header) {
        fail(FAIL_MODEL, "%s: header: %s", file, error.text);
    } else if (!json_is_object(header)) {
        fail(FAIL_MODEL, "%s: header is no JSON object", file);
        json_decref(header);
        header = NULL;
    }
    return header;
}

int safetensors_read(struct safetensors *st, const void *bytes, size_t size,
                     const char *file)
{
    *st = (struct safetensors){0};
    json_t *header = header_read(bytes, size, &st->header, file);
    if (!header)
        return -1;
    st->document = header;

    struct placed *list = entries_read(header, &st->count, file);
    if (!list || places_check(list, st->count, (int64_t)(size - st->header), file) < 0)
        goto bad;
    st->tensors = calloc((size_t)st->count + 1, sizeof *st->tensors);
    if (!st->tensors) {
        fail_memory();
        goto bad;
    }
    for (int i = 0; i < st->count; i++) {
        st->tensors[i] = list[i].tensor;
        st->tensors[i].data = (const char *)bytes + st->header + list[i].from;
    }
    free(list);
    return 0;
bad:
    free(list);
    safetensors_free(st);
    return -1;
}

void safetensors_free(struct safetensors *st)
{
    free(st->tensors);
    json_decref(st->document);
    *st = (struct safetensors){0};
}
