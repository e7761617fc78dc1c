/* journal.h: which rows an output file holds, kept beside it as FILE.journal.
 *
 *     {"program":"caption","version":"0.1.0","options":"HASH","model":"HASH",...,
 *      "given":{"temperature":"HASH",...}}
 *     {"id":"cat","n":0,"end":120,"ok":true}
 *     {"line":"HASH","n":0,"end":120,"errors_end":80,"ok":false}
 *
 * The first line is what --stamp adds to each row, and `given`: which options a run that
 * may not be resumed with others was given. Then one line a row, in the order of
 * the output: its key (an id over JOURNAL_ID bytes as "id_hash"), its occurrence, where
 * the output (and the file of --errors) ends behind it. The rows' bytes are on the disk
 * before their lines are written.
 */
#ifndef JOURNAL_H
#define JOURNAL_H
#include "base/buf.h"
#include "row/keys.h"
#include "row/row.h"

enum { JOURNAL_ID = 256 };

/* The run. What it continues must have program and options in common with it. */
struct journal_head {
    const char *program, *options; /* options: their hash */
    struct span stamp;             /* the first line: an object that has both */
    struct span given;             /* an object: hashes of the options by name */
};

/* What is known from a journal. */
struct journal_state {
    struct done_set done;
    int64_t rows, failed;    /* rows done; how many of them failed */
    int64_t end, errors_end; /* the files hold whole rows up to here */
    int64_t length;          /* the journal's own part that counts */
};

/* Read the journal at path. Lines behind a torn one, or of rows that lie beyond the
 * files' sizes, do not count. 1; 0 if there is no journal, or one without a whole first
 * line; -1 (class refused) if another program or other options wrote it. */
int journal_load(struct journal_state *state, const char *path,
                 const struct journal_head *head, int64_t size, int64_t errors_size);
void journal_state_free(struct journal_state *state);

/* Append the first line / a row's line to out. errors_end < 0: there is no such file. */
void journal_put_head(struct buf *out, const struct journal_head *head);
void journal_put_row(struct buf *out, const struct row *row, int64_t end,
                     int64_t errors_end, bool ok);

struct key journal_key(const struct row *row); /* the key with its occurrence */
#endif
