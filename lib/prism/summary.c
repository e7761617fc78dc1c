/* summary.c: see summary.h. */
#include "prism/summary.h"
#include "base/fail.h"
#include "prism/bootstrap.h"
#include "prism/store.h"
#include "row/json.h"
#include "row/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Counting rows in
 * -------------------------------------------------------------------- */

/* A text's number among names, and it is freed; -1: memory. */
static int number_of(struct names *names, struct buf *text)
{
    int number =
        buf_ok(text) < 0 ? -1 : names_add(names, (struct span){text->data, text->len});
    buf_free(text);
    return number;
}

static int picture_of(struct summary *s, struct span row)
{
    struct span media = store_media(row), id = json_get(row, "id");
    struct buf text = {0};
    store_name(media.s ? media : id.s ? id : row, &text);
    return number_of(&s->pictures, &text);
}

/* A text, or a number as it is written. */
static int category_of(struct summary *s, struct span name)
{
    struct buf text = {0};
    if (json_type(name) != JSON_STRING || json_text(name, &text) < 0)
        buf_add(&text, name.s, name.n);
    return number_of(&s->categories, &text);
}

static void count_captions(struct summary *s, struct span row)
{
    struct span list = json_get(row, "predictions"), element;
    size_t at = 0;
    int count = 0;
    while (json_type(list) == JSON_ARRAY && json_each(list, &at, &element)) count++;
    if (count > s->captions)
        s->captions = count;
}

int summary_add(struct summary *s, struct span row, int64_t number, const char *category)
{
    struct span name = json_find(row, category);
    struct summary_row r = {.number = number, .category = -1};
    if (json_given(json_get(row, "error")) ||
        json_double(json_get(row, "score"), &r.score) < 0 ||
        json_double(json_get(row, "best"), &r.best) < 0) {
        s->failed++;
        return 0;
    }
    if (s->count == s->cap) {
        int64_t cap = s->cap ? 2 * s->cap : 1024;
        struct summary_row *rows = realloc(s->rows, (size_t)cap * sizeof *rows);
        if (!rows)
            return fail_memory();
        s->rows = rows;
        s->cap = cap;
    }
    r.picture = picture_of(s, row);
    if (r.picture < 0 || (json_given(name) && (r.category = category_of(s, name)) < 0))
        return -1;
    count_captions(s, row);
    s->rows[s->count++] = r;
    return 0;
}

int summary_read(struct summary *s, const char *path, const char *category)
{
    struct reader *r = reader_open(path, NULL);
    struct line line = {0};
    int rc, status = 0;
    if (!r)
        return -1;
    while (status == 0 && (rc = reader_next(r, &line)) == 1) {
        status = json_check(line.text);
        if (status < 0)
            fail_in("%s:%" PRId64, path, line.number);
        else
            status = summary_add(s, line.text, s->count + s->failed, category);
        free(line.block);
    }
    if (status == 0 && rc != STREAM_END)
        status = -1;
    reader_close(r);
    return status;
}

void summary_free(struct summary *s)
{
    free(s->rows);
    free(s->figures);
    names_free(&s->pictures);
    names_free(&s->categories);
    *s = (struct summary){0};
}

/* -- Figures
 * ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct summary_row *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Rows came as they were finished; pictures are numbered in the rows' own order, and rows
 * of a category stand together, in that order. */
static int put_in_order(struct summary *s)
{
    size_t pictures = (size_t)s->pictures.count, categories = (size_t)s->categories.count;
    int *new = malloc((pictures + 1) * sizeof *new), count = 0;
    int64_t *at = calloc(categories + 2, sizeof *at);
    struct summary_row *sorted = malloc((size_t)(s->count + 1) * sizeof *sorted);
    int status = new &&at &&sorted ? 0 : fail_memory();
    if (status == 0 && s->count) {
        qsort(s->rows, (size_t)s->count, sizeof *s->rows, by_number);
        for (size_t i = 0; i < pictures; i++) new[i] = -1;
        for (int64_t i = 0; i < s->count; i++) {
            struct summary_row *r = &s->rows[i];
            if (new[r->picture] < 0)
                new[r->picture] = count++;
            r->picture = new[r->picture];
            at[r->category + 2]++; /* rows without a category come first */
        }
        for (size_t i = 1; i < categories + 2; i++) at[i] += at[i - 1];
        for (int64_t i = 0; i < s->count; i++)
            sorted[at[s->rows[i].category + 1]++] = s->rows[i];
        free(s->rows);
        s->rows = sorted;
        sorted = NULL;
    }
    free(new);
    free(at);
    free(sorted);
    return status;
}

/* What is worked with: room for as many clusters as there are pictures. */
struct room {
    struct cluster *clusters;
    int *slot;    /* [pictures]: its cluster + 1; 0: it has none yet */
    int *picture; /* [clusters in use]: whose slot */
    double value[2][BOOTSTRAP_DRAWS];
};

