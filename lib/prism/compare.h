/* compare.h: two results of one benchmark, row by row: is a captioner, or a judge, better
 * than another one, and by how much.
 */
#ifndef PRISM_COMPARE_H
#define PRISM_COMPARE_H
#include "base/buf.h"
#include <stdint.h>

struct compared {
    int64_t rows;           /* scored in both */
    int64_t only_a, only_b; /* scored in one alone: not compared */
    int64_t up, down;       /* rows whose score is higher, lower in b */
    int pictures;
    double a, b;      /* means over the rows in both */
    double low, high; /* 95% of b - a: the 2.5th and 97.5th percentile of a
                         bootstrap over pictures (summary.h), linear between
                         draws */
    double se;
};

/* Compare the rows of two files that prism-eval wrote. Rows are the same by their id and
 * its occurrence, without an id by picture, question or prompt, and occurrence. Rows
 * whose score differs are appended to *changed, a line each in b's order:
 *     {"id":..,"image":..,"a":0,"b":1}
 * 0, or -1 naming the file: unreadable, no JSON, no row in common. */
int compare_files(struct compared *c, const char *a, const char *b, uint64_t seed,
                  struct buf *changed);

/* Append it as a JSON object; as lines for the eye. */
void compare_put(struct buf *out, const struct compared *c, uint64_t seed);
void compare_table(struct buf *out, const struct compared *c);
#endif
