/* row_stream.c: see row_stream.h. */
#include "train/row_stream.h"

#include <stdlib.h>

int row_stream_open(struct row_stream *s, char **files, int count, int64_t window,
                    uint64_t seed, const struct dataset_reading *how)
{
    *s = (struct row_stream){.how = *how};
    s->d = (struct dataset){
        .objective = how->objective, .files = files, .file_count = count};
    s->window = window_open(files, count, window, seed, how->wait);
    return s->window ? 0 : -1;
}

void row_stream_close(struct row_stream *s)
{
    free(s->next.text);
    dataset_free(&s->d);
    window_close(s->window);
    *s = (struct row_stream){0};
}

int row_stream_skip(struct row_stream *s, const struct window_place *to)
{
    s->place = *to;
    return window_skip(s->window, to);
}

/* The step before is done with; what did not fit into it begins this one. Tokens. */
static int64_t begin(struct row_stream *s)
{
    struct dataset *d = &s->d;
    for (int64_t i = 0; i < d->count; i++) free(d->rows[i].text);
    d->count = 0;
    if (!s->next.text)
        return 0;
    d->rows[d->count++] = s->next; /* there was room for it before */
    s->next = (struct dataset_row){0};
    return d->rows[0].tokens;
}

int row_stream_step(struct row_stream *s, int64_t tokens)
{
    struct dataset *d = &s->d;
    int64_t sum = begin(s);
    for (;;) {
        struct line line;
        int64_t bad = d->bad, before = d->count;
        struct window_place place = window_place(s->window);
        int file, got = s->how.stop(s->how.context)
                            ? STREAM_STOPPED
                            : window_next(s->window, &line, &file);
        if (got == 1 && dataset_line(d, &line, file, true, &s->how) < 0)
            got = STREAM_FAILED;
        if (got < 0)
            return got;
        s->last = got == STREAM_END;
        if (d->count > before)
            sum += d->rows[before].tokens;
        bool over = before > 0 && d->count > before && sum > tokens;
        if (!over && !s->last)
            continue;
        if (over)
            s->next = d->rows[--d->count];
        s->place = place;
        s->bad = bad;
        return d->count > 0 ? 1 : STREAM_END;
    }
}
