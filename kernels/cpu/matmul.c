/* matmul.c: y [M, N] = x [M, K] w [N, K]^T, the definition (kernels.h).
 *
 * Each output is CPU_LANES running sums: lane l takes k = l, l + 8, ... in ascending
 * order; lanes_sum() ends them. The bias comes after, then what y held.
 */
#include "cpu.h"

enum { ROWS = 8 }; /* rows of w turned into floats at a time */

static float dot(const float *restrict x, const float *restrict w, int64_t n)
{
    float lane[CPU_LANES] = {0};
    int64_t k = 0;
    for (; k + CPU_LANES <= n; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += x[k + l] * w[k + l];
    for (int l = 0; k + l < n; l++) lane[l] += x[k + l] * w[k + l];
    return lanes_sum(lane);
}

/* Columns [first, last) of y. */
static void columns(float *rows, struct arr y, struct arr x, struct arr w,
                    struct arr bias, enum matmul_mode mode, int64_t first, int64_t last)
{
    int64_t depth = w.shape[1];
    float b;
    for (int64_t j = first; j < last; j++)
        floats_of(rows + (j - first) * depth, row_any(w, j), w.type, depth);
    for (int64_t i = 0; i < x.shape[0]; i++) {
        float *out = row_f32(y, i);
        for (int64_t j = first; j < last; j++) {
            float sum = dot(row_f32(x, i), rows + (j - first) * depth, depth);
            if (bias.data) {
                floats_of(&b, row_any(bias, j), bias.type, 1);
                sum += b;
            }
            out[j] = mode == MATMUL_ADD ? out[j] + sum : sum;
        }
    }
}

void matmul_plain(struct dev *d, struct arr y, struct arr x, struct arr w,
                  struct arr bias, enum matmul_mode mode)
{
    int64_t m = x.shape[0], n = w.shape[0], depth = w.shape[1];
    assert(x.shape[1] == depth && y.shape[0] == m && y.shape[1] == n);
    assert(depth * ROWS * (int64_t)sizeof(float) <= CPU_SCRATCH);
    CPU_EACH(d, t, (n + ROWS - 1) / ROWS, m * n * depth, CPU_PRODUCTS,
             columns(cpu_scratch(d), y, x, w, bias, mode, t * ROWS,
                     (t + 1) * ROWS < n ? (t + 1) * ROWS : n));
}
