/* gather.c: y[r] = table[index[r]] (kernels.h). */
#include "cpu.h"

void CPU_OP(gather)(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(arr_row_size(table) == n && index.shape[0] == rows);
#pragma omp parallel for num_threads(cpu_threads(d, rows *n, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        int32_t from = *row_i32(index, r);
        assert(from >= 0 && from < table.shape[0]);
        floats_of(row_f32(y, r), row_any(table, from), table.type, n);
    }
}
