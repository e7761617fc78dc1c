/* rl-step: rewarded captions in, a metrics row a step out, a new version of the policy
 * each step. */
#include "base/fail.h"
#include "comm/comm.h"
#include "engine/engine.h"
#include "model/model.h"
#include "model/options.h"
#include "model/settings.h"
#include "row/cli.h"
#include "train/rank_options.h"
#include "train/rl.h"
#include "train/tensorboard.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    {"", 0, CLI_FLAG, NULL, "Model", false},
    {"model", 'm', CLI_TEXT, "SPEC",
     "where it starts: a model folder, or a name (pocket)", false},
    {"out", 0, CLI_TEXT, "POLICY",
     "the policy: a link to its newest version; POLICY.d beside it", false},
    {"work", 0, CLI_TEXT, "DIR", "where versions are written (/dev/shm)", true},
    {"hand-over", 0, CLI_TEXT, "HOW",
     "weights to samplers: file, gpu (in a GPU's memory, without files) or both (file)",
     true},
    {"train", 0, CLI_TEXT, "LIST",
     "parts: vision, merger, text, embed, or all (merger,text,embed)", false},
    {"chat", 0, CLI_TEXT, "NAME", "chat format (the model's own)", false},
    DEVICE_OPTIONS,
    {"threads", 0, CLI_INT, "N", "processors to use (all)", true},
    {"recompute", 0, CLI_FLAG, NULL, "compute layers twice, for less memory", true},
    {"", 0, CLI_FLAG, NULL, "Rows", false},
    {"root", 0, CLI_TEXT, "DIR", "folder of relative media paths (the current one)",
     false},
    {"allow-url", 0, CLI_TEXT, "HOST[,HOST]",
     "fetch pictures by http(s) URL from these hosts (none)", false},
    {"max-input-pixels", 0, CLI_INT, "N", "refuse larger pictures undecoded (178956970)",
     false},
    {"batch", 0, CLI_INT, "N", "rows a step, where they have no _rl (all there are)",
     false},
    {"ahead", 0, CLI_INT, "K", "take rows from versions up to K steps old (0)", false},
    {"allow-truncated", 0, CLI_FLAG, NULL,
     "take rows sampled with top-p, top-k, min-p or penalties", false},
    {"dynamic", 0, CLI_FLAG, NULL, "ask for more rows in place of those of equal rewards",
     false},
    {"dynamic-rounds", 0, CLI_INT, "N", "... N times a step at most (10)", false},
    {"", 0, CLI_FLAG, NULL, "Loss", false},
    {"preset", 0, CLI_TEXT, "NAME", "settings of a paper: caprl, caprl++", false},
    {"loss", 0, CLI_TEXT, "NAME", "grpo, dr-grpo, dapo or gspo: what follows (grpo)",
     false},
    {"advantage", 0, CLI_TEXT, "NAME",
     "rewards less their mean; std: over their deviation; mean: as they are (std)",
     false},
    {"aggregate", 0, CLI_TEXT, "NAME",
     "seq-mean-token-mean, token-mean or constant (seq-mean-token-mean)", false},
    {"constant", 0, CLI_INT, "N", "tokens a caption counts as with constant (2048)",
     false},
    {"ratio", 0, CLI_TEXT, "NAME", "importance ratio of each token or sequence (token)",
     false},
    {"clip-low", 0, CLI_REAL, "X", "how far a ratio may go below 1 (0.2; gspo 0.0003)",
     false},
    {"clip-high", 0, CLI_REAL, "X",
     "how far it may go above (0.2; dapo 0.28, gspo 0.0004)", false},
    {"dual-clip", 0, CLI_REAL, "C",
     "bound of the loss where the advantage is below 0; "
     "0: none (0)",
     false},
    {"kl", 0, CLI_TEXT, "NAME", "distance from the base model: none, k1, k2 or k3 (none)",
     false},
    {"kl-in", 0, CLI_TEXT, "PLACE", "where it counts: loss or reward (loss)", false},
    {"kl-coef", 0, CLI_REAL, "X", "how much it counts (0.001)", false},
    {"entropy-coef", 0, CLI_REAL, "X", "how much entropy is rewarded (0)", false},
    {"overlong", 0, CLI_INT, "N", "tokens at which length costs most; 0: nothing (0)",
     false},
    {"overlong-buffer", 0, CLI_INT, "N", "tokens before that in which it rises (512)",
     false},
    {"overlong-cost", 0, CLI_REAL, "X", "what it costs then (1)", false},
    {"", 0, CLI_FLAG, NULL, "Training", false},
    {"steps", 0, CLI_INT, "N", "the run ends behind step N (as the rows do)", false},
    {"minibatches", 0, CLI_INT, "N", "parts of a batch, an update each (1)", false},
    {"ppo-epochs", 0, CLI_INT, "N", "how often a batch is gone through (1)", false},
    {"micro-tokens", 0, CLI_INT, "N", "tokens computed together, at most (4096)", false},
    {"lr", 0, CLI_REAL, "X", "learning rate (1e-6)", false},
    {"lr-end", 0, CLI_REAL, "X", "where cosine and linear end (0)", false},
    {"schedule", 0, CLI_TEXT, "NAME", "constant, cosine or linear (constant)", false},
    {"warmup", 0, CLI_INT, "N", "steps in which the rate rises (0)", false},
    {"beta1", 0, CLI_REAL, "X", "AdamW: decay of the mean gradient (0.9)", false},
    {"beta2", 0, CLI_REAL, "X", "AdamW: decay of its square (0.999)", false},
    {"eps", 0, CLI_REAL, "X", "AdamW: added to the root (1e-8)", false},
    {"weight-decay", 0, CLI_REAL, "X", "AdamW: of matrices (0.01)", false},
    {"clip", 0, CLI_REAL, "X", "norm of the gradient, at most; 0: no limit (1)", false},
    {"", 0, CLI_FLAG, NULL, "Checkpoints", false},
    {"save", 0, CLI_INT, "N", "one every N steps, and at the end (50)", true},
    {"keep", 0, CLI_INT, "N", "keep the newest N (3)", true},
    {"force", 0, CLI_FLAG, NULL, "start anew though there are some", true},
    {"tensorboard", 0, CLI_TEXT, "DIR", "metrics go there too, as event files", true},
    {"dry-run", 0, CLI_FLAG, NULL, "print the settings, a row each, and end", true},
    RANK_OPTIONS,
    {0}};
