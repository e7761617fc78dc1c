/* sft-step: rows in, a metrics row a step out, a trained model in --out. */
#include "base/fail.h"
#include "model/model.h"
#include "row/cli.h"
#include "train/sft.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    {"", 0, CLI_FLAG, NULL, "Model", false},
    {"model", 'm', CLI_TEXT, "SPEC", "the model to train: a folder, or a name (pocket)",
     false},
    {"out", 0, CLI_TEXT, "DIR", "where checkpoints go: DIR/vNNNNNN, DIR/latest", false},
    {"train", 0, CLI_TEXT, "LIST", "parts: vision, merger, text, embed, or all (all)",
     false},
    {"lora", 0, CLI_TEXT, "R,ALPHA,LIST",
     "low-rank pairs beside q, k, v, o, gate, up, down or all", false},
    {"dtype", 0, CLI_TEXT, "TYPE", "of the weights written: bf16, fp32 (as the model's)",
     false},
    {"threads", 0, CLI_INT, "N", "processors to use (all)", true},
    {"recompute", 0, CLI_FLAG, NULL, "compute layers twice, for less memory", true},
    {"", 0, CLI_FLAG, NULL, "Rows", false},
    {"root", 0, CLI_TEXT, "DIR", "folder of relative media paths (the current one)",
     false},
    {"prompt", 0, CLI_TEXT, "TEXT", "asked of rows of a picture and a caption", false},
    {"system", 0, CLI_TEXT, "TEXT", "a system turn before each row's", false},
    {"chat", 0, CLI_TEXT, "NAME", "chat format (the model's own)", false},
    {"ctx", 0, CLI_INT, "N", "tokens a row may have (the model's context)", false},
    {"truncate", 0, CLI_FLAG, NULL, "cut longer rows, but never a picture", false},
    {"min-pixels", 0, CLI_INT, "N", "of a resized picture, at least (the model's)",
     false},
    {"max-pixels", 0, CLI_INT, "N", "of a resized picture, at most (the model's)", false},
    {"errors", 0, CLI_TEXT, "FILE", "rows that fail go there (standard output)", true},
    {"max-errors", 0, CLI_INT, "N", "stop if more rows fail (no limit)", true},
    {"eval", 0, CLI_TEXT, "FILE", "rows whose loss is measured and not learnt", false},
    {"eval-every", 0, CLI_INT, "N", "measure it every N steps (at the end)", false},
    {"", 0, CLI_FLAG, NULL, "Training", false},
    {"epochs", 0, CLI_INT, "N", "how often each row is seen (1)", false},
    {"steps", 0, CLI_INT, "N", "stop after N steps (all of all epochs)", false},
    {"batch-tokens", 0, CLI_INT, "N", "tokens of a step, at most (8192)", false},
    {"micro-tokens", 0, CLI_INT, "N", "tokens computed together, at most (4096)", false},
    {"no-shuffle", 0, CLI_FLAG, NULL, "rows as they come (in a seeded order)", false},
    {"seed", 0, CLI_INT, "N", "seed of the order (0)", false},
    {"lr", 0, CLI_REAL, "X", "learning rate (1e-5)", false},
    {"lr-end", 0, CLI_REAL, "X", "where cosine and linear end (0)", false},
    {"schedule", 0, CLI_TEXT, "NAME", "constant, cosine or linear (cosine)", false},
    {"warmup", 0, CLI_INT, "N", "steps in which the rate rises (0)", false},
    {"optimizer", 0, CLI_TEXT, "NAME", "adamw, or adamw8bit: moments in 8 bits (adamw)",
     false},
    {"beta1", 0, CLI_REAL, "X", "AdamW: decay of the mean gradient (0.9)", false},
    {"beta2", 0, CLI_REAL, "X", "AdamW: decay of its square (0.95)", false},
    {"eps", 0, CLI_REAL, "X", "AdamW: added to the root (1e-8)", false},
    {"weight-decay", 0, CLI_REAL, "X", "AdamW: of matrices (0.1)", false},
    {"clip", 0, CLI_REAL, "X", "norm of the gradient, at most; 0: no limit (1)", false},
    {"", 0, CLI_FLAG, NULL, "Checkpoints", false},
    {"save", 0, CLI_INT, "N", "one every N steps (at the end)", true},
    {"keep", 0, CLI_INT, "N", "keep the newest N (all)", true},
    {"resume", 0, CLI_FLAG, NULL, "go on from the newest whole one in --out", true},
    {"force", 0, CLI_FLAG, NULL, "start anew though --out has some", true},
    {0}};
