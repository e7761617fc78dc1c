/* file.c: see file.h. */
#include "text/file.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_find(const char *path, const char *file, struct buf *name)
{
    struct stat st;
    buf_text(name, path);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        buf_print(name, "/%s", file);
    return buf_string(name) ? 0 : fail_memory();
}

int file_exists(const char *dir, const char *file)
{
    struct buf name = {0};
    struct stat st;
    buf_print(&name, "%s/%s", dir, file);
    int found = buf_string(&name) ? stat(name.data, &st) == 0 : fail_memory();
    buf_free(&name);
    return found;
}

static int read_all(int fd, const char *name, struct buf *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail(FAIL_MODEL, "%s: %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(FAIL_MODEL, "%s: not a regular file", name);
    if ((size_t)st.st_size > FILE_BYTES_MAX)
        return fail(FAIL_MODEL, "%s: %lld bytes are too many", name,
                    (long long)st.st_size);
    size_t size = (size_t)st.st_size;
    char *to = buf_room(out, size + 1);
    if (!to)
        return fail_memory();
    while (size > 0) {
        ssize_t n = read(fd, out->data + out->len, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(FAIL_MODEL, "%s: %s", name, strerror(errno));
        if (n == 0)
            break; /* it became shorter meanwhile; whoever parses it will say so */
        out->len += (size_t)n;
        size -= (size_t)n;
    }
    return 0;
}

int file_read(const char *name, struct buf *out)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0)
        return fail(FAIL_MODEL, "%s: %s", name, strerror(errno));
    int result = read_all(fd, name, out);
    close(fd);
    return result;
}
