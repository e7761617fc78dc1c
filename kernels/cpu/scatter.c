/* scatter.c: y[index[r]] = x[r] or += x[r] (kernels.h). */
#include "cpu.h"

static void scatter_row(struct arr y, struct arr x, struct arr index, bool add, int64_t r)
{
    int64_t n = arr_row_size(x);
    int32_t at = *row_i32(index, r);
    assert(at >= 0 && at < y.shape[0]);
    const float *from = row_f32(x, r);
    float *to = row_f32(y, at);
    for (int64_t i = 0; i < n; i++) to[i] = add ? to[i] + from[i] : from[i];
}

void CPU_OP(scatter)(struct dev *d, struct arr y, struct arr x, struct arr index,
                     bool add)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(arr_row_size(y) == n && index.shape[0] == rows);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK, scatter_row(y, x, index, add, r));
}
