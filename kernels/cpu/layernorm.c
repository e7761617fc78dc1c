/* layernorm.c: y = (x - mean) / sqrt(var + eps) * w + b over each row (kernels.h). The
 * variance is taken from the differences to the mean, in a second pass. */
#include "cpu.h"

#include <math.h>

static void layernorm_row(float *to, const float *from, const float *w, const float *b,
                          int64_t dim, float eps)
{
    float lane[CPU_LANES] = {0};
    int64_t k = 0;
    for (; k + CPU_LANES <= dim; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += from[k + l];
    for (int l = 0; k + l < dim; l++) lane[l] += from[k + l];
    float mean = lanes_sum(lane) / (float)dim, square[CPU_LANES] = {0};
    for (k = 0; k + CPU_LANES <= dim; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            square[l] += (from[k + l] - mean) * (from[k + l] - mean);
    for (int l = 0; k + l < dim; l++)
        square[l] += (from[k + l] - mean) * (from[k + l] - mean);
    float factor = 1.0f / sqrtf(lanes_sum(square) / (float)dim + eps);
    for (k = 0; k < dim; k++) to[k] = (from[k] - mean) * factor * w[k] + b[k];
}

void CPU_OP(layernorm)(struct dev *d, struct arr y, struct arr x, struct arr w,
                       struct arr b, float eps)
{
    int64_t rows = x.shape[0], dim = arr_row_size(x);
    assert(w.shape[0] == dim && b.shape[0] == dim && y.shape[0] == rows);
    assert(arr_row_size(y) == dim);
    const float *weight = floats_in(d, w, 0), *offset = floats_in(d, b, dim);
    CPU_EACH(d, r, rows, rows * dim, CPU_WORK,
             layernorm_row(row_f32(y, r), row_f32(x, r), weight, offset, dim, eps));
}
