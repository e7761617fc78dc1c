/* dataset.c: see dataset.h. */
#include "train/dataset.h"
#include "base/fail.h"
#include "base/random.h"
#include "row/reader.h"
#include "row/row_own.h"

#include <stdlib.h>
#include <string.h>
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
    to->text = malloc(text.n + 1);
    if (!to->text)
        return fail_memory();
    memcpy(to->text, text.s, text.n);
    to->size = text.n;
    d->hash = XXH3_64bits_withSeed(text.s, text.n, d->hash);
    d->count++;
    return 0;
}

/* One line: measured and kept, or told as bad. 0 or -1 (memory). */
static int line_read(struct dataset *d, struct line *line, int file, const char *program,
                     const struct trainer_text *t, dataset_bad *bad, void *context)
{
    struct tokens tokens = {0};
    struct row row;
    struct example e;
    int status = 0;
    if (row_begin(&row, program, "id", line->block, line->text, &tokens) < 0) {
        tokens_free(&tokens);
        return -1;
    }
    row.file = strcmp(d->files[file], "-") == 0 ? "stdin" : d->files[file];
    row.line = line->number;
    if (row.passed_error) {
        d->passed++;
    } else if (row.bad ||
               d->objective->example(d->objective->context, &e, t, &row, true) < 0) {
        if (!row.bad)
            row_fail(&row);
        d->bad++;
        bad(context, &row);
    } else {
        struct dataset_row good = {.file = file,
                                   .line = line->number,
                                   .tokens = example_tokens(&e),
                                   .targets = e.targets};
        status = row_add(d, &good, row.text);
        example_free(&e);
    }
    row_free(&row);
    tokens_free(&tokens);
    return status;
}

int dataset_read(struct dataset *d, const struct objective *objective, char **files,
                 int count, const char *program, const struct trainer_text *t,
                 dataset_bad *bad, void *context, bool (*stop)(void *context))
{
    *d = (struct dataset){.objective = objective, .files = files};
    int status = 0;
    for (int f = 0; status == 0 && f < count; f++) {
        struct line line;
        struct reader *r = reader_open(files[f], NULL);
        int got = STREAM_END;
        if (!r)
            return -1;
        while (status == 0 && (got = reader_next(r, &line)) == 1) {
            status = line_read(d, &line, f, program, t, bad, context);
            if (status == 0 && stop(context))
                status = fail(FAIL_REFUSED, "stopped");
        }
        if (status == 0 && got != STREAM_END)
            status = -1;
        reader_close(r);
    }
    return status;
}

void dataset_free(struct dataset *d)
{
    for (int64_t i = 0; i < d->count; i++) free(d->rows[i].text);
    free(d->rows);
    *d = (struct dataset){0};
}

int dataset_example(const struct dataset *d, int64_t i, const struct trainer_text *t,
                    struct example *e)
{
    const struct dataset_row *from = &d->rows[i];
    struct tokens tokens = {0};
    struct row row;
    char *block = malloc(from->size + 1);
    if (!block)
        return fail_memory();
    memcpy(block, from->text, from->size);
    if (row_begin(&row, "", "id", block, (struct span){block, from->size}, &tokens) < 0) {
        tokens_free(&tokens);
        return -1;
    }
    int status = d->objective->example(d->objective->context, e, t, &row, false);
    if (status < 0)
        fail_in("%s:%lld", d->files[from->file], (long long)from->line);
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
