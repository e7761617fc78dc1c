/* replace.c: see replace.h. */
#include "base/replace.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *path)
{
    return fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
}

int file_replaceable(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return refuse(path);
    }
    if (path_is_stream(path))
        return access(path, W_OK) < 0 ? refuse(path) : 0;
    char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (!folder)
        return fail_memory();
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int rc = access(slash ? folder : ".", W_OK | X_OK);
    free(folder);
    return rc < 0 ? refuse(path) : 0;
}

static int write_all(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, s, n);
        if (done < 0 && errno != EINTR)
            return -1;
        s += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* Write bytes to fd, maybe bring them to the disk, and close it. 0 or -1 and errno. */
static int fill(int fd, const void *bytes, size_t n, bool sync)
{
    int rc = write_all(fd, bytes, n);
    if (rc == 0 && sync)
        rc = fsync(fd);
    int error = errno;
    if (close(fd) < 0 && rc == 0)
        return -1;
    errno = error;
    return rc;
}

/* The new file, then in place of path: beside what a link leads to. */
static int replace(const char *path, const void *bytes, size_t n)
{
    struct buf name = {0};
    buf_print(&name, "%s.%ld.new", path, (long)getpid());
    if (!buf_string(&name)) {
        buf_free(&name);
        return fail_memory();
    }
    int fd = open(name.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc = -1;
    if (fd >= 0 && (rc = fill(fd, bytes, n, true)) == 0)
        rc = rename(name.data, path);
    if (rc < 0) {
        refuse(path);
        if (fd >= 0)
            unlink(name.data);
    }
    buf_free(&name);
    return rc;
}

int file_replace(const char *path, const void *bytes, size_t n)
{
    if (path_is_stream(path)) {
        int fd = path_stream_open(path);
        return fd < 0 || fill(fd, bytes, n, false) < 0 ? refuse(path) : 0;
    }
    char *target = path_target(path);
    int rc = target ? replace(target, bytes, n) : -1;
    free(target);
    return rc;
}
