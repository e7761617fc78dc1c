/* checkpoint.c: see checkpoint.h. */
#include "train/checkpoint.h"
#include "backward.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/safetensors_write.h"
#include "engine/weights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { PIECE = 1 << 20 }; /* elements on their way to the disk together */

/* What a version takes over from the base, where the base has it. */
static const char *const copied[] = {"config.json",
                                     "generation_config.json",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "chat_template.jinja",
                                     "chat_template.json",
                                     "vocab.json",
                                     "merges.txt",
                                     "special_tokens_map.json",
                                     "added_tokens.json",
                                     "preprocessor_config.json",
                                     "video_preprocessor_config.json"};
static const char weights_name[] = "model.safetensors";
static const char adapter_name[] = "adapter_model.safetensors";
static const char adapter_config_name[] = "adapter_config.json";
static const char optimizer_name[] = "state/optimizer.safetensors";
static const char state_name[] = "state/state.json";

static int join(char path[PATH_MAX], const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX
               ? 0
               : fail(FAIL_MODEL, "%s: path too long", dir);
}

static int version_path(char path[PATH_MAX], const char *out, int64_t step,
                        const char *ending)
{
    return snprintf(path, PATH_MAX, "%s/v%06lld%s", out, (long long)step, ending) <
                   PATH_MAX
               ? 0
               : fail(FAIL_MODEL, "%s: path too long", out);
}

/* FAIL_REFUSED: there is no space, here and in what writes tensors. */
static int failed(const char *path)
{
    return fail(errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? FAIL_REFUSED
                                                                     : FAIL_MODEL,
                "%s: %s", path, strerror(errno));
}

/* What was written to a folder is on the disk. 0 or -1. */
static int folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(path);
    int status = fsync(fd) < 0 ? failed(path) : 0;
    close(fd);
    return status;
}

/* A version or what is left of one: files and one level of folders. */
static void folder_remove(const char *path)
{
    struct dirent *entry;
    char inside[PATH_MAX];
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            join(inside, path, entry->d_name) < 0)
            continue;
        if (unlink(inside) < 0 && (errno == EISDIR || errno == EPERM))
            folder_remove(inside);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* -- Files of a version ----------------------------------------------------------------
 */

static int bytes_write(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return failed(path);
    size_t at = 0;
    int status = 0;
    while (status == 0 && at < n) {
        ssize_t wrote = write(fd, (const char *)bytes + at, n - at);
        if (wrote < 0 && errno != EINTR)
            status = failed(path);
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    if (status == 0 && fsync(fd) < 0)
        status = failed(path);
    if (close(fd) < 0 && status == 0)
        status = failed(path);
    return status;
}

/* A whole file, n bytes and a NUL; NULL with errno. free() it. */
static char *bytes_read(const char *path, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes = NULL;
    *n = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && (bytes = malloc((size_t)st.st_size + 1))) {
        ssize_t got;
        while (*n < (size_t)st.st_size &&
               (got = read(fd, bytes + *n, (size_t)st.st_size - *n)) > 0)
            *n += (size_t)got;
        bytes[*n] = '\0';
    }
    if (fd >= 0)
        close(fd);
    return bytes;
}

static const char *type_name(enum arr_type type)
{
    return type == ARR_F32 ? "float32" : type == ARR_F16 ? "float16" : "bfloat16";
}

/* config.json that says how weights are stored now. */
static int config_write(const char *to, const char *bytes, size_t n, enum arr_type type)
{
    json_error_t error;
    json_t *config = json_loadb(bytes, n, 0, &error);
    if (!config)
        return fail(FAIL_MODEL, "config.json: %s", error.text);
    static const char *const keys[] = {"torch_dtype", "dtype"};
    json_t *const objects[] = {config, json_object_get(config, "text_config"),
                               json_object_get(config, "vision_config")};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 2; j++)
            if (json_object_get(objects[i], keys[j]))
                json_object_set_new(objects[i], keys[j], json_string(type_name(type)));
    char *text = json_dumps(config, JSON_INDENT(2));
    json_decref(config);
    if (!text)
        return fail_memory();
    int status = bytes_write(to, text, strlen(text));
    free(text);
    return status;
}

