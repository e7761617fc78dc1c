/* wording.c: see wording.h. */
#include "qa/wording.h"
#include "base/fail.h"
#include "model/prompt_file.h"
#include "model/share.h"

#include <limits.h>
#include <stdio.h>

/* A piece of a prompt file: plain text, or a place by its name (braces left out). */
struct piece {
    bool place;
    struct span text;
};

/* The piece at *at, which moves behind it. 1; 0 at the end; -1 at a brace that is neither
 * doubled nor part of a place, *at then standing on it. */
static int next_piece(struct span text, size_t *at, struct piece *p)
{
    const char *s = text.s + *at;
    size_t n = text.n - *at, len = 0;
    if (n == 0)
        return 0;
    while (len < n && s[len] != '{' && s[len] != '}') len++;
    if (len == 0 && n > 1 && s[1] == s[0]) { /* a doubled brace stands for one */
        *p = (struct piece){false, {s, 1}};
        *at += 2;
    } else if (len == 0) {
        const char *end = s[0] == '{' ? memchr(s, '}', n) : NULL;
        if (!end)
            return -1;
        *p = (struct piece){true, {s + 1, (size_t)(end - s) - 1}};
        *at += p->text.n + 2;
    } else {
        *p = (struct piece){false, {s, len}};
        *at += len;
    }
    return 1;
}

static int line_at(struct span text, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++) line += text.s[i] == '\n';
    return line;
}

static int find(const char *const *places, struct span name)
{
    for (int i = 0; places[i]; i++)
        if (span_is(name, places[i]))
            return i;
    return -1;
}

/* "{caption} {question}": for messages. */
static const char *list(struct buf *b, const char *const *places)
{
    for (int i = 0; places[i]; i++) buf_print(b, "%s{%s}", i ? " " : "", places[i]);
    return buf_string(b) ? b->data : "";
}

static int bad_place(const char *file, struct span text, size_t at, struct span name,
                     const char *const *places)
{
    struct buf b = {0};
    int shown = name.n < 40 ? (int)name.n : 40;
    fail(FAIL_REFUSED, "%s:%d: {%.*s}: not a place of this prompt (%s; {{ is a brace)",
         file, line_at(text, at), shown, name.s, list(&b, places));
    buf_free(&b);
    return -1;
}

/* Every brace is part of a place that may stand here, and the needed ones do. */
static int check(const char *file, struct span text, const char *const *places,
                 int needed)
{
    struct piece p;
    unsigned seen = 0;
    size_t at = 0, from = 0;
    int status;
    for (; (status = next_piece(text, &at, &p)) > 0; from = at) {
        int place = p.place ? find(places, p.text) : -1;
        if (p.place && place < 0)
            return bad_place(file, text, from, p.text, places);
        if (p.place)
            seen |= 1u << place;
    }
    if (status < 0)
        return fail(FAIL_REFUSED, "%s:%d: a lone '%c': write %c%c for a brace", file,
                    line_at(text, at), text.s[at], text.s[at], text.s[at]);
    for (int i = 0; i < needed; i++)
        if (!(seen >> i & 1))
            return fail(FAIL_REFUSED, "%s: no {%s} in it", file, places[i]);
    return 0;
}

int wording_open(struct wording *w, const char *path, const char *name,
                 const char *const *places, int needed)
{
    char shared[PATH_MAX], below[NAME_MAX];
    *w = (struct wording){0};
    if (!path) {
        snprintf(below, sizeof below, "prompts/%s", name);
        if (share_path(shared, sizeof shared, below) < 0)
            return -1;
        path = shared;
    }
    if (prompt_file_read(&w->text, path) < 0 ||
        check(path, (struct span){w->text.data, w->text.len}, places, needed) < 0)
        return wording_close(w), -1;
    return 0;
}

int wording_of(struct wording *w, const char *name, struct span text,
               const char *const *places, int needed)
{
    *w = (struct wording){0};
    buf_add(&w->text, text.s, text.n);
    if (buf_ok(&w->text) < 0 || check(name, text, places, needed) < 0)
        return wording_close(w), -1;
    return 0;
}

bool wording_has(const struct wording *w, const char *place)
{
    struct span text = {w->text.data, w->text.len};
    struct piece p;
    for (size_t at = 0; next_piece(text, &at, &p) > 0;)
        if (p.place && span_is(p.text, place))
            return true;
    return false;
}

void wording_close(struct wording *w)
{
    buf_free(&w->text);
}

int wording_fill(const struct wording *w, const struct wording_values *v, struct buf *out)
{
    struct span text = {w->text.data, w->text.len};
    struct piece p;
    for (size_t at = 0; next_piece(text, &at, &p) > 0;) {
        struct span put = p.text;
        if (p.place && span_is(p.text, "n")) {
            buf_print(out, "%d", v->n);
            continue;
        }
        if (p.place)
            put = span_is(p.text, "caption")      ? v->caption
                  : span_is(p.text, "question")   ? v->question
                  : span_is(p.text, "answer")     ? v->answer
                  : span_is(p.text, "prediction") ? v->prediction
                                                  : v->options;
        buf_add(out, put.s, put.n);
    }
    return buf_ok(out);
}
