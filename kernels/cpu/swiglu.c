/* swiglu.c: y = silu(gate) * up (kernels.h). */
#include "activation.h"

static void swiglu_row(float *y, const float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = silu_of(gate[i]) * up[i];
}

void CPU_OP(swiglu)(struct dev *d, struct arr y, struct arr gate, struct arr up)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(gate.shape[0] == rows && arr_row_size(gate) == n);
    assert(up.shape[0] == rows && arr_row_size(up) == n);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             swiglu_row(row_f32(y, r), row_f32(gate, r), row_f32(up, r), n));
}
