/* wording.h: prompt files with places to fill: {caption} {question} {options} {answer}
 * {prediction} {n}.
 * `{{` and `}}` are braces. What is put in is content and never read for places again. */
#ifndef WORDING_H
#define WORDING_H
#include "base/buf.h"
#include "base/span.h"

struct wording {
    struct buf text; /* owned: the file's text */
};

struct wording_values {
    struct span caption, question, options; /* of places that wording_open() let in */
    struct span answer, prediction;
    int n;
};

/* Read path, or share/prompts/NAME where path is NULL, and check it: places[] (a
 * NULL-ended list of those names, "caption", ...) may stand in it, any number of times,
 * and the first `needed` of them must. The last line end is left out. 0, or -1: as
 * prompt_file_read(), or class refused, naming file, line and place. *w is empty then. */
int wording_open(struct wording *w, const char *path, const char *name,
                 const char *const *places, int needed);

/* The same from a text in memory, which is copied; name stands for the file in messages.
 */
int wording_of(struct wording *w, const char *name, struct span text,
               const char *const *places, int needed);
void wording_close(struct wording *w);

/* Does {place} stand in the text? */
bool wording_has(const struct wording *w, const char *place);
/* Append the filled text. 0 or -1 (memory). */
int wording_fill(const struct wording *w, const struct wording_values *v,
                 struct buf *out);
#endif
