/* checkpoint.c: see checkpoint.h. */
#include "train/checkpoint.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/folder.h"
#include "base/version.h"
#include "engine/safetensors_write.h"
#include "engine/weights.h"
#include "train/model_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static const char optimizer_name[] = "state/optimizer.safetensors";
static const char state_name[] = "state/state.json";

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
    struct tensor_content content = {0};
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
        status = tensor_content_write(&content, path, k, dev);
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
    int fd = path_join(path, dir, name) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
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
    for (int i = 0; i == 0 || model_files_names[i - 1]; i++) {
        const char *name = i ? model_files_names[i - 1] : optimizer_name;
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
    int status = path_join(path, dir, state_name);
    if (status == 0)
        status = bytes_write(path, text, strlen(text));
    free(text);
    return status;
}

static int version_fill(const struct checkpoints *c, const struct kernels *k,
                        struct dev *dev, const struct params *p, int64_t step,
                        const json_t *state, const char *dir)
{
    const struct model_files files = {.base = c->base, .type = c->type};
    char path[PATH_MAX], inner[PATH_MAX];
    if (path_join(inner, dir, "state") < 0)
        return -1;
    if (mkdir(dir, 0777) < 0 || mkdir(inner, 0777) < 0)
        return path_failed(dir);
    if (model_files_write(&files, k, dev, p, dir) < 0 ||
        path_join(path, dir, optimizer_name) < 0 ||
        optimizer_write(k, dev, p, path) < 0 || state_write(dir, step, state) < 0)
        return -1;
    return folder_sync(inner) < 0 ? -1 : folder_sync(dir);
}

/* By rename, in one step. */
int checkpoint_point(const struct checkpoints *c, int64_t step)
{
    char target[32], path[PATH_MAX];
    snprintf(target, sizeof target, "v%06lld", (long long)step);
    return path_join(path, c->out, "latest") < 0 ? -1 : link_replace(path, target);
}

static void clean(const struct checkpoints *c)
{
    struct dirent *entry;
    char path[PATH_MAX];
    DIR *dir = opendir(c->out);
    while (dir && (entry = readdir(dir)))
        if (strncmp(entry->d_name, ".making-", 8) == 0 &&
            path_join(path, c->out, entry->d_name) == 0)
            folder_remove(path);
    if (dir)
        closedir(dir);
}

/* All versions but the newest `keep` go. */
static void old_remove(const struct checkpoints *c, int keep)
{
    char path[PATH_MAX];
    int count;
    int64_t *list = version_list(c->out, &count);
    for (int i = keep; list && i < count; i++)
        if (version_path(path, c->out, list[i], "") == 0)
            folder_remove(path);
    free(list);
}

int checkpoint_lock(const struct checkpoints *c)
{
    return folder_make(c->out, 0777) < 0 ? -1 : folder_lock(c->out);
}

void checkpoint_clear(const struct checkpoints *c)
{
    char path[PATH_MAX];
    if (path_join(path, c->out, "latest") == 0)
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
        status = path_failed(path);
    if (status == 0)
        status = folder_sync(c->out);
    if (status == 0)
        status = checkpoint_point(c, step);
    if (status < 0) {
        fail_save(&why);
        folder_remove(made);
        fail_again(&why);
        return why.kind == FAIL_REFUSED ? CHECKPOINT_FULL
                                        : -1; /* path_failed() says so */
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
    if (path_join(path, dir, state_name) < 0)
        return NULL;
    char *bytes = bytes_read(path, &n);
    if (!bytes)
        return path_failed(path), NULL;
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
    int64_t *list = version_list(c->out, &count);
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
    if (version_path(dir, c->out, step, "") < 0 ||
        path_join(path, dir, optimizer_name) < 0 || optimizer_read(k, dev, p, path) < 0)
        return -1;
    params_round(p, k, dev);
    json_t *all = state_read(dir);
    if (!all)
        return -1;
    *state = json_incref(json_object_get(all, "state"));
    json_decref(all);
    return 0;
}
