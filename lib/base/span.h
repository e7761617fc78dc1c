/* span.h: a run of bytes that somebody else owns. May hold NUL; has none behind it. */
#ifndef SPAN_H
#define SPAN_H
#include <stdbool.h>
#include <string.h>

struct span {
    const char *s;
    size_t n;
};

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}
static inline bool span_is(struct span a, const char *text)
{
    size_t n = strlen(text);
    return a.n == n && (n == 0 || memcmp(a.s, text, n) == 0);
}
#endif
