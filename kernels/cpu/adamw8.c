/* adamw8.c: AdamW whose moments are 8-bit codes (backward.h).
 *
 * Codes (Dettmers et al., arXiv 2110.02861, section 3, "dynamic tree quantization"): 256
 * numbers, dense near 1 and reaching far down: decade 10^-i has 2^(6 - i) of them (with a
 * sign, for means) or 2^(7 - i) (without, for squares), in the middles of as many equal
 * parts of [0.1, 1] times 10^-i, and besides 0 and 1. A block of MOMENT_BLOCK numbers is
 * its largest magnitude and, for each, the nearest code of the number divided by it.
 *
 * Ours: what is coded of the mean square v is its root, which is what the step divides
 * by, so that 7 decades of gradients are told apart in place of 3.5; and a root that is
 * not 0 never gets the code of 0, for a mean over eps alone would be a step without
 * measure.
 */
#include "backward_cpu.h"

#include <math.h>

enum {
    CODES = 256,
    DECADES = 7,
    MANTISSA = 7, /* bits of it that the table of first guesses looks at */
    GUESSES = (32 << MANTISSA) + 1, /* for 2^-31 to 1 */
};

/* Codes in ascending order; guess[top bits of x]: no code above the nearest one. */
struct codes {
    float value[CODES];
    uint8_t guess[GUESSES];
};

static void table_sort(float *x, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && x[j] < x[j - 1]; j--) {
            float t = x[j];
            x[j] = x[j - 1];
            x[j - 1] = t;
        }
}

/* The top bits of x >= 0, counted from 2^-31. */
static int guess_at(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int at = (int)(bits >> (23 - MANTISSA)) - ((127 - 32) << MANTISSA);
    return at < 0 ? 0 : at < GUESSES ? at : GUESSES - 1;
}

/* The least x whose top bits are these. */
static float guess_least(int at)
{
    uint32_t bits = (uint32_t)(at + ((127 - 32) << MANTISSA)) << (23 - MANTISSA);
    float x;
    memcpy(&x, &bits, sizeof x);
    return at ? x : 0;
}

static uint8_t nearest_from(const float *value, int code, float x)
{
    while (code + 1 < CODES && x > (value[code] + value[code + 1]) / 2) code++;
    return (uint8_t)code;
}

static void codes_make(struct codes *c, bool sign)
{
    int n = 0;
    for (int i = 0; i < DECADES; i++) {
        int parts = 1 << (sign ? i : i + 1);
        double decade = pow(10, i - (DECADES - 1));
        for (int j = 0; j < parts; j++) {
            double middle = 0.1 + 0.9 * (j + 0.5) / parts;
            c->value[n++] = (float)(decade * middle);
            if (sign)
                c->value[n++] = -(float)(decade * middle);
        }
    }
    c->value[n++] = 0;
    c->value[n++] = 1;
    assert(n == CODES);
    table_sort(c->value, CODES);
    int code = 0;
    while (c->value[code] < 0) code++;
    for (int at = 0; at < GUESSES; at++) {
        code = nearest_from(c->value, code, guess_least(at));
        c->guess[at] = (uint8_t)code;
    }
}

static uint8_t code_of(const struct codes *c, float x)
{
    if (x >= 0)
        return nearest_from(c->value, c->guess[guess_at(x)], x);
    /* codes below 0 mirror those above, but for 1: the lowest is not -1 */
    int zero = CODES / 2 - 1;
    int up = nearest_from(c->value, c->guess[guess_at(-x)], -x);
    return (uint8_t)(up == CODES - 1 ? 0 : 2 * zero - up);
}

struct tables {
    struct codes mean, root;
};

static float largest(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* One block: codes to numbers, a step, and back. */
static void block_step(float *restrict w, const float *restrict grad,
                       uint8_t *restrict mean, float *mean_most, uint8_t *restrict root,
                       float *root_most, int n, const struct tables *t,
                       const struct adamw *how)
{
    float keep = 1.0f - how->lr * how->decay, correct = (float)sqrt(how->correct2);
    float size = (float)((double)how->lr / how->correct1), scale = how->scale;
    float rest1 = 1.0f - how->beta1, rest2 = 1.0f - how->beta2, eps = how->eps;
    float m[MOMENT_BLOCK], r[MOMENT_BLOCK];
    for (int i = 0; i < n; i++) {
        float g = grad[i] * scale, was = t->root.value[root[i]] * *root_most;
        m[i] = t->mean.value[mean[i]] * *mean_most;
        m[i] = m[i] + rest1 * (g - m[i]);
        r[i] = sqrtf(was * was * how->beta2 + rest2 * g * g);
        w[i] = w[i] * keep - size * (m[i] / (r[i] / correct + eps));
    }
    *mean_most = largest(m, n);
    *root_most = largest(r, n);
    float mean_by = *mean_most > 0 ? *mean_most : 1,
          root_by = *root_most > 0 ? *root_most : 1;
    for (int i = 0; i < n; i++) {
        mean[i] = code_of(&t->mean, m[i] / mean_by);
        root[i] = code_of(&t->root, r[i] / root_by);
        if (root[i] == 0 && r[i] > 0)
            root[i] = 1;
    }
}

void CPU_OP(adamw8)(struct dev *d, struct arr w, struct arr grad, struct moment m,
                    struct moment v, const struct adamw *how)
{
    int64_t n = arr_size(w), blocks = (n + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
    struct tables t;
    assert(w.type == ARR_F32 && arr_contiguous(w) && arr_size(grad) == n);
    assert(m.code.type == ARR_U8 && arr_size(m.code) == n && arr_size(m.most) == blocks);
    assert(v.code.type == ARR_U8 && arr_size(v.code) == n && arr_size(v.most) == blocks);
    codes_make(&t.mean, true);
    codes_make(&t.root, false);
    CPU_EACH(d, i, blocks, 16 * n, CPU_WORK, {
        int64_t at = i * MOMENT_BLOCK;
        block_step((float *)w.data + at, (const float *)grad.data + at,
                   (uint8_t *)m.code.data + at, (float *)m.most.data + i,
                   (uint8_t *)v.code.data + at, (float *)v.most.data + i,
                   (int)(n - at < MOMENT_BLOCK ? n - at : MOMENT_BLOCK), &t, how);
    });
}
