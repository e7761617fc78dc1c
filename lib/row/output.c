/* output.c: see output.h. */
#include "row/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { OUTPUT_BUFFER = 64 << 10 };

int output_write(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, s, n < 1 << 30 ? n : 1 << 30);
        if (done >= 0) {
            s += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) { /* somebody made our pipe non-blocking */
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

int output_flush(struct output *o)
{
    if (!o->error && o->buf.len > 0 && output_write(o->fd, o->buf.data, o->buf.len) < 0)
        o->error = errno;
    o->buf.len = 0;
    return o->error ? -1 : 0;
}

void output_put(struct output *o, struct span bytes)
{
    if (o->error || bytes.n == 0)
        return;
    o->end += (int64_t)bytes.n;
    if (o->buf.len + bytes.n > OUTPUT_BUFFER && output_flush(o) < 0)
        return;
    if (bytes.n >= OUTPUT_BUFFER) {
        if (output_write(o->fd, bytes.s, bytes.n) < 0)
            o->error = errno;
        return;
    }
    buf_add(&o->buf, bytes.s, bytes.n);
    if (o->buf.bad)
        o->error = ENOMEM;
}

void output_close(struct output *o)
{
    if (o->fd > STDERR_FILENO && close(o->fd) < 0 && !o->error && errno != EINTR)
        o->error = errno;
    o->fd = -1;
    buf_free(&o->buf);
}
