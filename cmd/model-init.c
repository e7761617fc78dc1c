/* model-init: make a model folder, with random weights of a named shape. */
#include "model/init.h"
#include "row/cli.h"

static const struct cli_option options[] = {
    {"random", 0, CLI_FLAG, NULL, "random weights", false},
    {"like", 0, CLI_TEXT, "SHAPE",
     "the shape: qwen3-vl-2b, ... (an unknown one lists all), or a model's SPEC", false},
    {"layers", 0, CLI_INT, "N", "text layers (the shape's own)", false},
    {"dtype", 0, CLI_TEXT, "TYPE", "bf16 or fp32 (bf16)", false},
    {"deviation", 0, CLI_REAL, "X", "standard deviation of the weights (the shape's own)",
     false},
    {"tokenizer", 0, CLI_TEXT, "SPEC",
     "model whose tokenizer and template to take (pocket)", false},
    {"seed", 0, CLI_INT, "N", "seed of the random numbers (0)", false},
    {0}};
static const struct cli_page page = {"model-init",
                                     "--random --like SHAPE [option ...] DIR",
                                     "Make a model folder.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

static bool stopping(void *cli)
{
    return cli_stopping(cli);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    const char *dtype = cli_text(&cli, "dtype", "bf16");
    struct init_options init = {
        .like = cli_text(&cli, "like", NULL),
        .tokenizer = cli_text(&cli, "tokenizer", "pocket"),
        .layers = (int)cli_int(&cli, "layers", 0, 1, 1000),
        .deviation = cli_real(&cli, "deviation", 0, 1e-6, 10),
        .fp32 = span_is(span_of(dtype), "fp32"),
        .seed = (uint64_t)cli_int(&cli, "seed", 0, 0, INT64_MAX),
    };
    if (!cli_has(&cli, "random"))
        cli_bad_usage(&cli, "say how: --random is the only way of this version");
    else if (!init.like)
        cli_bad_usage(&cli, "no shape: give --like SHAPE, such as qwen3-vl-2b");
    else if (!init.fp32 && !span_is(span_of(dtype), "bf16"))
        cli_bad_usage(&cli, "--dtype %s: not bf16 or fp32", dtype);
    else if (cli.args != 1)
        cli_bad_usage(&cli, "give one folder to make");
    init.abandon = stopping;
    init.abandon_context = &cli;
    if (cli_usable(&cli) < 0 || cli_heed_signals(&cli) < 0 ||
        init_random(cli.arg[0], &init) < 0)
        return cli_quit(&cli);
    return cli_end(&cli);
}