static int base_copy(const struct checkpoints *c, const char *dir)
{
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        size_t n;
        if (join(from, c->base, copied[i]) < 0 || join(to, dir, copied[i]) < 0)
            return -1;
        if (access(from, F_OK) < 0)
            continue;
        char *bytes = bytes_read(from, &n);
        if (!bytes)
            return failed(from);
        int status = i == 0 && c->type != ARR_TYPES ? config_write(to, bytes, n, c->type)
                                                    : bytes_write(to, bytes, n);
        free(bytes);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* adapter_config.json as PEFT has it. In models with a tower the matrices are named by a
 * pattern: some towers have matrices of the same names, which have no pairs. */
static json_t *adapter_config(const struct checkpoints *c, const struct params *p)
{
    char pattern[256] = "";
    bool tower = false;
    json_t *list = json_array();
    for (int i = 0; i < p->count; i++) tower = tower || p->list[i].part == PART_VISION;
    for (int i = 0, n = 0; i < LORA_TARGETS; i++) {
        const char *name = lora_target_name((enum lora_target)i);
        if (!(p->lora.targets & 1u << i))
            continue;
        json_array_append_new(list, json_string(name));
        n +=
            snprintf(pattern + n, sizeof pattern - (size_t)n, "%s%s", n ? "|" : "", name);
    }
    return json_pack(
        "{s:s, s:s, s:i, s:f, s:f, s:s, s:b, s:b, s:b, s:b, s:n, s:n, s:b, s:o}",
        "peft_type", "LORA", "base_model_name_or_path", c->base, "r", p->lora.rank,
        "lora_alpha", p->lora.alpha, "lora_dropout", 0.0, "bias", "none",
        "fan_in_fan_out", 0, "use_rslora", 0, "use_dora", 0, "inference_mode", 1,
        "task_type", "modules_to_save", "init_lora_weights", 1, "target_modules",
        tower ? (json_decref(list), json_sprintf(".*language_model.*\\.(%s)", pattern))
              : list);
}

static int adapter_config_write(const struct checkpoints *c, const struct params *p,
                                const char *dir)
{
    char path[PATH_MAX];
    json_t *config = adapter_config(c, p);
    char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
    json_decref(config);
    if (!text)
        return fail_memory();
    int status = join(path, dir, adapter_config_name);
    if (status == 0)
        status = bytes_write(path, text, strlen(text));
    free(text);
    return status;
}

/* One tensor's f32 numbers, as `type`, in pieces. */
static int tensor_append(struct safetensors_writer *w, const struct kernels *k,
                         struct dev *dev, struct arr a, enum arr_type type,
                         struct arr half, void *host)
{
    int64_t all = arr_size(a);
    for (int64_t at = 0; at < all; at += PIECE) {
        int64_t n = all - at < PIECE ? all - at : PIECE;
        struct arr piece = arr_rows(a, at, n);
        if (type == ARR_BF16) {
            struct arr to = arr_rows(half, 0, n);
            k->back->to_bf16(dev, to, piece);
            k->download(dev, host, to);
        } else {
            k->download(dev, host, piece);
        }
        if (safetensors_append(w, host, (size_t)n * arr_type_size(type)) < 0)
            return -1;
    }
    return 0;
}

/* Of what a file is made: tensors in order. */
struct content {
    struct tensor_plan *plan;
    struct arr *arr;
    int count;
    struct buf names; /* room for names that are made here */
};

static int content_write(const struct content *content, const char *path,
                         const struct kernels *k, struct dev *dev)
{
    struct arr half = {.dev = dev, .type = ARR_BF16, .rank = 1, .shape = {PIECE}};
    half.stride = 1;
    half.data = k->alloc(dev, PIECE * 2);
    void *host = malloc(PIECE * sizeof(float));
    struct safetensors_writer *w = NULL;
    int status = half.data && host ? 0 : fail_memory();
    if (status == 0 && !(w = safetensors_create(path, content->plan, content->count)))
        status = -1;
    for (int i = 0; status == 0 && i < content->count; i++)
        status =
            tensor_append(w, k, dev, content->arr[i], content->plan[i].type, half, host);
    if (w && status == 0)
        status = safetensors_finish(w);
    else if (w)
        safetensors_abandon(w);
    if (half.data)
        k->release(dev, half.data, PIECE * 2);
    free(host);
    return status;
}

static enum arr_type written_as(const struct checkpoints *c, const struct param *p)
{
    enum arr_type type = c->type == ARR_TYPES ? p->stored : c->type;
    return type == ARR_F16 ? ARR_BF16 : type; /* f16 cannot hold what training makes */
}

/* All parameters, or (low-rank pairs) those that are trained. */
static int weights_write(const struct checkpoints *c, const struct kernels *k,
                         struct dev *dev, const struct params *p, const char *path)
{
    struct content content = {0};
    content.plan = calloc((size_t)p->count + 1, sizeof *content.plan);
    content.arr = calloc((size_t)p->count + 1, sizeof *content.arr);
    int status = content.plan && content.arr ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < p->count; i++) {
        const struct param *one = &p->list[i];
        if (p->lora.rank && !one->trained)
            continue;
        int n = content.count++;
        content.plan[n] = (struct tensor_plan){
            .name = one->name, .type = written_as(c, one), .rank = one->rank};
        memcpy(content.plan[n].shape, one->shape, sizeof one->shape);
        content.arr[n] = one->w;
    }
    if (status == 0)
        status = content_write(&content, path, k, dev);
    free(content.plan);
    free(content.arr);
    return status;
}

