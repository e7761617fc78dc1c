/* output.h: bytes on their way to a file descriptor. */
#ifndef OUTPUT_H
#define OUTPUT_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

struct output {
    int fd;           /* -1: closed */
    const char *name; /* for messages; borrowed */
    struct buf buf;   /* not written yet */
    int64_t end;      /* where the file ends once buf is written */
    int error;        /* errno of the first write that failed: nothing is written since */
};

void output_put(struct output *o, struct span bytes);
int output_flush(struct output *o); /* 0, or -1 with o->error set */
/* Write n bytes, however many calls that takes. 0, or -1 and errno. */
int output_write(int fd, const char *s, size_t n);
void output_close(struct output *o); /* does not flush */
#endif
