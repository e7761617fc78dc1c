/* wording.h: prompt files with places to fill: {caption} {question} {options} {n}.
 * `{{` and `}}` are braces. What is put in is content and never read for places again. */
#ifndef WORDING_H
#define WORDING_H
#include "base/buf.h"
#include "base/span.h"

struct wording {
    struct buf text; /* owned: the file's text */
};

struct wording_values {
    struct span caption, question, options; /* s NULL: the place is refused when opened */
    int n;
};

/* Read path, or share/prompts/NAME where path is NULL, and check it: places[] (a
 * NULL-ended list of names) are those that may stand in it, and the first `needed` of
 * them must. 0, or -1 (class refused) naming file, line and place. */
int wording_open(struct wording *w, const char *path, const char *name,
                 const char *const *places, int needed);
void wording_close(struct wording *w);
/* Append the filled text. 0 or -1 (memory). */
int wording_fill(const struct wording *w, const struct wording_values *v,
                 struct buf *out);
#endif