/* Figures of rows that stand together; or of all, by number. */
static void measure(struct room *room, const struct summary_row *rows, int64_t count,
                    uint64_t seed, struct figures *f)
{
    double sum[2] = {0, 0};
    *f = (struct figures){.rows = count};
    for (int64_t i = 0; i < count; i++) {
        const struct summary_row *r = &rows[i];
        if (!room->slot[r->picture]) {
            room->clusters[f->pictures] = (struct cluster){0};
            room->picture[f->pictures] = r->picture;
            room->slot[r->picture] = ++f->pictures;
        }
        struct cluster *c = &room->clusters[room->slot[r->picture] - 1];
        c->sum[0] += r->score;
        c->sum[1] += r->best;
        c->rows++;
        sum[0] += r->score;
        sum[1] += r->best;
    }
    for (int i = 0; i < f->pictures; i++) room->slot[room->picture[i]] = 0;
    if (count == 0)
        return;
    f->mean = sum[0] / (double)count;
    f->best = sum[1] / (double)count;
    if (f->pictures < 2)
        return; /* all draws are the same */
    bootstrap_draw(room->value, room->clusters, f->pictures, seed);
    f->mean_se = bootstrap_se(room->value[0], f->pictures);
    f->best_se = bootstrap_se(room->value[1], f->pictures);
}

int summary_measure(struct summary *s, uint64_t seed)
{
    size_t pictures = (size_t)s->pictures.count;
    int categories = s->categories.count;
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return fail_memory();
    room->clusters = malloc((pictures + 1) * sizeof *room->clusters);
    room->picture = malloc((pictures + 1) * sizeof *room->picture);
    room->slot = calloc(pictures + 1, sizeof *room->slot);
    s->figures = calloc((size_t)categories + 1, sizeof *s->figures);
    int status =
        room->clusters && room->picture && room->slot && s->figures ? 0 : fail_memory();
    if (status == 0 && (status = put_in_order(s)) == 0) {
        int64_t from = 0, to;
        while (from < s->count && s->rows[from].category < 0) from++;
        for (; from < s->count; from = to) {
            int category = s->rows[from].category;
            for (to = from; to < s->count && s->rows[to].category == category;) to++;
            measure(room, s->rows + from, to - from, seed, &s->figures[category]);
        }
        if (s->count) /* the same sums as if there were no categories */
            qsort(s->rows, (size_t)s->count, sizeof *s->rows, by_number);
        measure(room, s->rows, s->count, seed, &s->figures[categories]);
    }
    free(room->clusters);
    free(room->picture);
    free(room->slot);
    free(room);
    return status;
}

static void put_figures(struct buf *out, const struct figures *f)
{
    const struct {
        const char *name;
        double value;
    } list[] = {{"mean", f->mean},
                {"mean_se", f->mean_se},
                {"best", f->best},
                {"best_se", f->best_se}};
    buf_print(out, "\"pictures\":%d", f->pictures);
    for (size_t i = 0; i < 4; i++) {
        buf_print(out, ",\"%s\":", list[i].name);
        if (f->rows > 0)
            json_put_real(out, list[i].value);
        else
            buf_text(out, "null"); /* of no rows: not a zero */
    }
}

int summary_put(const struct summary *s, uint64_t seed, struct buf *out)
{
    const struct figures *all = &s->figures[s->categories.count];
    buf_print(out, "\"rows\":%" PRId64 ",\"failed\":%" PRId64 ",\"captions\":%d,",
              all->rows, s->failed, s->captions);
    put_figures(out, all);
    buf_print(out,
              ",\"bootstrap\":{\"over\":\"pictures\",\"draws\":%d,\"seed\":%" PRIu64 "}",
              BOOTSTRAP_DRAWS, seed);
    buf_text(out, ",\"categories\":{");
    for (int i = 0; i < s->categories.count; i++) {
        buf_text(out, i ? "," : "");
        json_put_text(out, s->categories.list[i]);
        buf_print(out, ":{\"rows\":%" PRId64 ",", s->figures[i].rows);
        put_figures(out, &s->figures[i]);
        buf_char(out, '}');
    }
    buf_char(out, '}');
    return buf_ok(out);
}

/* "48.7 +- 5.2"; "-" of no rows, and no error of one picture: nobody knows it. */
static void put_value(struct buf *out, const struct figures *f, double value, double se)
{
    if (f->rows == 0)
        buf_print(out, "  %5s%8s", "-", "");
    else if (f->pictures < 2)
        buf_print(out, "  %5.1f%8s", 100 * value, "");
    else
        buf_print(out, "  %5.1f +- %-4.1f", 100 * value, 100 * se);
}

static void put_line(struct buf *out, const char *name, int width,
                     const struct figures *f, bool best)
{
    buf_print(out, "%-*s %7" PRId64 " %8d", width, name, f->rows, f->pictures);
    put_value(out, f, f->mean, f->mean_se);
    if (best)
        put_value(out, f, f->best, f->best_se);
    while (out->len && out->data[out->len - 1] == ' ') out->len--;
    buf_char(out, '\n');
}

int summary_table(const struct summary *s, struct buf *out)
{
    int width = 8;
    for (int i = 0; i < s->categories.count; i++)
        if ((int)s->categories.list[i].n > width)
            width = s->categories.list[i].n > 40 ? 40 : (int)s->categories.list[i].n;
    buf_print(out, "%-*s %7s %8s  %s", width, "", "rows", "pictures", "mean %");
    if (s->captions > 1)
        buf_print(out, "        best of %d %%", s->captions);
    buf_char(out, '\n');
    for (int i = 0; i < s->categories.count; i++) {
        char name[41];
        snprintf(name, sizeof name, "%.40s", s->categories.list[i].s);
        put_line(out, name, width, &s->figures[i], s->captions > 1);
    }
    put_line(out, "all", width, &s->figures[s->categories.count], s->captions > 1);
    if (s->failed > 0)
        buf_print(out, "%" PRId64 " rows failed and are not in these figures\n",
                  s->failed);
    return buf_ok(out);
}
