/* document.c: see document.h. */
#include "engine/document.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOCUMENT_LIMIT = 64 << 20 }; /* bytes; an index of 100,000 tensors has 10 MB */

static int read_all(struct buf *b, int fd, const char *path, size_t limit)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(FAIL_MODEL, "%s: not a regular file", path);
    for (;;) {
        char *room = buf_room(b, 65536);
        ssize_t n = room ? read(fd, room, 65536) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
        if (n == 0)
            return buf_ok(b);
        b->len += (size_t)n;
        if (b->len > limit)
            return fail(FAIL_MODEL, "%s: larger than %zu bytes", path, limit);
    }
}

int document_bytes(struct buf *b, const char *path, size_t limit)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    if (fd < 0)
        return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    int status = read_all(b, fd, path, limit);
    close(fd);
    return status;
}

json_t *document_read(const char *path)
{
    struct buf b = {0};
    json_t *doc = NULL;
    json_error_t error;
    if (document_bytes(&b, path, DOCUMENT_LIMIT) < 0)
        goto out;
    doc = json_loadb(b.data ? b.data : "", b.len, JSON_REJECT_DUPLICATES, &error);
    if (!doc) {
        fail(FAIL_MODEL, "%s: line %d: %s", path, error.line, error.text);
    } else if (!json_is_object(doc)) {
        fail(FAIL_MODEL, "%s: not a JSON object", path);
        json_decref(doc);
        doc = NULL;
    }
out:
    buf_free(&b);
    return doc;
}

const char *document_path(struct buf *b, const char *dir, const char *name)
{
    buf_clear(b);
    buf_print(b, "%s/%s", dir, name);
    const char *path = buf_string(b);
    if (!path)
        fail_memory();
    return path;
}

bool document_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
