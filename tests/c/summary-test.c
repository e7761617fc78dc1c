/* summary-test: figures and their bootstrap against the few lines that summary.h states.
 */
#include "base/random.h"
#include "check.h"
#include "prism/compare.h"
#include "prism/summary.h"
#include "row/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 9000, PICTURES = 4500 }; /* more pictures than one thread draws alone */

struct sums {
    double score, best;
    int rows;
};

static uint32_t word(uint32_t i, uint32_t b, uint64_t seed)
{
    const uint32_t counter[4] = {i, b, 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    random_philox(out, counter, key);
    return out[0];
}

/* Standard deviation of the draws' means of score (k 0) or best (k 1). */
static double plain_se(const struct sums *sums, int count, int k, uint64_t seed)
{
    double draws[BOOTSTRAP_DRAWS], mean = 0, square = 0;
    for (int b = 0; b < BOOTSTRAP_DRAWS; b++) {
        double sum = 0, rows = 0;
        for (int i = 0; i < count; i++) {
            const struct sums *s =
                &sums[(uint64_t)word((uint32_t)i, (uint32_t)b, seed) * (uint64_t)count >>
                      32];
            sum += k ? s->best : s->score;
            rows += s->rows;
        }
        draws[b] = sum / rows;
        mean += draws[b] / BOOTSTRAP_DRAWS;
    }
    for (int b = 0; b < BOOTSTRAP_DRAWS; b++)
        square += (draws[b] - mean) * (draws[b] - mean);
    return sqrt(square / (BOOTSTRAP_DRAWS - 1));
}

static int picture_of(int i)
{
    return i * 7919 % PICTURES; /* a picture's rows do not stand together */
}
static int category_of(int i)
{
    return i % 11 == 0 ? -1 : i * 31 % 3; /* -1: none */
}
static double score_of(int i)
{
    return i * 2654435761u % 5 / 4.0;
}
static double best_of(int i)
{
    return score_of(i) > 0.3 ? 1 : 0;
}

/* The rows of a category (-2: all), straight through. */
static void check_figures(const struct figures *f, int category, uint64_t seed)
{
    struct sums *sums = calloc(PICTURES, sizeof *sums);
    int *slot = calloc(PICTURES, sizeof *slot), count = 0, rows = 0;
    double score = 0, best = 0;
    for (int i = 0; i < ROWS; i++) {
        if (category != -2 && category_of(i) != category)
            continue;
        int p = picture_of(i);
        if (!slot[p])
            slot[p] = ++count;
        struct sums *s = &sums[slot[p] - 1];
        s->score += score_of(i);
        s->best += best_of(i);
        s->rows++;
        score += score_of(i);
        best += best_of(i);
        rows++;
    }
    CHECK(f->rows == rows && f->pictures == count, "category %d", category);
    CHECK(fabs(f->mean - score / rows) < 1e-12 && fabs(f->best - best / rows) < 1e-12,
          "category %d: %g, %g", category, f->mean, f->best);
    double want[2] = {plain_se(sums, count, 0, seed), plain_se(sums, count, 1, seed)};
    CHECK(fabs(f->mean_se - want[0]) < 1e-10 && fabs(f->best_se - want[1]) < 1e-10,
          "category %d: %g, %g, not %g, %g", category, f->mean_se, f->best_se, want[0],
          want[1]);
    free(sums);
    free(slot);
}

static void add_row(struct summary *s, int i)
{
    char row[200], category[40] = "";
    if (category_of(i) >= 0)
        snprintf(category, sizeof category, ",\"category\":\"c%d\"", category_of(i));
    int n = snprintf(row, sizeof row,
                     "{\"image\":\"%d.png\"%s,\"score\":%.17g,\"best\":%.17g,"
                     "\"predictions\":[1,2]}",
                     picture_of(i), category, score_of(i), best_of(i));
    CHECK(summary_add(s, (struct span){row, (size_t)n}, i, "category") == 0, "row %d", i);
}

/* ... in whatever order rows were finished. */
static void figures_are_what_the_header_states(void)
{
    const uint64_t seed = 0x123456789abcdefULL;
    for (int way = 0; way < 2; way++) {
        struct summary s = {0};
        for (int i = 0; i < ROWS; i++) add_row(&s, way ? ROWS - 1 - i : i);
        NEED(summary_measure(&s, seed) == 0, "memory");
        check_figures(&s.figures[s.categories.count], -2, seed);
        for (int c = 0; c < s.categories.count; c++)
            check_figures(&s.figures[c], s.categories.list[c].s[1] - '0', seed);
        CHECK(s.categories.count == 3 && s.captions == 2, "%d", s.categories.count);
        summary_free(&s);
    }
}

static void check_table(const char *const rows[], const char *want, double se)
{
    struct summary s = {0};
    struct buf out = {0}, json = {0};
    double x;
    for (int i = 0; rows[i]; i++)
        CHECK(summary_add(&s, span_of(rows[i]), i, "category") == 0, "%s", rows[i]);
    NEED(summary_measure(&s, 0) == 0 && summary_table(&s, &out) == 0, "memory");
    CHECK(strstr(buf_string(&out), want) != NULL, "%s", out.data);
    buf_char(&json, '{');
    NEED(summary_put(&s, 0, &json) == 0, "memory");
    buf_char(&json, '}');
    struct span text = {json.data, json.len};
    NEED(json_check(text) == 0, "no JSON");
    bool is = json_double(json_get(text, "mean_se"), &x) == 0;
    CHECK(se < 0 ? !is : is && x == se, "%s", want);
    buf_free(&out);
    buf_free(&json);
    summary_free(&s);
}

static void no_figures_of_no_rows_and_no_error_of_one_picture(void)
{
    check_table((const char *const[]){NULL}, "all            0        0      -\n", -1);
    check_table((const char *const[]){"{\"image\":\"a\",\"error\":{}}", NULL},
                "all            0        0      -\n1 rows failed", -1);
    check_table((const char *const[]){"{\"image\":\"a\",\"score\":0.5,\"best\":1}",
                                      "{\"image\":\"a\",\"score\":1,\"best\":1}", NULL},
                "all            2        1   75.0\n", 0);
}

int main(void)
{
    CASE(figures_are_what_the_header_states);
    CASE(no_figures_of_no_rows_and_no_error_of_one_picture);
    return check_end();
}
