/* logsumexp.c: log(sum exp(x * scale)) of each row (kernels.h). The terms are floats,
 * their sums doubles: a vocabulary's many small terms would lose digits in a float. */
#include "exp.h"

#include <math.h>

static float row_max(const float *x, int64_t n)
{
    float lane[CPU_LANES], max = -INFINITY;
    for (int l = 0; l < CPU_LANES; l++) lane[l] = -INFINITY;
    int64_t j = 0;
    for (; j + CPU_LANES <= n; j += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            lane[l] = x[j + l] > lane[l] ? x[j + l] : lane[l];
    for (int l = 0; j + l < n; l++) lane[l] = x[j + l] > lane[l] ? x[j + l] : lane[l];
    for (int l = 0; l < CPU_LANES; l++) max = lane[l] > max ? lane[l] : max;
    return max;
}

static float logsumexp_row(const float *x, int64_t n, float scale)
{
    double lane[CPU_LANES] = {0}, sum = 0;
    float max = row_max(x, n);
    if (max == -INFINITY)
        return n > 0 && x[0] != x[0] ? x[0] : max; /* all NaN, or nothing to sum */
    int64_t j = 0;
    for (; j + CPU_LANES <= n; j += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            lane[l] += (double)exp_f32((x[j + l] - max) * scale);
    for (int l = 0; j + l < n; l++) lane[l] += (double)exp_f32((x[j + l] - max) * scale);
    for (int l = 0; l < CPU_LANES; l++) sum += lane[l];
    return (float)((double)max * (double)scale + log_f64(sum));
}

void CPU_OP(logsumexp)(struct dev *d, struct arr out, struct arr x, float scale)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(out.shape[0] == rows && scale > 0);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             *row_f32(out, r) = logsumexp_row(row_f32(x, r), n, scale));
}
