/* qa-filter: keep the questions that need the picture. */
#include "base/replace.h"
#include "qa/measured.h"
#include "qa/similar.h"
#include "qa/stats.h"
#include "row/cli.h"

#include <stdlib.h>

static const struct cli_option options[] = {
    {"visual-above", 0, CLI_REAL, "ACC",
     "keep what is answered with the picture more often than this (0.75)", false},
    {"text-below", 0, CLI_REAL, "ACC",
     "keep what is answered without it less often than this (0.25)", false},
    {"drop-similar", 0, CLI_MAYBE, "X",
     "of a row's questions at least X alike keep the first (off; 0.9)", false},
    {"stats", 0, CLI_TEXT, "FILE", "write to FILE what was kept and dropped, and why",
     true},
    {0}};
static const struct cli_page page = {"qa-filter",
                                     "[option ...] [file ...]",
                                     "Keep the questions that need the picture.",
                                     CLI_ROWS,
                                     options,
                                     NULL};

/* A question of the row at hand. */
struct item {
    struct measured measured;
    enum verdict verdict;
    struct shingles shingles; /* of those kept, with --drop-similar */
};

struct filter {
    double visual_above, text_below, similar; /* similar over 1: not asked for */
    const char *stats_path;                   /* NULL: not asked for */
    struct stats stats;
    struct item *items; /* [cap]; count are the row's */
    int count, cap;
};

/* Room for one more question, zeroed; NULL if memory is short. */
static struct item *add_item(struct filter *f)
{
    if (f->count == f->cap) {
        int cap = f->cap ? 2 * f->cap : 16;
        struct item *items = realloc(f->items, (size_t)cap * sizeof *items);
        if (!items) {
            fail_memory();
            return NULL;
        }
        f->items = items;
        f->cap = cap;
    }
    f->items[f->count] = (struct item){0};
    return &f->items[f->count++];
}

static enum verdict judge(const struct filter *f, const struct measured *m)
{
    if (m->failed)
        return VERDICT_ERROR;
    bool visual = m->visual > f->visual_above, text = m->text < f->text_below;
    if (visual)
        return text ? VERDICT_KEPT : VERDICT_TEXT;
    return text ? VERDICT_VISUAL : VERDICT_BOTH;
}

/* Drop item, which would be kept, if one that is kept before it asks nearly the same. 0;
 * -1 (memory; no text). */
static int drop_similar(struct filter *f, struct item *item)
{
    struct buf text = {0};
    int number = (int)(item - f->items), rc = -1;
    if (json_type(item->measured.question) != JSON_STRING)
        fail(FAIL_MISSING, "qa[%d]: no text \"question\"", number);
    else if (json_text(item->measured.question, &text) == 0 && buf_ok(&text) == 0)
        rc = shingles_make(&item->shingles, (struct span){text.data, text.len});
    buf_free(&text);
    for (int i = 0; rc == 0 && i < number && item->verdict == VERDICT_KEPT; i++)
        if (f->items[i].verdict == VERDICT_KEPT &&
            shingles_similarity(&f->items[i].shingles, &item->shingles) >= f->similar)
            item->verdict = VERDICT_DUPLICATE;
    return rc;
}

/* Read and judge the row's questions into f->items. How many are kept, or -1. */
static int judge_row(struct filter *f, struct row *row)
{
    struct value qa, question;
    int kept = 0;
    if (row_list(row, "qa", &qa) < 0)
        return -1;
    for (size_t at = 0; value_each(qa, &at, &question);) {
        struct item *item = add_item(f);
        if (!item || measured_read(&item->measured, question, f->count - 1) < 0)
            return -1;
        item->verdict = judge(f, &item->measured);
        if (item->verdict == VERDICT_KEPT && f->similar <= 1 && drop_similar(f, item) < 0)
            return -1;
        kept += item->verdict == VERDICT_KEPT;
    }
    return kept;
}

