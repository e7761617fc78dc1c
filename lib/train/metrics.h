/* metrics.h: one step's numbers as a row. */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H
#include "base/buf.h"
#include "train/run.h"

/* Append {"step":..} without a line end; names as in capmill(7). extra: names of
 * m->extra, ended by NULL, or NULL; those of evaluation rows begin with "eval_". What is
 * no number is left out. failed: rows of the run so far. */
void metrics_row(struct buf *b, const struct run_metrics *m, const char *const *extra,
                 int64_t failed);
#endif
