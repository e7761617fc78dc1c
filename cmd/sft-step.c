/* sft-step: rows in, a metrics row a step out, a trained model in --out. */
#include "row/cli.h"
#include "train/program.h"
#include "train/sft.h"

static const struct cli_option options[] = {
    TRAIN_MODEL_OPTIONS,      TRAIN_ROW_OPTIONS, TRAIN_STEP_OPTIONS("1e-5"),
    TRAIN_CHECKPOINT_OPTIONS, RANK_OPTIONS,      {0}};
static const struct cli_page page = {"sft-step",
                                     "-m SPEC --out DIR [option ...] [file ...]",
                                     "Train a model on answers that rows give.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

int main(int argc, char *argv[])
{
    struct cli cli;
    struct train_program p;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    train_options_read(&p, &cli, 1e-5);
    return train_program_run(&p, &sft_objective);
}
