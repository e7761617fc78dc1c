/* back_loss.c: from probabilities of tokens to gradients of logits (backward.h). */
#include "backward_cpu.h"
#include "exp.h"

/* H = lse - sum of p x. */
static float entropy_row(const float *x, float lse, int64_t n)
{
    double lane[CPU_LANES] = {0}, sum = 0;
    int64_t j = 0;
    for (; j + CPU_LANES <= n; j += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            lane[l] += (double)(exp_f32(x[j + l] - lse) * (lse - x[j + l]));
    for (int l = 0; j + l < n; l++)
        lane[l] += (double)(exp_f32(x[j + l] - lse) * (lse - x[j + l]));
    for (int l = 0; l < CPU_LANES; l++) sum += lane[l];
    return (float)sum;
}

void CPU_OP(entropy)(struct dev *d, struct arr out, struct arr logits, struct arr lse)
{
    int64_t rows = logits.shape[0], n = arr_row_size(logits);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             *row_f32(out, r) = entropy_row(row_f32(logits, r), *row_f32(lse, r), n));
}

static void logits_row(float *x, int64_t n, int32_t target, float lse, float weight,
                       float entropy)
{
    if (weight == 0.0f && entropy == 0.0f) {
        memset(x, 0, (size_t)n * sizeof *x);
        return;
    }
    assert(target >= 0 && target < n);
    if (entropy == 0.0f) {
        for (int64_t j = 0; j < n; j++) x[j] = -weight * exp_f32(x[j] - lse);
    } else {
        float h = entropy_row(x, lse, n);
        for (int64_t j = 0; j < n; j++) {
            float p = exp_f32(x[j] - lse);
            x[j] = -weight * p - entropy * p * ((x[j] - lse) + h);
        }
    }
    x[target] += weight;
}

void CPU_OP(back_logits)(struct dev *d, struct arr logits, struct token_grad g)
{
    int64_t rows = logits.shape[0], n = arr_row_size(logits);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             logits_row(row_f32(logits, r), n, *row_i32(g.target, r), *row_f32(g.lse, r),
                        *row_f32(g.weight, r),
                        g.entropy.data ? *row_f32(g.entropy, r) : 0.0f));
}
