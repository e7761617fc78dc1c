/* program.c: see program.h. */
#include "train/program.h"
#include "base/fail.h"
#include "base/folder.h"
#include "comm/comm.h"
#include "model/model.h"
#include "train/metrics.h"
#include "train/tensorboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- What the run says ------------------------------------------------------------------
 */

static void metrics(void *context, const struct run_metrics *m)
{
    struct train_program *p = context;
    struct metric list[METRICS_MOST];
    struct buf b = {0};
    int count = metrics_list(list, m, p->objective->extra);
    p->failed = p->failed > m->failed ? p->failed : m->failed;
    if (p->others)
        return;
    metrics_row(&b, list, count);
    buf_text(&b, "\n");
    if (buf_ok(&b) < 0 || fwrite(b.data, 1, b.len, stdout) != b.len ||
        fflush(stdout) != 0)
        p->gone = true;
    buf_free(&b);
    if (p->charts && metrics_chart(p->charts, list, count) < 0) {
        cli_say(p->cli, NULL, "%s; no more is written there", fail_text());
        tensorboard_close(p->charts);
        p->charts = NULL;
    }
}

static void say(void *context, const char *text)
{
    struct train_program *p = context;
    cli_say(p->cli, NULL, "%s", text);
}

static void note(void *context, const char *text)
{
    struct train_program *p = context;
    if (!p->others)
        cli_note(p->cli, "%s", text);
}

static bool stop(void *context)
{
    struct train_program *p = context;
    return p->gone || cli_stopping(p->cli) ||
           (p->max_errors >= 0 && p->failed > p->max_errors);
}

/* A file of error rows is cut behind its first `count` lines: those behind them come
 * again. What is no plain file stays as it is. */
