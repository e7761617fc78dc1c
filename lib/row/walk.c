/* walk.c: see walk.h. The folders being walked are a stack, so depth costs no recursion.
 */
#include "row/walk.h"
#include "base/buf.h"
#include "base/fail.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct entry {
    char *name; /* owned */
    bool folder;
};

struct level {
    char *path; /* owned */
    struct entry *entries;
    int count, cap, at;
};

struct walk {
    struct level *levels;
    int depth, cap;
    char *pending; /* a folder to go into next; owned */
    int64_t skipped;
};

bool walk_is_picture(const char *name)
{
    static const char *const ends[] = {"jpg", "jpeg", "png", "webp", "bmp", "gif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot + 1, ends[i]) == 0)
            return true;
    return false;
}

static char *join(const char *folder, const char *name)
{
    struct buf path = {0};
    buf_text(&path, folder);
    if (path.len > 0 && path.data[path.len - 1] != '/')
        buf_char(&path, '/');
    buf_text(&path, name);
    if (!buf_string(&path)) {
        buf_free(&path);
        fail_memory();
    }
    return path.data;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void level_free(struct level *l)
{
    for (int i = 0; i < l->count; i++) free(l->entries[i].name);
    free(l->entries);
    free(l->path);
}

/* Does the walk take this entry (hidden ones and folders behind links are left out), and
 * is it a folder to go into? */
static bool wanted(const char *folder, const struct dirent *d, bool *is_folder)
{
    struct stat st;
    int kind = d->d_type;
    if (d->d_name[0] == '.')
        return false;
    if (kind == DT_UNKNOWN || kind == DT_LNK) {
        char *path = join(folder, d->d_name);
        bool link = path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
        bool dir = path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        free(path);
        if (link && dir)
            return false;
        kind = dir ? DT_DIR : DT_REG;
    }
    *is_folder = kind == DT_DIR;
    return *is_folder || walk_is_picture(d->d_name);
}

static int add_entry(struct level *l, const char *name, bool folder)
{
    if (l->count == l->cap) {
        int cap = l->cap ? 2 * l->cap : 64;
        struct entry *entries = realloc(l->entries, (size_t)cap * sizeof *entries);
        if (!entries)
            return fail_memory();
        l->entries = entries;
        l->cap = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return fail_memory();
    l->entries[l->count++] = (struct entry){copy, folder};
    return 0; /* cppcheck-suppress memleak */
}

/* List the folder path (taken over). 0, or -1 with *path_out the folder, or NULL. */
static int push(struct walk *w, char *path, char **path_out)
{
    struct level l = {.path = path};
    struct dirent *d;
    DIR *dir = opendir(path);
    int rc = 0;
    *path_out = NULL;
    if (!dir) {
        fail(FAIL_MEDIA, "%s: %s", path, strerror(errno));
        *path_out = path;
        return -1;
    }
    if (w->depth == w->cap) {
        int cap = w->cap ? 2 * w->cap : 8;
        struct level *levels = realloc(w->levels, (size_t)cap * sizeof *levels);
        if (levels) {
            w->levels = levels;
            w->cap = cap;
        } else {
            rc = fail_memory();
        }
    }
    while (rc == 0 && (d = readdir(dir))) {
        bool folder;
        if (wanted(path, d, &folder))
            rc = add_entry(&l, d->d_name, folder);
        else if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            w->skipped++;
    }
    closedir(dir);
    if (rc < 0) {
        level_free(&l);
        return rc;
    }
    if (l.count > 0)
        qsort(l.entries, (size_t)l.count, sizeof *l.entries, by_name);
    w->levels[w->depth++] = l;
    return 0;
}

struct walk *walk_open(const char *folder)
{
    struct walk *w = calloc(1, sizeof *w);
    if (!w || !(w->pending = strdup(folder))) {
        free(w);
        fail_memory();
        return NULL;
    }
    return w;
}

int walk_next(struct walk *w, char **path)
{
    for (;;) {
        if (w->pending) {
            char *folder = w->pending;
            w->pending = NULL;
            if (push(w, folder, path) < 0)
                return -1;
        }
        if (w->depth == 0)
            return 0;
        struct level *top = &w->levels[w->depth - 1];
        if (top->at == top->count) {
            level_free(top);
            w->depth--;
            continue;
        }
        struct entry *e = &top->entries[top->at++];
        if (!(*path = join(top->path, e->name)))
            return -1;
        if (!e->folder)
            return 1;
        w->pending = *path;
    }
}

void walk_progress(const struct walk *w, int *at, int *count)
{
    *at = w->depth > 0 ? w->levels[0].at : 0;
    *count = w->depth > 0 ? w->levels[0].count : 0;
}

int64_t walk_skipped(const struct walk *w)
{
    return w->skipped;
}

void walk_close(struct walk *w)
{
    if (!w)
        return;
    while (w->depth > 0) level_free(&w->levels[--w->depth]);
    free(w->levels);
    free(w->pending);
    free(w);
}
