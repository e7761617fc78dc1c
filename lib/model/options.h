/* options.h: the options about models, sampling and pictures that programs share. */
#ifndef MODEL_OPTIONS_H
#define MODEL_OPTIONS_H
#include "model/model.h"
#include "row/cli.h"

/* What a local model is computed on and with; device_options_read() reads them. */
/* clang-format off */
#define DEVICE_OPTIONS                                                                   \
    {"device", 0, CLI_TEXT, "DEVICE", "auto, cpu, cuda or cuda:N (auto)", true},         \
    {"compute", 0, CLI_TEXT, "TYPE",                                                     \
     "type of activations: fp32, bf16 (bf16 on CUDA, else fp32)", false},                \
    {"gpu-mem", 0, CLI_REAL, "GB", "of a GPU's memory to use at most (all)", true},      \
    {"batch-invariant", 0, CLI_TEXT, "on|off",                                           \
     "a row's numbers do not depend on others computed with it (on)", false}
/* clang-format on */

extern const struct cli_option model_option_table[]; /* -m, --threads, --ctx, ... */
extern const struct cli_option
    sampling_option_table[]; /* -n, --temperature, --stop, ... */
/* The sampling options of a program that takes one reply a request, to stand among its
 * own, with its own defaults as --help shows them. */
/* clang-format off */
#define REPLY_OPTIONS(temperature, penalty, max_tokens)                                  \
    {"", 0, CLI_FLAG, NULL, "Sampling", true},                                           \
    {"temperature", 0, CLI_REAL, "X", "0 is greedy (" temperature ")", false},           \
    {"top-p", 0, CLI_REAL, "X",                                                          \
     "keep the likeliest tokens up to this mass (1: all)", false},                       \
    {"top-k", 0, CLI_INT, "N", "keep the N likeliest tokens (0: all)", false},           \
    {"min-p", 0, CLI_REAL, "X",                                                          \
     "keep tokens at least X times as likely as the likeliest (0)", false},              \
    {"repetition-penalty", 0, CLI_REAL, "X",                                             \
     "weaken tokens of prompt and output (" penalty ")", false},                         \
    {"presence-penalty", 0, CLI_REAL, "X",                                               \
     "taken from logits of tokens already put out (0)", false},                          \
    {"max-tokens", 0, CLI_INT, "N", "new tokens a reply at most (" max_tokens ")", false}, \
    {"stop", 0, CLI_LIST, "TEXT", "end a reply before TEXT; may be given again", false}, \
    {"seed", 0, CLI_INT, "N", "seed of the random numbers (0)", false}
/* clang-format on */

extern const struct cli_option picture_option_table[]; /* --root, --min-pixels, ... */

/* The values of DEVICE_OPTIONS. A bad one is told and shows in cli_usable(). */
void device_options_read(const char **device, struct compute_options *compute,
                         struct cli *cli);

/* Read the groups' values; a bad value is told and shows in cli_usable(). */
void model_options_read(struct model_options *options, struct cli *cli);

/* The limits on pictures, into both. --root is left to the program. */
void picture_options_read(struct model_options *options, struct request *request,
                          struct cli *cli);

/* The values of REPLY_OPTIONS; defaults as below. The seed is left to the program. */
void reply_options_read(struct request *request, struct cli *cli);

/* The place of --NAME's value in a list "a|b|c"; otherwise where the option is not given;
 * -1 with the usage message told. */
int option_choice(struct cli *cli, const char *name, const char *words, int otherwise);

/* Sampling fields of a request, with a program's own defaults already in it: only options
 * that were given change it. request borrows the stop strings from cli. */
void request_options_read(struct request *request, struct cli *cli);
#endif
