/* bootstrap.h: standard errors of means over rows that share pictures; see summary.h. */
#ifndef PRISM_BOOTSTRAP_H
#define PRISM_BOOTSTRAP_H
#include <stdint.h>

/* Sums over one picture's rows. */
struct cluster {
    double sum[2]; /* of two scores at once */
    int64_t rows;
};

/* The standard deviation of each score's mean over `draws` draws of count clusters out of
 * count; 0 where count < 2. */
void bootstrap_se(double se[2], const struct cluster *clusters, int count, int draws,
                  uint64_t seed);

/* The draws' values themselves: value[draws] of score k. */
void bootstrap_draw(double *value, int k, const struct cluster *clusters, int count,
                    int draws, uint64_t seed);
#endif
