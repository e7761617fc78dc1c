/* rl_input.c: see rl_input.h. The place of a row in its batch is in `_rl`; rows without
 * it belong to the step that is waited for. */
#include "train/rl_input.h"
#include "base/fail.h"
#include "row/reader.h"
#include "row/row_own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum places { PLACES_UNKNOWN, PLACES_GIVEN, PLACES_NONE };

struct rl_input {
    const struct rl_options *o;
    const char *program;
    const struct rollout_rules *rules;
    const struct rl_calls *calls;
    int file; /* of o->files: the next to be opened */
    struct reader *reader;
    bool ended;
    enum places places;
    struct tokens tokens;
    struct rl_batch *batches; /* [count], owned: batches[0] is the step waited for */
    int count;
};

void rl_batch_free(struct rl_batch *b)
{
    for (int64_t i = 0; i < b->count; i++) rollout_free(&b->rows[i]);
    free(b->rows);
    *b = (struct rl_batch){0};
}

struct rl_input *rl_input_open(const struct rl_options *o, const char *program,
                               const struct rollout_rules *rules,
                               const struct rl_calls *calls)
{
    struct rl_input *in = calloc(1, sizeof *in);
    if (!in)
        return fail_memory(), NULL;
    *in = (struct rl_input){.o = o, .program = program, .rules = rules, .calls = calls};
    in->count = (int)o->ahead + 1;
    if (!(in->batches = calloc((size_t)in->count, sizeof *in->batches))) {
        free(in);
        return fail_memory(), NULL;
    }
    return in;
}

void rl_input_close(struct rl_input *in)
{
    if (!in)
        return;
    for (int i = 0; i < in->count; i++) rl_batch_free(&in->batches[i]);
    free(in->batches);
    reader_close(in->reader);
    tokens_free(&in->tokens);
    free(in);
}

/* -- One row ----------------------------------------------------------------------------
 */

/* The next line of all files. 1, 0 at the end, RL_UNFINISHED, RL_FAILED. */
static int line_next(struct rl_input *in, struct line *line)
{
    for (;;) {
        if (in->calls->stop(in->calls->context))
            return fail(FAIL_REFUSED, "interrupted"), RL_UNFINISHED;
        if (!in->reader && in->file == in->o->file_count)
            return 0;
        if (!in->reader &&
            !(in->reader = reader_open(in->o->files[in->file], in->calls->wait)))
            return RL_FAILED;
        int got = reader_next(in->reader, line);
        if (got == 1)
            return 1;
        if (got == STREAM_STOPPED)
            return fail(FAIL_REFUSED, "interrupted"), RL_UNFINISHED;
        if (got != STREAM_END)
            return RL_FAILED;
        reader_close(in->reader);
        in->reader = NULL;
        in->file++;
    }
}

static int rollout_next(struct rl_input *in, struct rollout *r)
{
    struct line line;
    struct row row;
    int got = line_next(in, &line);
    if (got != 1)
        return got;
    if (row_begin(&row, in->program, "id", line.block, line.text, &in->tokens) < 0)
        return RL_FAILED;
    const char *file = in->o->files[in->file];
    row.file = strcmp(file, "-") == 0 ? "stdin" : file;
    row.line = line.number;
    int status = rollout_read(r, in->rules, &row);
    if (status < 0)
        fail_in("%s:%lld", row.file, (long long)row.line);
    row_free(&row);
    return status < 0 ? RL_FAILED : 1;
}

/* -- Into its batch ---------------------------------------------------------------------
 */

