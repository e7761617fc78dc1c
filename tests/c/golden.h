/* golden.h: reference data for the C tests: where it lies, JSONL rows, safetensors.
 *
 * golden_path() finds a file below tests/data (the copy that the repository carries),
 * else below ../shared (a larger set, where one is at hand). Tests run from the
 * repository's root. What is missing in both is NULL: a case from data that only the
 * larger set has must not run then; a case that the repository carries must fail.
 */
#ifndef GOLDEN_H
#define GOLDEN_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of a small ring of static buffers: good until 8 calls later. */
static inline const char *golden_path(const char *relative)
{
    static char ring[8][1024];
    static int next;
    const char *const roots[] = {"tests/data", "build/data", "../shared"};
    char *path = ring[next++ % 8];
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        snprintf(path, sizeof ring[0], "%s/%s", roots[i], relative);
        if (access(path, R_OK) == 0)
            return path;
    }
    return NULL;
}

/* A whole file, NUL behind it; NULL if it cannot be read. free() it. */
static inline char *golden_file(const char *path, size_t *size)
{
    FILE *f = path ? fopen(path, "rb") : NULL;
    struct stat st;
    char *data = NULL;
    if (f && fstat(fileno(f), &st) == 0 && (data = malloc((size_t)st.st_size + 1))) {
        size_t n = fread(data, 1, (size_t)st.st_size, f);
        data[n] = '\0';
        if (size)
            *size = n;
    }
    if (f)
        fclose(f);
    return data;
}

/* The next line of JSONL text as a value, *at moving on; NULL at the end. json_decref()
 * it. */
static inline json_t *golden_row(const char **at)
{
    while (**at == '\n') ++*at;
    if (!**at)
        return NULL;
    size_t n = strcspn(*at, "\n");
    json_t *row = json_loadb(*at, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!row)
        fprintf(stderr, "golden row does not parse: %.80s\n", *at);
    *at += n;
    return row;
}

/* A tensor of a (trusted) safetensors file, copied out: F32 or U8 or I32/I64 as stored.
 */
struct golden_tensor {
    char type[8];
    int rank;
    int64_t shape[6];
    int64_t count;
    union {
        void *data; /* owned: golden_tensor_free() */
        float *f32;
        uint8_t *u8;
        int32_t *i32;
    };
};

static inline bool golden_tensor_read(struct golden_tensor *t, const char *path,
                                      const char *name)
{
    memset(t, 0, sizeof *t);
    size_t size = 0;
    char *file = golden_file(path, &size);
    uint64_t n = 0;
    if (!file || size < 8)
        return free(file), false;
    memcpy(&n, file, 8);
    json_t *head = json_loadb(file + 8, n, 0, NULL), *entry = json_object_get(head, name);
    bool found = entry != NULL;
    if (found) {
        snprintf(t->type, sizeof t->type, "%s",
                 json_string_value(json_object_get(entry, "dtype")));
        json_t *shape = json_object_get(entry, "shape"),
               *range = json_object_get(entry, "data_offsets");
        t->rank = (int)json_array_size(shape);
        t->count = 1;
        for (int i = 0; i < t->rank; i++)
            t->count *= t->shape[i] =
                json_integer_value(json_array_get(shape, (size_t)i));
        int64_t from = json_integer_value(json_array_get(range, 0));
        int64_t to = json_integer_value(json_array_get(range, 1));
        t->data = malloc((size_t)(to - from) + 1);
        memcpy(t->data, file + 8 + n + from, (size_t)(to - from));
    }
    json_decref(head);
    free(file);
    return found;
}

static inline void golden_tensor_free(struct golden_tensor *t)
{
    free(t->data);
    memset(t, 0, sizeof *t);
}
#endif
