/* buf.h: a growing run of bytes.
 *
 * A zeroed struct buf is empty and ready. Adding never returns an error: when memory runs
 * out the buffer turns bad and stays so, and buf_ok() says it once, at the end.
 */
#ifndef BUF_H
#define BUF_H
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; NULL while nothing was added; not NUL-terminated */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    bool bad;   /* memory ran out: content is incomplete */
};

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_text(struct buf *b, const char *text); /* without its NUL */
void buf_char(struct buf *b, char c);
void buf_print(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for n more bytes at the end: where to write them, or NULL (the buffer turned bad).
 * The caller adds what it wrote to len. */
char *buf_room(struct buf *b, size_t n);

/* The bytes as a C string, NUL put behind them (not counted in len); NULL if bad. */
const char *buf_string(struct buf *b);

/* 0, or -1 with fail_text() "out of memory" if the buffer turned bad. */
int buf_ok(const struct buf *b);

void buf_clear(struct buf *b); /* empty, memory kept, no longer bad */
void buf_free(struct buf *b);  /* memory released, *b empty */
#endif
