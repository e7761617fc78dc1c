/* stream.c: see stream.h. */
#include "row/stream.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { STREAM_PACKED = 128 << 10 }; /* bytes of packed input read at a time */

enum pack { PACK_UNKNOWN, PACK_NONE, PACK_GZIP, PACK_ZSTD };

struct stream {
    int fd;
    const char *name;
    const struct stream_wait *wait;
    bool regular;
    int64_t size, taken; /* of the file as it lies there */
    enum pack pack;
    z_stream gzip;
    ZSTD_DStream *zstd;
    bool inside;     /* inside a gzip member or zstd frame */
    bool ended;      /* the file has no more bytes */
    size_t from, to; /* bytes of raw not used yet */
    unsigned char raw[STREAM_PACKED];
};

/* A FIFO that nobody writes to yet would hold open() up, where no signal reaches it: so
 * it is opened at once, and where waits can be ended poll() waits for its writer. */
static int open_input(const char *path, bool waits)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (waits ? O_NONBLOCK : 0));
    int flags = fd >= 0 && waits ? fcntl(fd, F_GETFL) : -1;
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

struct stream *stream_open(const char *path, const struct stream_wait *wait)
{
    struct stream *s = malloc(sizeof *s);
    struct stat st;
    bool is_stdin = strcmp(path, "-") == 0;
    if (!s) {
        fail_memory();
        return NULL;
    }
    memset(s, 0, offsetof(struct stream, raw));
    s->name = is_stdin ? "stdin" : path;
    s->wait = wait;
    s->fd = is_stdin ? STDIN_FILENO : open_input(path, wait != NULL);
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        fail(FAIL_MEDIA, "%s: %s", s->name, strerror(errno));
        stream_close(s);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        fail(FAIL_MEDIA, "%s: %s", s->name, strerror(EISDIR));
        stream_close(s);
        return NULL;
    }
    s->regular = S_ISREG(st.st_mode);
    s->size = s->regular ? st.st_size : -1;
    return s;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->pack == PACK_GZIP)
        inflateEnd(&s->gzip);
    ZSTD_freeDStream(s->zstd);
    if (s->fd > STDERR_FILENO)
        close(s->fd);
    free(s);
}

const char *stream_name(const struct stream *s)
{
    return s->name;
}

bool stream_plain(const struct stream *s)
{
    return s->regular && s->pack == PACK_NONE && s->fd != STDIN_FILENO;
}

void stream_progress(const struct stream *s, int64_t *read, int64_t *all)
{
    *read = s->taken;
    *all = s->size;
}

/* Would a read have to wait for somebody else? */
static bool must_wait(const struct stream *s)
{
    if (s->regular || s->ended || s->from < s->to)
        return false;
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};
    return poll(&fd, 1, 0) == 0;
}

/* 0 once there is something to read (or an end, or an error). */
static int wait_for_input(struct stream *s)
{
    if (!s->wait || !must_wait(s))
        return 0;
    struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN},
                            {.fd = s->wait->wake_fd, .events = POLLIN}};
    int rc;
    s->wait->waiting(s->wait->context, true);
    do rc = poll(fds, 2, -1);
    while (rc < 0 && errno == EINTR);
    s->wait->waiting(s->wait->context, false);
    return rc > 0 && fds[1].revents ? STREAM_STOPPED : 0;
}

/* Bytes as they lie in the file. */
static int64_t read_raw(struct stream *s, void *to, size_t n)
{
    if (s->ended)
        return STREAM_END;
    for (;;) {
        if (wait_for_input(s) == STREAM_STOPPED)
            return STREAM_STOPPED;
        ssize_t got = read(s->fd, to, n);
        if (got > 0)
            s->taken += got;
        if (got == 0)
            s->ended = true;
        if (got >= 0)
            return got;
        if (errno != EINTR && errno != EAGAIN)
            return fail(FAIL_MEDIA, "%s: %s", s->name, strerror(errno));
    }
}

/* More packed bytes into raw. As stream_read(). */
static int64_t refill(struct stream *s)
{
    if (s->from > 0) {
        memmove(s->raw, s->raw + s->from, s->to - s->from);
        s->to -= s->from;
        s->from = 0;
    }
    int64_t n = read_raw(s, s->raw + s->to, sizeof s->raw - s->to);
    s->to += n > 0 ? (size_t)n : 0;
    return n;
}

static const unsigned char gzip_magic[] = {0x1F, 0x8B};
static const unsigned char zstd_magic[] = {0x28, 0xB5, 0x2F, 0xFD};
static const unsigned char zstd_skipped[] = {0x50, 0x2A, 0x4D, 0x18}; /* pzstd's first */

