/* options.c: see options.h. */
#include "model/options.h"
#include "engine/engine.h"

#include <limits.h>
#include <string.h>

const struct cli_option model_option_table[] = {
    {"", 0, CLI_FLAG, NULL, "Model", true},
    {"model", 'm', CLI_TEXT, "SPEC",
     "model folder, FILE.gguf, name that comes with capmill (pocket), or "
     "http://HOST/v1#NAME",
     true},
    DEVICE_OPTIONS,
    {"threads", 0, CLI_INT, "N", "threads that compute (all processors)", true},
    {"max-batch", 0, CLI_INT, "N", "samples decoded together at most (16)", true},
    {"ctx", 0, CLI_INT, "N", "tokens of context (the model's own)", false},
    {"chat", 0, CLI_TEXT, "FORMAT",
     "chat format: qwen2, qwen2_5, qwen3, qwen2_5_vl, qwen3_vl, llama3, chatml "
     "(the model's own)",
     false},
    {"think", 0, CLI_TEXT, "on|off",
     "open the reply with or without thinking (the template's default; off in judging)",
     false},
    {"vision-id", 0, CLI_FLAG, NULL, "number the pictures in the prompt", false},
    {"", 0, CLI_FLAG, NULL, "Endpoints", true},
    {"concurrency", 0, CLI_INT, "N", "requests in flight (32)", true},
    {"api-key-file", 0, CLI_TEXT, "FILE", "key of the endpoints (OPENAI_API_KEY)", true},
    {"extra", 0, CLI_LIST, "KEY=JSON", "set KEY in each request; may be given again",
     false},
    {"timeout", 0, CLI_REAL, "S", "seconds for one try (600)", true},
    {"row-timeout", 0, CLI_REAL, "S", "seconds for all of a row (3600)", true},
    {"retries", 0, CLI_INT, "N", "tries after the first (5)", true},
    {"batch-out", 0, CLI_TEXT, "FILE", "write OpenAI Batch requests, send nothing", true},
    {"batch-in", 0, CLI_TEXT, "FILE", "take replies from Batch results, send nothing",
     true},
    {0}};

const struct cli_option sampling_option_table[] = {
    {"", 0, CLI_FLAG, NULL, "Sampling", true},
    {"samples", 'n', CLI_INT, "N", "samples a row (1)", false},
    {"temperature", 0, CLI_REAL, "X", "0 is greedy (1)", false},
    {"top-p", 0, CLI_REAL, "X", "keep the likeliest tokens up to this mass (1: all)",
     false},
    {"top-k", 0, CLI_INT, "N", "keep the N likeliest tokens (0: all)", false},
    {"min-p", 0, CLI_REAL, "X",
     "keep tokens at least X times as likely as the likeliest (0)", false},
    {"repetition-penalty", 0, CLI_REAL, "X",
     "weaken tokens of prompt and output (1: off)", false},
    {"presence-penalty", 0, CLI_REAL, "X",
     "taken from logits of tokens already put out (0)", false},
    {"max-tokens", 0, CLI_INT, "N", "new tokens a sample at most (2048)", false},
    {"stop", 0, CLI_LIST, "TEXT", "end a sample before TEXT; may be given again", false},
    {"ignore-eos", 0, CLI_FLAG, NULL, "go on behind an end token", false},
    {"no-loop-stop", 0, CLI_FLAG, NULL, "let a sample repeat itself to the end", false},
    {"seed", 0, CLI_INT, "N", "seed of the random numbers (0)", false},
    {"ids", 0, CLI_FLAG, NULL, "add token ids, and `gen`: how they were made", false},
    {"logprobs", 0, CLI_MAYBE, "K", "add log-probabilities, with K alternatives a token",
     false},
    {0}};

const struct cli_option picture_option_table[] = {
    {"", 0, CLI_FLAG, NULL, "Pictures", true},
    {"root", 0, CLI_TEXT, "DIR", "folder that relative media paths start from (.)",
     false},
    {"min-pixels", 0, CLI_INT, "N", "scale pictures up to this many pixels (the model's)",
     false},
    {"max-pixels", 0, CLI_INT, "N",
     "scale pictures down to this many pixels (the model's)", false},
    {"allow-url", 0, CLI_TEXT, "HOST[,HOST]",
     "fetch pictures by http(s) URL from these hosts (none)", false},
    {"max-input-pixels", 0, CLI_INT, "N", "refuse larger pictures undecoded (178956970)",
     false},
    {0}};

/* One of the words in a list "a|b|c": its place, or -1 with the usage message told. */
static int choice(struct cli *cli, const char *option, const char *value,
                  const char *words)
{
    size_t n = strlen(value);
    int place = 0;
    for (const char *w = words; *w; place++) {
        size_t len = strcspn(w, "|");
        if (len == n && memcmp(w, value, n) == 0)
            return place;
        w += len + (w[len] == '|');
    }
    return cli_bad_usage(cli, "--%s %s: not one of %s", option, value, words);
}

int option_choice(struct cli *cli, const char *name, const char *words, int otherwise)
{
    const char *value = cli_text(cli, name, NULL);
    return value ? choice(cli, name, value, words) : otherwise;
}

/* Options that only endpoints heed. */
static void read_endpoint(struct endpoint_options *o, struct cli *cli)
{
    *o = (struct endpoint_options){
        .concurrency = (int)cli_int(cli, "concurrency", 0, 1, 1024),
        .key_file = cli_text(cli, "api-key-file", NULL),
        .timeout = cli_real(cli, "timeout", 0, 0.001, 1e6),
        .row_timeout = cli_real(cli, "row-timeout", 0, 0.001, 1e8),
        .retries = (int)cli_int(cli, "retries", -1, 0, 1000),
        .batch_out = cli_text(cli, "batch-out", NULL),
        .batch_in = cli_text(cli, "batch-in", NULL),
        .batch_force = cli_has(cli, "force"),
    };
    o->extra_count = cli_list(cli, "extra", &o->extra);
    if (o->batch_out && o->batch_in)
        cli_bad_usage(cli, "--batch-out and --batch-in exclude each other");
    if (o->batch_out && cli_has(cli, "resume"))
        cli_bad_usage(cli, "--batch-out: a batch is written whole, without --resume");
}

