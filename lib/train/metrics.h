/* metrics.h: one step's numbers by their names, as a row and for charts. */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H
#include "base/buf.h"
#include "train/run.h"

enum { METRICS_MOST = 12 + 2 * OBJECTIVE_EXTRAS };

struct metric {
    const char *before, *name; /* "eval_" or "", and the rest */
    int decimals;              /* in a row; -1: as many as it takes (%.9g) */
    double value;
};

/* The numbers of a step in their order; names as in capmill(7). extra: names of m->extra,
 * ended by NULL, or NULL; those of evaluation rows begin with "eval_". What is no number
 * is left out. How many. */
int metrics_list(struct metric list[METRICS_MOST], const struct run_metrics *m,
                 const char *const *extra);

/* Append them as {"step":..}, without a line end. */
void metrics_row(struct buf *b, const struct metric *list, int count);

struct tensorboard;

/* All but the step itself, as an event. 0 or -1. */
int metrics_chart(struct tensorboard *t, const struct metric *list, int count);
#endif
