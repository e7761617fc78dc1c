/* source.c: see source.h. */
#include "media/source.h"
#include "base/fail.h"
#include "media/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 300 };

/* Does ref begin with word, in any case? */
static bool begins(struct span ref, const char *word)
{
    size_t n = strlen(word);
    return ref.n >= n && strncasecmp(ref.s, word, n) == 0;
}

static struct span behind(struct span ref, size_t n)
{
    return (struct span){ref.s + n, ref.n - n};
}

void source_name(char *name, size_t size, struct span ref)
{
    if (size == 0)
        return;
    if (begins(ref, "data:")) {
        snprintf(name, size, "data: URI (%zu bytes)", ref.n);
        return;
    }
    size_t n = ref.n < size - 1 ? ref.n : size - 1;
    while (n > 0 && n < ref.n && ((unsigned char)ref.s[n] & 0xC0) == 0x80)
        n--;                       /* not in the middle of a character */
    for (size_t i = 0; i < n; i++) /* a name must not drive the reader's terminal */
        name[i] = (unsigned char)ref.s[i] < ' ' || ref.s[i] == 0x7F ? '?' : ref.s[i];
    name[n] = '\0';
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Append text with each %XX as its byte; a % without two digits stays. */
static void percent_decode(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        if (c == '%' && text.n - i > 2 && hex(text.s[i + 1]) >= 0 &&
            hex(text.s[i + 2]) >= 0) {
            c = (char)(hex(text.s[i + 1]) * 16 + hex(text.s[i + 2]));
            i += 2;
        }
        buf_char(out, c);
    }
}

/* data:[type][;parameters];base64,text */
static int read_data(struct buf *out, struct span ref, const char *name)
{
    static const char word[] = ";base64";
    size_t n = sizeof word - 1;
    const char *comma = memchr(ref.s, ',', ref.n);
    if (!comma)
        return fail(FAIL_MEDIA, "%s: no comma in it", name);
    struct span head = {ref.s, (size_t)(comma - ref.s)};
    struct span text = behind(ref, head.n + 1);
    struct buf plain = {0};
    if (head.n < n || !begins(behind(head, head.n - n), word))
        return fail(FAIL_MEDIA, "%s: not base64", name);
    if (text.n / 4 * 3 > SOURCE_BYTES_MAX)
        return fail(FAIL_TOO_LARGE, "%s: over %d MB", name, SOURCE_BYTES_MAX >> 20);
    if (text.n > 0 && memchr(text.s, '%', text.n)) {
        percent_decode(&plain, text);
        text = (struct span){plain.data, plain.len};
    }
    int status = buf_ok(&plain);
    if (status == 0 && base64_decode(out, text) < 0)
        status = out->bad ? fail_memory() : fail(FAIL_MEDIA, "%s: bad base64", name);
    buf_free(&plain);
    return status;
}

/* What a file is that is no regular one. */
static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder, not a picture";
    if (S_ISFIFO(mode))
        return "a FIFO, not a picture";
    if (S_ISSOCK(mode))
        return "a socket, not a picture";
    return "a device, not a picture";
}

/* All bytes of an open file, which may be longer than it says. */
static int read_all(struct buf *out, int fd, size_t expected, const char *name)
{
    size_t before = out->len;
    for (;;) {
        size_t got = out->len - before, ask = got < expected ? expected - got : 0;
        char *to = buf_room(out, ask + 4096); /* + some: to see the end in one call */
        if (!to)
            return fail_memory();
        ssize_t n = read(fd, to, ask + 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(FAIL_MEDIA, "%s: %s", name, strerror(errno));
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        if (out->len - before > SOURCE_BYTES_MAX)
            return fail(FAIL_TOO_LARGE, "%s: over %d MB", name, SOURCE_BYTES_MAX >> 20);
    }
}

static int read_file(struct buf *out, const char *path, const char *name)
{
    struct stat st;
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. A socket cannot be opened
     * at all (ENXIO), so ask for its kind by name. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), status;
    if (fd < 0) {
        int error = errno;
        if (error == ENXIO && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
            return fail(FAIL_MEDIA, "%s: %s", name, kind_of(st.st_mode));
        return fail(FAIL_MEDIA, "%s: %s", name,
                    error == ENOENT || error == ENOTDIR ? "no such file"
                                                        : strerror(error));
    }
    if (fstat(fd, &st) < 0)
        status = fail(FAIL_MEDIA, "%s: %s", name, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = fail(FAIL_MEDIA, "%s: %s", name, kind_of(st.st_mode));
    else if (st.st_size > SOURCE_BYTES_MAX)
        status = fail(FAIL_TOO_LARGE, "%s: over %d MB", name, SOURCE_BYTES_MAX >> 20);
    else
        status = read_all(out, fd, (size_t)st.st_size, name);
    close(fd);
    return status;
}

/* The path of a file:// URL (RFC 8089), appended to out. 0, or -1. */
static int url_path(struct buf *out, struct span ref, const char *name)
{
    static const char local[] = "localhost/";
    struct span rest = behind(ref, strlen("file://"));
    if (begins(rest, local))
        rest = behind(rest, sizeof local - 2); /* keeps the slash */
    if (rest.n == 0 || rest.s[0] != '/')
        return fail(FAIL_REFUSED, "%s: a file on another host", name);
    percent_decode(out, rest);
    return buf_ok(out);
}

/* Does ref begin with a scheme, as in "s3://"? */
static bool is_url(struct span ref)
{
    size_t i = 0;
    while (i < ref.n && i < 20 && ((ref.s[i] | 0x20) >= 'a' && (ref.s[i] | 0x20) <= 'z'))
        i++;
    while (i > 0 && i < ref.n && ref.s[i] >= '0' && ref.s[i] <= '9') i++;
    return i > 0 && begins(behind(ref, i), "://");
}

int source_read(struct buf *out, const char *root, struct span ref)
{
    char name[NAME_MAX_BYTES];
    struct buf path = {0};
    struct source_cell cell;
    bool in_table = false;
    int status = 0;
    source_name(name, sizeof name, ref);
    if (ref.n == 0)
        return fail(FAIL_MEDIA, "an empty path");
    if (begins(ref, "data:"))
        return read_data(out, ref, name);
    if (begins(ref, "file://"))
        status = url_path(&path, ref, name);
    else if (is_url(ref))
        return fail(FAIL_REFUSED, "%s: URLs are not fetched", name);
    else {
        if (root && *root && ref.s[0] != '/') {
            buf_text(&path, root);
            buf_char(&path, '/');
        }
        if ((in_table = source_cell_is(ref, &cell)))
            ref = cell.path;
        buf_add(&path, ref.s, ref.n);
    }
    if (status == 0 && memchr(path.data ? path.data : "", 0, path.len))
        status = fail(FAIL_MEDIA, "%s: a NUL byte in the path", name);
    const char *text = status == 0 ? buf_string(&path) : NULL;
    if (status == 0)
        status = !text      ? fail_memory()
                 : in_table ? source_cell_read(out, text, &cell, name)
                            : read_file(out, text, name);
    buf_free(&path);
    return status;
}
