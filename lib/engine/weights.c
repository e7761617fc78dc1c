/* weights.c: see weights.h. */
#include "engine/weights.h"
#include "base/fail.h"
#include "base/mapping.h"
#include "engine/document.h"
#include "engine/safetensors.h"
#include "engine/weights_gguf.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* One mapped file. */
struct shard {
    char *path;
    struct mapping map;
    struct safetensors st;
};

/* Either the shards of a directory or one GGUF file. */
struct weights {
    struct shard *shards; /* in the order of their names */
    int shard_count;
    struct gguf *gguf;
    struct gguf_weight *gguf_weights;
    const struct tensor **tensors; /* sorted by name */
    int count;
    int64_t bytes;
};

static void shard_close(struct shard *s)
{
    safetensors_free(&s->st);
    mapping_close(&s->map);
    free(s->path);
}

static int shard_open(struct weights *w, const char *path)
{
    struct shard *s = &w->shards[w->shard_count++]; /* room: the caller's promise */
    s->path = strdup(path);
    if (!s->path)
        return fail_memory();
    if (mapping_open(&s->map, path) < 0)
        return -1;
    return safetensors_read(&s->st, s->map.data ? s->map.data : "", s->map.size, s->path);
}

static int by_name(const void *a, const void *b)
{
    const struct tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* One sorted list over all shards. */
static int tensors_list(struct weights *w)
{
    size_t n = w->gguf ? (size_t)gguf_count(w->gguf) : 0;
    for (int i = 0; i < w->shard_count; i++) n += (size_t)w->shards[i].st.count;
    w->tensors = calloc(n + 1, sizeof *w->tensors);
    if (!w->tensors)
        return fail_memory();
    for (int i = 0; i < w->shard_count; i++)
        for (int j = 0; j < w->shards[i].st.count; j++)
            w->tensors[w->count++] = &w->shards[i].st.tensors[j];
    for (int i = 0; w->gguf && i < gguf_count(w->gguf); i++)
        w->tensors[w->count++] = &w->gguf_weights[i].tensor;
    for (int i = 0; i < w->count; i++) w->bytes += w->tensors[i]->bytes;
    qsort(w->tensors, n, sizeof *w->tensors, by_name);
    for (int i = 1; i < w->count; i++)
        if (strcmp(w->tensors[i - 1]->name, w->tensors[i]->name) == 0)
            return fail(FAIL_MODEL, "tensor \"%s\" is in both %s and %s",
                        w->tensors[i]->name, w->tensors[i - 1]->file,
                        w->tensors[i]->file);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The file names of a weight map, each once, sorted. Owned list of borrowed names. */
static const char **shard_names(json_t *map, int *count, const char *index)
{
    const char *key, **names = calloc(json_object_size(map) + 1, sizeof *names);
    json_t *value;
    size_t n = 0;
    *count = 0;
    if (!names) {
        fail_memory();
        return NULL;
    }
    json_object_foreach(map, key, value)
    {
        const char *name = json_string_value(value);
        if (!name || !*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
            strcmp(name, "..") == 0) {
            fail(FAIL_MODEL, "%s: tensor \"%s\": \"%s\" is no file of this directory",
                 index, key, name ? name : "");
            free(names);
            return NULL;
        }
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++)
        if (*count == 0 || strcmp(names[*count - 1], names[i]) != 0)
            names[(*count)++] = names[i];
    return names;
}

/* Every tensor of the index is in the shard that the index names. */
static int index_check(const struct weights *w, json_t *map, const char *index)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
    {
        const struct tensor *t = weights_find(w, key);
        const char *file = t ? strrchr(t->file, '/') + 1 : NULL;
        if (!file || strcmp(file, json_string_value(value)) != 0)
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is not in %s", index, key,
                        json_string_value(value));
    }
    return 0;
}

static int open_index(struct weights *w, const char *dir, const char *index)
{
    struct buf path = {0};
    int count = 0, status = -1;
    const char **names = NULL;
    json_t *doc = document_read(index);
    if (!doc)
        return -1;
    json_t *map = json_object_get(doc, "weight_map");
    if (!json_is_object(map)) {
        fail(FAIL_MODEL, "%s: no weight_map", index);
        goto out;
    }
    if (!(names = shard_names(map, &count, index)))
        goto out;
    if (!(w->shards = calloc((size_t)count + 1, sizeof *w->shards))) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < count; i++) {
        const char *shard = document_path(&path, dir, names[i]);
        if (!shard || shard_open(w, shard) < 0)
            goto out;
    }
    if (tensors_list(w) == 0)
        status = index_check(w, map, index);
