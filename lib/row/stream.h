/* stream.h: the bytes of an input file, unpacked: plain, gzip or zstd by their first
 * bytes, whatever the name says. Waiting for a pipe ends when the run is to stop. */
#ifndef STREAM_H
#define STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens around a wait for input that is not there yet. */
struct stream_wait {
    int wake_fd; /* becomes readable when the run is to stop */
    /* Called before (true) and after (false) waiting. */
    void (*waiting)(void *context, bool yes);
    void *context;
};

enum {
    STREAM_END = 0,
    STREAM_FAILED = -1,  /* fail_text() names the file */
    STREAM_STOPPED = -2, /* wake_fd became readable */
};

struct stream;

/* Open path ("-": standard input). wait is borrowed; NULL: nothing ends a wait. NULL:
 * class media with the reason.
 */
struct stream *stream_open(const char *path, const struct stream_wait *wait);

/* Up to n bytes to to: how many (> 0), or one of the enum. */
int64_t stream_read(struct stream *s, char *to, size_t n);

/* Bytes of the file read so far, and all of them; -1 where that is not known (a pipe). */
void stream_progress(const struct stream *s, int64_t *read, int64_t *all);
const char *stream_name(const struct stream *s); /* the path, or "stdin" */
/* Is it a file on the disk whose bytes are handed out as they lie there? Known once
 * something was read. */
bool stream_plain(const struct stream *s);
void stream_close(struct stream *s);
#endif
