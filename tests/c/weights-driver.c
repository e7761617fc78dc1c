/* weights-driver: how far two safetensors files are apart. A line: the largest distance
 * of two tensors of a name, relative to their length; the name; the tensors compared.
 *
 *     weights-driver A B
 */
#include "base/fail.h"
#include "engine/floats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* |a - b| / |a|, as vectors. */
static double distance(const struct tensor *a, const struct tensor *b, int64_t n)
{
    float *x = malloc(2 * (size_t)n * sizeof *x);
    double apart = 0, size = 0;
    if (!x)
        abort();
    floats_read(x, a, 0, n);
    floats_read(x + n, b, 0, n);
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)x[n + i];
        apart += d * d;
        size += (double)x[i] * (double)x[i];
    }
    free(x);
    return apart == 0 ? 0 : sqrt(apart / size);
}

int main(int argc, char *argv[])
{
    struct weights *a = argc == 3 ? weights_open(argv[1]) : NULL;
    struct weights *b = a ? weights_open(argv[2]) : NULL;
    const char *worst = "";
    double most = 0;
    int compared = 0;
    if (!b || weights_count(a) != weights_count(b)) {
        fprintf(stderr, "weights-driver: %s\n", b ? "other tensors" : fail_text());
        return 2;
    }
    for (int i = 0; i < weights_count(a); i++) {
        const struct tensor *x = weights_at(a, i), *y = weights_find(b, x->name);
        if (!y || y->bytes != x->bytes || y->type != x->type) {
            fprintf(stderr, "weights-driver: %s is not in both\n", x->name);
            return 2;
        }
        if (!floats_can(x) || x->bytes == 0)
            continue; /* codes of moments */
        double d = distance(x, y, x->bytes / (int64_t)arr_type_size(x->type));
        compared++;
        if (!(d <= most)) {
            most = d;
            worst = x->name;
        }
    }
    printf("%.3g %s %d\n", most, worst, compared);
    weights_close(a);
    weights_close(b);
    return 0;
}
