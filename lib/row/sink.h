/* sink.h: where rows go: standard output, or a file with its journal; and the file of
 * --errors. Any thread may call; rows are written in the order of the calls.
 *
 * Redoing failed rows (--retry-errors) writes FILE anew, beside FILE.redo and
 * FILE.redo.journal, from which the good rows are copied; these go when it is finished.
 * Where FILE is a symbolic link, it is what that leads to which is written anew.
 */
#ifndef SINK_H
#define SINK_H
#include "row/journal.h"
#include "row/output.h"
#include <pthread.h>
#include <stdatomic.h>

struct sink_plan {
    const char *path;   /* NULL: standard output */
    const char *errors; /* NULL: failed rows go where the others go */
    bool resume, force, retry;
};

struct sink {
    struct sink_plan plan;
    bool file;        /* path is a regular file: it has a journal */
    bool errors_file; /* there is one of --errors, and it is a regular file */
    struct output out, errors;
    char *file_path; /* owned, as the next: where path leads, if it is a link */
    char *journal_path, *old_path, *old_journal_path;
    int journal, old;            /* descriptors, -1 if not open */
    struct journal_state before; /* what earlier runs did */
    struct journal_state redo;   /* ... the rows of FILE.redo */
    struct buf pending;          /* journal lines of rows not yet on the disk */
    int64_t safe, errors_safe;   /* ends that the journal vouches for */
    atomic_int error;            /* errno of the first failure */
    const char *error_name;      /* ... and what it was about */
    bool closed;
    pthread_mutex_t lock, commit;
};

/* May this run write there? Nothing is opened or changed. 0 or -1 (refused). */
int sink_check(const struct sink_plan *plan);

/* Open everything; with resume, cut the files behind their last whole row. *s is zeroed.
 * 0 or -1 (refused). sink_close() in any case. */
int sink_open(struct sink *s, const struct sink_plan *plan,
              const struct journal_head *head);

/* Has an earlier run done this row? If its bytes are to be copied from there, they become
 * row's text to write. 1 done, 2 to be copied, 0 not done, -1 (the bytes are gone). */
int sink_done(struct sink *s, struct row *row);

/* Write a row (or, dropped, only note it as done). A write that fails sets error. */
void sink_put(struct sink *s, const struct row *row, bool dropped);
void sink_flush(struct sink *s);  /* what is buffered goes out */
void sink_commit(struct sink *s); /* ... and to the disk, and then into the journal */

/* Commit and close (once; later calls do nothing). finished: no row is left to do. 0, or
 * -1 with error set. */
int sink_close(struct sink *s, bool finished);
#endif
