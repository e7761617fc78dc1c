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

/* A text's number among names: its JSON, decoded where it is a string. */
static int number_of(struct names *names, struct span json)
{
    struct buf text = {0};
    if (json_type(json) != JSON_STRING || json_text(json, &text) < 0)
        buf_add(&text, json.s, json.n);
    int number =
        buf_ok(&text) < 0 ? -1 : names_add(names, (struct span){text.data, text.len});
    buf_free(&text);
    return number;
}

static bool there(struct span value)
{
    return value.s && json_type(value) != JSON_NULL;
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
    struct span media = store_media(row), name = json_find(row, category);
    struct summary_row r = {.number = number, .category = -1};
    if (there(json_get(row, "error")) ||
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
    if (!media.s)
        media = json_get(row, "id");
    r.picture = number_of(&s->pictures, media.s ? media : row);
    if (there(name) && (r.category = number_of(&s->categories, name)) < 0)
        return -1;
    if (r.picture < 0)
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

/* Rows came as they were finished; pictures are numbered in the rows' own order. */
static int put_in_order(struct summary *s)
{
    int *new = malloc((size_t)(s->pictures.count + 1) * sizeof *new), count = 0;
    if (!new)
        return fail_memory();
    qsort(s->rows, (size_t)s->count, sizeof *s->rows, by_number);
    for (int i = 0; i < s->pictures.count; i++) new[i] = -1;
    for (int64_t i = 0; i < s->count; i++)
        if (new[s->rows[i].picture] < 0)
            new[s->rows[i].picture] = count++;
    for (int64_t i = 0; i < s->count; i++) s->rows[i].picture = new[s->rows[i].picture];
    free(new);
    s->picture_count = count;
    s->ordered = true;
    return 0;
}

int summary_figures(struct summary *s, int category, uint64_t seed, struct figures *f)
{
    double sum[2] = {0, 0}, se[2] = {0, 0};
    int count = 0;
    *f = (struct figures){0};
    if (!s->ordered && s->count > 0 && put_in_order(s) < 0)
        return -1;
    struct cluster *clusters = calloc((size_t)s->picture_count + 1, sizeof *clusters);
    if (!clusters)
        return fail_memory();
    for (int64_t i = 0; i < s->count; i++) {
        const struct summary_row *r = &s->rows[i];
        if (category >= 0 && r->category != category)
            continue;
        struct cluster *c = &clusters[r->picture];
        c->sum[0] += r->score;
        c->sum[1] += r->best;
        c->rows++;
        sum[0] += r->score;
        sum[1] += r->best;
        f->rows++;
    }
    for (int i = 0; i < s->picture_count; i++)
        if (clusters[i].rows > 0)
            clusters[count++] = clusters[i];
    bootstrap_se(se, clusters, count, BOOTSTRAP_DRAWS, seed);
    free(clusters);
    f->pictures = count;
    f->mean = f->rows ? sum[0] / (double)f->rows : 0;
    f->best = f->rows ? sum[1] / (double)f->rows : 0;
    f->mean_se = se[0];
    f->best_se = se[1];
    return 0;
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

int summary_put(struct summary *s, uint64_t seed, struct buf *out)
{
    struct figures f;
    if (summary_figures(s, -1, seed, &f) < 0)
        return -1;
    buf_print(out, "\"rows\":%" PRId64 ",\"failed\":%" PRId64 ",\"captions\":%d,", f.rows,
              s->failed, s->captions);
    put_figures(out, &f);
    buf_print(out,
              ",\"bootstrap\":{\"over\":\"pictures\",\"draws\":%d,\"seed\":%" PRIu64 "}",
              BOOTSTRAP_DRAWS, seed);
    buf_text(out, ",\"categories\":{");
    for (int i = 0; i < s->categories.count; i++) {
        if (summary_figures(s, i, seed, &f) < 0)
            return -1;
        buf_text(out, i ? "," : "");
        json_put_text(out, s->categories.list[i]);
        buf_print(out, ":{\"rows\":%" PRId64 ",", f.rows);
        put_figures(out, &f);
        buf_char(out, '}');
    }
    buf_char(out, '}');
    return buf_ok(out);
}

static void put_line(struct buf *out, const char *name, int width,
                     const struct figures *f, bool best)
{
    buf_print(out, "%-*s %7" PRId64 " %8d  %5.1f +- %-4.1f", width, name, f->rows,
              f->pictures, 100 * f->mean, 100 * f->mean_se);
    if (best)
        buf_print(out, "  %5.1f +- %-4.1f", 100 * f->best, 100 * f->best_se);
    while (out->len && out->data[out->len - 1] == ' ') out->len--;
    buf_char(out, '\n');
}

int summary_table(struct summary *s, uint64_t seed, struct buf *out)
{
    struct figures f;
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
        if (summary_figures(s, i, seed, &f) < 0)
            return -1;
        put_line(out, name, width, &f, s->captions > 1);
    }
    if (summary_figures(s, -1, seed, &f) < 0)
        return -1;
    put_line(out, "all", width, &f, s->captions > 1);
    if (s->failed > 0)
        buf_print(out, "%" PRId64 " rows failed and are not in these figures\n",
                  s->failed);
    return buf_ok(out);
}
