/* logsumexp.c: log(sum exp(x * scale)) of each row (kernels.h). The terms are floats,
 * their sums doubles: a vocabulary's many small terms would lose digits in a float. */
#include "exp.h"
#include "vector.h"

#include <math.h>

static float row_max(const float *x, int64_t n)
{
    float lane[CPU_LANES], max = -INFINITY;
    vec8 most[2] = {vec8_of(-INFINITY), vec8_of(-INFINITY)};
    int64_t j = 0;
    for (; j + 2 * CPU_LANES <= n; j += 2 * CPU_LANES) {
        most[0] = vec8_larger(*(const vec8 *)(x + j), most[0]);
        most[1] = vec8_larger(*(const vec8 *)(x + j + CPU_LANES), most[1]);
    }
    most[0] = vec8_larger(most[1], most[0]);
    if (j + CPU_LANES <= n) {
        most[0] = vec8_larger(*(const vec8 *)(x + j), most[0]);
        j += CPU_LANES;
    }
    memcpy(lane, &most[0], sizeof lane);
    for (int l = 0; j + l < n; l++) lane[l] = x[j + l] > lane[l] ? x[j + l] : lane[l];
    for (int l = 0; l < CPU_LANES; l++) max = lane[l] > max ? lane[l] : max;
    return max;
}

static float logsumexp_row(const float *x, int64_t n, float scale)
{
    enum { TURN = 64 };
    double lane[CPU_LANES] = {0}, sum = 0;
    float term[TURN];
    float max = row_max(x, n);
    if (max == -INFINITY)
        return n > 0 && x[0] != x[0] ? x[0] : max; /* all NaN, or nothing to sum */
    int64_t j = 0;
    for (; j + TURN <= n; j += TURN) { /* the terms first, for the sake of vectors */
        for (int i = 0; i < TURN; i++) term[i] = exp_f32((x[j + i] - max) * scale);
        for (int i = 0; i < TURN; i += CPU_LANES)
            for (int l = 0; l < CPU_LANES; l++) lane[l] += (double)term[i + l];
    }
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
