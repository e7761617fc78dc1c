/* checkpoint.c: see checkpoint.h. */
#include "train/checkpoint.h"
#include "backward.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/folder.h"
#include "base/version.h"
#include "comm/comm.h"
#include "engine/safetensors_write.h"
#include "engine/weights.h"
#include "train/model_files.h"
#include "train/shards.h"

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

/* What is kept of a parameter that is trained. Moments may be shared by ranks (shards.h).
 */
enum kind { KIND_MASTER, KIND_M, KIND_V, KIND_M_MOST, KIND_V_MOST, KINDS };
static const char *const kinds[] = {"master", "m", "v", "m_most", "v_most"};

static bool has_kind(const struct param *p, int kind)
{
    return p->trained && (kind < KIND_M_MOST || p->coded);
}

/* This rank's part, which may be absent; of masters everything. */
static struct arr state_of(const struct param *p, int kind)
{
    const struct arr all[KINDS] = {p->w, p->m, p->v, p->m_most, p->v_most};
    return all[kind];
}

/* Numbers that stand for so many elements of a parameter: of blocks there are fewer. */
static int64_t numbers_of(int kind, int64_t elements)
{
    return kind < KIND_M_MOST ? elements : (elements + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
}

/* All of it, wherever it is: type and size. */
static struct arr whole_of(const struct param *p, int kind)
{
    bool code = p->coded && (kind == KIND_M || kind == KIND_V);
    struct arr a = {
        .dev = p->w.dev, .type = code ? ARR_U8 : ARR_F32, .rank = 1, .stride = 1};
    a.shape[0] = numbers_of(kind, arr_size(p->w));
    return a;
}

/* -- Moments that ranks share -----------------------------------------------------------
 */

/* What rank r has of [first, first + n) of a parameter's moment: from *from on. */
static int64_t overlap(const struct params *p, int i, int kind, int r, int64_t first,
                       int64_t n, int64_t *from)
{
    int64_t at, count = shards_part(p, i, r, &at);
    int64_t begin = numbers_of(kind, at), end = begin + numbers_of(kind, count);
    *from = begin > first ? begin : first;
    end = end < first + n ? end : first + n;
    return end > *from ? end - *from : 0;
}

/* This rank's numbers from `from` on, of the whole. */
static void moment_download(const struct kernels *k, struct dev *dev,
                            const struct param *p, int kind, int64_t from, int64_t n,
                            void *host)
{
    int64_t begin = numbers_of(kind, p->first);
    k->download(dev, host, arr_rows(state_of(p, kind), from - begin, n));
}

/* Whose tensors a file has. */
struct owners {
    const struct params *p;
    const struct kernels *k;
    struct dev *dev;
    struct place {
        int param, kind;
    } * of; /* [tensors of the file] */
};

/* tensor_content.fetch, on rank 0. */
static int moment_fetch(void *context, int tensor, int64_t first, int64_t n, void *host)
{
    const struct owners *o = context;
    int i = o->of[tensor].param, kind = o->of[tensor].kind, status = 0;
    size_t size = arr_type_size(whole_of(&o->p->list[i], kind).type);
    for (int r = 0; status == 0 && r < comm_world(o->p->comm); r++) {
        int64_t from, count = overlap(o->p, i, kind, r, first, n, &from);
        char *to = (char *)host + (size_t)(from - first) * size;
        if (count > 0 && r == 0)
            moment_download(o->k, o->dev, &o->p->list[i], kind, from, count, to);
        else if (count > 0)
            status = comm_receive(o->p->comm, r, to, (size_t)count * size);
    }
    return status;
}

/* What other ranks do meanwhile: they send what moment_fetch() waits for. */
static int moments_send(const struct kernels *k, struct dev *dev, const struct params *p)
{
    int status = 0, rank = comm_rank(p->comm);
    void *host = malloc(TENSOR_PIECE * sizeof(float));
    if (!host)
        return fail_memory();
    for (int i = 0; i < p->count; i++)
        for (int j = KIND_M; j < KINDS && has_kind(&p->list[i], j); j++) {
            struct arr whole = whole_of(&p->list[i], j);
            int64_t all = arr_size(whole), from;
            for (int64_t at = 0; status == 0 && at < all; at += TENSOR_PIECE) {
                int64_t n = all - at < TENSOR_PIECE ? all - at : TENSOR_PIECE;
                if (!(n = overlap(p, i, j, rank, at, n, &from)))
                    continue;
                moment_download(k, dev, &p->list[i], j, from, n, host);
                status =
                    comm_send(p->comm, 0, host, (size_t)n * arr_type_size(whole.type));
            }
        }
    free(host);
    return status;
}

/* -- Writing ---------------------------------------------------------------------------
 */

/* Master, moments of all that is trained: NAME.master, NAME.m, NAME.v; and where m and v
 * are codes, NAME.m_most, NAME.v_most. The same file for any number of ranks. */
static int optimizer_write(const struct kernels *k, struct dev *dev,
                           const struct params *p, const char *path)
{
    size_t most = (size_t)p->count * KINDS + 1;
    struct owners owners = {p, k, dev, calloc(most, sizeof *owners.of)};
    struct tensor_content content = {.fetch = moment_fetch, .context = &owners};
    content.plan = calloc(most, sizeof *content.plan);
    content.arr = calloc(most, sizeof *content.arr);
    char(*names)[320] = calloc(most, sizeof *names);
    int status = content.plan && content.arr && names && owners.of ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < p->count; i++)
        for (int j = 0; j < KINDS && has_kind(&p->list[i], j); j++) {
            struct arr a = whole_of(&p->list[i], j);
            int n = content.count++;
            snprintf(names[n], sizeof names[n], "%.300s.%s", p->list[i].name, kinds[j]);
            content.plan[n] = (struct tensor_plan){names[n], a.type, 1, {arr_size(a)}};
            content.arr[n] = p->comm && j > KIND_MASTER ? a : state_of(&p->list[i], j);
            owners.of[n] = (struct place){i, j};
        }
    if (status == 0)
        status = tensor_content_write(&content, path, k, dev);
    free(names);
    free(content.plan);
    free(content.arr);
    free(owners.of);
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

/* OUT/latest is this version: by rename, in one step. */
static int latest_point(const struct checkpoints *c, int64_t step)
{
    char target[32], path[PATH_MAX];
    snprintf(target, sizeof target, "v%06lld", (long long)step);
    return path_join(path, c->out, "latest") < 0 ? -1 : link_replace(path, target);
}

/* Versions but `newest` and the keep - 1 before it go. Newer ones, which can only be
 * damaged, are none of the `keep`: each goes when the run comes to its step again. */
static void old_remove(const struct checkpoints *c, int64_t newest, int keep)
{
    char path[PATH_MAX];
    int count;
    int64_t *list = version_list(c->out, &count);
    for (int i = 0; list && i < count; i++)
        if (list[i] <= newest && keep-- <= 0 &&
            version_path(path, c->out, list[i], "") == 0)
            folder_remove(path);
    free(list);
}

int checkpoint_take(const struct checkpoints *c, int64_t step)
{
    folder_clean(c->out);
    if (latest_point(c, step) < 0)
        return -1;
    if (c->keep > 0)
        old_remove(c, step, c->keep);
    return 0;
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
    old_remove(c, INT64_MAX, 0);
}

/* By the one process, or by rank 0 for all. */
static int version_save(const struct checkpoints *c, const struct kernels *k,
                        struct dev *dev, const struct params *p, int64_t step,
                        const json_t *state)
{
    char made[PATH_MAX], path[PATH_MAX];
    struct failure why;
    folder_clean(c->out);
    if (snprintf(made, sizeof made, "%s/.making-%06lld", c->out, (long long)step) >=
            (int)sizeof made ||
        version_path(path, c->out, step, "") < 0)
        return fail(FAIL_MODEL, "%s: path too long", c->out);
    int status = version_fill(c, k, dev, p, step, state, made);
    if (status == 0) /* a damaged one may be there, or one that the run went on from */
        status = folder_put(made, path);
    if (status == 0)
        status = folder_sync(c->out);
    if (status == 0)
        status = latest_point(c, step);
    if (status < 0) {
        fail_save(&why);
        folder_remove(made);
        fail_again(&why);
        return why.kind == FAIL_REFUSED ? CHECKPOINT_FULL
                                        : -1; /* path_failed() says so */
    }
    if (c->keep > 0)
        old_remove(c, step, c->keep);
    return 0;
}

int checkpoint_save(const struct checkpoints *c, const struct kernels *k, struct dev *dev,
                    const struct params *p, int64_t step, const json_t *state)
{
    int status = comm_rank(p->comm) == 0 ? version_save(c, k, dev, p, step, state)
                                         : moments_send(k, dev, p);
    if (status < 0) /* others may be in the midst of sending: there is no way on */
        comm_leave(p->comm, fail_text());
    return status < 0 ? status : comm_barrier(p->comm);
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
        for (int j = 0; status == 0 && j < KINDS && has_kind(&p->list[i], j); j++) {
            char name[320];
            struct arr a = whole_of(&p->list[i], j), part = state_of(&p->list[i], j);
            int64_t from = j == KIND_MASTER ? 0 : numbers_of(j, p->list[i].first);
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
            else if (part.data)
                k->upload(dev, part,
                          (const char *)t->data + (size_t)from * arr_type_size(a.type));
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
