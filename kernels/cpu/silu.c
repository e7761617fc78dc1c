/* silu.c: y = x / (1 + e^-x) (kernels.h). */
#include "activation.h"

void CPU_OP(silu)(struct dev *d, struct arr y, struct arr x)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(y.shape[0] == rows && arr_row_size(y) == n);
#pragma omp parallel for num_threads(cpu_threads(d, rows *n, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        const float *from = row_f32(x, r);
        float *to = row_f32(y, r);
        for (int64_t i = 0; i < n; i++) to[i] = silu_of(from[i]);
    }
}