static int refused(const struct rollout *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refused(const struct rollout *r, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail(FAIL_REFUSED, "%s: %s", r->where, text);
    return RL_FAILED;
}

/* The batch that a row belongs to; NULL: none, told. */
static struct rl_batch *batch_of(struct rl_input *in, const struct rollout *r)
{
    struct rl_batch *first = in->batches;
    if (r->step < 0 && !r->error) {
        if (in->places == PLACES_GIVEN)
            return refused(r, "no \"_rl\", which rows before it had"), NULL;
        in->places = PLACES_NONE;
        return first;
    }
    if (r->step <
        0) { /* a row that failed before it had a place: it counts as the next */
        for (int i = 0; i + 1 < in->count; i++)
            if (first[i].need == 0 || first[i].count < first[i].need)
                return &first[i];
        return first;
    }
    if (in->places == PLACES_NONE)
        return refused(r, "\"_rl\", which rows before it had not"), NULL;
    in->places = PLACES_GIVEN;
    int64_t place = r->step - first->step;
    if (place < 0)
        return refused(r, "of step %lld, and step %lld is next", (long long)r->step,
                       (long long)first->step),
               NULL;
    if (place >= in->count)
        return refused(
                   r, "of step %lld while step %lld has %lld of %lld rows (--ahead %lld)",
                   (long long)r->step, (long long)first->step, (long long)first->count,
                   (long long)first->need, (long long)in->o->ahead),
               NULL;
    return &first[place];
}

/* Was it sampled by weights that are new enough? */
static int check_version(const struct rl_input *in, const struct rollout *r, int64_t step)
{
    int64_t newest = step - 1, oldest = newest - in->o->ahead;
    oldest = oldest < r->least ? r->least : oldest < 0 ? 0 : oldest;
    if (r->version >= oldest && r->version <= newest)
        return 1;
    return r->version > newest
               ? refused(r, "gen.version %lld, and step %lld begins with version %lld",
                         (long long)r->version, (long long)step, (long long)newest)
               : refused(r,
                         "gen.version %lld is too old: step %lld begins with version "
                         "%lld, and takes them from %lld on (--ahead %lld)",
                         (long long)r->version, (long long)step, (long long)newest,
                         (long long)oldest, (long long)in->o->ahead);
}

static int batch_add(struct rl_batch *b, struct rollout *r)
{
    for (int64_t i = 0; r->step >= 0 && i < b->count; i++)
        if (b->rows[i].step >= 0 && b->rows[i].i == r->i)
            return refused(r, "row %lld of step %lld was there already", (long long)r->i,
                           (long long)b->step);
    if (b->count == b->cap) {
        int64_t cap = b->cap ? b->cap * 2 : 16;
        struct rollout *rows = realloc(b->rows, (size_t)cap * sizeof *rows);
        if (!rows)
            return fail_memory();
        b->rows = rows;
        b->cap = cap;
    }
    b->rows[b->count++] = *r;
    if (r->of > b->need)
        b->need = r->of;
    return 1;
}

/* Read a row into its batch. 1, 0 at the end, RL_UNFINISHED, RL_FAILED. */
static int row_take(struct rl_input *in)
{
    struct rollout r;
    char text[600];
    int status = rollout_next(in, &r);
    if (status != 1)
        return status;
    if (r.why[0]) {
        snprintf(text, sizeof text, "%s: %s", r.where, r.why);
        in->calls->say(in->calls->context, text);
    }
    struct rl_batch *b = batch_of(in, &r);
    status = b ? 1 : RL_FAILED;
    if (status == 1 && !r.error)
        status = check_version(in, &r, b->step);
    if (status == 1)
        status = batch_add(b, &r);
    if (status != 1)
        rollout_free(&r);
    return status;
}

/* -- Whole batches ----------------------------------------------------------------------
 */

static int by_place(const void *a, const void *b)
{
    const struct rollout *x = a, *y = b;
    return (x->i > y->i) - (x->i < y->i);
}

static bool is_whole(const struct rl_input *in, const struct rl_batch *b)
{
    if (in->places == PLACES_GIVEN)
        return b->need > 0 && b->count >= b->need;
    return b->need > 0 ? b->count >= b->need
                       : in->o->batch > 0 && b->count >= in->o->batch;
}

static int batch_wait(struct rl_input *in, struct rl_batch **batch)
{
    struct rl_batch *b = in->batches;
    int status = 1;
    while (!is_whole(in, b) && (status = row_take(in)) == 1) {
    }
    if (status < 0)
        return status;
    if (status == 0) {
        bool all = in->places != PLACES_GIVEN && in->o->batch == 0 && b->need == 0;
        int64_t need = b->need ? b->need : in->o->batch;
        if (b->count == 0)
            return 0;
        if (!all)
            return fail(FAIL_MISSING,
                        "the input ends inside the batch of step %lld, with %lld of "
                        "%lld rows: no step is made of them",
                        (long long)b->step, (long long)b->count, (long long)need),
                   RL_UNFINISHED;
    }
    if (in->places == PLACES_GIVEN)
        qsort(b->rows, (size_t)b->count, sizeof *b->rows, by_place);
    *batch = b;
    return 1;
}

int rl_input_batch(struct rl_input *in, int64_t step, struct rl_batch **batch)
{
    struct rl_batch *b = in->batches;
    if (b->step != step) { /* the one before is done */
        rl_batch_free(b);
        memmove(b, b + 1, (size_t)(in->count - 1) * sizeof *b);
        b[in->count - 1] = (struct rl_batch){0};
        for (int i = 0; i < in->count; i++) b[i].step = step + i;
    }
    return batch_wait(in, batch);
}

int rl_input_more(struct rl_input *in, int64_t count, struct rl_batch **batch)
{
    in->batches->need = in->batches->count + count;
    return batch_wait(in, batch);
}
