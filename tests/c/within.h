/* within.h: is what was taken what was planned? */
#ifndef WITHIN_H
#define WITHIN_H
#include "check.h"

#include <math.h>
#include <stdint.h>

/* Bytes: within 10 %, and told. */
static void within_a_tenth(const char *name, int64_t plan, int64_t most)
{
    double ratio = (double)plan / (double)most;
    fprintf(stderr, "%s: plan %.3f MB, took %.3f MB (%.3f)\n", name, (double)plan / 1e6,
            (double)most / 1e6, ratio);
    CHECK(fabs(ratio - 1) <= 0.1, "%s: took %lld, planned %lld", name, (long long)most,
          (long long)plan);
}
#endif