static const char *const kinds[] = {"master", "m", "v", "m_most", "v_most"};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Absent: this parameter has none. */
static struct arr state_of(const struct param *p, int kind)
{
    const struct arr all[KINDS] = {p->w, p->m, p->v, p->m_most, p->v_most};
    return all[kind];
}

/* Master, moments of all that is trained: NAME.master, NAME.m, NAME.v; and where m and v
 * are codes, NAME.m_most, NAME.v_most. */
static int optimizer_write(const struct kernels *k, struct dev *dev,
                           const struct params *p, const char *path)
{
    struct content content = {0};
    size_t most = (size_t)p->count * KINDS + 1;
    content.plan = calloc(most, sizeof *content.plan);
    content.arr = calloc(most, sizeof *content.arr);
    char(*names)[320] = calloc(most, sizeof *names);
    int status = content.plan && content.arr && names ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < p->count; i++)
        for (int j = 0; p->list[i].trained && j < KINDS; j++) {
            struct arr a = state_of(&p->list[i], j);
            if (!a.data)
                continue;
            int n = content.count++;
            snprintf(names[n], sizeof names[n], "%.300s.%s", p->list[i].name, kinds[j]);
            content.plan[n] = (struct tensor_plan){names[n], a.type, 1, {arr_size(a)}};
            content.arr[n] = a;
        }
    if (status == 0)
        status = content_write(&content, path, k, dev);
    free(names);
    free(content.plan);
    free(content.arr);
    return status;
}

/* Size and hash of a file of a version as "SIZE XXH3"; "" if it cannot be read. */
static void file_hash(char text[64], const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    static const size_t room = 1 << 20;
    char *piece = malloc(room);
    XXH3_state_t *state = XXH3_createState();
    text[0] = '\0';
    int fd = join(path, dir, name) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && piece && state && fstat(fd, &st) == 0) {
        ssize_t got;
        XXH3_64bits_reset(state);
        while ((got = read(fd, piece, room)) > 0)
            XXH3_64bits_update(state, piece, (size_t)got);
        if (got == 0)
            snprintf(text, 64, "%lld %016llx", (long long)st.st_size,
                     (unsigned long long)XXH3_64bits_digest(state));
    }
    if (fd >= 0)
        close(fd);
    XXH3_freeState(state);
    free(piece);
}

/* state.json comes last: a version that has it was written to its end. */
static int state_write(const char *dir, int64_t step, const json_t *state)
{
    char path[PATH_MAX], hash[64];
    json_t *files = json_object(), *all = json_object();
    static const char *const made[] = {weights_name, adapter_name, adapter_config_name,
                                       optimizer_name};
    size_t others = sizeof copied / sizeof *copied;
    for (size_t i = 0; i < others + sizeof made / sizeof *made; i++) {
        const char *name = i < others ? copied[i] : made[i - others];
        file_hash(hash, dir, name);
        if (hash[0])
            json_object_set_new(files, name, json_string(hash));
    }
    json_object_set_new(all, "step", json_integer(step));
    json_object_set_new(all, "files", files);
    json_object_set(all, "state", (json_t *)(uintptr_t)state);
    char *text = json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(all);
    if (!text)
        return fail_memory();
    int status = join(path, dir, state_name);
    if (status == 0)
        status = bytes_write(path, text, strlen(text));
    free(text);
    return status;
}

