/* batch.c: batch files of requests. See batch.h; batch_in.c reads results. */
#include "model/batch.h"
#include "base/fail.h"
#include "row/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLUSH_BYTES = 1 << 20 };

struct batch_out {
    char *name, *part; /* owned */
    int fd;
    struct buf pending;
    int error; /* errno of the first failure */
    pthread_mutex_t lock;
};

void batch_id(char id[BATCH_ID], struct random_key key, int part)
{
    snprintf(id, BATCH_ID, "%016" PRIx64 "%016" PRIx64 "-%d", key.hi, key.lo, part);
}

/* The temporary file, alone ours. 0 or -1. */
static int open_part(struct batch_out *b)
{
    b->fd = open(b->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (b->fd < 0)
        return fail(FAIL_REFUSED, "%s: %s", b->part, strerror(errno));
    if (flock(b->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return fail(FAIL_REFUSED, "%s: another run writes it", b->part);
    if (ftruncate(b->fd, 0) < 0)
        return fail(FAIL_REFUSED, "%s: %s", b->part, strerror(errno));
    return 0;
}

struct batch_out *batch_out_open(const char *name, bool force)
{
    struct stat st;
    bool there = stat(name, &st) == 0;
    if (there && !S_ISREG(st.st_mode))
        return fail(FAIL_REFUSED, "%s: no regular file", name), NULL;
    if (there && !force)
        return fail(FAIL_REFUSED, "%s: it is there already (--force overwrites it)",
                    name),
               NULL;
    struct batch_out *b = calloc(1, sizeof *b);
    if (!b)
        return fail_memory(), NULL;
    b->fd = -1;
    pthread_mutex_init(&b->lock, NULL);
    b->name = strdup(name);
    if (!b->name || asprintf(&b->part, "%s.part", name) < 0) {
        b->part = NULL;
        fail_memory();
        return batch_out_close(b), NULL;
    }
    if (open_part(b) < 0)
        return batch_out_close(b), NULL;
    return b;
}

static int told(const struct batch_out *b)
{
    return fail(FAIL_INTERNAL, "%s: %s", b->part, strerror(b->error));
}

/* Everything pending goes to the file. With the lock held. */
static void flush(struct batch_out *b)
{
    for (size_t at = 0; at < b->pending.len && !b->error;) {
        ssize_t n = write(b->fd, b->pending.data + at, b->pending.len - at);
        if (n < 0 && errno != EINTR)
            b->error = errno;
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&b->pending);
}

int batch_out_write(struct batch_out *b, const char *id, struct span body)
{
    pthread_mutex_lock(&b->lock);
    if (!b->error) {
        buf_print(&b->pending,
                  "{\"custom_id\":\"%s\",\"method\":\"POST\","
                  "\"url\":\"/v1/chat/completions\",\"body\":",
                  id);
        buf_add(&b->pending, body.s, body.n);
        buf_text(&b->pending, "}\n");
        if (b->pending.bad)
            b->error = ENOMEM;
        else if (b->pending.len >= FLUSH_BYTES)
            flush(b);
    }
    int status = b->error ? told(b) : 0;
    pthread_mutex_unlock(&b->lock);
    return status;
}

bool batch_out_bad(struct batch_out *b)
{
    pthread_mutex_lock(&b->lock);
    bool bad = b->error != 0;
    pthread_mutex_unlock(&b->lock);
    return bad;
}

/* The folder's entry, too, must outlive a crash. errno, or 0. */
static int sync_folder(const char *name)
{
    char *copy = strdup(name);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int error = !copy ? ENOMEM : fd < 0 ? errno : 0;
    if (!error && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        error = errno;
    if (fd >= 0)
        close(fd);
    free(copy);
    return error;
}

int batch_out_finish(struct batch_out *b)
{
    pthread_mutex_lock(&b->lock);
    flush(b);
    if (!b->error && fsync(b->fd) < 0)
        b->error = errno;
    if (!b->error && rename(b->part, b->name) < 0)
        b->error = errno;
    if (!b->error)
        b->error = sync_folder(b->name);
    int status = b->error ? told(b) : 0;
    if (!b->error)
        b->error = EBADF; /* it is complete */
    pthread_mutex_unlock(&b->lock);
    return status;
}

void batch_out_close(struct batch_out *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    pthread_mutex_destroy(&b->lock);
    buf_free(&b->pending);
    free(b->name);
    free(b->part);
    free(b);
}
