/* rope.c: rotate pairs (x[i], x[i + dim/2]) by the row's angles (kernels.h). */
#include "cpu.h"

void CPU_OP(rope)(struct dev *d, struct arr x, struct arr cos, struct arr sin)
{
    int64_t rows = x.shape[0], heads = x.shape[1], dim = x.shape[2], half = dim / 2;
    assert(x.rank == 3 && dim % 2 == 0);
    assert(cos.shape[0] == rows && arr_row_size(cos) == half);
    assert(sin.shape[0] == rows && arr_row_size(sin) == half);
#pragma omp parallel for num_threads(cpu_threads(d, rows *heads *dim, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        const float *c = row_f32(cos, r), *s = row_f32(sin, r);
        for (int64_t h = 0; h < heads; h++) {
            float *restrict low = row_f32(x, r) + h * dim, *restrict high = low + half;
            for (int64_t i = 0; i < half; i++) {
                float a = low[i], b = high[i];
                low[i] = a * c[i] - b * s[i];
                high[i] = b * c[i] + a * s[i];
            }
        }
    }
}
