/* window.h: lines of any number of rows in a seeded order, with a window of them in
 * memory: each draw takes one of the window's lines at random, and the next line that
 * comes takes its place. What the k-th draw gives is a function of the input, the seed
 * and the window's size alone.
 */
#ifndef WINDOW_H
#define WINDOW_H
#include "row/reader.h"

struct window;

/* Where a run stands in its input. */
struct window_place {
    int64_t drawn, read; /* lines */
    uint64_t hash;       /* of those read */
};

/* files ("-": standard input) and wait are borrowed. rows: lines in memory; 1: in order.
 * NULL without memory. */
struct window *window_open(char **files, int count, int64_t rows, uint64_t seed,
                           const struct stream_wait *wait);
void window_close(struct window *w);

/* Draw a line: the caller's as of reader_next(), of file number *file. 1, or STREAM_END,
 * STREAM_FAILED (a file cannot be read, memory), STREAM_STOPPED. */
int window_next(struct window *w, struct line *line, int *file);

/* After the last draw. */
struct window_place window_place(const struct window *w);

/* Draw what was drawn before. 1; STREAM_FAILED also if that is not what is there now
 * (class refused); STREAM_STOPPED. */
int window_skip(struct window *w, const struct window_place *to);
#endif
