/* gather_mix.c: y[r] += sum over t of weight[r, t] * table[index[r, t]] (kernels.h). */
#include "cpu.h"

static void mix_row(float *scratch, float *y, struct arr table, const int32_t *index,
                    const float *weight, int64_t taps)
{
    int64_t n = arr_row_size(table);
    float *sum = scratch, *tap = scratch + n;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t t = 0; t < taps; t++) {
        assert(index[t] >= 0 && index[t] < table.shape[0]);
        floats_of(tap, row_any(table, index[t]), table.type, n);
        for (int64_t i = 0; i < n; i++) sum[i] += weight[t] * tap[i];
    }
    for (int64_t i = 0; i < n; i++) y[i] += sum[i];
}

void CPU_OP(gather_mix)(struct dev *d, struct arr y, struct arr table, struct arr index,
                        struct arr weight)
{
    int64_t rows = y.shape[0], n = arr_row_size(y), taps = arr_row_size(index);
    assert(arr_row_size(table) == n && index.shape[0] == rows);
    assert(weight.shape[0] == rows && arr_row_size(weight) == taps);
    assert(2 * n * (int64_t)sizeof(float) <= CPU_SCRATCH);
    CPU_EACH(d, r, rows, rows * n * taps, CPU_WORK,
             mix_row(cpu_scratch(d), row_f32(y, r), table, row_i32(index, r),
                     row_f32(weight, r), taps));
}
