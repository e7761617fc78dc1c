/* rl-pairs: of a row's rewarded captions the best and the worst, as a pair to learn
 * from. */
#include "base/replace.h"
#include "reward/pair_form.h"
#include "reward/pair_stats.h"
#include "row/cli.h"

#include <limits.h>

static const struct cli_option options[] = {
    {"min-margin", 0, CLI_REAL, "X", "between best and worst reward, at least (0)",
     false},
    {"pairs", 0, CLI_INT, "K", "pairs of one row, at most (1)", false},
    {"form", 0, CLI_TEXT, "NAME", "rows, trl or llamafactory (rows)", false},
    {"root", 0, CLI_TEXT, "DIR", "trl, llamafactory: put before relative media paths",
     false},
    {"prompt", 0, CLI_TEXT, "TEXT", "... asked where the row does not say what was",
     false},
    {"stats", 0, CLI_TEXT, "FILE", "write to FILE how many pairs there are, and why not",
     true},
    {0}};
static const struct cli_page page = {
    "rl-pairs",
    "[option ...] [file ...]",
    "Pair the best and the worst rewarded caption of each row.",
    CLI_ROWS,
    options,
    NULL};

struct program {
    struct cli *cli;
    struct pairs_rules rules;
    enum pair_form form;
    const char *root, *stats_path; /* NULL: not given */
    struct buf prompt;             /* a JSON string */
    struct pairs pairs;
    struct pair_stats stats;
    struct buf lines; /* of one row */
};

/* The pair beside the row's own fields. 0 or -1. */
static int set_pair(struct row *row, const struct pair *pair)
{
    return row_set_kept(row, "chosen", pair->chosen.json) < 0 ||
                   row_set_kept(row, "rejected", pair->rejected.json) < 0
               ? -1
               : 0;
}

/* Several pairs, or pairs of another form: a line for each, in the row's place. */
static int replace_row(struct program *p, struct row *row)
{
    struct asked asked;
    buf_clear(&p->lines);
    if (p->form != PAIR_ROWS &&
        asked_read(&asked, row, (struct span){p->prompt.data, p->prompt.len}) < 0)
        return -1;
    if (p->form == PAIR_ROWS)
        rows_stamp(p->cli, row);
    for (int i = 0; i < p->pairs.made_count && !row->bad; i++) {
        const struct pair *pair = &p->pairs.made[i];
        if (i > 0)
            buf_char(&p->lines, '\n');
        int status = p->form != PAIR_ROWS
                         ? pair_form_put(&p->lines, p->form, row, &asked, pair, p->root)
                     : set_pair(row, pair) < 0 ? -1
                                               : row_render(row, &p->lines);
        if (status < 0)
            return -1;
    }
    return row->bad || buf_ok(&p->lines) < 0
               ? -1
               : row_replace(row, (struct span){p->lines.data, p->lines.len});
}

/* How many pairs the row gives, or -1. */
static int pair_row(struct program *p, struct row *row)
{
    if (pairs_read(&p->pairs, row) < 0)
        return -1;
    int verdict = pairs_make(&p->pairs, &p->rules), n = p->pairs.made_count;
    if (verdict < 0)
        return -1;
    if (n == 1 && p->form == PAIR_ROWS && set_pair(row, p->pairs.made) < 0)
        return -1;
    if (n > 0 && (n > 1 || p->form != PAIR_ROWS) && replace_row(p, row) < 0)
        return -1;
    pair_stats_add(&p->stats, &p->pairs, (enum pairs_verdict)verdict);
    return n;
}

/* --stats, once no more rows come. What this run did not see it does not count. */
static int write_stats(const struct program *p)
{
    struct cli_counts rows;
    struct buf out = {0};
    int64_t empty = 0;
    cli_count(p->cli, &rows);
    for (int i = PAIRS_FEW; i < PAIRS_VERDICTS; i++) empty += p->stats.rows[i];
    buf_print(&out, "{\"program\":\"rl-pairs\",\"complete\":%s,\"min_margin\":",
              rows.whole ? "true" : "false");
    json_put_real(&out, p->rules.min_margin);
    buf_print(&out,
              ",\"rows\":{\"in\":%lld,\"out\":%lld,\"empty\":%lld,\"failed\":%lld,"
              "\"passed\":%lld,\"before\":%lld},",
              (long long)rows.rows, (long long)p->stats.rows[PAIRS_MADE],
              (long long)empty, (long long)rows.failed, (long long)rows.passed,
              (long long)rows.before);
    pair_stats_put(&p->stats, &out);
    buf_text(&out, "}\n");
    int rc = buf_ok(&out) < 0 ? -1 : file_replace(p->stats_path, out.data, out.len);
    buf_free(&out);
    return rc;
}

/* Options into *p. The status of cli_usable(). */
static int read_options(struct program *p)
{
    struct cli *cli = p->cli;
    p->rules.min_margin = cli_real(cli, "min-margin", 0, 0, 1e9);
    p->rules.most = (int)cli_int(cli, "pairs", 1, 1, INT_MAX);
    p->root = cli_text(cli, "root", NULL);
    p->stats_path = cli_text(cli, "stats", NULL);
    json_put_text(&p->prompt, span_of(cli_text(cli, "prompt",
                                               "Please describe this image in detail.")));
    if (buf_ok(&p->prompt) < 0)
        return -1;
    if (pair_form_of(&p->form, cli_text(cli, "form", "rows")) < 0)
        return cli_bad_usage(cli, "--form: %s", fail_text());
    if (p->form == PAIR_ROWS && (p->root || cli_has(cli, "prompt")))
        return cli_bad_usage(cli, "--root and --prompt are for --form trl and "
                                  "llamafactory: rows keep their own fields");
    if (p->stats_path &&
        (cli_check_file(cli, p->stats_path) < 0 || file_replaceable(p->stats_path) < 0))
        return cli_bad_usage(cli, "%s", fail_text());
    return cli_usable(cli);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct row row;
    struct program p = {.cli = &cli};
    if (cli_start(&cli, &page, argc, argv) != 0) /* --help, --version, bad usage */
        return cli.status;
    if (read_options(&p) < 0) {
        buf_free(&p.prompt);
        return cli_quit(&cli);
    }
    while (rows_next(&cli, &row)) { /* error rows pass by themselves */
        int n = pair_row(&p, &row);
        if (n < 0 && !row.bad)
            row_fail(&row);
        if (n == 0)
            rows_drop(&cli, &row);
        else
            rows_write(&cli, &row);
    }
    if (p.stats_path && write_stats(&p) < 0)
        cli_give_up(&cli, "%s", fail_text());
    pairs_free(&p.pairs);
    buf_free(&p.prompt);
    buf_free(&p.lines);
    return cli_end(&cli);
}
