/* relaxed.c: relaxed accuracy (Methani et al., arXiv 1909.00997; Masry et al., arXiv
 * 2203.10244): a number may be off by 5%, what is no number must be the same text. */
#include "answer/answer_own.h"
#include "answer/chars.h"

#include <math.h>

/* Equal in lower case? 1, 0, -1 (memory). */
static int same_lower(struct span a, struct span b)
{
    struct points x, y;
    if (points_lower(&x, a, false) < 0)
        return -1;
    int same = points_lower(&y, b, false);
    if (same == 0)
        same = x.n == y.n && memcmp(x.at, y.at, x.n * sizeof *x.at) == 0;
    points_free(&x);
    points_free(&y);
    return same;
}

int relaxed_equal(struct span text, struct span reference)
{
    double t = 0, r = 0;
    int is_number = number_percent(reference, &r);
    if (is_number > 0 && r != 0) {
        is_number = number_percent(text, &t);
        if (is_number > 0)
            return fabs(t - r) / fabs(r) <= 0.05;
    }
    return is_number < 0 ? -1 : same_lower(text, reference);
}
