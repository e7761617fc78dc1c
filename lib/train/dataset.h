/* dataset.h: the rows that a run learns from, and the order in which it does.
 *
 * All rows are read, checked and measured before the first step, so that a bad one is
 * told at once and the number of steps is known. Their texts are kept; pictures are read
 * again for each step that uses them.
 */
#ifndef DATASET_H
#define DATASET_H
#include "train/objective.h"

/* One good row. */
struct dataset_row {
    char *text; /* owned */
    size_t size;
    int file;     /* index into dataset.files */
    int64_t line; /* in it, from 1 */
    int tokens, targets;
};

struct dataset {
    const struct objective *objective; /* what makes examples of rows; borrowed */
    char **files;                      /* borrowed; "-" is standard input */
    struct dataset_row *rows;
    int64_t count, cap;
    int64_t bad, passed; /* rows that failed; that came in with an error */
    uint64_t hash;       /* of all good rows' texts, in order */
};

/* Told of each row that failed; its reason is in row->why. */
typedef void dataset_bad(void *context, struct row *row);

/* Read all files; program is the stage of error rows. 0, or -1 (a file cannot be read, a
 * bad row made `stop` true, memory). dataset_free() in both cases. */
int dataset_read(struct dataset *d, const struct objective *objective, char **files,
                 int count, const char *program, const struct trainer_text *t,
                 dataset_bad *bad, void *context, bool (*stop)(void *context));
void dataset_free(struct dataset *d);

/* The example of row i, with its pictures. 0 or -1 (a picture is gone). */
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
