/* qa-extract: from a model's text to multiple-choice questions. */
#include "qa/extract.h"
#include "row/cli.h"

static const struct cli_option options[] = {{0}};
static const struct cli_page page = {
    "qa-extract",
    "[option ...] [file ...]",
    "Turn a model's text into questions, with a reason for each it refuses.",
    CLI_ROWS,
    options,
    NULL};

/* Buffers that rows take turns in. */
struct work {
    struct buf qa, rejects;
};

static int extract_row(struct work *w, struct row *row)
{
    struct span text;
    if (row_text(row, "qa_response", &text) < 0)
        return -1;
    buf_clear(&w->qa);
    buf_clear(&w->rejects);
    int blocks = extract_questions(text, &w->qa, &w->rejects);
    if (blocks < 0)
        return -1;
    if (blocks == 0)
        return fail(FAIL_PARSE, "no question in \"qa_response\": no line such as "
                                "\"#### 1. What is it?\"");
    if (row_set(row, "qa", (struct span){w->qa.data, w->qa.len}) < 0)
        return -1;
    return row_set(row, "qa_rejects", (struct span){w->rejects.data, w->rejects.len});
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct row row;
    struct work work = {0};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    while (rows_next(&cli, &row)) {
        if (extract_row(&work, &row) < 0)
            row_fail(&row);
        rows_write(&cli, &row);
    }
    buf_free(&work.qa);
    buf_free(&work.rejects);
    return cli_end(&cli);
}
