/* add.c: y += x (kernels.h). */
#include "cpu.h"

static void add_row(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void CPU_OP(add)(struct dev *d, struct arr y, struct arr x)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(x.shape[0] == rows && arr_row_size(x) == n);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK, add_row(row_f32(y, r), row_f32(x, r), n));
}
