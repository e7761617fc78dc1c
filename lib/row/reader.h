/* reader.h: rows as they lie in a file: lines, or the elements of one JSON array. */
#ifndef READER_H
#define READER_H
#include "base/span.h"
#include "row/stream.h"

struct reader;

enum reader_content {
    READER_ROWS,   /* a JSON object or array begins it, or it is empty */
    READER_EMPTY,  /* nothing in it */
    READER_OTHER,  /* something else begins it */
    READER_FAILED, /* it cannot be read: fail_text() */
    READER_STOPPED,
};

/* Read path ("-": standard input), or NULL with the reason. A byte order mark is skipped;
 * UTF-16 is refused. */
struct reader *reader_open(const char *path, const struct stream_wait *wait);

/* Look at the beginning, reading as much as that needs. */
enum reader_content reader_content(struct reader *r);
/* What has been read and not handed out. */
struct span reader_head(const struct reader *r);

/* One row's text. */
struct line {
    void *block;      /* malloc'd: the caller's to free; text lies in it */
    struct span text; /* no line end; an array's element holds no line end at all */
    int64_t number;   /* line, or element of the array, from 1 */
    int64_t offset;   /* of text in the file; -1: it does not lie there as it is */
};

/* The next one; blank lines are skipped. 1, or STREAM_END, STREAM_FAILED (the rest of the
 * file cannot be read), STREAM_STOPPED. */
int reader_next(struct reader *r, struct line *line);

const struct stream *reader_stream(const struct reader *r);
void reader_close(struct reader *r);
#endif
