/* model-tokenize: rows with text get token ids; with -d rows with ids get text. */
#include "base/processors.h"
#include "model/model.h"
#include "row/cli.h"
#include "text/tokenizer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
    {"model", 'm', CLI_TEXT, "SPEC",
     "model folder, its tokenizer.json, or a name (pocket)", false},
    {"decode", 'd', CLI_FLAG, NULL, "read `ids`, write `text`", false},
    {"special", 0, CLI_MAYBE, "keep",
     "recognise added tokens in the text; keep: those not marked special (none)", false},
    {"skip-special", 0, CLI_FLAG, NULL, "with -d: leave special tokens out", false},
    {"threads", 0, CLI_INT, "N", "rows worked on at once (all processors)", true},
    {0}};
static const struct cli_page page = {"model-tokenize",
                                     "-m MODEL [-d] [option ...] [file ...]",
                                     "Turn text into a model's token ids, or back.",
                                     CLI_ROWS,
                                     options,
                                     NULL};

struct job {
    struct tokenizer *tokenizer;
    enum token_mode mode;
    bool skip_special;
};

static int set(struct row *row, const char *key, const struct buf *b)
{
    return buf_ok(b) < 0 ? -1 : row_set(row, key, (struct span){b->data, b->len});
}

static int encode_row(void *context, struct row *row)
{
    const struct job *job = context;
    struct token_part part = {.mode = job->mode};
    struct ids ids = {0};
    struct buf b = {0};
    int status = -1;
    if (row_text(row, "text", &part.text) < 0 ||
        tokenizer_encode(job->tokenizer, &part, 1, &ids) < 0)
        goto out;
    buf_char(&b, '[');
    for (size_t i = 0; i < ids.n; i++) {
        if (i)
            buf_char(&b, ',');
        json_put_int(&b, ids.id[i]);
    }
    buf_char(&b, ']');
    if (set(row, "ids", &b) < 0)
        goto out;
    buf_clear(&b);
    json_put_int(&b, (int64_t)ids.n);
    status = set(row, "tokens", &b);
out:
    ids_free(&ids);
    buf_free(&b);
    return status;
}

static int decode_row(void *context, struct row *row)
{
    const struct job *job = context;
    struct decoder d = {.skip_special = job->skip_special};
    struct buf text = {0}, b = {0};
    struct span list, element;
    size_t at = 0;
    int status = -1;
    if (row_array(row, "ids", &list) < 0)
        return -1;
    for (int i = 0; json_each(list, &at, &element); i++) {
        int64_t id;
        if (json_int(element, &id) < 0 || id < 0 || id > INT_MAX) {
            fail(FAIL_TYPE, "ids[%d] is no token id", i);
            goto out;
        }
        decoder_push(&d, job->tokenizer, (int32_t)id, &text);
    }
    decoder_end(&d, &text);
    if (buf_ok(&text) < 0)
        goto out;
    json_put_text(&b, (struct span){text.data, text.len});
    status = set(row, "text", &b);
out:
    buf_free(&text);
    buf_free(&b);
    return status;
}

/* What -m names: a tokenizer.json itself, or a model. */
static struct tokenizer *open_tokenizer(const char *spec)
{
    char dir[PATH_MAX];
    size_t n = strlen(spec);
    if (n > 5 && strcmp(spec + n - 5, ".json") == 0)
        return tokenizer_open(spec);
    return model_find(dir, sizeof dir, spec) < 0 ? NULL : tokenizer_open(dir);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    const char *special = cli_text(&cli, "special", "");
    int threads = (int)cli_int(&cli, "threads", processors_usable(), 1, 1024);
    bool decode = cli_has(&cli, "decode");
    job.skip_special = cli_has(&cli, "skip-special");
    if (cli_has(&cli, "special"))
        job.mode = *special ? TOKEN_KEEP : TOKEN_SPECIAL;
    if (!cli_has(&cli, "model"))
        cli_bad_usage(&cli, "no model: give -m MODEL");
    else if (*special && strcmp(special, "keep") != 0)
        cli_bad_usage(&cli, "--special=%s: only --special or --special=keep", special);
    else if (decode && cli_has(&cli, "special"))
        cli_bad_usage(&cli, "--special is for encoding; with -d see --skip-special");
    else if (job.skip_special && !decode)
        cli_bad_usage(&cli, "--skip-special goes with -d");
    if (cli_usable(&cli) < 0 ||
        !(job.tokenizer = open_tokenizer(cli_text(&cli, "model", NULL))))
        return cli_quit(&cli);
    cli_map(&cli, threads, decode ? decode_row : encode_row, &job);
    tokenizer_close(job.tokenizer);
    return cli_end(&cli);
}