static const struct cli_page page = {"sft-step",
                                     "-m SPEC --out DIR [option ...] [file ...]",
                                     "Train a model on answers that rows give.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

struct program {
    struct cli *cli;
    FILE *errors;
    int64_t failed, max_errors;
    bool gone; /* nobody reads the output */
    char dir[PATH_MAX];
    char *standard_input[1];
    struct sft_options sft;
};

/* -- What the run says ------------------------------------------------------------------
 */

static void put_real(struct buf *b, const char *name, double x)
{
    buf_print(b, ",\"%s\":%.9g", name, x);
}

static void metrics(void *context, const struct sft_metrics *m)
{
    struct program *p = context;
    struct buf b = {0};
    p->failed += m->failed;
    buf_print(&b, "{\"step\":%lld,\"epoch\":%lld", (long long)m->step,
              (long long)m->epoch);
    if (isfinite(m->loss))
        put_real(&b, "loss", m->loss);
    if (isfinite(m->eval_loss))
        put_real(&b, "eval_loss", m->eval_loss);
    put_real(&b, "lr", m->lr);
    put_real(&b, "grad_norm", m->grad_norm);
    buf_print(&b, ",\"num_tokens\":%lld,\"rows\":%lld,\"failed\":%lld",
              (long long)m->tokens, (long long)m->rows, (long long)p->failed);
    buf_print(&b, ",\"step_time\":%.4f,\"tokens_per_second\":%.1f}\n", m->seconds,
              (double)m->tokens / m->seconds);
    if (buf_ok(&b) < 0 || fwrite(b.data, 1, b.len, stdout) != b.len ||
        fflush(stdout) != 0)
        p->gone = true;
    buf_free(&b);
}

static void say(void *context, const char *text)
{
    struct program *p = context;
    cli_say(p->cli, NULL, "%s", text);
}

static void note(void *context, const char *text)
{
    struct program *p = context;
    cli_note(p->cli, "%s", text);
}

static bool stop(void *context)
{
    struct program *p = context;
    return p->gone || cli_stopping(p->cli) ||
           (p->max_errors >= 0 && p->failed > p->max_errors);
}

/* A row that cannot be learnt: a message, and an error row. */
static void bad_row(void *context, struct row *row)
{
    struct program *p = context;
    struct buf line = {0};
    p->failed++;
    cli_say(p->cli, row, "%s", row->why.text);
    int status = row_render(row, &line);
    buf_text(&line, "\n");
    if (status == 0 && buf_ok(&line) == 0 &&
        (fwrite(line.data, 1, line.len, p->errors) != line.len || fflush(p->errors) != 0))
        p->gone = true;
    buf_free(&line);
}

/* -- Options
 * ----------------------------------------------------------------------------- */

static void read_options(struct program *p)
{
    struct cli *cli = p->cli;
    const char *dtype = cli_text(cli, "dtype", NULL);
    const char *optimizer = cli_text(cli, "optimizer", "adamw");
    p->max_errors = cli_int(cli, "max-errors", -1, 0, INT64_MAX);
    p->sft = (struct sft_options){
        .dir = p->dir,
        .out = cli_text(cli, "out", NULL),
        .parts = cli_text(cli, "train", "all"),
        .lora = cli_text(cli, "lora", NULL),
        .threads = (int)cli_int(cli, "threads", 0, 1, ENGINE_THREADS_MAX),
        .recompute = cli_has(cli, "recompute"),
        .example = {.root = cli_text(cli, "root", NULL),
                    .prompt =
                        cli_text(cli, "prompt", "Please describe this image in detail."),
                    .system = cli_text(cli, "system", NULL),
                    .chat = cli_text(cli, "chat", NULL),
                    .min_pixels = cli_int(cli, "min-pixels", 0, 1, INT64_MAX),
                    .max_pixels = cli_int(cli, "max-pixels", 0, 1, INT64_MAX),
                    .ctx = (int)cli_int(cli, "ctx", 0, 2, INT_MAX),
                    .truncate = cli_has(cli, "truncate")},
        .files = cli->args ? cli->arg : p->standard_input,
        .file_count = cli->args ? cli->args : 1,
        .eval = (char *)(uintptr_t)cli_text(cli, "eval", NULL),
        .keep = (int)cli_int(cli, "keep", 0, 1, INT_MAX),
        .epochs = cli_int(cli, "epochs", 1, 1, 1000000),
        .steps = cli_int(cli, "steps", 0, 1, INT64_MAX),
        .batch_tokens = cli_int(cli, "batch-tokens", 8192, 1, INT64_MAX),
        .micro_tokens = cli_int(cli, "micro-tokens", 4096, 1, INT_MAX),
        .shuffle = !cli_has(cli, "no-shuffle"),
        .seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX),
        .lr = {.peak = cli_real(cli, "lr", 1e-5, 0, 10),
               .least = cli_real(cli, "lr-end", 0, 0, 10),
               .warmup = cli_int(cli, "warmup", 0, 0, INT64_MAX)},
        .moments8 = strcmp(optimizer, "adamw8bit") == 0,
        .beta1 = cli_real(cli, "beta1", 0.9, 0, 0.9999999),
        .beta2 = cli_real(cli, "beta2", 0.95, 0, 0.9999999),
        .eps = cli_real(cli, "eps", 1e-8, 0, 1),
        .weight_decay = cli_real(cli, "weight-decay", 0.1, 0, 100),
        .clip = cli_real(cli, "clip", 1, 0, 1e9),
        .save = cli_int(cli, "save", 0, 1, INT64_MAX),
        .eval_every = cli_int(cli, "eval-every", 0, 1, INT64_MAX),
        .resume = cli_has(cli, "resume"),
        .force = cli_has(cli, "force")};
    if (dtype && strcmp(dtype, "bf16") == 0)
        p->sft.dtype = SFT_BF16;
    else if (dtype && strcmp(dtype, "fp32") == 0)
        p->sft.dtype = SFT_FP32;
    else if (dtype)
        cli_bad_usage(cli, "--dtype %s: not bf16 or fp32", dtype);
    if (!p->sft.out)
        cli_bad_usage(cli, "say where the model goes: --out DIR");
    if (!cli_has(cli, "model"))
        cli_bad_usage(cli, "no model: give -m SPEC");
    if (!p->sft.moments8 && strcmp(optimizer, "adamw") != 0)
        cli_bad_usage(cli, "--optimizer %s: not adamw or adamw8bit", optimizer);
    if (p->sft.lora && cli_has(cli, "train"))
        cli_bad_usage(cli, "--lora or --train, not both");
    if (p->sft.resume && p->sft.force)
        cli_bad_usage(cli, "--resume or --force, not both");
}

