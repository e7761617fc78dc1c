/* version.c: see version.h. */
#include "base/version.h"
#include "base/fail.h"
#include "base/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int version_path(char path[PATH_MAX], const char *dir, int64_t version,
                 const char *ending)
{
    return snprintf(path, PATH_MAX, "%s/v%06lld%s", dir, (long long)version, ending) <
                   PATH_MAX
               ? 0
               : fail(FAIL_MODEL, "%s: path too long", dir);
}

int64_t version_of(const char *name)
{
    char *end;
    if (name[0] != 'v' || strlen(name) < 7)
        return -1;
    if (name[1] < '0' || name[1] > '9')
        return -1;
    long long step = strtoll(name + 1, &end, 10);
    return *end || step < 0 ? -1 : step;
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

int64_t *version_list(const char *folder, int *count)
{
    struct dirent *entry;
    int cap = 16;
    int64_t *list = malloc((size_t)cap * sizeof *list);
    *count = 0;
    if (!list)
        return NULL;
    DIR *dir = opendir(folder);
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

/* What a link leads to. Its length, or -1 (the class is model). */
static ssize_t target_read(char target[PATH_MAX], const char *link)
{
    ssize_t n = readlink(link, target, PATH_MAX - 1);
    if (n < 0)
        return path_failed(link);
    target[n] = '\0';
    return n;
}

int64_t version_linked(const char *link)
{
    char target[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    return version_of(slash ? slash + 1 : target);
}

int version_beside(char path[PATH_MAX], const char *link, int64_t version)
{
    char target[PATH_MAX], folder[PATH_MAX];
    if (target_read(target, link) < 0)
        return -1;
    const char *slash = strrchr(target, '/'), *up = strrchr(link, '/');
    int target_n = slash ? (int)(slash - target) : 1;
    int up_n = up && target[0] != '/' ? (int)(up - link) + 1 : 0;
    if (snprintf(folder, sizeof folder, "%.*s%.*s", up_n, link, target_n,
                 slash ? target : ".") >= (int)sizeof folder)
        return fail(FAIL_MODEL, "%s: path too long", link);
    return version_path(path, folder, version, "");
}

int link_replace(const char *link, const char *target)
{
    char dir[PATH_MAX], made[PATH_MAX];
    const char *slash = strrchr(link, '/');
    const char *name = slash ? slash + 1 : link;
    int n = snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - link) : 1,
                     slash ? link : ".");
    if (slash == link)
        n = snprintf(dir, sizeof dir, "/");
    if (n >= (int)sizeof dir ||
        snprintf(made, sizeof made, "%s/.making-%s", dir, name) >= (int)sizeof made)
        return fail(FAIL_MODEL, "%s: path too long", link);
    unlink(made);
    if (symlink(target, made) < 0 || rename(made, link) < 0) {
        path_failed(link);
        unlink(made);
        return -1;
    }
    return folder_sync(dir);
}
