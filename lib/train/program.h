/* program.h: what programs that train over rows share: their options, what they write,
 * how they end. A program is its page, its own options and an objective:
 *
 *     static const struct cli_option options[] = {
 *         TRAIN_MODEL_OPTIONS, TRAIN_ROW_OPTIONS,
 *         {"beta", 0, CLI_REAL, "X", "...", false},
 *         TRAIN_STEP_OPTIONS("1e-6"), TRAIN_CHECKPOINT_OPTIONS, RANK_OPTIONS, {0}};
 *
 *     struct train_program p;
 *     if (cli_start(&cli, &page, argc, argv) != 0)
 *         return cli.status;
 *     train_options_read(&p, &cli, 1e-6);
 *     ... its own options ...
 *     return train_program_run(&p, &objective);
 */
#ifndef TRAIN_PROGRAM_H
#define TRAIN_PROGRAM_H
#include "model/options.h"
#include "row/cli.h"
#include "train/rank_options.h"
#include "train/run.h"
#include <limits.h>
#include <stdio.h>

/* clang-format off */
#define TRAIN_MODEL_OPTIONS                                                              \
    {"", 0, CLI_FLAG, NULL, "Model", false},                                             \
    {"model", 'm', CLI_TEXT, "SPEC", "the model to train: a folder, or a name (pocket)", \
     false},                                                                             \
    {"out", 0, CLI_TEXT, "DIR", "where checkpoints go: DIR/vNNNNNN, DIR/latest", false}, \
    {"train", 0, CLI_TEXT, "LIST", "parts: vision, merger, text, embed, or all (all)",   \
     false},                                                                             \
    {"lora", 0, CLI_TEXT, "R,ALPHA,LIST",                                                \
     "low-rank pairs beside q, k, v, o, gate, up, down or all", false},                  \
    {"dtype", 0, CLI_TEXT, "TYPE", "of the weights written: bf16, fp32 (as the model's)",\
     false},                                                                             \
    DEVICE_OPTIONS,                                                                      \
    {"threads", 0, CLI_INT, "N", "processors to use (all)", true},                       \
    {"recompute", 0, CLI_FLAG, NULL, "compute layers twice, for less memory", true}
#define TRAIN_ROW_OPTIONS                                                                \
    {"", 0, CLI_FLAG, NULL, "Rows", false},                                              \
    {"root", 0, CLI_TEXT, "DIR", "folder of relative media paths (the current one)",     \
     false},                                                                             \
    {"prompt", 0, CLI_TEXT, "TEXT", "asked of rows of a picture and a caption", false},  \
    {"system", 0, CLI_TEXT, "TEXT", "a system turn before each row's", false},           \
    {"chat", 0, CLI_TEXT, "NAME", "chat format (the model's own)", false},               \
    {"ctx", 0, CLI_INT, "N", "tokens a row may have (the model's context)", false},      \
    {"truncate", 0, CLI_FLAG, NULL, "cut longer rows, but never a picture", false},      \
    {"min-pixels", 0, CLI_INT, "N", "of a resized picture, at least (the model's)",      \
     false},                                                                             \
    {"max-pixels", 0, CLI_INT, "N", "of a resized picture, at most (the model's)",       \
     false},                                                                             \
    {"errors", 0, CLI_TEXT, "FILE", "rows that fail go there (standard output)", true},  \
    {"max-errors", 0, CLI_INT, "N", "stop if more rows fail (no limit)", true},          \
    {"tensorboard", 0, CLI_TEXT, "DIR", "metrics go there too, as event files", true},   \
    {"eval", 0, CLI_TEXT, "FILE", "rows whose loss is measured and not learnt", false},  \
    {"eval-every", 0, CLI_INT, "N", "measure it every N steps (at the end)", false}
#define TRAIN_STEP_OPTIONS(rate)                                                         \
    {"", 0, CLI_FLAG, NULL, "Training", false},                                          \
    {"epochs", 0, CLI_INT, "N", "how often each row is seen (1)", false},                \
    {"steps", 0, CLI_INT, "N", "stop after N steps (all of all epochs)", false},         \
    {"batch-tokens", 0, CLI_INT, "N", "tokens of a step, at most (8192)", false},        \
    {"micro-tokens", 0, CLI_INT, "N", "tokens computed together, at most (4096)", false},\
    {"pack", 0, CLI_INT, "N", "... in any order, so that they fill N (off)", false},     \
    {"no-shuffle", 0, CLI_FLAG, NULL, "rows as they come (in a seeded order)", false},   \
    {"seed", 0, CLI_INT, "N", "seed of the order (0)", false},                           \
    {"window", 0, CLI_INT, "N", "lines from a pipe that are shuffled (10000)", false},   \
    {"lr", 0, CLI_REAL, "X", "learning rate (" rate ")", false},                         \
    {"lr-end", 0, CLI_REAL, "X", "where cosine and linear end (0)", false},              \
    {"schedule", 0, CLI_TEXT, "NAME", "constant, cosine or linear (cosine)", false},     \
    {"warmup", 0, CLI_INT, "N", "steps in which the rate rises (0)", false},             \
    {"optimizer", 0, CLI_TEXT, "NAME",                                                   \
     "adamw, or adamw8bit: moments in 8 bits (adamw)", false},                           \
    {"beta1", 0, CLI_REAL, "X", "AdamW: decay of the mean gradient (0.9)", false},       \
    {"beta2", 0, CLI_REAL, "X", "AdamW: decay of its square (0.95)", false},             \
    {"eps", 0, CLI_REAL, "X", "AdamW: added to the root (1e-8)", false},                 \
    {"weight-decay", 0, CLI_REAL, "X", "AdamW: of matrices (0.1)", false},               \
    {"clip", 0, CLI_REAL, "X", "norm of the gradient, at most; 0: no limit (1)", false}
#define TRAIN_CHECKPOINT_OPTIONS                                                         \
    {"", 0, CLI_FLAG, NULL, "Checkpoints", false},                                       \
    {"save", 0, CLI_INT, "N", "one every N steps (at the end)", true},                   \
    {"keep", 0, CLI_INT, "N", "keep the newest N (all)", true},                          \
    {"resume", 0, CLI_FLAG, NULL, "go on from the newest whole one in --out", true},     \
    {"force", 0, CLI_FLAG, NULL, "start anew though --out has some", true}
/* clang-format on */

struct train_program {
    struct cli *cli; /* borrowed */
    struct run_options run;
    struct rank_options ranks;
    const struct objective *objective; /* borrowed */
    FILE *errors;                      /* bad rows go there */
    const char *errors_path;           /* NULL: to standard output */
    struct tensorboard *charts;        /* NULL: none */
    int64_t failed, max_errors;
    struct stream_wait wait;
    bool gone;   /* nobody reads the output */
    bool others; /* this is not rank 0, which alone tells what all know */
    char dir[PATH_MAX];
    char standard_input[2], *files[1];
};

/* The options above; bad ones are told and show in cli_usable(). rate: the learning rate
 * where none is given. */
void train_options_read(struct train_program *p, struct cli *cli, double rate);

/* Train and end the program: metrics rows to standard output, bad rows there or to
 * --errors. The program's status; cli is closed. */
int train_program_run(struct train_program *p, const struct objective *objective);
#endif
