/* batch_in.c: batch files of results. See batch.h. */
#include "base/fail.h"
#include "model/batch.h"
#include "model/chat_reply.h"
#include "row/json.h"
#include "row/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct batch_in {
    char *name; /* owned */
    int fd;
    struct done_set places; /* by custom_id; from, to: a line in the file */
    int64_t others;         /* lines that are no results */
    struct buf notes;
};

/* A custom_id's key, or -1: the line is no result. */
static int read_key(struct span line, struct key *key)
{
    struct buf id = {0};
    int status = -1;
    if (json_check(line) < 0 || json_type(line) != JSON_OBJECT)
        return -1;
    bool result = json_get(line, "response").s || json_get(line, "error").s;
    struct span value = json_get(line, "custom_id");
    if (result && json_type(value) == JSON_STRING && json_text(value, &id) == 0 &&
        !id.bad) {
        *key = key_of(true, id.data ? id.data : "", id.len);
        status = 0;
    }
    buf_free(&id);
    return status;
}

/* Note where each result lies. 0 or -1. */
static int read_places(struct batch_in *b, FILE *f)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int64_t at = 0;
    int status = 0;
    while (status == 0 && (n = getline(&line, &size, f)) >= 0) {
        struct key key;
        struct span text = {line, (size_t)n};
        if (read_key(text, &key) == 0)
            status = done_set_add(&b->places, (struct done){key, at, at + n, true});
        else if (strspn(line, " \t\r\n") < text.n)
            b->others++;
        at += n;
    }
    if (status == 0 && !feof(f))
        status = fail(FAIL_REFUSED, "%s: %s", b->name, strerror(errno));
    free(line);
    return status;
}

struct batch_in *batch_in_open(const char *name)
{
    struct batch_in *b = calloc(1, sizeof *b);
    FILE *f = fopen(name, "re");
    struct stat st;
    if (!b) {
        if (f)
            fclose(f);
        return fail_memory(), NULL;
    }
    b->fd = -1;
    b->name = strdup(name);
    int status = b->name ? 0 : fail_memory();
    if (status == 0 && !f)
        status = fail(FAIL_REFUSED, "%s: %s", name, strerror(errno));
    if (status == 0 && (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)))
        status = fail(FAIL_REFUSED, "%s: no regular file", name); /* it is read twice */
    if (status == 0)
        status = read_places(b, f);
    if (status == 0 && b->places.used == 0)
        status = fail(FAIL_REFUSED, "%s: no batch result in it", name);
    if (status == 0 && (b->fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3)) < 0)
        status = fail(FAIL_REFUSED, "%s: %s", name, strerror(errno));
    if (b->others > 0)
        buf_print(&b->notes, "%s: %" PRId64 " lines are no batch results", name,
                  b->others);
    if (status == 0 && !buf_string(&b->notes))
        status = fail_memory();
    if (f)
        fclose(f);
    if (status < 0)
        return batch_in_close(b), NULL;
    return b;
}

const char *batch_in_notes(const struct batch_in *b)
{
    return b->notes.data;
}

/* n bytes at a place into *line. 0 or -1. */
static int read_line(struct batch_in *b, struct buf *line, int64_t at, size_t n)
{
    buf_clear(line);
    char *to = buf_room(line, n);
    if (!to)
        return fail_memory();
    while (line->len < n) {
        ssize_t got =
            pread(b->fd, to + line->len, n - line->len, (off_t)(at + (int64_t)line->len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(FAIL_INTERNAL, "%s: %s", b->name,
                        got < 0 ? strerror(errno) : "it became shorter");
        line->len += (size_t)got;
    }
    return 0;
}

/* "the batch says: ..." of a result without a good reply. Returns -1. */
static int failed(const char *what, struct span said)
{
    struct buf text = {0};
    if (said.s)
        chat_error_put(&text, said, NULL);
    if (!buf_string(&text))
        fail_memory();
    else
        fail(FAIL_HTTP, "%s%s%s", what, text.len ? ": " : "", text.data);
    buf_free(&text);
    return -1;
}

int batch_in_find(struct batch_in *b, const char *id, struct buf *line, struct span *body)
{
    const struct done *d = done_set_find(&b->places, key_of(true, id, strlen(id)));
    struct key key;
    int64_t code;
    char what[64];
    if (!d)
        return fail(FAIL_MISSING, "no result in %s", b->name);
    if (read_line(b, line, d->from, (size_t)(d->to - d->from)) < 0)
        return -1;
    struct span text = {line->data, line->len};
    if (read_key(text, &key) < 0 || key.lo != d->key.lo || key.hi != d->key.hi)
        return fail(FAIL_PARSE, "%s: it changed while it was read", b->name);
    struct span error = json_get(text, "error");
    struct span status = json_find(text, "response.status_code");
    *body = json_find(text, "response.body");
    if (json_given(error))
        return failed("the batch says", error);
    if (json_given(status) &&
        (json_type(status) != JSON_NUMBER || json_int(status, &code) < 0))
        return fail(FAIL_PARSE, "a batch result's status_code is no integer");
    if (json_given(status) && code != 200) {
        struct span said = json_get(*body, "error");
        snprintf(what, sizeof what, "status %lld in the batch", (long long)code);
        return failed(what, json_given(said) ? said : *body);
    }
    if (json_type(*body) != JSON_OBJECT)
        return fail(FAIL_PARSE, "a batch result without a body");
    return 0;
}

void batch_in_close(struct batch_in *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    done_set_free(&b->places);
    buf_free(&b->notes);
    free(b->name);
    free(b);
}
