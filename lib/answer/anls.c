/* anls.c: the normalised Levenshtein distance (Biten et al., arXiv 1905.13648). */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "answer/distance.h"

int anls_distance(struct span a, struct span b, bool published, double over,
                  struct fuel *fuel, double *distance)
{
    struct points x, y;
    size_t edits = 0;
    if (points_lower(&x, a, true) < 0)
        return -1;
    int status = points_lower(&y, b, true);
    if (status < 0)
        goto out;
    size_t n = x.n, m = y.n;
    if (published) {
        n = chars_upper_length(a);
        m = chars_upper_length(b);
    }
    size_t longer = n > m ? n : m, most = x.n > y.n ? x.n : y.n;
    /* at `most` edits the share is over `over` for sure */
    if (over < 1 && (double)most > over * (double)longer)
        most = (size_t)(over * (double)longer) + 1;
    status = distance_edit(x.at, x.n, y.at, y.n, most, fuel, &edits);
    *distance = longer == 0 ? 0 : (double)edits / (double)longer;
    points_free(&y);
out:
    points_free(&x);
    return status;
}
