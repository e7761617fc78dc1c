/* summary.h: what the rows of a benchmark come to: mean over a picture's captions, best
 * of them, standard errors, by category.
 *
 * Rows about one picture share its captions, so they are not independent: the standard
 * error comes from a bootstrap over pictures (Efron, Ann. Statist. 7, 1979). Draw b of
 * BOOTSTRAP_DRAWS takes P pictures out of the P there are, in order of first appearance:
 * the i-th is number floor(r * P / 2^32), r the first word of the Philox4x32-10 block
 * with counter {i, b, 0, 0} and key {seed, seed >> 32}. A draw's value is the sum of its
 * rows' scores by their number; se is the standard deviation of the draws' values
 * (n - 1). A category's figures are
 * those of its rows alone, as if no others were there.
 */
#ifndef PRISM_SUMMARY_H
#define PRISM_SUMMARY_H
#include "base/buf.h"
#include "prism/bootstrap.h"
#include "prism/names.h"
#include <stdbool.h>
#include <stdint.h>

/* One row that was scored. */
struct summary_row {
    int64_t number; /* its place in the input, for one order of sums */
    int picture, category;
    double score, best;
};

struct summary {
    struct summary_row *rows; /* [count]; owned */
    int64_t count, cap;
    struct names pictures, categories;
    int64_t failed;          /* rows without a score */
    int captions;            /* of the row that has most */
    struct figures *figures; /* [categories.count + 1], owned: all rows' last; NULL until
                                they are asked for */
};

/* What a set of rows comes to. */
struct figures {
    int64_t rows;
    int pictures;
    double mean, mean_se, best, best_se; /* se: 0 for a single picture */
};

/* Count in a row as prism-eval wrote it (checked JSON): by its media (or id), score, best
 * and category key; one with `error` or without a score counts as failed. Not for several
 * threads at once. 0 or -1 (memory). */
int summary_add(struct summary *s, struct span row, int64_t number, const char *category);
/* The same for every row of a file (FILE of -o or --errors). 0, or -1 naming it. */
int summary_read(struct summary *s, const char *path, const char *category);
void summary_free(struct summary *s);

/* Work the figures out, once all rows are counted in. 0 or -1 (memory). */
int summary_measure(struct summary *s, uint64_t seed);

/* Append what was measured: members of a JSON object, without its braces: rows, failed,
 * pictures, captions, mean, mean_se, best, best_se, bootstrap, categories. 0 or -1
 * (memory). */
int summary_put(const struct summary *s, uint64_t seed, struct buf *out);
/* The same as a table for the eye, lines ended. */
int summary_table(const struct summary *s, struct buf *out);
#endif