static const struct cli_page page = {"rl-step",
                                     "-m SPEC --out POLICY [option ...] [file ...]",
                                     "Train a captioner on its own rewarded captions.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

struct program {
    struct cli *cli;
    int64_t failed;
    struct tensorboard *charts; /* NULL: none */
    bool gone;                  /* the output cannot be written */
    bool others;                /* this is not rank 0, which alone writes rows */
    struct rank_options ranks;
    int why; /* ... errno */
    char dir[PATH_MAX];
    char *standard_input[1];
    struct rl_options rl;
};

/* -- What the run says ------------------------------------------------------------------
 */

/* A row to the output, at once: it is what lets the next batch in. */
static void row_out(struct program *p, struct buf *b)
{
    buf_text(b, "}\n");
    if (buf_ok(b) < 0 || fwrite(b->data, 1, b->len, stdout) != b->len ||
        fflush(stdout) != 0) {
        p->why = errno;
        p->gone = true;
    }
    buf_free(b);
}

static void put_int(struct buf *b, const char *name, int64_t x)
{
    buf_print(b, ",\"%s\":%lld", name, (long long)x);
}

/* Nothing where nothing was measured. */
static void put_real(struct buf *b, const char *name, double x)
{
    if (isfinite(x))
        buf_print(b, ",\"%s\":%.9g", name, x);
}

static void put_mean(struct buf *b, const char *name, const struct rl_spread *s)
{
    put_real(b, name, rl_spread_mean(s));
}

static void put_least(struct buf *b, const char *name, const struct rl_spread *s)
{
    put_real(b, name, s->count ? s->least : NAN);
}

static void put_most(struct buf *b, const char *name, const struct rl_spread *s)
{
    put_real(b, name, s->count ? s->most : NAN);
}

static void put_rewards(struct buf *b, const struct rl_metrics *m)
{
    put_mean(b, "reward", &m->reward);
    put_mean(b, "reward_std", &m->group_std);
    if (m->groups > 0)
        put_real(b, "frac_reward_zero_std", (double)m->groups_equal / (double)m->groups);
    for (int i = 0; i < ROLLOUT_TERMS; i++) {
        char name[64];
        if (m->term[i].count == 0)
            continue;
        snprintf(name, sizeof name, "rewards/%s/mean", rollout_terms[i]);
        put_mean(b, name, &m->term[i]);
        snprintf(name, sizeof name, "rewards/%s/std", rollout_terms[i]);
        put_real(b, name, rl_spread_std(&m->term[i]));
    }
    put_mean(b, "rewards/overlong/mean", &m->overlong);
}

static void put_lengths(struct buf *b, const struct rl_metrics *m)
{
    put_mean(b, "completions/mean_length", &m->length);
    put_least(b, "completions/min_length", &m->length);
    put_most(b, "completions/max_length", &m->length);
    put_mean(b, "completions/mean_terminated_length", &m->ended_length);
    put_least(b, "completions/min_terminated_length", &m->ended_length);
    put_most(b, "completions/max_terminated_length", &m->ended_length);
    if (m->length.count > 0)
        put_real(b, "completions/clipped_ratio",
                 1 - (double)m->ended_length.count / (double)m->length.count);
}

/* The numbers of a metrics row, which lacks its end, as an event. */
static void chart(struct program *p, struct buf *b, int64_t step)
{
    struct span key, value;
    char tag[128];
    double x;
    int status = 0;
    if (!p->charts)
        return;
    buf_char(b, '}');
    for (size_t at = 0; status == 0 && buf_ok(b) == 0 &&
                        json_member((struct span){b->data, b->len}, &at, &key, &value);) {
        snprintf(tag, sizeof tag, "%.*s", (int)key.n - 2, key.s + 1);
        if (strcmp(tag, "step") != 0 && json_double(value, &x) == 0)
            status = tensorboard_add(p->charts, tag, x);
    }
    b->len -= !b->bad;
    if (status == 0)
        status = tensorboard_step(p->charts, step);
    if (status < 0) {
        cli_say(p->cli, NULL, "%s; no more is written there", fail_text());
        tensorboard_close(p->charts);
        p->charts = NULL;
    }
}

/* A metrics row without its end. */
static void put_metrics(struct buf *b, const struct rl_metrics *m)
{
    buf_print(b, "{\"step\":%lld", (long long)m->step);
    put_int(b, "version", m->version);
    put_real(b, "loss", m->updates ? rl_spread_mean(&m->loss) : 0);
    put_real(b, "grad_norm", m->updates ? rl_spread_mean(&m->grad_norm) : 0);
    put_real(b, "lr", m->lr);
    put_rewards(b, m);
    put_lengths(b, m);
    put_mean(b, "entropy", &m->entropy);
    put_mean(b, "kl", &m->kl);
    put_mean(b, "clip_ratio/region_mean", &m->clipped);
    put_mean(b, "clip_ratio/low_mean", &m->clipped_low);
    put_least(b, "clip_ratio/low_min", &m->clipped_low);
    put_mean(b, "clip_ratio/high_mean", &m->clipped_high);
    put_most(b, "clip_ratio/high_max", &m->clipped_high);
    put_real(b, "logprob_gap_max", m->gap);
    put_int(b, "groups", m->groups);
    put_int(b, "groups_skipped", m->groups_skipped);
    put_int(b, "captions_failed", m->captions_failed);
    put_int(b, "updates", m->updates);
    put_int(b, "num_tokens", m->tokens);
    buf_print(b, ",\"wait_time\":%.4f,\"step_time\":%.4f", m->wait, m->seconds);
}

static void metrics(void *context, const struct rl_metrics *m)
{
    struct program *p = context;
    struct buf b = {0};
    p->failed += m->rows_failed;
    if (p->others)
        return;
    put_metrics(&b, m);
    chart(p, &b, m->step);
    row_out(p, &b);
}

static void kept_row(void *context, const struct rl_metrics *m, struct buf *out)
{
    (void)context;
    put_metrics(out, m);
    buf_char(out, '}');
}

static void hello(void *context, int64_t step, int64_t version)
{
    struct buf b = {0};
    buf_text(&b, "{\"hello\":true");
    put_int(&b, "step", step);
    put_int(&b, "version", version);
    row_out(context, &b);
}

static void want(void *context, int64_t step, int64_t count)
{
    struct buf b = {0};
    buf_print(&b, "{\"step\":%lld", (long long)step);
    put_int(&b, "want", count);
    row_out(context, &b);
}

static void say(void *context, const char *text)
{
    struct program *p = context;
    cli_say(p->cli, NULL, "%s", text);
}

static void note(void *context, const char *text)
{
    struct program *p = context;
    if (!p->others)
        cli_note(p->cli, "%s", text);
}

static bool stop(void *context)
{
    struct program *p = context;
    return p->gone || cli_stopping(p->cli);
}

/* -- Options ----------------------------------------------------------------------------
 */

/* What --loss stands for; each can be said otherwise. */
static const struct {
    enum rl_advantage advantage;
    enum rl_aggregate aggregate;
    bool sequence;
    double low, high;
} losses[] = {{RL_STD, RL_SEQUENCE_MEAN, false, 0.2, 0.2},
              {RL_MEAN, RL_FIXED, false, 0.2, 0.2},
              {RL_STD, RL_TOKEN_MEAN, false, 0.2, 0.28},
              {RL_STD, RL_SEQUENCE_MEAN, true, 0.0003, 0.0004}};

static void read_loss(struct rl_loss *o, struct cli *cli)
{
    int kind = option_choice(cli, "loss", "grpo|dr-grpo|dapo|gspo", 0);
    kind = kind < 0 ? 0 : kind;
    *o = (struct rl_loss){
        .advantage = (enum rl_advantage)option_choice(cli, "advantage", "std|mean",
                                                      (int)losses[kind].advantage),
        .aggregate = (enum rl_aggregate)option_choice(
            cli, "aggregate", "seq-mean-token-mean|token-mean|constant",
            (int)losses[kind].aggregate),
        .fixed = (double)cli_int(cli, "constant", 2048, 1, INT_MAX),
        .low = cli_real(cli, "clip-low", losses[kind].low, 0, 1),
        .high = cli_real(cli, "clip-high", losses[kind].high, 0, 1e9),
        .dual = cli_real(cli, "dual-clip", 0, 0, 1e9),
        .sequence =
            option_choice(cli, "ratio", "token|sequence", losses[kind].sequence) == 1,
        .kl = (enum rl_kl)option_choice(cli, "kl", "none|k1|k2|k3", RL_KL_NONE),
        .kl_in_reward = option_choice(cli, "kl-in", "loss|reward", 0) == 1,
        .beta = cli_real(cli, "kl-coef", 0.001, 0, 1e6),
        .entropy = cli_real(cli, "entropy-coef", 0, 0, 1e6),
        .overlong = (int)cli_int(cli, "overlong", 0, 0, INT_MAX),
        .overlong_buffer = (int)cli_int(cli, "overlong-buffer", 512, 1, INT_MAX),
        .overlong_weight = cli_real(cli, "overlong-cost", 1, 0, 1e6)};
    if (o->dual > 0 && o->dual <= 1)
        cli_bad_usage(cli, "--dual-clip %g: must be above 1", o->dual);
    if (o->overlong && o->overlong_buffer > o->overlong)
        o->overlong_buffer = o->overlong;
    if (o->kl == RL_KL_NONE && !cli_has(cli, "preset") &&
        (cli_has(cli, "kl-coef") || cli_has(cli, "kl-in")))
        cli_bad_usage(cli, "--kl-coef and --kl-in need --kl k1, k2 or k3");
}

static void read_options(struct program *p)
{
    struct cli *cli = p->cli;
    struct compute_options compute;
    const char *device;
    device_options_read(&device, &compute, cli);
    p->rl = (struct rl_options){
        .dir = p->dir,
        .device = device,
        .compute = compute,
        .out = cli_text(cli, "out", NULL),
        .work = cli_text(cli, "work", NULL),
        .hand_over = (enum policy_hand_over)option_choice(cli, "hand-over",
                                                          "file|both|gpu", POLICY_FILES),
        .parts = cli_text(cli, "train", "merger,text,embed"),
        .threads = (int)cli_int(cli, "threads", 0, 1, ENGINE_THREADS_MAX),
        .recompute = cli_has(cli, "recompute"),
        .example = {.root = cli_text(cli, "root", NULL),
                    .chat = cli_text(cli, "chat", NULL)},
        .allow_url = cli_text(cli, "allow-url", NULL),
        .max_input_pixels = cli_int(cli, "max-input-pixels", 0, 1, INT64_MAX),
        .files = cli->args ? cli->arg : p->standard_input,
        .file_count = cli->args ? cli->args : 1,
        .steps = cli_int(cli, "steps", 0, 1, INT64_MAX),
        .batch = cli_int(cli, "batch", 0, 1, INT64_MAX),
        .ahead = cli_int(cli, "ahead", 0, 0, 1000),
        .minibatches = (int)cli_int(cli, "minibatches", 1, 1, INT_MAX),
        .epochs = (int)cli_int(cli, "ppo-epochs", 1, 1, INT_MAX),
        .micro = cli_int(cli, "micro-tokens", 4096, 1, INT_MAX),
        .dynamic = cli_has(cli, "dynamic"),
        .dynamic_rounds = (int)cli_int(cli, "dynamic-rounds", 10, 1, INT_MAX),
        .allow_truncated = cli_has(cli, "allow-truncated"),
        .lr = {.peak = cli_real(cli, "lr", 1e-6, 0, 10),
               .least = cli_real(cli, "lr-end", 0, 0, 10),
               .warmup = cli_int(cli, "warmup", 0, 0, INT64_MAX)},
        .beta1 = cli_real(cli, "beta1", 0.9, 0, 0.9999999),
        .beta2 = cli_real(cli, "beta2", 0.999, 0, 0.9999999),
        .eps = cli_real(cli, "eps", 1e-8, 1e-20, 1), /* 0 / 0 is no step */
        .weight_decay = cli_real(cli, "weight-decay", 0.01, 0, 100),
        .clip = cli_real(cli, "clip", 1, 0, 1e9),
        .save = cli_int(cli, "save", 50, 1, INT64_MAX),
        .keep = (int)cli_int(cli, "keep", 3, 1, INT_MAX),
        .force = cli_has(cli, "force")};
    read_loss(&p->rl.loss, cli);
    rank_options_read(&p->ranks, cli);
    p->rl.device = rank_options_device(&p->ranks, p->rl.device);
    if (!p->rl.out)
        cli_bad_usage(cli, "say where the policy goes: --out POLICY");
    if (!cli_has(cli, "model"))
        cli_bad_usage(cli, "no model: give -m SPEC");
}

/* The model and the schedule that the options name. 0 or -1. */
static int set_up(struct program *p)
{
    if (lr_kind(&p->rl.lr.kind, cli_text(p->cli, "schedule", "constant")) < 0)
        return fail_in("--schedule");
    if (p->rl.lr.kind != LR_CONSTANT && !p->rl.steps)
        return fail(FAIL_REFUSED, "--schedule %s: say how many steps with --steps N",
                    cli_text(p->cli, "schedule", ""));
    if (rank_options_open(&p->ranks, p->cli, &p->rl.comm) < 0)
        return -1;
    p->others = comm_rank(p->rl.comm) > 0;
    if (model_find(p->dir, sizeof p->dir, cli_text(p->cli, "model", NULL)) < 0)
        return -1;
    const char *charts = p->others ? NULL : cli_text(p->cli, "tensorboard", NULL);
    if (charts && !(p->charts = tensorboard_open(charts)))
        return fail_in("--tensorboard");
    return 0;
}

/* The run ended early. The status. */
static int end_early(struct program *p, int status)
{
    errno = p->why;
    if (p->gone)
        return cli_end(p->cli); /* which tells errno */
    if (status == RL_UNFINISHED && !cli_stopping(p->cli))
        cli_give_up(p->cli, "%s; the same command goes on from here", fail_text());
    return cli_quit(p->cli);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    char standard_input[] = "-";
    struct program p = {.cli = &cli, .standard_input = {standard_input}};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (settings_preset(&cli) < 0)
        return cli_quit(&cli);
    read_options(&p);
    if (cli_usable(&cli) == 0 && cli_has(&cli, "dry-run")) {
        settings_print(&cli);
        return cli_end(&cli);
    }
    if (cli_usable(&cli) < 0 || cli_heed_signals(&cli) < 0 || set_up(&p) < 0) {
        comm_leave(p.rl.comm, fail_text());
        comm_close(p.rl.comm);
        return cli_quit(&cli);
    }
    const struct rl_calls calls = {&p,  hello, want, metrics,       kept_row,
                                   say, note,  stop, cli_wait(&cli)};
    int status = rl_train(&p.rl, page.name, &calls);
    tensorboard_close(p.charts);
    comm_close(p.rl.comm);
    if (status < 0)
        return end_early(&p, status);
    status = cli_end(&cli);
    return status == CLI_OK && p.failed ? CLI_BAD_ROWS : status;
}
