/* safetensors_write.c: see safetensors_write.h. */
#include "engine/safetensors_write.h"
#include "base/buf.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct safetensors_writer {
    char *path;
    int fd;
    int64_t left; /* bytes of data still to come */
    struct buf pending;
};

enum { WRITE_BYTES = 1 << 20 }; /* written at once */

static const char *type_name(enum arr_type type)
{
    static const char *const names[] = {[ARR_F32] = "F32",
                                        [ARR_BF16] = "BF16",
                                        [ARR_F16] = "F16",
                                        [ARR_I32] = "I32",
                                        [ARR_U8] = "U8"};
    return names[type];
}

static int64_t plan_bytes(const struct tensor_plan *t)
{
    int64_t n = (int64_t)arr_type_size(t->type);
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

/* Header: 8 bytes of length, JSON, spaces up to a multiple of 8. */
static int64_t make_header(struct buf *b, const struct tensor_plan *plan, int count)
{
    int64_t at = 0;
    uint64_t length = 0;
    buf_add(b, &length, sizeof length);
    buf_text(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < count; i++) {
        const struct tensor_plan *t = &plan[i];
        buf_print(b, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name,
                  type_name(t->type));
        for (int d = 0; d < t->rank; d++)
            buf_print(b, "%s%lld", d ? "," : "", (long long)t->shape[d]);
        buf_print(b, "],\"data_offsets\":[%lld,%lld]}", (long long)at,
                  (long long)(at + plan_bytes(t)));
        at += plan_bytes(t);
    }
    buf_char(b, '}');
    while (!b->bad && b->len % 8) buf_char(b, ' ');
    if (!b->bad) {
        length = b->len - sizeof length;
        memcpy(b->data, &length, sizeof length);
    }
    return at;
}

/* FAIL_REFUSED: there is no space. Returns -1. */
static int write_failed(const struct safetensors_writer *w)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fail(full ? FAIL_REFUSED : FAIL_MODEL, "%s: %s", w->path, strerror(errno));
}

static int write_all(struct safetensors_writer *w, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(w->fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_failed(w);
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

struct safetensors_writer *safetensors_create(const char *path,
                                              const struct tensor_plan *plan, int count)
{
    struct safetensors_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path)))
        return free(w), fail_memory(), NULL;
    w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        write_failed(w);
        free(w->path);
        free(w);
        return NULL;
    }
    w->left = make_header(&w->pending, plan, count);
    if (buf_ok(&w->pending) < 0)
        return safetensors_abandon(w), NULL;
    return w;
}

int safetensors_append(struct safetensors_writer *w, const void *bytes, size_t n)
{
    w->left -= (int64_t)n;
    buf_add(&w->pending, bytes, n);
    if (buf_ok(&w->pending) < 0)
        return -1;
    if (w->pending.len < WRITE_BYTES)
        return 0;
    int status = write_all(w, w->pending.data, w->pending.len);
    buf_clear(&w->pending);
    return status;
}

static void release(struct safetensors_writer *w)
{
    buf_free(&w->pending);
    free(w->path);
    free(w);
}

int safetensors_finish(struct safetensors_writer *w)
{
    int status = write_all(w, w->pending.data, w->pending.len);
    if (status == 0 && w->left != 0)
        status = fail(FAIL_INTERNAL, "%s: %lld bytes of data are missing", w->path,
                      (long long)w->left);
    if (status == 0 && fsync(w->fd) < 0)
        status = write_failed(w);
    if (close(w->fd) < 0 && status == 0)
        status = write_failed(w);
    if (status < 0)
        unlink(w->path);
    release(w);
    return status;
}

void safetensors_abandon(struct safetensors_writer *w)
{
    close(w->fd);
    unlink(w->path);
    release(w);
}
