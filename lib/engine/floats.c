/* floats.c: see floats.h. */
#include "engine/floats.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* IEEE half: its exponent moved to that of a float; what has none is scaled up. */
static float of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
    if (rest >= 0x7c00u << 13)
        return of_bits(sign | rest | 0x7f800000u);
    float x = of_bits(rest) * 0x1p112f;
    return sign ? -x : x;
}

bool floats_can(const struct tensor *t)
{
    return t->usable && (t->type == ARR_F32 || t->type == ARR_BF16 || t->type == ARR_F16);
}

void floats_read(float *to, const struct tensor *t, int64_t first, int64_t n)
{
    const char *from = (const char *)t->data + (size_t)first * arr_type_size(t->type);
    uint16_t half;
    if (t->type == ARR_F32) {
        memcpy(to, from, (size_t)n * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(&half, from + 2 * i, sizeof half);
        to[i] = t->type == ARR_BF16 ? of_bits((uint32_t)half << 16) : of_f16(half);
    }
}

static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN stays one */
        return (uint16_t)((bits | 0x400000u) >> 16);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The i-th result lies before the i-th input. */
void floats_to_bf16(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t half = bf16_of(x[i]);
        memcpy((char *)x + 2 * i, &half, sizeof half);
    }
}

void floats_of_bf16(float *x, int64_t n)
{
    uint16_t half;
    for (int64_t i = n - 1; i >= 0; i--) {
        memcpy(&half, (char *)x + 2 * i, sizeof half);
        x[i] = of_bits((uint32_t)half << 16);
    }
}

static int tensor_write(struct safetensors_writer *w, const struct tensor_plan *t, int i,
                        floats_fill *fill, void *context, float *chunk)
{
    int64_t count = 1;
    for (int d = 0; d < t->rank; d++) count *= t->shape[d];
    for (int64_t at = 0; at < count; at += FLOATS_CHUNK) {
        int n = (int)(count - at < FLOATS_CHUNK ? count - at : FLOATS_CHUNK);
        if (fill(context, i, at, n, chunk) < 0)
            return -1;
        if (t->type == ARR_BF16)
            floats_to_bf16(chunk, n);
        if (safetensors_append(w, chunk, (size_t)n * arr_type_size(t->type)) < 0)
            return -1;
    }
    return 0;
}

int floats_write(const char *path, const struct tensor_plan *plan, int count,
                 floats_fill *fill, void *context)
{
    float *chunk = malloc(FLOATS_CHUNK * sizeof *chunk);
    if (!chunk)
        return fail_memory();
    struct safetensors_writer *w = safetensors_create(path, plan, count);
    int status = w ? 0 : -1;
    for (int i = 0; status == 0 && i < count; i++)
        status = tensor_write(w, &plan[i], i, fill, context, chunk);
    if (w && status < 0)
        safetensors_abandon(w);
    else if (w)
        status = safetensors_finish(w);
    free(chunk);
    return status;
}