/* What the kind of model makes of no use is refused where it would change what comes out,
 * and ignored where not. */
static void check_kind(struct cli *cli)
{
    static const char *const local[] = {"compute", "batch-invariant", "ctx", "chat",
                                        "vision-id"};
    static const char *const remote[] = {"extra", "batch-out", "batch-in"};
    const char *spec = cli_text(cli, "model", NULL);
    bool endpoint = spec && model_is_endpoint(spec);
    for (size_t i = 0; spec && endpoint && i < sizeof local / sizeof *local; i++)
        if (cli_has(cli, local[i]))
            cli_bad_usage(cli, "--%s: of no use with an endpoint", local[i]);
    for (size_t i = 0; spec && !endpoint && i < sizeof remote / sizeof *remote; i++)
        if (cli_has(cli, remote[i]))
            cli_bad_usage(cli, "--%s: for endpoints only", remote[i]);
    /* Which files a local model is of counts; endpoints are known by their models' names
     * (model_hash()), so that a run may go on at other hosts. */
    if (spec && !endpoint && cli_hash(cli, "model", spec) < 0)
        cli_bad_usage(cli, "%s", fail_text());
}

void device_options_read(const char **device, struct compute_options *compute,
                         struct cli *cli)
{
    const char *type = cli_text(cli, "compute", NULL);
    *device = cli_text(cli, "device", "auto");
    bool cuda = strncmp(*device, "cuda", 4) == 0;
    if (!cuda)
        choice(cli, "device", *device, "auto|cpu|cuda");
    if (type)
        choice(cli, "compute", type, "fp32|bf16");
    if (type && !cuda && strcmp(type, "bf16") == 0)
        cli_bad_usage(cli, "--compute bf16: the CPU computes in fp32 only");
    *compute = (struct compute_options){
        .type = type,
        .memory = (int64_t)(cli_real(cli, "gpu-mem", 0, 0.001, 1e6) * 1e9),
        .batch_variant = option_choice(cli, "batch-invariant", "on|off", 0) == 1};
}

void model_options_read(struct model_options *options, struct cli *cli)
{
    *options = (struct model_options){
        .threads = (int)cli_int(cli, "threads", 0, 1, ENGINE_THREADS_MAX),
        .ctx = (int)cli_int(cli, "ctx", 0, 1, INT_MAX),
        .max_batch = (int)cli_int(cli, "max-batch", 0, 1, ENGINE_BATCH_MAX),
        .chat = cli_text(cli, "chat", NULL),
        .vision_id = cli_has(cli, "vision-id"),
    };
    device_options_read(&options->device, &options->compute, cli);
    const char *think = cli_text(cli, "think", NULL);
    if (think)
        options->think = choice(cli, "think", think, "off|on") == 1 ? 1 : -1;
    read_endpoint(&options->endpoint, cli);
    check_kind(cli);
}

void picture_options_read(struct model_options *options, struct request *request,
                          struct cli *cli)
{
    options->min_pixels = cli_int(cli, "min-pixels", 0, 1, INT64_MAX);
    options->max_pixels = cli_int(cli, "max-pixels", 0, 1, INT64_MAX);
    request->max_input_pixels = cli_int(cli, "max-input-pixels", 0, 1, INT64_MAX);
}

void reply_options_read(struct request *r, struct cli *cli)
{
    r->temperature = cli_real(cli, "temperature", r->temperature, 0, 100);
    r->top_p = cli_real(cli, "top-p", r->top_p, 0, 1);
    if (r->top_p == 0)
        cli_bad_usage(cli, "--top-p 0: keeps no token (--temperature 0 is greedy)");
    r->top_k = (int)cli_int(cli, "top-k", r->top_k, 0, INT_MAX);
    r->min_p = cli_real(cli, "min-p", r->min_p, 0, 1);
    r->repetition_penalty =
        cli_real(cli, "repetition-penalty", r->repetition_penalty, 0.01, 100);
    r->presence_penalty =
        cli_real(cli, "presence-penalty", r->presence_penalty, -100, 100);
    r->max_tokens = (int)cli_int(cli, "max-tokens", r->max_tokens, 1, 1 << 24);
    r->stop_count = cli_list(cli, "stop", &r->stop);
    for (int i = 0; i < r->stop_count; i++)
        if (!*r->stop[i])
            cli_bad_usage(cli, "--stop: the text is empty");
}

void request_options_read(struct request *r, struct cli *cli)
{
    r->n = (int)cli_int(cli, "samples", r->n, 1, 4096);
    reply_options_read(r, cli);
    const char *spec = cli_text(cli, "model", NULL);
    if (spec && model_is_endpoint(spec) &&
        (cli_has(cli, "ids") || cli_has(cli, "logprobs")))
        cli_bad_usage(cli, "--%s: endpoints tell no token ids",
                      cli_has(cli, "ids") ? "ids" : "logprobs");
    r->ignore_eos = cli_has(cli, "ignore-eos");
    r->loop_stop = !cli_has(cli, "no-loop-stop");
    r->want_logprobs = cli_has(cli, "logprobs");
    r->want_ids = r->want_logprobs || cli_has(cli, "ids");
    if (*cli_text(cli, "logprobs", ""))
        r->top_logprobs = (int)cli_int(cli, "logprobs", 0, 0, 100);
}
