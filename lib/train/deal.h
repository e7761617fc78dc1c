/* deal.h: the rows of a step among ranks. */
#ifndef DEAL_H
#define DEAL_H
#include "train/dataset.h"

/* mine[n] = the rows of rows[n] that are this rank's, in their order: each row, longest
 * first, goes to whoever has the fewest tokens. All ranks' are all rows, each once. How
 * many; -1 (memory). */
int64_t deal_rows(const struct dataset *d, const int64_t *rows, int64_t n, int rank,
                  int world, int64_t *mine);
#endif
