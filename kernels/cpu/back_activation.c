/* back_activation.c: gradients of the activations (backward.h; activation.h has the
 * functions). */
#include "activation.h"
#include "backward_cpu.h"

/* d/dx x s(x) with the logistic function s. */
static inline float silu_slope(float x)
{
    float s = 1.0f / (1.0f + exp_f32(-x));
    return s * (1.0f + x * (1.0f - s));
}

/* x s(2u), u = c (x + 0.044715 x^3). */
static inline float gelu_tanh_slope(float x)
{
    float u = 0.797884561f * (x + 0.044715f * x * x * x);
    float s = 1.0f / (1.0f + exp_f32(-2.0f * u));
    float du = 0.797884561f * (1.0f + 3.0f * 0.044715f * x * x);
    return s + 2.0f * x * s * (1.0f - s) * du;
}

/* Phi(x) + x phi(x). */
static inline float gelu_erf_slope(float x)
{
    float size = x < 0.0f ? -x : x, tail = 0.5f * erfc_of(size * 0.707106781f);
    float phi = 0.398942280f * exp_f32(-0.5f * x * x);
    return (x < 0.0f ? tail : 1.0f - tail) + x * phi;
}

static inline void put(float *to, float value, enum grad_mode mode)
{
    *to = mode == GRAD_ADD ? *to + value : value;
}

/* A piece at a time, whose gradients are made before they are put anywhere: without the
 * questions where, the loop is vectorised. */
static void swiglu_row(float *dgate, float *dup, const float *dy, const float *gate,
                       const float *up, int64_t n, enum grad_mode gate_mode,
                       enum grad_mode up_mode)
{
    enum { PIECE = 128 };
    float g[PIECE], u[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t count = n - i < PIECE ? n - i : PIECE;
        for (int64_t j = 0; j < count; j++) {
            g[j] = dy[i + j] * up[i + j] * silu_slope(gate[i + j]);
            u[j] = dy[i + j] * silu_of(gate[i + j]);
        }
        if (dgate)
            for (int64_t j = 0; j < count; j++) put(&dgate[i + j], g[j], gate_mode);
        if (dup)
            for (int64_t j = 0; j < count; j++) put(&dup[i + j], u[j], up_mode);
    }
}

void CPU_OP(back_swiglu)(struct dev *d, struct arr dgate, struct arr dup, struct arr dy,
                         struct arr gate, struct arr up, enum grad_mode gate_mode,
                         enum grad_mode up_mode)
{
    int64_t rows = dy.shape[0], n = arr_row_size(dy);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             swiglu_row(dgate.data ? row_f32(dgate, r) : NULL,
                        dup.data ? row_f32(dup, r) : NULL, row_f32(dy, r),
                        row_f32(gate, r), row_f32(up, r), n, gate_mode, up_mode));
}

static void gelu_row(float *dx, const float *dy, const float *x, int64_t n,
                     enum gelu_kind kind, enum grad_mode mode)
{
    if (kind == GELU_TANH)
        for (int64_t i = 0; i < n; i++) put(&dx[i], dy[i] * gelu_tanh_slope(x[i]), mode);
    else
        for (int64_t i = 0; i < n; i++) put(&dx[i], dy[i] * gelu_erf_slope(x[i]), mode);
}

void CPU_OP(back_gelu)(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                       enum gelu_kind kind, enum grad_mode mode)
{
    int64_t rows = dy.shape[0], n = arr_row_size(dy);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             gelu_row(row_f32(dx, r), row_f32(dy, r), row_f32(x, r), n, kind, mode));
}

static void silu_row(float *dx, const float *dy, const float *x, int64_t n,
                     enum grad_mode mode)
{
    for (int64_t i = 0; i < n; i++) put(&dx[i], dy[i] * silu_slope(x[i]), mode);
}

void CPU_OP(back_silu)(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                       enum grad_mode mode)
{
    int64_t rows = dy.shape[0], n = arr_row_size(dy);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             silu_row(row_f32(dx, r), row_f32(dy, r), row_f32(x, r), n, mode));
}
