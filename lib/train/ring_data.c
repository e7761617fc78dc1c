/* ring_data.c: see ring_data.h. */
#include "train/ring_data.h"
#include "base/fail.h"
#include "row/row_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct ring_file {
    const char *name; /* borrowed */
    FILE *stream;
    struct stat was;
};

struct ring_place {
    int64_t offset, line;
    uint32_t size, hash;
    int file;
};

static int file_open(struct ring_file *f, const char *name)
{
    unsigned char head[4] = {0};
    f->name = name;
    f->stream = fopen(name, "re");
    if (!f->stream || fstat(fileno(f->stream), &f->was) < 0)
        return fail(FAIL_MEDIA, "%s: %s", name, strerror(errno));
    if (!S_ISREG(f->was.st_mode))
        return fail(FAIL_REFUSED, "%s: no regular file: rows are read more than once",
                    name);
    ssize_t n = pread(fileno(f->stream), head, sizeof head, 0);
    if (n >= 2 && ((head[0] == 0x1F && head[1] == 0x8B) ||
                   (n == 4 && memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0)))
        return fail(FAIL_REFUSED,
                    "%s: packed: rows are read by their places, so unpack it first",
                    name);
    return 0;
}

static int place_add(struct ring_data *d, const struct ring_place *place)
{
    if (d->count == d->cap) {
        int64_t cap = d->cap ? 2 * d->cap : 1024;
        struct ring_place *more = realloc(d->places, (size_t)cap * sizeof *more);
        if (!more)
            return fail_memory();
        d->places = more;
        d->cap = cap;
    }
    d->places[d->count++] = *place;
    return 0;
}

static uint32_t hash_of(const char *s, size_t n)
{
    return (uint32_t)XXH3_64bits(s, n);
}

/* Make a row of a line's bytes, which are copied. 0 or -1 (memory). */
static int row_of(struct row *row, const char *program, const char *s, size_t n)
{
    struct tokens tokens = {0};
    char *block = malloc(n + 1);
    if (!block)
        return fail_memory();
    memcpy(block, s, n);
    int status = row_begin(row, program, "id", block, (struct span){block, n}, &tokens);
    tokens_free(&tokens);
    return status;
}

/* One line without its end: a place, or told as bad. 0 or -1. */
static int line_take(struct ring_data *d, struct ring_place *place, const char *s,
                     const char *program, ring_data_bad *bad, void *context)
{
    struct row row;
    int status = 0;
    if (row_of(&row, program, s, place->size) < 0)
        return -1;
    row.file = d->files[place->file].name;
    row.line = place->line;
    if (row.passed_error) {
        d->passed++;
    } else if (row.bad) {
        d->bad++;
        bad(context, &row);
    } else {
        place->hash = hash_of(s, place->size);
        status = place_add(d, place);
    }
    row_free(&row);
    return status;
}

static bool is_blank(const char *s, size_t n)
{
    while (n > 0 && strchr(" \t\r", s[n - 1]) && s[n - 1]) n--;
    return n == 0;
}

static int file_read(struct ring_data *d, int file, const char *program,
                     ring_data_bad *bad, void *context, bool (*stop)(void *context))
{
    struct ring_file *f = &d->files[file];
    struct ring_place place = {.file = file};
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int status = 0;
    for (int64_t at = 0; status == 0 && (n = getline(&line, &room, f->stream)) > 0;
         at += n) {
        size_t size = (size_t)n, from = 0;
        place.line++;
        if (at == 0 && size >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
            from = 3;
        size -= line[size - 1] == '\n';
        size -= size > from && line[size - 1] == '\r';
        if (is_blank(line + from, size - from))
            continue;
        if (d->count == 0 && line[from] == '[' && place.line == 1)
            status = fail(FAIL_REFUSED,
                          "%s: a list: rows are read by their places, so put each on a "
                          "line (jq -c '.[]')",
                          f->name);
        else if (size - from > UINT32_MAX)
            status = fail(FAIL_TOO_LARGE, "%s:%lld: a line of over 4 GB", f->name,
                          (long long)place.line);
        place.offset = at + (int64_t)from;
        place.size = (uint32_t)(size - from);
        if (status == 0)
            status = line_take(d, &place, line + from, program, bad, context);
        if (status == 0 && stop(context))
            status = fail(FAIL_REFUSED, "interrupted");
    }
    if (status == 0 && ferror(f->stream))
        status = fail(FAIL_MEDIA, "%s: %s", f->name, strerror(errno));
    free(line);
    return status;
}

int ring_data_open(struct ring_data *d, const char *const *files, int count,
                   const char *program, ring_data_bad *bad, void *context,
                   bool (*stop)(void *context))
{
    *d = (struct ring_data){0};
    d->files = calloc((size_t)count + 1, sizeof *d->files);
    if (!d->files)
        return fail_memory();
    int status = 0;
    for (int i = 0; status == 0 && i < count; i++) {
        d->file_count++;
        status = file_open(&d->files[i], files[i]);
        if (status == 0)
            status = file_read(d, i, program, bad, context, stop);
    }
    return status;
}

void ring_data_close(struct ring_data *d)
{
    for (int i = 0; i < d->file_count; i++)
        if (d->files[i].stream)
            fclose(d->files[i].stream);
    free(d->files);
    free(d->places);
    *d = (struct ring_data){0};
}

/* Is the file, by its name, the one that was read? 0 or -1. */
static int file_check(const struct ring_file *f)
{
    struct stat now;
    if (stat(f->name, &now) < 0)
        return fail(FAIL_MEDIA, "%s: %s", f->name, strerror(errno));
    if (now.st_dev != f->was.st_dev || now.st_ino != f->was.st_ino ||
        now.st_size != f->was.st_size || now.st_mtim.tv_sec != f->was.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != f->was.st_mtim.tv_nsec)
        return fail(FAIL_MEDIA, "%s: has changed since the run began", f->name);
    return 0;
}

int ring_data_row(const struct ring_data *d, int64_t i, const char *program,
                  struct row *row)
{
    const struct ring_place *p = &d->places[i];
    const struct ring_file *f = &d->files[p->file];
    if (file_check(f) < 0)
        return -1;
    char *s = malloc((size_t)p->size + 1);
    if (!s)
        return fail_memory();
    ssize_t n = pread(fileno(f->stream), s, p->size, p->offset);
    int status = 0;
    if (n != (ssize_t)p->size || hash_of(s, p->size) != p->hash)
        status = fail(FAIL_MEDIA, "%s:%lld: has changed since the run began", f->name,
                      (long long)p->line);
    else
        status = row_of(row, program, s, p->size);
    free(s);
    if (status == 0) {
        row->file = f->name;
        row->line = p->line;
    }
    return status;
}
