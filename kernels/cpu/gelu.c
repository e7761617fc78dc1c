/* gelu.c: y = gelu(x), by erf or by tanh (kernels.h). */
#include "activation.h"

static void gelu_row(float *to, const float *from, int64_t n, enum gelu_kind kind)
{
    if (kind == GELU_ERF)
        for (int64_t i = 0; i < n; i++) to[i] = gelu_erf_of(from[i]);
    else
        for (int64_t i = 0; i < n; i++) to[i] = gelu_tanh_of(from[i]);
}

void CPU_OP(gelu)(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(y.shape[0] == rows && arr_row_size(y) == n);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             gelu_row(row_f32(y, r), row_f32(x, r), n, kind));
}
