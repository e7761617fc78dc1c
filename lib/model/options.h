/* options.h: the options about models, sampling and pictures that programs share. */
#ifndef MODEL_OPTIONS_H
#define MODEL_OPTIONS_H
#include "model/model.h"
#include "row/cli.h"

extern const struct cli_option model_option_table[]; /* -m, --threads, --ctx, ... */
extern const struct cli_option
    sampling_option_table[]; /* -n, --temperature, --stop, ... */
extern const struct cli_option picture_option_table[]; /* --root, --min-pixels, ... */

/* Read the groups' values; a bad value is told and shows in cli_usable(). */
void model_options_read(struct model_options *options, struct cli *cli);

/* Sampling fields of a request, with a program's own defaults already in it: only options
 * that were given change it. request borrows the stop strings from cli. */
void request_options_read(struct request *request, struct cli *cli);
#endif
