/* silu.c: y = x / (1 + e^-x) (kernels.h). */
#include "activation.h"

static void silu_row(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = silu_of(x[i]);
}

void CPU_OP(silu)(struct dev *d, struct arr y, struct arr x)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(y.shape[0] == rows && arr_row_size(y) == n);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK, silu_row(row_f32(y, r), row_f32(x, r), n));
}
