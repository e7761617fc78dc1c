/* dpo-step: pairs of answers in, a metrics row a step out, a trained model in --out. */
#include "train/dpo.h"
#include "train/program.h"

static const struct cli_option options[] = {
    TRAIN_MODEL_OPTIONS,
    TRAIN_ROW_OPTIONS,
    TRAIN_STEP_OPTIONS("1e-6"),
    {"", 0, CLI_FLAG, NULL, "Preference", false},
    {"beta", 0, CLI_REAL, "X", "how much a change of log-probability counts (0.1)",
     false},
    {"label-smoothing", 0, CLI_REAL, "X", "share of pairs taken to be wrong (0)", false},
    TRAIN_CHECKPOINT_OPTIONS,
    RANK_OPTIONS,
    {0}};
static const struct cli_page page = {"dpo-step",
                                     "-m SPEC --out DIR [option ...] [file ...]",
                                     "Train a model to prefer one answer to another.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

int main(int argc, char *argv[])
{
    struct cli cli;
    struct train_program p;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    train_options_read(&p, &cli, 1e-6);
    const struct dpo_options o = {.rules = {cli_real(&cli, "beta", 0.1, 1e-9, 1e6),
                                            cli_real(&cli, "label-smoothing", 0, 0, 0.5)},
                                  .out = p.run.out,
                                  .resume = p.run.resume};
    struct dpo *dpo = dpo_open(&o);
    if (!dpo)
        return cli_quit(&cli);
    int status = train_program_run(&p, dpo_objective(dpo));
    dpo_close(dpo);
    return status;
}
