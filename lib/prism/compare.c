/* compare.c: see compare.h. */
#include "prism/compare.h"
#include "base/fail.h"
#include "prism/bootstrap.h"
#include "prism/names.h"
#include "prism/store.h"
#include "row/json.h"
#include "row/keys.h"
#include "row/reader.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scored {
    double score;
    bool there, met; /* has a score; has met its like in the other file */
};

/* Both files on their way. */
struct comparing {
    struct compared *out;
    struct buf *changed;
    struct names rows, pictures; /* rows of a by key; pictures of rows in both */
    struct scored *a;            /* [rows.count] */
    struct cluster *clusters;    /* [pictures.count] of b - a */
    int a_room, room;
    double sum_a, sum_b;
};

/* What a row is known by. */
static void put_key(struct buf *out, struct span row)
{
    struct span id = json_get(row, "id"), media = store_media(row);
    struct span question =
        json_get(row, json_given(json_get(row, "question")) ? "question" : "prompt");
    buf_clear(out);
    if (json_given(id)) {
        buf_char(out, 'i');
        buf_add(out, id.s, id.n);
        return;
    }
    buf_char(out, 'q');
    store_name(media, out);
    buf_char(out, '\n');
    buf_add(out, question.s, question.n);
}

/* Make room for one more of count items of some size. 0 or -1. */
static int grow(void **list, int *room, int count, size_t size)
{
    if (count < *room)
        return 0;
    int more = *room ? 2 * *room : 256;
    void *new = realloc(*list, (size_t)more * size);
    if (!new)
        return fail_memory();
    memset((char *)new + (size_t)*room *size, 0, (size_t)(more - *room) * size);
    *list = new;
    *room = more;
    return 0;
}

static bool read_score(struct span row, double *score)
{
    return !json_given(json_get(row, "error")) &&
           json_double(json_get(row, "score"), score) == 0;
}

static int take_a(struct comparing *c, struct span key, struct span row)
{
    int at = names_add(&c->rows, key);
    if (at < 0 || grow((void **)&c->a, &c->a_room, at, sizeof *c->a) < 0)
        return -1;
    c->a[at].there = read_score(row, &c->a[at].score);
    return 0;
}

static void put_changed(struct buf *out, struct span row, double a, double b)
{
    struct span id = json_get(row, "id"), media = store_media(row);
    const char *before = "{";
    if (json_given(id)) {
        buf_text(out, "{\"id\":");
        buf_add(out, id.s, id.n);
        before = ",";
    }
    if (media.s) {
        buf_print(out, "%s\"image\":", before);
        buf_add(out, media.s, media.n);
        before = ",";
    }
    buf_print(out, "%s\"a\":", before);
    json_put_real(out, a);
    buf_text(out, ",\"b\":");
    json_put_real(out, b);
    buf_text(out, "}\n");
}

/* The number of a row's picture; of the row, by its key, where it has none; -1: memory.
 */
static int picture_of(struct comparing *c, struct span key, struct span row)
{
    struct span media = store_media(row);
    struct buf name = {0};
    int number = -1;
    if (!media.s)
        return names_add(&c->pictures, key);
    if (store_name(media, &name) == 0)
        number = names_add(&c->pictures, (struct span){name.data, name.len});
    buf_free(&name);
    return number;
}

static int take_b(struct comparing *c, struct span key, struct span row)
{
    double score;
    int at = names_find(&c->rows, key);
    bool scored = read_score(row, &score);
    if (at < 0 || !c->a[at].there || !scored) {
        c->out->only_b += scored;
        return 0;
    }
    double before = c->a[at].score;
    int picture = picture_of(c, key, row);
    if (picture < 0 ||
        grow((void **)&c->clusters, &c->room, picture, sizeof *c->clusters) < 0)
        return -1;
    c->a[at].met = true;
    c->clusters[picture].sum[0] += score - before;
    c->clusters[picture].rows++;
    c->sum_a += before;
    c->sum_b += score;
    c->out->rows++;
    c->out->up += score > before;
    c->out->down += score < before;
    if (score != before)
        put_changed(c->changed, row, before, score);
    return 0;
}

