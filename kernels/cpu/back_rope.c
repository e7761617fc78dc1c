/* back_rope.c: gradients of the rotations: the same, turned back (backward.h). */
#include "backward_cpu.h"

static void turn_back(float *x, const float *cosine, const float *sine, int64_t half,
                      int64_t apart, int64_t step)
{
    for (int64_t i = 0; i < half; i++) {
        float *a = x + i * step, *b = a + apart, old = *a;
        *a = old * cosine[i] + *b * sine[i];
        *b = *b * cosine[i] - old * sine[i];
    }
}

static void rope_back(struct dev *d, struct arr dx, struct arr cos, struct arr sin,
                      bool pairs)
{
    int64_t rows = dx.shape[0], heads = dx.shape[1], dim = dx.shape[2], half = dim / 2;
    assert(cos.shape[0] == rows && cos.shape[1] == half && sin.shape[1] == half);
    CPU_EACH(d, i, rows * heads, rows * heads * dim, CPU_WORK,
             turn_back(row_f32(dx, i / heads) + i % heads * dim, row_f32(cos, i / heads),
                       row_f32(sin, i / heads), half, pairs ? 1 : half, pairs ? 2 : 1));
}

void CPU_OP(back_rope)(struct dev *d, struct arr dx, struct arr cos, struct arr sin)
{
    rope_back(d, dx, cos, sin, false);
}

void CPU_OP(back_rope_pairs)(struct dev *d, struct arr dx, struct arr cos, struct arr sin)
{
    rope_back(d, dx, cos, sin, true);
}