/* Replace "qa" by the questions kept, byte for byte. 0 or -1 (memory). */
static int write_kept(const struct filter *f, struct row *row)
{
    size_t n = 1; /* a bracket or a comma before each, a bracket behind all */
    for (int i = 0; i < f->count; i++)
        if (f->items[i].verdict == VERDICT_KEPT)
            n += 1 + f->items[i].measured.json.n;
    char *kept = row_alloc(row, n), *to = kept;
    if (!kept)
        return -1;
    for (int i = 0; i < f->count; i++) {
        struct span json = f->items[i].measured.json;
        if (f->items[i].verdict != VERDICT_KEPT)
            continue;
        *to = to == kept ? '[' : ',';
        memcpy(to + 1, json.s, json.n);
        to += 1 + json.n;
    }
    *to = ']';
    return row_set_kept(row, "qa", (struct span){kept, n});
}

/* Count what became of the row. 0 or -1 (memory). */
static int count_row(struct filter *f, int kept)
{
    f->stats.rows++;
    f->stats.rows_out += kept > 0;
    f->stats.rows_empty += kept == 0;
    for (int i = 0; i < f->count; i++)
        if (stats_add(&f->stats, &f->items[i].measured, f->items[i].verdict) < 0)
            return -1;
    return 0;
}

/* How many questions are left in the row, or -1. */
static int filter_row(struct filter *f, struct row *row)
{
    f->count = 0;
    int kept = judge_row(f, row);
    if (kept > 0 && kept < f->count && write_kept(f, row) < 0)
        kept = -1;
    if (kept >= 0 && f->stats_path && count_row(f, kept) < 0)
        kept = -1;
    for (int i = 0; i < f->count; i++) shingles_free(&f->items[i].shingles);
    return kept;
}

/* --stats, once no more rows come. What this run did not see it does not count. */
static int write_stats(const struct filter *f, struct cli *cli)
{
    struct cli_counts rows;
    struct buf out = {0};
    cli_count(cli, &rows);
    buf_print(&out, "{\"program\":\"qa-filter\",\"complete\":%s,\"visual_above\":",
              rows.whole ? "true" : "false");
    json_put_real(&out, f->visual_above);
    buf_text(&out, ",\"text_below\":");
    json_put_real(&out, f->text_below);
    buf_text(&out, ",\"drop_similar\":");
    if (f->similar <= 1)
        json_put_real(&out, f->similar);
    else
        buf_text(&out, "null");
    buf_print(&out,
              ",\"rows\":{\"in\":%lld,\"out\":%lld,\"empty\":%lld,\"failed\":%lld,"
              "\"passed\":%lld,\"before\":%lld},",
              (long long)rows.rows, (long long)f->stats.rows_out,
              (long long)f->stats.rows_empty, (long long)rows.failed,
              (long long)rows.passed, (long long)rows.before);
    stats_put(&f->stats, &out);
    buf_text(&out, "}\n");
    int rc = buf_ok(&out) < 0 ? -1 : file_replace(f->stats_path, out.data, out.len);
    buf_free(&out);
    return rc;
}

/* Options into *f. The status of cli_usable(). */
static int read_options(struct filter *f, struct cli *cli)
{
    const char *similar = cli_text(cli, "drop-similar", NULL);
    f->visual_above = cli_real(cli, "visual-above", 0.75, -1, 1);
    f->text_below = cli_real(cli, "text-below", 0.25, 0, 2);
    f->similar = !similar ? 2 : *similar ? cli_real(cli, "drop-similar", 0, 0, 1) : 0.9;
    f->stats_path = cli_text(cli, "stats", NULL);
    if (f->stats_path &&
        (cli_check_file(cli, f->stats_path) < 0 || file_replaceable(f->stats_path) < 0))
        return cli_bad_usage(cli, "%s", fail_text());
    return cli_usable(cli);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct row row;
    struct filter f = {0};
    if (cli_start(&cli, &page, argc, argv) != 0) /* --help, --version, bad usage */
        return cli.status;
    if (read_options(&f, &cli) < 0)
        return cli_quit(&cli);
    while (rows_next(&cli, &row)) { /* error rows pass by themselves */
        int kept = filter_row(&f, &row);
        if (kept < 0)
            row_fail(&row);
        if (kept == 0)
            rows_drop(&cli, &row);
        else
            rows_write(&cli, &row);
    }
    if (f.stats_path && write_stats(&f, &cli) < 0)
        cli_give_up(&cli, "%s", fail_text());
    stats_free(&f.stats);
    free(f.items);
    return cli_end(&cli);
}
