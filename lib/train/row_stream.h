/* row_stream.h: rows from a pipe of any length, the rows of one step at a time. */
#ifndef ROW_STREAM_H
#define ROW_STREAM_H
#include "train/dataset.h"
#include "train/window.h"

/* Zeroed is empty. */
struct row_stream {
    struct dataset d; /* the rows of the step, in order */
    bool last;        /* there are none behind them */
    /* Behind the step's rows: */
    struct window_place place;
    int64_t bad; /* rows that failed since the stream was opened */

    struct dataset_reading how; /* own */
    struct window *window;
    struct dataset_row next; /* drawn, and too long for the step; size 0: none */
};

/* files and how's pointers are borrowed. 0 or -1 (memory). */
int row_stream_open(struct row_stream *s, char **files, int count, int64_t window,
                    uint64_t seed, const struct dataset_reading *how);
void row_stream_close(struct row_stream *s);

/* Where a run went on to, before the first step. 1, STREAM_FAILED or STREAM_STOPPED. */
int row_stream_skip(struct row_stream *s, const struct window_place *to);

/* The rows of the next step: as many as make at most so many tokens, and at least one. 1,
 * STREAM_END, STREAM_FAILED or STREAM_STOPPED. */
int row_stream_step(struct row_stream *s, int64_t tokens);
#endif
