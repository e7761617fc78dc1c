/* dataset.h: the rows that a run learns from, and the order in which it does.
 *
 * All rows are read, checked and measured before the first step, so that a bad one is
 * told at once and the number of steps is known. Of a row of a plain file only its place
 * and hash are kept, and its text is read again for each step that uses it, as pictures
 * are; texts from pipes, packed files and JSON arrays are kept. (Rows from a pipe that
 * are not to be kept: row_stream.h.)
 */
#ifndef DATASET_H
#define DATASET_H
#include "row/reader.h"
#include "train/objective.h"

/* One good row. */
struct dataset_row {
    char *text;     /* owned; NULL: in the file, at offset */
    int64_t offset; /* bytes */
    size_t size;    /* bytes */
    uint64_t hash;  /* of text */
    int file;       /* index into dataset.files */
    int64_t line;   /* in it, from 1 */
    int tokens, targets;
};

struct dataset {
    const struct objective *objective; /* what makes examples of rows; borrowed */
    char **files;                      /* borrowed; "-" is standard input */
    int file_count;
    int *fds; /* [file_count] of files that are read again; -1: not open */
    struct dataset_row *rows;
    int64_t count, cap;
    int64_t bad, passed; /* rows that failed; that came in with an error */
    uint64_t hash;       /* of all good rows' texts, in order */
};

/* How rows are read: borrowed all. */
struct dataset_reading {
    const struct objective *objective;
    const struct trainer_text *text;
    const char *program;                         /* the stage of error rows */
    void *context;                               /* of what follows */
    void (*bad)(void *context, struct row *row); /* a row failed; why is in row->why */
    bool (*stop)(void *context);
    const struct stream_wait *wait; /* around waits for a pipe; NULL: none */
};

/* Read all files. 0, or -1 (a file cannot be read, stopped, memory). dataset_free() in
 * both cases. */
int dataset_read(struct dataset *d, char **files, int count,
                 const struct dataset_reading *how);
void dataset_free(struct dataset *d);

/* Add one line of file number `file`, kept as text unless it may be read again; a bad one
 * is told. Takes over line->block. 0 or -1 (memory). */
int dataset_line(struct dataset *d, struct line *line, int file, bool keep,
                 const struct dataset_reading *how);

enum { DATASET_CHANGED = -2 };

/* The example of row i, with its pictures. 0, -1 (a picture is gone), or DATASET_CHANGED:
 * the file does not have the row any more. */
int dataset_example(const struct dataset *d, int64_t i, const struct trainer_text *t,
                    struct example *e);

/* -- Order ------------------------------------------------------------------------------
 */

/* order[count]: a permutation that (seed, epoch) alone decide (Fisher and Yates, numbers
 * of random.h); with shuffle off the rows as they come. */
void dataset_order(const struct dataset *d, uint64_t seed, int64_t epoch, bool shuffle,
                   int64_t *order);

/* How many rows from order[at] on make one batch of at most so many tokens: at least one.
 */
int64_t dataset_batch(const struct dataset *d, const int64_t *order, int64_t at,
                      int64_t tokens);
#endif