static void bad_rows(void *context, int64_t count)
{
    const struct train_program *p = context;
    char piece[1 << 14];
    int64_t size = 0;
    ssize_t got = 1;
    bool file = !p->others && p->errors_path && !path_is_stream(p->errors_path);
    int fd = file ? open(p->errors_path, O_RDWR | O_CLOEXEC) : -1;
    while (fd >= 0 && count > 0 && got > 0) {
        got = pread(fd, piece, sizeof piece, size);
        for (ssize_t i = 0; count > 0 && i < got; i++) {
            count -= piece[i] == '\n';
            size++;
        }
    }
    if (fd >= 0 && (got < 0 || ftruncate(fd, size) < 0))
        cli_say(p->cli, NULL, "%s: %s", p->errors_path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* A row that cannot be learnt: a message, and an error row. */
static void bad_row(void *context, struct row *row)
{
    struct train_program *p = context;
    struct buf line = {0};
    p->failed++;
    if (p->others)
        return;
    cli_say(p->cli, row, "%s", row->why.text);
    int status = row_render(row, &line);
    buf_text(&line, "\n");
    if (status == 0 && buf_ok(&line) == 0 &&
        (fwrite(line.data, 1, line.len, p->errors) != line.len || fflush(p->errors) != 0))
        p->gone = true;
    buf_free(&line);
}

static void waiting(void *context, bool yes)
{
    (void)context, (void)yes;
}

/* -- Options ---------------------------------------------------------------------------
 */

static struct example_options example_options_read(struct cli *cli)
{
    return (struct example_options){
        .root = cli_text(cli, "root", NULL),
        .prompt = cli_text(cli, "prompt", "Please describe this image in detail."),
        .system = cli_text(cli, "system", NULL),
        .chat = cli_text(cli, "chat", NULL),
        .min_pixels = cli_int(cli, "min-pixels", 0, 1, INT64_MAX),
        .max_pixels = cli_int(cli, "max-pixels", 0, 1, INT64_MAX),
        .ctx = (int)cli_int(cli, "ctx", 0, 2, INT_MAX),
        .truncate = cli_has(cli, "truncate")};
}

static void words_read(struct run_options *o, struct cli *cli)
{
    const char *dtype = cli_text(cli, "dtype", NULL);
    if (dtype && strcmp(dtype, "bf16") == 0)
        o->dtype = RUN_BF16;
    else if (dtype && strcmp(dtype, "fp32") == 0)
        o->dtype = RUN_FP32;
    else if (dtype)
        cli_bad_usage(cli, "--dtype %s: not bf16 or fp32", dtype);
    if (lr_kind(&o->lr.kind, cli_text(cli, "schedule", "cosine")) < 0)
        cli_bad_usage(cli, "--schedule: %s", fail_text());
    const char *optimizer = cli_text(cli, "optimizer", "adamw");
    o->moments8 = strcmp(optimizer, "adamw8bit") == 0;
    if (!o->moments8 && strcmp(optimizer, "adamw") != 0)
        cli_bad_usage(cli, "--optimizer %s: not adamw or adamw8bit", optimizer);
    if (o->lora && cli_has(cli, "train"))
        cli_bad_usage(cli, "--lora or --train, not both");
    if (o->pack && cli_has(cli, "micro-tokens"))
        cli_bad_usage(cli, "--pack or --micro-tokens, not both");
    if (!o->out)
        cli_bad_usage(cli, "say where the model goes: --out DIR");
    if (!cli_has(cli, "model"))
        cli_bad_usage(cli, "no model: give -m SPEC");
    if (o->resume && o->force)
        cli_bad_usage(cli, "--resume or --force, not both");
}

void train_options_read(struct train_program *p, struct cli *cli, double rate)
{
    *p = (struct train_program){.cli = cli, .standard_input = "-"};
    p->files[0] = p->standard_input;
    p->max_errors = cli_int(cli, "max-errors", -1, 0, INT64_MAX);
    p->run = (struct run_options){
        .dir = p->dir,
        .out = cli_text(cli, "out", NULL),
        .parts = cli_text(cli, "train", "all"),
        .lora = cli_text(cli, "lora", NULL),
        .threads = (int)cli_int(cli, "threads", 0, 1, ENGINE_THREADS_MAX),
        .recompute = cli_has(cli, "recompute"),
        .example = example_options_read(cli),
        .files = cli->args ? cli->arg : p->files,
        .file_count = cli->args ? cli->args : 1,
        .eval = (char *)(uintptr_t)cli_text(cli, "eval", NULL),
        .keep = (int)cli_int(cli, "keep", 0, 1, INT_MAX),
        .epochs = cli_int(cli, "epochs", 1, 1, 1000000),
        .steps = cli_int(cli, "steps", 0, 1, INT64_MAX),
        .batch_tokens = cli_int(cli, "batch-tokens", 8192, 1, INT64_MAX),
        .micro_tokens = cli_int(cli, "micro-tokens", 4096, 1, INT_MAX),
        .pack = cli_int(cli, "pack", 0, 1, INT_MAX),
        .shuffle = !cli_has(cli, "no-shuffle"),
        .window = cli_int(cli, "window", 10000, 1, 1 << 30),
        .seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX),
        .lr = {.peak = cli_real(cli, "lr", rate, 0, 10),
               .least = cli_real(cli, "lr-end", 0, 0, 10),
               .warmup = cli_int(cli, "warmup", 0, 0, INT64_MAX)},
        .beta1 = cli_real(cli, "beta1", 0.9, 0, 0.9999999),
        .beta2 = cli_real(cli, "beta2", 0.95, 0, 0.9999999),
        .eps = cli_real(cli, "eps", 1e-8, 1e-20, 1), /* 0 / 0 is no step */
        .weight_decay = cli_real(cli, "weight-decay", 0.1, 0, 100),
        .clip = cli_real(cli, "clip", 1, 0, 1e9),
        .save = cli_int(cli, "save", 0, 1, INT64_MAX),
        .eval_every = cli_int(cli, "eval-every", 0, 1, INT64_MAX),
        .resume = cli_has(cli, "resume"),
        .force = cli_has(cli, "force")};
    device_options_read(&p->run.device, &p->run.compute, cli);
    words_read(&p->run, cli);
    rank_options_read(&p->ranks, cli);
    p->run.device = rank_options_device(&p->ranks, p->run.device);
}

/* -- A run -----------------------------------------------------------------------------
 */

static FILE *stream_open_text(const char *path)
{
    int fd = path_stream_open(path);
    return fd < 0 ? NULL : fdopen(fd, "a");
}

/* The file of --errors, by the rules of other programs' (capmill(7)); what is in it stays
 * until bad_rows(). NULL: refused. */
static FILE *open_errors(const struct train_program *p, const char *path)
{
    const struct run_options *o = &p->run;
    bool stream = path_is_stream(path);
    struct stat st;
    FILE *f = NULL;
    if (cli_check_file(p->cli, path) < 0)
        return NULL;
    if (o->eval && path_same(path, o->eval))
        fail(FAIL_REFUSED, "%s: is an input of this run too", path);
    else if (!stream && !o->resume && !o->force && stat(path, &st) == 0 && st.st_size > 0)
        fail(FAIL_REFUSED, "%s: exists (--resume goes on with it, --force overwrites it)",
             path);
    else if (!(f = stream ? stream_open_text(path) : fopen(path, "ae")))
        fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
    return f;
}

/* The model and the files that the options name. 0 or -1. */
static int set_up(struct train_program *p)
{
    if (rank_options_open(&p->ranks, p->cli, &p->run.comm) < 0)
        return -1;
    p->others = comm_rank(p->run.comm) > 0;
    if (model_find(p->dir, sizeof p->dir, cli_text(p->cli, "model", NULL)) < 0)
        return -1;
    const char *charts = p->others ? NULL : cli_text(p->cli, "tensorboard", NULL);
    if (charts && !(p->charts = tensorboard_open(charts)))
        return fail_in("--tensorboard");
    const char *errors = cli_text(p->cli, "errors", "-");
    p->errors_path = p->others || strcmp(errors, "-") == 0 ? NULL : errors;
    p->errors = p->errors_path ? open_errors(p, p->errors_path) : stdout;
    return p->errors ? 0 : -1;
}

/* The status of a run that ended as it should: rows may have failed. */
static int end(struct train_program *p)
{
    if (p->errors != stdout && fclose(p->errors) != 0)
        p->gone = true;
    int status = cli_end(p->cli);
    if (status == CLI_OK && p->gone)
        return CLI_INTERRUPTED;
    return status == CLI_OK && p->failed ? CLI_BAD_ROWS : status;
}

int train_program_run(struct train_program *p, const struct objective *objective)
{
    const struct run_calls calls = {p,   metrics, bad_rows, bad_row,
                                    say, note,    &p->wait, stop};
    p->objective = objective;
    if (cli_usable(p->cli) < 0 || cli_heed_signals(p->cli) < 0 || set_up(p) < 0) {
        comm_leave(p->run.comm, fail_text());
        comm_close(p->run.comm);
        return cli_quit(p->cli);
    }
    p->wait = (struct stream_wait){cli_wait(p->cli)->wake_fd, waiting, p};
    int status = run_train(&p->run, objective, p->cli->page->name, &calls);
    tensorboard_close(p->charts);
    comm_close(p->run.comm);
    if (status == 0)
        return end(p);
    bool many = p->max_errors >= 0 && p->failed > p->max_errors;
    if (p->errors != stdout)
        fclose(p->errors);
    cli_quit(p->cli);
    return many                      ? CLI_TOO_MANY
           : status == RUN_RESUMABLE ? CLI_INTERRUPTED
           : status == RUN_BAD_STEP  ? CLI_BAD_ROWS
                                     : p->cli->status;
}
