/* swiglu.c: y = silu(gate) * up (kernels.h). */
#include "activation.h"

void CPU_OP(swiglu)(struct dev *d, struct arr y, struct arr gate, struct arr up)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(gate.shape[0] == rows && arr_row_size(gate) == n);
    assert(up.shape[0] == rows && arr_row_size(up) == n);
#pragma omp parallel for num_threads(cpu_threads(d, rows *n, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        const float *g = row_f32(gate, r), *u = row_f32(up, r);
        float *to = row_f32(y, r);
        for (int64_t i = 0; i < n; i++) to[i] = silu_of(g[i]) * u[i];
    }
}