out:
    buf_free(&path);
    free(names);
    json_decref(doc);
    return status;
}

static int open_single(struct weights *w, const char *path)
{
    if (!(w->shards = calloc(1, sizeof *w->shards)))
        return fail_memory();
    return shard_open(w, path) < 0 ? -1 : tensors_list(w);
}

static int open_gguf(struct weights *w, const char *path)
{
    if (!(w->gguf = gguf_open(path)) || !(w->gguf_weights = gguf_weights(w->gguf)))
        return -1;
    return tensors_list(w);
}

/* What path is: a file, or a directory with one file or an index. */
static int open_path(struct weights *w, const char *path)
{
    struct stat st;
    struct buf single = {0}, index = {0};
    int status = -1;
    if (stat(path, &st) < 0)
        return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return gguf_is(path) ? open_gguf(w, path) : open_single(w, path);
    if (document_path(&single, path, "model.safetensors") &&
        document_path(&index, path, "model.safetensors.index.json")) {
        if (document_exists(single.data))
            status = open_single(w, single.data);
        else if (document_exists(index.data))
            status = open_index(w, path, index.data);
        else
            status = fail(FAIL_MODEL,
                          "%s: no model.safetensors and no model.safetensors.index.json",
                          path);
    }
    buf_free(&single);
    buf_free(&index);
    return status;
}

struct weights *weights_open(const char *path)
{
    struct weights *w = calloc(1, sizeof *w);
    if (!w) {
        fail_memory();
        return NULL;
    }
    if (open_path(w, path) < 0) {
        weights_close(w);
        return NULL;
    }
    return w;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->shard_count; i++) shard_close(&w->shards[i]);
    free(w->shards);
    free(w->gguf_weights);
    gguf_close(w->gguf);
    free(w->tensors);
    free(w);
}

int weights_count(const struct weights *w)
{
    return w->count;
}

const struct tensor *weights_at(const struct weights *w, int i)
{
    return w->tensors[i];
}

const struct tensor *weights_find(const struct weights *w, const char *name)
{
    struct tensor key = {.name = name};
    const struct tensor *want = &key;
    const struct tensor **found =
        bsearch(&want, w->tensors, (size_t)w->count, sizeof *w->tensors, by_name);
    return found ? *found : NULL;
}

int64_t weights_bytes(const struct weights *w)
{
    return w->bytes;
}

int weights_hash(const struct weights *w, const char *dir, char hex[33])
{
    struct buf path = {0}, config = {0};
    int status = -1;
    if (w->gguf) {
        gguf_hash(w->gguf, hex);
        return 0;
    }
    XXH3_state_t *state = XXH3_createState();
    if (!state) {
        fail_memory();
        goto out;
    }
    if (!document_path(&path, dir, "config.json") ||
        document_bytes(&config, path.data, 64 << 20) < 0)
        goto out;
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, config.data, config.len);
    for (int i = 0; i < w->shard_count; i++)
        XXH3_128bits_update(state, w->shards[i].map.data, w->shards[i].st.header);
    XXH128_hash_t h = XXH3_128bits_digest(state);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
    status = 0;
out:
    XXH3_freeState(state);
    buf_free(&path);
    buf_free(&config);
    return status;
}

bool weights_rope_pairs(const struct weights *w)
{
    return w->gguf && gguf_rope_pairs(w->gguf);
}

bool weights_tied(const struct weights *w, bool tied)
{
    return w->gguf ? !weights_find(w, "lm_head.weight") : tied;
}

int weights_check(const void *bytes, size_t size, const char *name)
{
    struct safetensors st;
    if (safetensors_read(&st, bytes, size, name) < 0)
        return -1;
    safetensors_free(&st);
    return 0;
}

int weights_check_file(const char *path)
{
    struct mapping map;
    if (mapping_open(&map, path) < 0)
        return -1;
    int status = weights_check(map.data ? map.data : "", map.size, path);
    mapping_close(&map);
    return status;
}

void weights_drop(const struct tensor *t)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)t->data;
    uintptr_t first = (from + page - 1) / page * page;
    uintptr_t end = (from + (uintptr_t)t->bytes) / page * page;
    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}