/* Are the bytes at hand the first of a magic number? mask: what counts of its first byte.
 */
static bool fits(const struct stream *s, const unsigned char *magic, size_t n,
                 unsigned mask)
{
    size_t have = s->to < n ? s->to : n;
    return have == 0 || ((s->raw[0] & mask) == magic[0] &&
                         memcmp(s->raw + 1, magic + 1, have - 1) == 0);
}

static enum pack guess_pack(const struct stream *s)
{
    if (fits(s, gzip_magic, sizeof gzip_magic, 0xFF))
        return PACK_GZIP;
    return fits(s, zstd_magic, sizeof zstd_magic, 0xFF) ||
                   fits(s, zstd_skipped, sizeof zstd_skipped, 0xF0)
               ? PACK_ZSTD
               : PACK_NONE;
}

/* Look at the first bytes. A pipe may bring them one by one. */
static int64_t find_pack(struct stream *s)
{
    enum pack pack;
    /* Plain bytes are handed on as they come, without waiting for more. */
    while ((pack = guess_pack(s)) != PACK_NONE && s->to < sizeof zstd_magic &&
           !s->ended) {
        int64_t n = refill(s);
        if (n < 0)
            return n;
    }
    if (s->to < (pack == PACK_GZIP ? sizeof gzip_magic : sizeof zstd_magic))
        pack = PACK_NONE; /* it ended before */
    if (pack == PACK_GZIP && inflateInit2(&s->gzip, 15 + 16) != Z_OK)
        return fail_memory();
    if (pack == PACK_ZSTD && !(s->zstd = ZSTD_createDStream()))
        return fail_memory();
    s->pack = pack;
    return 0;
}

static int64_t read_plain(struct stream *s, char *to, size_t n)
{
    size_t have = s->to - s->from;
    if (have == 0)
        return read_raw(s, to, n);
    n = n < have ? n : have;
    memcpy(to, s->raw + s->from, n);
    s->from += n;
    return (int64_t)n;
}

/* Have packed bytes at hand, or find the end. 1, or as stream_read(). */
static int64_t need_packed(struct stream *s)
{
    if (s->from < s->to)
        return 1;
    int64_t n = refill(s);
    if (n == STREAM_END && s->inside)
        return fail(FAIL_MEDIA, "%s: the %s data is cut off", s->name,
                    s->pack == PACK_GZIP ? "gzip" : "zstd");
    return n < 0 ? n : n > 0;
}

static int64_t read_gzip(struct stream *s, char *to, size_t n)
{
    z_stream *z = &s->gzip;
    unsigned room = n < 1u << 30 ? (unsigned)n : 1u << 30;
    for (;;) {
        int64_t have = need_packed(s);
        if (have <= 0)
            return have;
        if (!s->inside && s->raw[s->from] == 0) {
            s->from++; /* zeros may pad the file behind a member */
            continue;
        }
        s->inside = true;
        z->next_in = s->raw + s->from;
        z->avail_in = (unsigned)(s->to - s->from);
        z->next_out = (unsigned char *)to;
        z->avail_out = room;
        int rc = inflate(z, Z_NO_FLUSH);
        s->from = s->to - z->avail_in;
        if (rc == Z_STREAM_END) {
            s->inside = false;
            inflateReset(z); /* another member may follow */
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return fail(FAIL_MEDIA, "%s: broken gzip data: %s", s->name,
                        z->msg ? z->msg : "invalid");
        }
        if (z->avail_out < room)
            return (int64_t)(room - z->avail_out);
    }
}

static int64_t read_zstd(struct stream *s, char *to, size_t n)
{
    for (;;) {
        /* What is still inside the decoder comes out first, without more input. */
        ZSTD_outBuffer out = {to, n, 0};
        ZSTD_inBuffer in = {s->raw + s->from, s->to - s->from, 0};
        if (in.size > 0 || s->inside) {
            size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
            if (ZSTD_isError(rc))
                return fail(FAIL_MEDIA, "%s: broken zstd data: %s", s->name,
                            ZSTD_getErrorName(rc));
            s->from += in.pos;
            s->inside = rc != 0;
            if (out.pos > 0)
                return (int64_t)out.pos;
        }
        int64_t have = need_packed(s);
        if (have <= 0)
            return have;
    }
}

int64_t stream_read(struct stream *s, char *to, size_t n)
{
    if (s->pack == PACK_UNKNOWN) {
        int64_t rc = find_pack(s);
        if (rc < 0)
            return rc;
    }
    switch (s->pack) {
    case PACK_GZIP: return read_gzip(s, to, n);
    case PACK_ZSTD: return read_zstd(s, to, n);
    default: return read_plain(s, to, n);
    }
}
