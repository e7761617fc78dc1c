/* adamw.c: the optimizer's own operations (backward.h). */
#include "backward_cpu.h"

#include <math.h>
#include <stdlib.h>

enum { PIECE = 16 << 10 }; /* elements that are summed, or stepped, together */

static int64_t pieces_of(struct arr a)
{
    assert(a.type == ARR_F32 && arr_contiguous(a));
    return (arr_size(a) + PIECE - 1) / PIECE;
}

static int64_t piece_end(struct arr a, int64_t piece)
{
    int64_t end = (piece + 1) * PIECE;
    return end < arr_size(a) ? end : arr_size(a);
}

static double squares(const float *x, int64_t n)
{
    double lane[CPU_LANES] = {0}, sum = 0;
    int64_t k = 0;
    for (; k + CPU_LANES <= n; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            lane[l] += (double)x[k + l] * (double)x[k + l];
    for (int l = 0; k + l < n; l++) lane[l] += (double)x[k + l] * (double)x[k + l];
    for (int l = 0; l < CPU_LANES; l++) sum += lane[l];
    return sum;
}

double CPU_OP(sum_squares)(struct dev *d, struct arr a)
{
    enum { ROUND = CPU_SHARED / sizeof(double) };
    double *sums = (double *)(void *)d->shared, total = 0;
    const float *x = a.data;
    int64_t pieces = pieces_of(a);
    for (int64_t first = 0; first < pieces; first += ROUND) {
        int64_t count = pieces - first < ROUND ? pieces - first : ROUND;
        CPU_EACH(d, i, count, count * PIECE, 2 * PIECE,
                 sums[i] = squares(x + (first + i) * PIECE,
                                   piece_end(a, first + i) - (first + i) * PIECE));
        for (int64_t i = 0; i < count; i++) total += sums[i];
    }
    return total;
}

static void step(float *restrict w, const float *restrict grad, float *restrict m,
                 float *restrict v, int64_t n, const struct adamw *how)
{
    float keep = 1.0f - how->lr * how->decay, root = (float)sqrt(how->correct2);
    float size = (float)((double)how->lr / how->correct1), scale = how->scale;
    float rest1 = 1.0f - how->beta1, rest2 = 1.0f - how->beta2, eps = how->eps;
    for (int64_t i = 0; i < n; i++) {
        float g = grad[i] * scale;
        m[i] = m[i] + rest1 * (g - m[i]);
        v[i] = v[i] * how->beta2 + rest2 * g * g;
        w[i] = w[i] * keep - size * (m[i] / (sqrtf(v[i]) / root + eps));
    }
}

void CPU_OP(adamw)(struct dev *d, struct arr w, struct arr grad, struct arr m,
                   struct arr v, const struct adamw *how)
{
    int64_t pieces = pieces_of(w);
    assert(arr_size(grad) == arr_size(w) && arr_size(m) == arr_size(w));
    CPU_EACH(d, i, pieces, arr_size(w), 2 * PIECE,
             step((float *)w.data + i * PIECE, (const float *)grad.data + i * PIECE,
                  (float *)m.data + i * PIECE, (float *)v.data + i * PIECE,
                  piece_end(w, i) - i * PIECE, how));
}

/* To the nearest, ties to even; NaN keeps its sign and stays one. */
static void round_bf16(uint16_t *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1);
        bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
        to[i] = (uint16_t)((nan ? bits | 0x400000u : rounded) >> 16);
    }
}

void CPU_OP(to_bf16)(struct dev *d, struct arr to, struct arr from)
{
    int64_t pieces = pieces_of(from);
    assert(to.type == ARR_BF16 && arr_size(to) == arr_size(from));
    CPU_EACH(d, i, pieces, arr_size(from), 2 * PIECE,
             round_bf16((uint16_t *)to.data + i * PIECE,
                        (const float *)from.data + i * PIECE,
                        piece_end(from, i) - i * PIECE));
}
