/* gather_mix.c: y[r] += sum over t of weight[r, t] * table[index[r, t]] (kernels.h). */
#include "cpu.h"

#include <omp.h>

void CPU_OP(gather_mix)(struct dev *d, struct arr y, struct arr table, struct arr index,
                        struct arr weight)
{
    int64_t rows = y.shape[0], n = arr_row_size(y), taps = arr_row_size(index);
    assert(arr_row_size(table) == n && index.shape[0] == rows);
    assert(weight.shape[0] == rows && arr_row_size(weight) == taps);
    assert(2 * n * (int64_t)sizeof(float) <= CPU_SCRATCH);
#pragma omp parallel for num_threads(cpu_threads(d, rows *n *taps, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        float *sum = cpu_scratch(d, omp_get_thread_num()), *tap = sum + n;
        float *to = row_f32(y, r);
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int64_t t = 0; t < taps; t++) {
            int32_t from = row_i32(index, r)[t];
            float share = row_f32(weight, r)[t];
            assert(from >= 0 && from < table.shape[0]);
            floats_of(tap, row_any(table, from), table.type, n);
            for (int64_t i = 0; i < n; i++) sum[i] += share * tap[i];
        }
        for (int64_t i = 0; i < n; i++) to[i] += sum[i];
    }
}