/* Every row of a file, by its key and occurrence. */
static int walk(struct comparing *c, const char *path,
                int (*take)(struct comparing *c, struct span key, struct span row))
{
    struct reader *r = reader_open(path, NULL);
    struct key_counts counts = {0};
    struct line line = {0};
    struct buf key = {0};
    int rc, status = 0;
    if (!r)
        return -1;
    while (status == 0 && (rc = reader_next(r, &line)) == 1) {
        if (json_check(line.text) < 0) {
            status = fail_in("%s:%" PRId64, path, line.number);
        } else {
            put_key(&key, line.text);
            int64_t n = key_counts_add(&counts, key_of(true, key.data, key.len));
            buf_print(&key, "\n%" PRId64, n);
            status = n < 0 || buf_ok(&key) < 0
                         ? -1
                         : take(c, (struct span){key.data, key.len}, line.text);
        }
        free(line.block);
    }
    if (status == 0 && rc != STREAM_END)
        status = -1;
    key_counts_free(&counts);
    buf_free(&key);
    reader_close(r);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that a share p of sorted draws lies below, linear between two. */
static double percentile(const double *sorted, int n, double p)
{
    double at = p * (n - 1);
    int low = (int)at;
    return low + 1 < n ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low])
                       : sorted[low];
}

static int measure(struct comparing *c, uint64_t seed)
{
    struct compared *out = c->out;
    double(*draws)[BOOTSTRAP_DRAWS] = malloc(2 * sizeof *draws);
    if (!draws)
        return fail_memory();
    out->pictures = c->pictures.count;
    out->a = c->sum_a / (double)out->rows;
    out->b = c->sum_b / (double)out->rows;
    bootstrap_draw(draws, c->clusters, out->pictures, seed);
    out->se = bootstrap_se(draws[0], out->pictures);
    qsort(draws[0], BOOTSTRAP_DRAWS, sizeof draws[0][0], by_value);
    out->low = percentile(draws[0], BOOTSTRAP_DRAWS, 0.025);
    out->high = percentile(draws[0], BOOTSTRAP_DRAWS, 0.975);
    free(draws);
    return 0;
}

int compare_files(struct compared *out, const char *a, const char *b, uint64_t seed,
                  struct buf *changed)
{
    struct comparing c = {.out = out, .changed = changed};
    *out = (struct compared){0};
    int status = walk(&c, a, take_a) < 0 || walk(&c, b, take_b) < 0 ? -1 : 0;
    if (status == 0 && out->rows == 0)
        status = fail(FAIL_REFUSED, "%s, %s: no row is scored in both", a, b);
    for (int i = 0; i < c.rows.count; i++) out->only_a += c.a[i].there && !c.a[i].met;
    if (status == 0)
        status = measure(&c, seed);
    names_free(&c.rows);
    names_free(&c.pictures);
    free(c.a);
    free(c.clusters);
    return status < 0 ? -1 : buf_ok(changed);
}

void compare_put(struct buf *out, const struct compared *c, uint64_t seed)
{
    const struct {
        const char *name;
        double value;
    } list[] = {{"a", c->a},   {"b", c->b},     {"difference", c->b - c->a},
                {"se", c->se}, {"low", c->low}, {"high", c->high}};
    buf_print(out,
              "{\"rows\":%" PRId64 ",\"pictures\":%d,\"only_a\":%" PRId64
              ",\"only_b\":%" PRId64 ",\"up\":%" PRId64 ",\"down\":%" PRId64,
              c->rows, c->pictures, c->only_a, c->only_b, c->up, c->down);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        buf_print(out, ",\"%s\":", list[i].name);
        json_put_real(out, list[i].value);
    }
    buf_print(out,
              ",\"bootstrap\":{\"over\":\"pictures\",\"draws\":%d,\"seed\":%" PRIu64
              "}}\n",
              BOOTSTRAP_DRAWS, seed);
}

void compare_table(struct buf *out, const struct compared *c)
{
    buf_print(out, "%" PRId64 " rows in both, %d pictures: %.1f%% and %.1f%%\n", c->rows,
              c->pictures, 100 * c->a, 100 * c->b);
    buf_print(out, "difference %+.1f, 95%% of it from %+.1f to %+.1f\n",
              100 * (c->b - c->a), 100 * c->low, 100 * c->high);
    buf_print(out, "%" PRId64 " rows up, %" PRId64 " down\n", c->up, c->down);
    if (c->only_a + c->only_b > 0)
        buf_print(out,
                  "not compared: %" PRId64 " rows scored in the first alone, %" PRId64
                  " in the second\n",
                  c->only_a, c->only_b);
}
