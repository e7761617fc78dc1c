/* window.c: see window.h. */
#include "train/window.h"
#include "base/fail.h"
#include "base/random.h"

#include <stdlib.h>
#include <xxhash.h>

struct item {
    struct line line;
    int file;
};

struct window {
    char **files;
    int file_count, file; /* file: the one that is read */
    const struct stream_wait *wait;
    struct reader *reader; /* NULL: between files */
    struct item *items;    /* [count] of room for rows */
    int64_t count, cap, rows;
    struct random_key key;
    struct window_place place;
};

struct window *window_open(char **files, int count, int64_t rows, uint64_t seed,
                           const struct stream_wait *wait)
{
    struct window *w = malloc(sizeof *w);
    if (!w) {
        fail_memory();
        return NULL;
    }
    *w = (struct window){.files = files,
                         .file_count = count,
                         .wait = wait,
                         .rows = rows,
                         .key = random_key_of(seed, &rows, sizeof rows)};
    return w;
}

void window_close(struct window *w)
{
    if (!w)
        return;
    for (int64_t i = 0; i < w->count; i++) free(w->items[i].line.block);
    free(w->items);
    reader_close(w->reader);
    free(w);
}

/* Room for one more line. */
static int room(struct window *w)
{
    if (w->count < w->cap)
        return 0;
    int64_t cap = w->cap ? w->cap * 2 : 64;
    cap = cap < w->rows ? cap : w->rows;
    struct item *items = realloc(w->items, (size_t)cap * sizeof *items);
    if (!items)
        return fail_memory();
    w->items = items;
    w->cap = cap;
    return 0;
}

/* Read lines until the window is full or the input at its end. 0 or as window_next(). */
static int fill(struct window *w)
{
    while (w->count < w->rows && w->file < w->file_count) {
        if (!w->reader && !(w->reader = reader_open(w->files[w->file], w->wait)))
            return STREAM_FAILED;
        if (room(w) < 0)
            return STREAM_FAILED;
        struct item *to = &w->items[w->count];
        int got = reader_next(w->reader, &to->line);
        if (got < 0)
            return got;
        if (got == STREAM_END) {
            reader_close(w->reader);
            w->reader = NULL;
            w->file++;
            continue;
        }
        to->file = w->file;
        w->place.hash =
            XXH3_64bits_withSeed(to->line.text.s, to->line.text.n, w->place.hash);
        w->place.read++;
        w->count++;
    }
    return 0;
}

int window_next(struct window *w, struct line *line, int *file)
{
    int status = fill(w);
    if (status < 0)
        return status;
    if (w->count == 0)
        return STREAM_END;
    int64_t k = w->place.drawn++;
    int64_t i = (int64_t)(random_unit(w->key, (uint32_t)(k >> 32), (uint32_t)k) *
                          (double)w->count);
    *line = w->items[i].line;
    *file = w->items[i].file;
    w->items[i] = w->items[--w->count];
    return 1;
}

struct window_place window_place(const struct window *w)
{
    return w->place;
}

int window_skip(struct window *w, const struct window_place *to)
{
    struct line line;
    int file, status = 1;
    while (status == 1 && w->place.drawn < to->drawn) {
        status = window_next(w, &line, &file);
        if (status == 1)
            free(line.block);
    }
    if (status < 0)
        return status;
    if (status == STREAM_END || w->place.read != to->read || w->place.hash != to->hash)
        return fail(FAIL_REFUSED, "the rows are not those that the run began with");
    return 1;
}
