/* rope.c: rotate pairs (x[i], x[i + dim/2]), or (x[2 i], x[2 i + 1]), by the row's
 * angles (kernels.h). */
#include "cpu.h"

static void rope_row(float *x, const float *cos, const float *sin, int64_t heads,
                     int64_t half)
{
    for (int64_t h = 0; h < heads; h++) {
        float *restrict low = x + 2 * h * half, *restrict high = low + half;
        for (int64_t i = 0; i < half; i++) {
            float a = low[i], b = high[i];
            low[i] = a * cos[i] - b * sin[i];
            high[i] = b * cos[i] + a * sin[i];
        }
    }
}

static void rope_pairs_row(float *x, const float *cos, const float *sin, int64_t heads,
                           int64_t half)
{
    for (int64_t h = 0; h < heads; h++, x += 2 * half)
        for (int64_t i = 0; i < half; i++) {
            float a = x[2 * i], b = x[2 * i + 1];
            x[2 * i] = a * cos[i] - b * sin[i];
            x[2 * i + 1] = b * cos[i] + a * sin[i];
        }
}

void CPU_OP(rope)(struct dev *d, struct arr x, struct arr cos, struct arr sin)
{
    int64_t rows = x.shape[0], heads = x.shape[1], dim = x.shape[2], half = dim / 2;
    assert(x.rank == 3 && dim % 2 == 0);
    assert(cos.shape[0] == rows && arr_row_size(cos) == half);
    assert(sin.shape[0] == rows && arr_row_size(sin) == half);
    CPU_EACH(d, r, rows, rows * heads * dim, CPU_WORK,
             rope_row(row_f32(x, r), row_f32(cos, r), row_f32(sin, r), heads, half));
}

void CPU_OP(rope_pairs)(struct dev *d, struct arr x, struct arr cos, struct arr sin)
{
    int64_t rows = x.shape[0], heads = x.shape[1], dim = x.shape[2], half = dim / 2;
    assert(x.rank == 3 && dim % 2 == 0);
    assert(cos.shape[0] == rows && arr_row_size(cos) == half);
    assert(sin.shape[0] == rows && arr_row_size(sin) == half);
    CPU_EACH(
        d, r, rows, rows * heads * dim, CPU_WORK,
        rope_pairs_row(row_f32(x, r), row_f32(cos, r), row_f32(sin, r), heads, half));
}
