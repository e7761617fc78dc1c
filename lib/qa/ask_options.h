/* ask_options.h: the options of programs that put questions to a model. */
#ifndef ASK_OPTIONS_H
#define ASK_OPTIONS_H
#include "qa/ask.h"
#include "row/cli.h"

extern const struct cli_option ask_option_table[]; /* --score, --answer, --letter */

/* Read them into rules; a bad value is told and shows in cli_usable(). --score is read by
 * ask_score_choose(), for its default is the model's. */
void ask_options_read(struct ask_rules *rules, struct cli *cli);

/* Once the model is open: what --score says, else what suits the model. 0, or -1 (class
 * refused): not with this model. */
int ask_score_choose(struct ask_rules *rules, struct cli *cli, const struct model *model);
#endif
