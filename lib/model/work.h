/* work.h: what programs do with a model around their rows: when its work on a row fails,
 * and when all rows are done.
 */
#ifndef MODEL_WORK_H
#define MODEL_WORK_H
#include "model/model.h"
#include "row/cli.h"

/* Work on a row failed, with the reason in fail_text(): what work() returns to cli_map().
 * -1: the row failed. CLI_ABANDON: the failure says nothing about the row, which is left
 * for --resume: the run is stopping, or every endpoint is down (then the run is given up,
 * with a message). Any thread. */
int model_failed(struct cli *cli, struct model *m);

/* The same for any status of a model's call: 0 stays 0, MODEL_DEFERRED becomes CLI_DROP,
 * -1 is model_failed(). */
int model_status(struct cli *cli, struct model *m, int status);

/* After the last row: finish what the model writes itself (--batch-out), unless the run
 * was cut short, and close it. A failure is told and ends the run as resumable. */
void model_end(struct cli *cli, struct model *m);

/* request.abandon, with the cli as its context: give up when the run must stop. */
bool model_abandon(void *cli);
#endif
