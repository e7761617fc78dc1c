/* follow.h: a local model whose weights move on while rows are worked on: the policy of a
 * training run (rows.md's ring; train/policy.h writes it).
 *
 * POLICY is a symbolic link to a folder vNNNNNN beside others. A row may ask for a
 * version
 * (`_rl.version`): it waits until POLICY leads to that or a later one, and is sampled
 * from the very version asked for where that is still there, else from the newest: so a
 * run that samples ahead of its trainer draws the same each time. A row that does not ask
 * gets the newest. Weights are changed only when no row is between follow_begin() and
 * follow_end(); everything else of the model is kept. Rows of one step that found theirs
 * gone share one version.
 */
#ifndef FOLLOW_H
#define FOLLOW_H
#include "model/model.h"
#include "row/cli.h"

struct follow;

/* Nothing is opened before the first row: the trainer may not have begun. NULL: memory,
 * or spec is an endpoint or a folder that is no link to a version (refused). */
struct follow *follow_open(struct cli *cli, const char *spec,
                           const struct model_options *options);
void follow_close(struct follow *f);

/* Rows worth having in flight at once. */
int follow_workers(const struct model_options *options);

/* Wait for a row's version and see that its weights are in use: *version, *model
 * (borrowed, until follow_end()). 0 (then follow_end() must be called), -1: the row asks
 * for what is no version; or CLI_ABANDON: the run stops. It gives the run up itself where
 * a version cannot be opened, or where nobody is left who would ask for more: the input
 * has closed, and what the row asks for is not there. Any thread. */
int follow_begin(struct follow *f, const struct row *row, struct model **model,
                 int64_t *version);
void follow_end(struct follow *f);
#endif
