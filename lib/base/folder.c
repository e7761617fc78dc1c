/* folder.c: see folder.h. */
#include "base/folder.h"
#include "base/buf.h"
#include "base/fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int path_join(char path[PATH_MAX], const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX
               ? 0
               : fail(FAIL_MODEL, "%s: path too long", dir);
}

/* The folder that path lies in. Where its last name begins, or NULL: it cannot be asked.
 */
static const char *look_above(const char *path, struct stat *folder)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    if (snprintf(dir, sizeof dir, "%.*s", n, slash ? path : ".") >= PATH_MAX ||
        stat(dir, folder) < 0)
        return NULL;
    return slash ? slash + 1 : path;
}

static bool same_place(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool path_same(const char *a, const char *b)
{
    struct stat x, y;
    bool there = stat(a, &x) == 0;
    if (there != (stat(b, &y) == 0))
        return false;
    if (there)
        return S_ISREG(x.st_mode) && same_place(&x, &y);
    const char *name_a = look_above(a, &x), *name_b = look_above(b, &y);
    return name_a && name_b && same_place(&x, &y) && strcmp(name_a, name_b) == 0;
}

bool path_is_stream(const char *path)
{
    static const char *const beginnings[] = {"/dev/std", "/dev/fd/", "/proc/"};
    struct stat st;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(path, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* The descriptor of this process that path names, or -1. */
static int descriptor_of(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (int i = 0; i < 3; i++)
        if (strcmp(path, names[i]) == 0)
            return i;
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(folders[i]);
        char *end;
        if (strncmp(path, folders[i], n) != 0 || path[n] < '0' || path[n] > '9')
            continue;
        long fd = strtol(path + n, &end, 10);
        return *end == '\0' && fd <= INT_MAX ? (int)fd : -1;
    }
    return -1;
}

int path_stream_open(const char *path)
{
    int own = descriptor_of(path);
    return own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 3)
                    : open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
}

char *path_target(const char *path)
{
    enum { LINKS_MAX = 40 }; /* as the kernel follows */
    char link[PATH_MAX];
    ssize_t n;
    char *at = strdup(path);
    for (int i = 0; at && i < LINKS_MAX && (n = readlink(at, link, sizeof link)) > 0;
         i++) {
        const char *slash = link[0] == '/' ? NULL : strrchr(at, '/');
        struct buf next = {0};
        buf_add(&next, at, slash ? (size_t)(slash + 1 - at) : 0);
        buf_add(&next, link, (size_t)n);
        free(at);
        if (!buf_string(&next))
            buf_free(&next);
        at = next.data; /* taken over */
    }
    if (!at)
        fail_memory();
    return at;
}

int path_failed(const char *path)
{
    return fail(errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? FAIL_REFUSED
                                                                     : FAIL_MODEL,
                "%s: %s", path, strerror(errno));
}

int folder_make(const char *path, unsigned mode)
{
    return mkdir(path, mode) < 0 && errno != EEXIST ? path_failed(path) : 0;
}

int folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return path_failed(path);
    int status = fsync(fd) < 0 ? path_failed(path) : 0;
    close(fd);
    return status;
}

void folder_remove(const char *path)
{
    struct dirent *entry;
    char inside[PATH_MAX];
    if (unlink(path) == 0)
        return;
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            path_join(inside, path, entry->d_name) == 0)
            folder_remove(inside);
    if (dir)
        closedir(dir);
    rmdir(path);
}

void folder_clean(const char *path)
{
    struct dirent *entry;
    char inside[PATH_MAX];
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (strncmp(entry->d_name, ".making-", 8) == 0 &&
            path_join(inside, path, entry->d_name) == 0)
            folder_remove(inside);
    if (dir)
        closedir(dir);
}

int folder_put(const char *folder, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return rename(folder, path) < 0 ? path_failed(path) : 0;
    if (renameat2(AT_FDCWD, folder, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        folder_remove(folder); /* what was at path */
        return 0;
    }
    /* a file system that cannot exchange: for a moment there is neither */
    folder_remove(path);
    return rename(folder, path) < 0 ? path_failed(path) : 0;
}

int folder_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return path_failed(path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fail(FAIL_REFUSED, "%s: another run is at work there", path);
    }
    return fd;
}

int bytes_write(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return path_failed(path);
    size_t at = 0;
    int status = 0;
    while (status == 0 && at < n) {
        ssize_t wrote = write(fd, (const char *)bytes + at, n - at);
        if (wrote < 0 && errno != EINTR)
            status = path_failed(path);
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    if (status == 0 && fsync(fd) < 0)
        status = path_failed(path);
    if (close(fd) < 0 && status == 0)
        status = path_failed(path);
    return status;
}

char *bytes_read(const char *path, size_t *n)
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
