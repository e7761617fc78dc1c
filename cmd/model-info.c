/* model-info: what a model is and what it needs. */
#include "base/fail.h"
#include "engine/engine.h"
#include "model/info.h"
#include "model/options.h"
#include "row/cli.h"
#include "train/forecast.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    {"json", 0, CLI_FLAG, NULL, "one JSON object a model, a line each", false},
    {"ctx", 0, CLI_INT, "N",
     "count keys and values for N tokens (4096, or the model's limit)", false},
    {"", 0, CLI_FLAG, NULL, "Memory of a run", false},
    {"plan", 0, CLI_TEXT, "KIND",
     "of sft (dpo too), rl or caption, with its options:", false},
    {"train", 0, CLI_TEXT, "LIST", "vision, merger, text, embed, or all (all)", false},
    {"lora", 0, CLI_TEXT, "R,ALPHA,LIST", "low-rank pairs (none)", false},
    {"optimizer", 0, CLI_TEXT, "NAME", "adamw or adamw8bit (adamw)", false},
    {"recompute", 0, CLI_FLAG, NULL, "compute layers twice", false},
    {"batch-tokens", 0, CLI_INT, "N", "tokens of a step (8192)", false},
    {"micro-tokens", 0, CLI_INT, "N", "tokens computed together (4096)", false},
    {"row-tokens", 0, CLI_INT, "N", "of a row, its picture included (512)", false},
    {"picture", 0, CLI_TEXT, "WxH", "a row's picture in pixels, or none (1024x768)",
     false},
    {"samples", 'n', CLI_INT, "N", "rl, caption: captions of a row (8; 1)", false},
    {"max-tokens", 0, CLI_INT, "N", "rl, caption: tokens of each (1024)", false},
    {"device", 0, CLI_TEXT, "DEVICE", "cpu, or cuda: what a GPU's memory holds (cpu)",
     false},
    {"compute", 0, CLI_TEXT, "TYPE",
     "type of activations: fp32, bf16 (cuda: bf16; else fp32)", false},
    {"gpu-mem", 0, CLI_REAL, "GB", "caption: of a GPU's memory to use (any)", false},
    {"batch-invariant", 0, CLI_TEXT, "on|off", "off: library products (on)", false},
    {"hand-over", 0, CLI_TEXT, "HOW", "rl: file, gpu or both (file)", false},
    {"threads", 0, CLI_INT, "N", "processors to use (all)", true},
    {"max-batch", 0, CLI_INT, "N", "caption: sequences at once (16)", false},
    {0}};