static int version_fill(const struct checkpoints *c, const struct kernels *k,
                        struct dev *dev, const struct params *p, int64_t step,
                        const json_t *state, const char *dir)
{
    char path[PATH_MAX], inner[PATH_MAX];
    if (join(inner, dir, "state") < 0)
        return -1;
    if (mkdir(dir, 0777) < 0 || mkdir(inner, 0777) < 0)
        return failed(dir);
    if ((p->lora.rank ? adapter_config_write(c, p, dir) : base_copy(c, dir)) < 0 ||
        join(path, dir, p->lora.rank ? adapter_name : weights_name) < 0 ||
        weights_write(c, k, dev, p, path) < 0 || join(path, dir, optimizer_name) < 0 ||
        optimizer_write(k, dev, p, path) < 0 || state_write(dir, step, state) < 0)
        return -1;
    return folder_sync(inner) < 0 ? -1 : folder_sync(dir);
}

/* By rename, in one step. */
int checkpoint_point(const struct checkpoints *c, int64_t step)
{
    char target[32], made[PATH_MAX], path[PATH_MAX];
    snprintf(target, sizeof target, "v%06lld", (long long)step);
    if (join(made, c->out, ".latest") < 0 || join(path, c->out, "latest") < 0)
        return -1;
    unlink(made);
    if (symlink(target, made) < 0 || rename(made, path) < 0)
        return failed(path);
    return folder_sync(c->out);
}

