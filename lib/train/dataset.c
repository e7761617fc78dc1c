/* dataset.c: see dataset.h. */
#include "train/dataset.h"
#include "base/fail.h"
#include "base/random.h"
#include "row/reader.h"
#include "row/row_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static int row_add(struct dataset *d, const struct dataset_row *row, struct span text)
{
    if (d->count == d->cap) {
        int64_t cap = d->cap ? d->cap * 2 : 256;
        struct dataset_row *rows = realloc(d->rows, (size_t)cap * sizeof *rows);
        if (!rows)
            return fail_memory();
        d->rows = rows;
        d->cap = cap;
    }
    struct dataset_row *to = &d->rows[d->count];
    *to = *row;
    to->size = text.n;
    to->hash = XXH3_64bits(text.s, text.n);
    if (row->offset < 0) {
        if (!(to->text = malloc(text.n + 1)))
            return fail_memory();
        memcpy(to->text, text.s, text.n);
    }
    d->hash = XXH3_64bits_withSeed(text.s, text.n, d->hash);
    d->count++;
    return 0;
}

static const char *file_name(const struct dataset *d, int file)
{
    return strcmp(d->files[file], "-") == 0 ? "stdin" : d->files[file];
}

int dataset_line(struct dataset *d, struct line *line, int file, bool keep,
                 const struct dataset_reading *how)
{
    const struct objective *of = how->objective;
    struct tokens tokens = {0};
    struct row row;
    struct example e;
    int status = 0;
    if (row_begin(&row, how->program, "id", line->block, line->text, &tokens) < 0) {
        tokens_free(&tokens);
        return -1;
    }
    row.file = file_name(d, file);
    row.line = line->number;
    if (row.passed_error) {
        d->passed++;
    } else if (!row.bad && of->example(of->context, &e, how->text, &row, true) == 0) {
        struct dataset_row good = {.file = file,
                                   .line = line->number,
                                   .offset = keep ? -1 : line->offset,
                                   .tokens = example_tokens(&e),
                                   .targets = e.targets};
        status = row_add(d, &good, row.text);
        example_free(&e);
    } else if (!row.bad && fail_kind() == FAIL_INTERNAL) {
        status = -1; /* no memory, which is not the row's fault */
    } else {
        if (!row.bad)
            row_fail(&row);
        d->bad++;
        how->bad(how->context, &row);
    }
    row_free(&row);
    tokens_free(&tokens);
    return status;
}

/* Have the rows of a file at hand for the steps, if any is to be read again. */
static int file_keep(struct dataset *d, int file, bool again)
{
    if (!again)
        return 0;
    d->fds[file] = open(d->files[file], O_RDONLY | O_CLOEXEC);
    return d->fds[file] >= 0
               ? 0
               : fail(FAIL_MEDIA, "%s: %s", d->files[file], strerror(errno));
}

static int file_read(struct dataset *d, int file, const struct dataset_reading *how)
{
    struct line line;
    struct reader *r = reader_open(d->files[file], how->wait);
    int status = r ? 0 : -1, got = STREAM_END;
    int64_t first = d->count;
    while (status == 0 && (got = reader_next(r, &line)) == 1) {
        status = dataset_line(d, &line, file, false, how);
        if (status == 0 && how->stop(how->context))
            got = status = STREAM_STOPPED;
    }
    reader_close(r);
    if (got == STREAM_STOPPED)
        return fail(FAIL_REFUSED, "interrupted");
    if (status < 0 || got != STREAM_END)
        return -1;
    bool again = false; /* (lines may follow an array) */
    for (int64_t i = first; i < d->count; i++) again = again || !d->rows[i].text;
    return file_keep(d, file, again);
}

int dataset_read(struct dataset *d, char **files, int count,
                 const struct dataset_reading *how)
{
    *d = (struct dataset){
        .objective = how->objective, .files = files, .file_count = count};
    if (!(d->fds = malloc(((size_t)count + 1) * sizeof *d->fds)))
        return fail_memory();
    for (int f = 0; f < count; f++) d->fds[f] = -1;
    for (int f = 0; f < count; f++)
        if (file_read(d, f, how) < 0)
            return -1;
    return 0;
}

void dataset_free(struct dataset *d)
{
    for (int64_t i = 0; i < d->count; i++) free(d->rows[i].text);
    for (int f = 0; d->fds && f < d->file_count; f++)
        if (d->fds[f] >= 0)
            close(d->fds[f]);
    free(d->fds);
    free(d->rows);
    *d = (struct dataset){0};
}

/* A row's text as it was when it was measured, into block[size]. 0 or DATASET_CHANGED. */
static int text_read(const struct dataset *d, const struct dataset_row *row, char *block)
{
    size_t have = 0;
    ssize_t got = 1;
    if (row->text) {
        memcpy(block, row->text, row->size);
        return 0;
    }
    while (have < row->size && got > 0) {
        got = pread(d->fds[row->file], block + have, row->size - have,
                    (off_t)(row->offset + (int64_t)have));
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            have += (size_t)got;
    }
    if (have == row->size && XXH3_64bits(block, have) == row->hash)
        return 0;
    fail(FAIL_REFUSED, "%s:%lld: the file changed during the run", d->files[row->file],
         (long long)row->line);
    return DATASET_CHANGED;
}

int dataset_example(const struct dataset *d, int64_t i, const struct trainer_text *t,
                    struct example *e)
{
    const struct dataset_row *from = &d->rows[i];
    const struct objective *of = d->objective;
    struct tokens tokens = {0};
    struct row row;
    char *block = malloc(from->size + 1);
    int status = block ? text_read(d, from, block) : fail_memory();
    if (status < 0) {
        free(block);
        return status;
    }
    if (row_begin(&row, "", "id", block, (struct span){block, from->size}, &tokens) < 0) {
        tokens_free(&tokens);
        return -1;
    }
    status = of->example(of->context, e, t, &row, false);
    if (status < 0)
        fail_in("%s:%lld", file_name(d, from->file), (long long)from->line);
    row_free(&row);
    tokens_free(&tokens);
    return status;
}

void dataset_order(const struct dataset *d, uint64_t seed, int64_t epoch, bool shuffle,
                   int64_t *order)
{
    struct random_key key = random_key_of(seed, &epoch, sizeof epoch);
    for (int64_t i = 0; i < d->count; i++) order[i] = i;
    for (int64_t i = d->count - 1; shuffle && i > 0; i--) {
        int64_t j = (int64_t)(random_unit(key, (uint32_t)(i >> 32), (uint32_t)i) *
                              (double)(i + 1));
        int64_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

int64_t dataset_batch(const struct dataset *d, const int64_t *order, int64_t at,
                      int64_t tokens)
{
    int64_t n = 0, sum = 0;
    while (at + n < d->count) {
        sum += d->rows[order[at + n]].tokens;
        if (n > 0 && sum > tokens)
            break;
        n++;
    }
    return n;
}