static const struct cli_page page = {"model-info",
                                     "[option ...] MODEL ...",
                                     "Say what a model is and what it needs.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

/* Bytes as people read them: 4.1 MB, 3.75 GB. */
static const char *bytes_text(char text[32], int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double x = (double)bytes;
    int unit = 0;
    for (; x >= 1000 && unit < 4; unit++) x /= 1000;
    snprintf(text, 32, unit ? "%.3g %s" : "%.0f %s", x, units[unit]);
    return text;
}

static void print_text(const struct model_info *info)
{
    const struct model_config *mc = &info->config;
    const struct text_config *t = &mc->text;
    const struct vision_tower *v = &mc->vision;
    char a[32], b[32], c[32];
    printf("%s\n", info->dir);
    printf("  family       %s (%s)\n", mc->family, mc->architecture);
    printf("  parameters   %lld (%s as stored: %s)\n", (long long)info->memory.parameters,
           bytes_text(a, info->memory.weights), info->types);
    printf("  text         %d layers, hidden %d, %d heads (%d kv) of %d, mlp %d, "
           "vocabulary %d%s\n",
           t->layers, t->hidden, t->heads, t->kv_heads, t->head_dim, t->mlp, t->vocab,
           t->tied ? ", tied" : "");
    if (v->depth)
        printf("  vision       %d layers, hidden %d, %d heads, patch %d, merge %d; "
               "pictures of "
               "%lld to %lld pixels\n",
               v->depth, v->hidden, v->heads, v->patch, v->merge,
               (long long)info->patches.min_pixels, (long long)info->patches.max_pixels);
    printf("  context      %d tokens\n", t->context);
    printf("  tokenizer    %s\n", info->tokenizer_text);
    printf("  chat format  %s\n", info->chat_text);
    printf("  memory       weights %s + keys and values %s (%d tokens) + scratch %s\n",
           bytes_text(a, info->memory.weights),
           bytes_text(b, info->memory.kv_per_token * info->kv_tokens), info->kv_tokens,
           bytes_text(c, info->memory.scratch));
    printf("  identity     %s\n", info->hash);
    printf("  takes        pictures: %s\n", yes_no(v->depth > 0));
}

/* -- Memory of a run --------------------------------------------------------------------
 */

static void picture_read(struct cli *cli, struct memory_options *o)
{
    const char *text = cli_text(cli, "picture", "1024x768");
    char rest;
    if (strcmp(text, "none") == 0)
        return;
    if (sscanf(text, "%7dx%7d%c", &o->width, &o->height, &rest) != 2 || o->width < 1 ||
        o->height < 1)
        cli_bad_usage(cli, "--picture %s: not WIDTHxHEIGHT or none", text);
}

static void plan_options(struct cli *cli, struct memory_options *o)
{
    const char *optimizer = cli_text(cli, "optimizer", "adamw");
    if (forecast_kind(&o->kind, cli_text(cli, "plan", "")) < 0)
        cli_bad_usage(cli, "--plan: %s", fail_text());
    o->train = cli_text(cli, "train", "all");
    o->lora = cli_text(cli, "lora", NULL);
    o->moments8 = strcmp(optimizer, "adamw8bit") == 0;
    o->recompute = cli_has(cli, "recompute");
    o->compute = cli_text(cli, "compute", NULL);
    o->device = cli_text(cli, "device", "cpu");
    o->gpu_memory = (int64_t)(cli_real(cli, "gpu-mem", 0, 1e-6, 1e6) * 1e9);
    o->batch_variant = option_choice(cli, "batch-invariant", "on|off", 0) == 1;
    o->hand_over = option_choice(cli, "hand-over", "file|both|gpu", 0) > 0;
    o->batch_tokens = cli_int(cli, "batch-tokens", 8192, 1, INT64_MAX);
    o->micro_tokens = cli_int(cli, "micro-tokens", 4096, 1, INT_MAX);
    o->row_tokens = (int)cli_int(cli, "row-tokens", 512, 3, 1 << 24);
    o->n = (int)cli_int(cli, "samples", o->kind == FORECAST_RL ? 8 : 1, 1, 4096);
    o->max_tokens = (int)cli_int(cli, "max-tokens", 1024, 1, 1 << 24);
    o->max_batch = (int)cli_int(cli, "max-batch", 0, 1, ENGINE_BATCH_MAX);
    o->threads = (int)cli_int(cli, "threads", 0, 1, ENGINE_THREADS_MAX);
    picture_read(cli, o);
    if (!o->moments8 && strcmp(optimizer, "adamw") != 0)
        cli_bad_usage(cli, "--optimizer %s: not adamw or adamw8bit", optimizer);
    if (o->compute && strcmp(o->compute, "fp32") != 0 && strcmp(o->compute, "bf16") != 0)
        cli_bad_usage(cli, "--compute %s: not fp32 or bf16", o->compute);
    if (strcmp(o->device, "cpu") != 0 && strcmp(o->device, "cuda") != 0)
        cli_bad_usage(cli, "--device %s: not cpu or cuda", o->device);
    if (o->hand_over && strcmp(o->device, "cuda") != 0)
        cli_bad_usage(cli, "--hand-over: only a GPU's memory is shared: --device cuda");
    if (o->lora && cli_has(cli, "train"))
        cli_bad_usage(cli, "--lora or --train, not both");
}

static void print_line(const char *name, int64_t bytes)
{
    char text[32];
    printf("  %-12s %s\n", name, bytes_text(text, bytes));
}

static void print_plan(const struct memory_forecast *f, const struct memory_options *o)
{
    const struct train_plan *b = &f->bytes;
    bool trains = o->kind != FORECAST_CAPTION;
    printf("%s\n", f->dir);
    if (trains)
        printf("  trained      %lld of %lld parameters (%s), %d rows at once\n",
               (long long)b->trained, (long long)b->parameters, f->trained, b->rows);
    print_line("weights", b->weights);
    if (trains) {
        print_line("gradients", b->gradients);
        print_line("optimizer", b->states);
    }
    print_line("activations", b->activations);
    print_line("keys, values", b->kv);
    if (b->shared)
        print_line("shared", b->shared);
    bool gpu = strcmp(o->device, "cuda") == 0;
    if (gpu)
        print_line("on the GPU", b->total);
    if (f->picture_tokens)
        print_line("pictures", b->pictures);
    print_line("program", b->program);
    if (!gpu)
        print_line("total", b->total);
}

static int plan_one(const char *spec, const struct memory_options *o, bool json)
{
    struct memory_forecast f;
    struct buf b = {0};
    if (memory_forecast(&f, spec, o) < 0)
        return -1;
    if (!json) {
        print_plan(&f, o);
        return 0;
    }
    memory_forecast_json(&f, o, &b);
    buf_char(&b, '\n');
    int status = buf_ok(&b);
    if (status == 0)
        fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return status;
}

static int info_one(const char *spec, int kv_tokens, bool json)
{
    struct model_info info;
    struct buf b = {0};
    if (model_info_read(&info, spec, kv_tokens) < 0)
        return -1;
    if (!json) {
        print_text(&info);
        return 0;
    }
    model_info_json(&info, &b);
    buf_char(&b, '\n');
    int status = buf_ok(&b);
    if (status == 0)
        fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return status;
}

/* Options of --plan say nothing without it. */
static void plan_alone(struct cli *cli)
{
    static const char *const names[] = {
        "train",           "lora",       "optimizer", "recompute", "batch-tokens",
        "micro-tokens",    "row-tokens", "picture",   "samples",   "max-tokens",
        "max-batch",       "threads",    "compute",   "device",    "gpu-mem",
        "batch-invariant", "hand-over"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cli_has(cli, names[i]))
            cli_bad_usage(cli, "--%s goes with --plan", names[i]);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct memory_options plan = {0};
    int failed = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    int kv_tokens = (int)cli_int(&cli, "ctx", 0, 1, 1 << 24);
    bool json = cli_has(&cli, "json"), planned = cli_has(&cli, "plan");
    plan.ctx = kv_tokens;
    if (planned)
        plan_options(&cli, &plan);
    else
        plan_alone(&cli);
    if (cli.args == 0)
        cli_bad_usage(&cli, "no model: give a folder or a name (pocket)");
    if (cli_usable(&cli) < 0)
        return cli_quit(&cli);
    for (int i = 0; i < cli.args; i++)
        if ((planned ? plan_one(cli.arg[i], &plan, json)
                     : info_one(cli.arg[i], kv_tokens, json)) < 0) {
            cli_say(&cli, NULL, "%s", fail_text());
            failed++;
        }
    int status = cli_end(&cli);
    return failed && status == CLI_OK ? CLI_USAGE : status;
}
