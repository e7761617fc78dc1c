/* bootstrap.h: standard errors of means over rows that share pictures; see summary.h. */
#ifndef PRISM_BOOTSTRAP_H
#define PRISM_BOOTSTRAP_H
#include <stdint.h>

enum { BOOTSTRAP_DRAWS = 1000 };

/* Sums over one picture's rows. */
struct cluster {
    double sum[2]; /* of two scores at once */
    int64_t rows;
};

/* The draws: value[k][b] is draw b's mean of score k over count >= 1 clusters out of
 * count. On all processors; the bits don't depend on how many there are. */
void bootstrap_draw(double value[2][BOOTSTRAP_DRAWS], const struct cluster *clusters,
                    int count, uint64_t seed);

/* The standard deviation of draws; 0 where all must be the same, of count < 2 clusters.
 */
double bootstrap_se(const double value[BOOTSTRAP_DRAWS], int count);
#endif
