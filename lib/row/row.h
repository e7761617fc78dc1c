/* row.h: one row on its way through a program: an input line and what is added to it. */
#ifndef ROW_H
#define ROW_H
#include "base/buf.h"
#include "base/fail.h"
#include "base/random.h"
#include "base/span.h"
#include "row/json.h"
#include "row/value.h"

/* One input row. Filled by rows_next(); owns its line, texts and edits until row_free().
 * A row may be worked on by one thread at a time. */
struct row {
    const char *file;   /* input file's name, "stdin"; borrowed from the input */
    int64_t line;       /* line number in it, from 1 (element number in a JSON array) */
    int64_t number;     /* row number over all inputs, from 0: what --shard counts */
    struct span text;   /* the line as it came, without its line end */
    struct span id;     /* key: the id's JSON bytes, or a hash of the line in hex */
    bool has_id;        /* the row has an id of its own */
    int64_t occurrence; /* how many rows with this key came before */
    bool passed_error;  /* it came in with `error`: handed on untouched */
    bool bad;           /* row_fail() was called */
    bool flawed;        /* row_flaw() was called */
    struct failure why; /* ... and this is the reason */
    int attempts;       /* tries spent, written into error if > 0 */
    struct row_private *own; /* decoded texts and edits */
};

/* -- Reading fields. Paths are dotted keys ("reward_model.ground_truth"). -------------
 */

struct span row_value(const struct row *row, const char *path); /* s == NULL if absent */
bool row_has(const struct row *row, const char *path);          /* there, and not null */

/* A string field's decoded text, owned by row. 0, or -1: class missing or type, message
 * names the path. */
int row_text(struct row *row, const char *path, struct span *text);
int row_real(struct row *row, const char *path, double *x);
int row_int(struct row *row, const char *path, int64_t *x);
int row_array(struct row *row, const char *path, struct span *array);
int row_list(struct row *row, const char *path, struct value *list); /* the same */

/* Memory that lives as long as the row. NULL (class internal) if short. */
void *row_alloc(struct row *row, size_t bytes);

/* -- Changing it. Edits are kept in order and spliced into the line when it is written;
 *    every other byte stays as it came. ---------------------------------------------- */

/* Set a top-level field to JSON text (copied): replaces its value where the row has it
 * (the last one of duplicates), else is added before the closing brace. 0 or -1 (memory).
 */
int row_set(struct row *row, const char *key, struct span json);

/* The same with json that lives as long as the row (row_alloc): it is not copied. */
int row_set_kept(struct row *row, const char *key, struct span json);

/* Write text (copied) in the row's place, as it is: for a program whose output is no
 * rows. A row that fails afterwards is an error row all the same. 0 or -1 (memory). */
int row_replace(struct row *row, struct span text);

/* Mark the row as failed with the reason in fail_text(). Returns -1. The writer gives it
 * an `error` object {stage, class, message, attempts?} and drops its edits. */
int row_fail(struct row *row);

/* A part of the row failed, for the reason in fail_text(), and a field says so: the row
 * is written as it is, with its edits, but told on stderr and counted as a failed one
 * (status 1, --max-errors, --retry-errors). The first reason is kept. */
void row_flaw(struct row *row);

/* The row's key for random numbers: seed, key, occurrence and the policy version. In a
 * row of the RL ring `_rl.step` and `_rl.i` stand for the occurrence: a ring that was
 * started again has not seen the rows before. */
struct random_key row_random(const struct row *row, uint64_t seed, uint64_t version);

/* The line as it is to be written, edits spliced in, no line end. 0 or -1. */
int row_render(const struct row *row, struct buf *out);

void row_free(struct row *row);
#endif
