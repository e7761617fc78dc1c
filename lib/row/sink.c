/* sink.c: see sink.h. Opening and resuming is in sink_open.c. */
#include "row/sink.h"
#include "row/row_own.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void note_error(struct sink *s, int error, const char *name)
{
    if (!s->error) {
        s->error_name = name;
        s->error = error;
    }
}

static void note_errors(struct sink *s)
{
    if (s->out.error)
        note_error(s, s->out.error, s->out.name);
    if (s->errors.error)
        note_error(s, s->errors.error, s->errors.name);
}

int sink_done(struct sink *s, struct row *row)
{
    if (!s->file)
        return 0;
    struct key key = journal_key(row);
    const struct done *done = done_set_find(&s->before.done, key);
    if (done)
        return 1;
    done = s->old < 0 ? NULL : done_set_find(&s->redo.done, key);
    if (!done || !done->ok)
        return 0;
    size_t n = (size_t)(done->to - done->from);
    row->own->dropped = n == 0;
    if (n == 0)
        return 2;
    char *copy = row_alloc(row, n);
    if (!copy)
        return -1;
    for (size_t got = 0; got < n;) {
        ssize_t more = pread(s->old, copy + got, n - got, done->from + (off_t)got);
        if (more <= 0)
            return fail(FAIL_INTERNAL, "%s: %s", s->old_path,
                        more < 0 ? strerror(errno) : "shorter than its journal says");
        got += (size_t)more;
    }
    row->own->copied = (struct span){copy, n - 1}; /* without its line end */
    return 2;
}

static void put_piece(void *context, struct span piece)
{
    output_put(context, piece);
}

void sink_put(struct sink *s, const struct row *row, bool dropped)
{
    pthread_mutex_lock(&s->lock);
    struct output *to = row->bad && s->plan.errors ? &s->errors : &s->out;
    if (s->error) {
        pthread_mutex_unlock(&s->lock);
        return;
    }
    if (!dropped) {
        if (row_emit(row, put_piece, to) < 0)
            note_error(s, ENOMEM, to->name); /* of this row nothing was put */
        else
            output_put(to, (struct span){"\n", 1});
    }
    if (s->file) {
        journal_put_row(&s->pending, row, s->out.end, s->plan.errors ? s->errors.end : -1,
                        !row->bad && !row->flawed);
        if (s->pending.bad)
            note_error(s, ENOMEM, s->plan.path);
    }
    note_errors(s);
    pthread_mutex_unlock(&s->lock);
}

static void flush_locked(struct sink *s)
{
    if (s->out.fd >= 0)
        output_flush(&s->out);
    if (s->errors.fd >= 0)
        output_flush(&s->errors);
    note_errors(s);
}

void sink_flush(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    flush_locked(s);
    pthread_mutex_unlock(&s->lock);
}

/* Rows go on being written while this waits for the disk: only the journal lines of what
 * was flushed before are taken along. */
void sink_commit(struct sink *s)
{
    pthread_mutex_lock(&s->commit);
    pthread_mutex_lock(&s->lock);
    flush_locked(s);
    struct buf lines = s->pending;
    int64_t end = s->out.end, errors_end = s->errors.end;
    s->pending = (struct buf){0};
    pthread_mutex_unlock(&s->lock);
    if (s->file && lines.len > 0 && !s->error) {
        if (fdatasync(s->out.fd) < 0)
            note_error(s, errno, s->out.name);
        else if (s->errors.fd >= 0 && fdatasync(s->errors.fd) < 0 && errno != EINVAL)
            note_error(s, errno, s->errors.name);
        else if (output_write(s->journal, lines.data, lines.len) < 0 ||
                 fdatasync(s->journal) < 0)
            note_error(s, errno, s->plan.path);
        else
            s->safe = end, s->errors_safe = errors_end;
    }
    buf_free(&lines);
    pthread_mutex_unlock(&s->commit);
}

/* After a failed write the files end in a torn row: cut them where the journal says. */
static void cut(struct sink *s)
{
    if (s->file && s->out.fd >= 0 && ftruncate(s->out.fd, s->safe) < 0)
        return; /* the next run cuts it */
    if (s->file && s->errors_file && ftruncate(s->errors.fd, s->errors_safe) < 0)
        return;
}

int sink_close(struct sink *s, bool finished)
{
    if (s->closed)
        return s->error ? -1 : 0;
    s->closed = true;
    if (s->out.fd >= 0)
        sink_commit(s);
    if (s->error)
        cut(s);
    output_close(&s->out);
    output_close(&s->errors);
    note_errors(s);
    if (s->journal >= 0)
        close(s->journal);
    if (s->old >= 0) {
        close(s->old);
        if (finished && !s->error) {
            unlink(s->old_path); /* first: must_redo() knows a journal alone */
            unlink(s->old_journal_path);
        }
    }
    journal_state_free(&s->before);
    journal_state_free(&s->redo);
    buf_free(&s->pending);
    free(s->file_path);
    free(s->journal_path);
    free(s->old_path);
    free(s->old_journal_path);
    s->file_path = s->journal_path = s->old_path = s->old_journal_path = NULL;
    s->journal = s->old = -1;
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->commit);
    return s->error ? -1 : 0;
}