/* The model and the files that the options name. 0 or -1. */
static int set_up(struct program *p)
{
    const char *errors = cli_text(p->cli, "errors", NULL);
    if (lr_kind(&p->sft.lr.kind, cli_text(p->cli, "schedule", "cosine")) < 0)
        return fail_in("--schedule");
    if (model_find(p->dir, sizeof p->dir, cli_text(p->cli, "model", NULL)) < 0)
        return -1;
    p->errors = errors ? fopen(errors, p->sft.resume ? "ae" : "we") : stdout;
    return p->errors ? 0 : fail(FAIL_REFUSED, "%s: %s", errors, strerror(errno));
}

/* The status of a run that ended as it should: rows may have failed. */
static int end(struct program *p)
{
    if (p->errors != stdout && fclose(p->errors) != 0)
        p->gone = true;
    int status = cli_end(p->cli);
    if (status == CLI_OK && p->gone)
        return CLI_INTERRUPTED;
    return status == CLI_OK && p->failed ? CLI_BAD_ROWS : status;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    char standard_input[] = "-";
    struct program p = {.cli = &cli, .standard_input = {standard_input}};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    read_options(&p);
    if (cli_usable(&cli) < 0 || cli_heed_signals(&cli) < 0 || set_up(&p) < 0)
        return cli_quit(&cli);
    const struct sft_calls calls = {&p, metrics, bad_row, say, note, stop};
    if (sft_train(&p.sft, page.name, &calls) < 0) {
        bool many = p.max_errors >= 0 && p.failed > p.max_errors, gone = p.gone;
        if (p.errors != stdout)
            fclose(p.errors);
        int status = cli_quit(&cli);
        return many ? CLI_TOO_MANY : gone ? CLI_INTERRUPTED : status;
    }
    return end(&p);
}
