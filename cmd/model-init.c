/* model-init: make a model folder: random weights, a fresh model with a tower, an adapter
 * merged, weights cast. */
#include "model/graft.h"
#include "model/init.h"
#include "model/remake.h"
#include "row/cli.h"

#include <string.h>

static const struct cli_option options[] = {
    {"random", 0, CLI_FLAG, NULL, "random weights", false},
    {"like", 0, CLI_TEXT, "SHAPE",
     "the shape: qwen3-vl-2b, ... (an unknown one lists all), or a model's SPEC", false},
    {"layers", 0, CLI_INT, "N", "text layers (the shape's own)", false},
    {"tokenizer", 0, CLI_TEXT, "SPEC",
     "model whose tokenizer and template to take (pocket)", false},
    {"llm", 0, CLI_TEXT, "SPEC", "a fresh model: the text of this one ...", false},
    {"vision", 0, CLI_TEXT, "SPEC", "... the tower of this one, a random merger", false},
    {"merge-lora", 0, CLI_TEXT, "DIR", "merge PEFT's adapter into its base", false},
    {"cast", 0, CLI_TEXT, "TYPE", "another model's weights as bf16 or fp32", false},
    {"from", 0, CLI_TEXT, "SPEC", "the model to cast or to merge into (the adapter's)",
     false},
    {"dtype", 0, CLI_TEXT, "TYPE", "bf16 or fp32 (bf16; of a merge the base's)", false},
    {"deviation", 0, CLI_REAL, "X",
     "standard deviation of random weights (the shape's own; 0.02)", false},
    {"seed", 0, CLI_INT, "N", "seed of the random numbers (0)", false},
    {0}};
static const struct cli_page page = {
    "model-init",
    "--random --like SHAPE [option ...] DIR\n"
    "       model-init --llm SPEC --vision SPEC [option ...] DIR\n"
    "       model-init --merge-lora DIR [--from SPEC] [--dtype TYPE] DIR\n"
    "       model-init --cast TYPE --from SPEC DIR",
    "Make a model folder.",
    CLI_NO_ROWS,
    options,
    NULL};

static bool stopping(void *cli)
{
    return cli_stopping(cli);
}

static enum init_type type_of(struct cli *cli, const char *option)
{
    const char *text = cli_text(cli, option, NULL);
    if (text && strcmp(text, "bf16") != 0 && strcmp(text, "fp32") != 0)
        cli_bad_usage(cli, "--%s %s: not bf16 or fp32", option, text);
    return !text ? INIT_AS_STORED : strcmp(text, "fp32") == 0 ? INIT_FP32 : INIT_BF16;
}

static int random_make(struct cli *cli)
{
    struct init_options init = {
        .like = cli_text(cli, "like", NULL),
        .tokenizer = cli_text(cli, "tokenizer", "pocket"),
        .layers = (int)cli_int(cli, "layers", 0, 1, 1000),
        .deviation = cli_real(cli, "deviation", 0, 1e-6, 10),
        .fp32 = type_of(cli, "dtype") == INIT_FP32,
        .seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX),
        .abandon = stopping,
        .abandon_context = cli,
    };
    if (!init.like)
        cli_bad_usage(cli, "no shape: give --like SHAPE, such as qwen3-vl-2b");
    return cli_usable(cli) < 0 || cli_heed_signals(cli) < 0
               ? -1
               : init_random(cli->arg[0], &init);
}

static int graft_make(struct cli *cli)
{
    struct graft_options o = {
        .llm = cli_text(cli, "llm", NULL),
        .vision = cli_text(cli, "vision", NULL),
        .deviation = cli_real(cli, "deviation", 0, 1e-6, 10),
        .fp32 = type_of(cli, "dtype") == INIT_FP32,
        .seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX),
        .abandon = stopping,
        .abandon_context = cli,
    };
    if (!o.llm || !o.vision)
        cli_bad_usage(cli, "--llm and --vision go together");
    return cli_usable(cli) < 0 || cli_heed_signals(cli) < 0 ? -1 : graft(cli->arg[0], &o);
}

static int remake_make(struct cli *cli)
{
    bool merge = cli_has(cli, "merge-lora");
    struct remake_options o = {
        .from = cli_text(cli, "from", NULL),
        .adapter = cli_text(cli, "merge-lora", NULL),
        .type = type_of(cli, merge ? "dtype" : "cast"),
        .abandon = stopping,
        .abandon_context = cli,
    };
    if (!merge && !o.from)
        cli_bad_usage(cli, "--cast: give the model to cast with --from SPEC");
    return cli_usable(cli) < 0 || cli_heed_signals(cli) < 0 ? -1
                                                            : remake(cli->arg[0], &o);
}

/* An option of another way is a mistake. */
static void no_others(struct cli *cli, const char *const *names)
{
    for (; *names; names++)
        if (cli_has(cli, *names))
            cli_bad_usage(cli, "--%s does not go with this way of making a model",
                          *names);
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*make)(struct cli *cli);
        const char *others[8];
    } ways[] = {
        {"random", random_make, {"from", "vision", NULL}},
        {"llm", graft_make, {"from", "like", "layers", "tokenizer", NULL}},
        {"merge-lora",
         remake_make,
         {"like", "layers", "tokenizer", "vision", "deviation", "seed", NULL}},
        {"cast",
         remake_make,
         {"like", "layers", "tokenizer", "vision", "deviation", "seed", "dtype", NULL}},
    };
    enum { WAYS = sizeof ways / sizeof *ways };
    struct cli cli;
    int way = -1, count = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    for (int i = 0; i < WAYS; i++)
        if (cli_has(&cli, ways[i].name)) {
            way = i;
            count++;
        }
    if (count != 1)
        cli_bad_usage(&cli,
                      "say how, one of: --random, --llm and --vision, --merge-lora, "
                      "--cast");
    else
        no_others(&cli, ways[way].others);
    if (cli.args != 1)
        cli_bad_usage(&cli, "give one folder to make");
    if (cli_usable(&cli) < 0 || ways[way].make(&cli) < 0)
        return cli_quit(&cli);
    return cli_end(&cli);
}
