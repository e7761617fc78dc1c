/* rmsnorm.c: y = x / sqrt(mean(x^2) + eps) * w over each row's last dimension
 * (kernels.h).
 */
#include "cpu.h"

#include <math.h>

static void rmsnorm_vector(float *to, const float *from, const float *w, int64_t dim,
                           float eps)
{
    float lane[CPU_LANES] = {0};
    int64_t k = 0;
    for (; k + CPU_LANES <= dim; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += from[k + l] * from[k + l];
    for (int l = 0; k + l < dim; l++) lane[l] += from[k + l] * from[k + l];
    float factor = 1.0f / sqrtf(lanes_sum(lane) / (float)dim + eps);
    for (k = 0; k < dim; k++) to[k] = from[k] * factor * w[k];
}

void CPU_OP(rmsnorm)(struct dev *d, struct arr y, struct arr x, struct arr w, float eps)
{
    int64_t dim = x.shape[x.rank - 1], heads = arr_row_size(x) / dim;
    int64_t vectors = x.shape[0] * heads;
    assert(w.shape[0] == dim && y.shape[0] == x.shape[0] &&
           arr_row_size(y) == heads * dim);
    const float *weight = floats_in(d, w, 0);
    CPU_EACH(d, i, vectors, vectors * dim, CPU_WORK,
             rmsnorm_vector(row_f32(y, i / heads) + i % heads * dim,
                            row_f32(x, i / heads) + i % heads * dim, weight, dim, eps));
}
