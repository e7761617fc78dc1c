/* add.c: y += x (kernels.h). */
#include "cpu.h"

void CPU_OP(add)(struct dev *d, struct arr y, struct arr x)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(x.shape[0] == rows && arr_row_size(x) == n);
#pragma omp parallel for num_threads(cpu_threads(d, rows *n, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        const float *from = row_f32(x, r);
        float *to = row_f32(y, r);
        for (int64_t i = 0; i < n; i++) to[i] += from[i];
    }
}