/* Is it "vNNNNNN" with nothing behind? Its number, else -1. */
static int64_t version_of(const char *name)
{
    char *end;
    if (name[0] != 'v' || strlen(name) < 7)
        return -1;
    long long step = strtoll(name + 1, &end, 10);
    return *end || step < 0 ? -1 : step;
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Steps of all versions, the newest first; folders that a killed run left go. NULL
 * without memory. */
static int64_t *versions(const char *out, int *count)
{
    struct dirent *entry;
    int cap = 16;
    int64_t *list = malloc((size_t)cap * sizeof *list);
    *count = 0;
    if (!list)
        return NULL;
    DIR *dir = opendir(out);
    while (dir && (entry = readdir(dir))) {
        int64_t step = version_of(entry->d_name);
        if (step < 0)
            continue;
        if (*count == cap) {
            int64_t *more = realloc(list, (size_t)(cap *= 2) * sizeof *list);
            if (!more)
                break;
            list = more;
        }
        list[(*count)++] = step;
    }
    if (dir)
        closedir(dir);
    qsort(list, (size_t)*count, sizeof *list, descending);
    return list;
}

static void clean(const struct checkpoints *c)
{
    struct dirent *entry;
    char path[PATH_MAX];
    DIR *dir = opendir(c->out);
    while (dir && (entry = readdir(dir)))
        if (strncmp(entry->d_name, ".making-", 8) == 0 &&
            join(path, c->out, entry->d_name) == 0)
            folder_remove(path);
    if (dir)
        closedir(dir);
}

/* All versions but the newest `keep` go. */
static void old_remove(const struct checkpoints *c, int keep)
{
    char path[PATH_MAX];
    int count;
    int64_t *list = versions(c->out, &count);
    for (int i = keep; list && i < count; i++)
        if (version_path(path, c->out, list[i], "") == 0)
            folder_remove(path);
    free(list);
}

int checkpoint_lock(const struct checkpoints *c)
{
    if (mkdir(c->out, 0777) < 0 && errno != EEXIST)
        return failed(c->out);
    int fd = open(c->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(c->out);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fail(FAIL_REFUSED, "%s: another run is at work there", c->out);
    }
    return fd; /* (a file system that knows no locks keeps nobody out) */
}

void checkpoint_clear(const struct checkpoints *c)
{
    char path[PATH_MAX];
    if (join(path, c->out, "latest") == 0)
        unlink(path);
    old_remove(c, 0);
}

int checkpoint_save(const struct checkpoints *c, const struct kernels *k, struct dev *dev,
                    const struct params *p, int64_t step, const json_t *state)
{
    char made[PATH_MAX], path[PATH_MAX];
    struct failure why;
    clean(c);
    if (snprintf(made, sizeof made, "%s/.making-%06lld", c->out, (long long)step) >=
            (int)sizeof made ||
        version_path(path, c->out, step, "") < 0)
        return fail(FAIL_MODEL, "%s: path too long", c->out);
    int status = version_fill(c, k, dev, p, step, state, made);
    if (status == 0 && access(path, F_OK) == 0)
        folder_remove(path); /* a damaged one, or the same of an earlier run */
    if (status == 0 && rename(made, path) < 0)
        status = failed(path);
    if (status == 0)
        status = folder_sync(c->out);
    if (status == 0)
        status = checkpoint_point(c, step);
    if (status < 0) {
        fail_save(&why);
        folder_remove(made);
        fail_again(&why);
        return why.kind == FAIL_REFUSED ? CHECKPOINT_FULL : -1;
    }
    if (c->keep > 0)
        old_remove(c, c->keep);
    return 0;
}

/* -- Reading ---------------------------------------------------------------------------
 */

/* state.json of a version. NULL with the reason. */
static json_t *state_read(const char *dir)
{
    char path[PATH_MAX];
    size_t n;
    json_error_t error;
    if (join(path, dir, state_name) < 0)
        return NULL;
    char *bytes = bytes_read(path, &n);
    if (!bytes)
        return failed(path), NULL;
    json_t *all = json_loadb(bytes, n, 0, &error);
    free(bytes);
    if (!all)
        fail(FAIL_MODEL, "%s: %s", path, error.text);
    return all;
}

/* Does every file have the size and hash that state.json says? 0 or -1. */
static int version_check(const char *dir)
{
    char hash[64];
    const char *name;
    json_t *value, *all = state_read(dir), *files = json_object_get(all, "files");
    int status = !all ? -1 : json_object_size(files) ? 0 : fail(FAIL_MODEL, "no files");
    if (status == 0)
        json_object_foreach(files, name, value)
        {
            file_hash(hash, dir, name);
            if (status == 0 &&
                strcmp(hash, json_string_value(value) ? json_string_value(value) : "?") !=
                    0)
                status = fail(FAIL_MODEL, "%s/%s is not as it was written", dir, name);
        }
    json_decref(all);
    return status;
}

int checkpoint_find(const struct checkpoints *c, int64_t *step, char **note)
{
    char path[PATH_MAX];
    struct buf text = {0};
    int count;
    int64_t *list = versions(c->out, &count);
    *step = -1;
    *note = NULL;
    if (!list)
        return fail_memory();
    for (int i = 0; i < count && *step < 0; i++) {
        if (version_path(path, c->out, list[i], "") < 0)
            continue;
        if (version_check(path) == 0)
            *step = list[i];
        else
            buf_print(&text, "%s%s is damaged (%s)", text.len ? "; " : "", path,
                      fail_text());
    }
    free(list);
    if (text.len > 0) {
        if (*step >= 0)
            buf_print(&text, ": v%06lld is taken", (long long)*step);
        else
            buf_print(&text, ": there is no whole one");
        *note = buf_string(&text) ? strdup(text.data) : NULL;
    }
    buf_free(&text);
    return 0;
}

static int optimizer_read(const struct kernels *k, struct dev *dev,
                          const struct params *p, const char *path)
{
    struct weights *w = weights_open(path);
    int status = w ? 0 : -1, found = 0;
    for (int i = 0; status == 0 && i < p->count; i++)
        for (int j = 0; status == 0 && p->list[i].trained && j < KINDS; j++) {
            char name[320];
            struct arr a = state_of(&p->list[i], j);
            if (!a.data)
                continue;
            snprintf(name, sizeof name, "%.300s.%s", p->list[i].name, kinds[j]);
            const struct tensor *t = weights_find(w, name);
            if (t && j > 0 && t->type != a.type)
                status = fail(FAIL_MODEL, "%s: the run began with %s moments", path,
                              t->type == ARR_U8 ? "8-bit" : "fp32");
            else if (!t || t->type != a.type ||
                     (size_t)t->bytes != arr_type_bytes(a.type, arr_size(a)))
                status = fail(FAIL_MODEL,
                              "%s: no \"%s\" of %lld numbers: was something else "
                              "trained?",
                              path, name, (long long)arr_size(a));
            else
                k->upload(dev, a, t->data);
            found++;
        }
    if (status == 0 && found != weights_count(w))
        status = fail(FAIL_MODEL, "%s: more was trained than now", path);
    weights_close(w);
    return status;
}

int checkpoint_load(const struct checkpoints *c, const struct kernels *k, struct dev *dev,
                    const struct params *p, int64_t step, json_t **state)
{
    char dir[PATH_MAX], path[PATH_MAX];
    *state = NULL;
    if (version_path(dir, c->out, step, "") < 0 || join(path, dir, optimizer_name) < 0 ||
        optimizer_read(k, dev, p, path) < 0)
        return -1;
    json_t *all = state_read(dir);
    if (!all)
        return -1;
    *state = json_incref(json_object_get(all, "state"));
    json_decref(all);
    return 0;
}
