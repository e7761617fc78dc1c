/* gather.c: y[r] = table[index[r]] (kernels.h). */
#include "cpu.h"

static void gather_row(struct arr y, struct arr table, struct arr index, int64_t r)
{
    int32_t from = *row_i32(index, r);
    assert(from >= 0 && from < table.shape[0]);
    floats_of(row_f32(y, r), row_any(table, from), table.type, arr_row_size(y));
}

void CPU_OP(gather)(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    int64_t rows = y.shape[0], n = arr_row_size(y);
    assert(arr_row_size(table) == n && index.shape[0] == rows);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK, gather_row(y, table, index, r));
}
