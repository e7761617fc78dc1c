/* measure.c: see measure.h. */
#include "measure.h"
#include "backward.h"

#include <stdlib.h>
#include <string.h>

struct dev {
    size_t now, most;
    uintptr_t next; /* address of the next piece */
    enum arr_type act;
};

static struct dev *measure_open(const char *device, const struct dev_options *o,
                                const char **why)
{
    struct dev *d = calloc(1, sizeof *d);
    (void)device;
    *why = "out of memory";
    if (d) {
        d->next = (uintptr_t)1 << 44;
        d->act = o->compute == DEV_COMPUTE_BF16 ? ARR_BF16 : ARR_F32;
    }
    return d;
}

static enum arr_type measure_act(const struct dev *d)
{
    return d->act;
}

static void measure_close(struct dev *d)
{
    free(d);
}

static void *measure_alloc(struct dev *d, size_t bytes)
{
    void *data = (void *)d->next;
    d->next += (bytes + 4096) / 64 * 64; /* pieces do not touch */
    d->now += bytes;
    if (d->now > d->most)
        d->most = d->now;
    return data;
}

static void measure_release(struct dev *d, void *data, size_t bytes)
{
    (void)data;
    d->now -= bytes;
}

static void measure_memory(struct dev *d, struct dev_memory *m)
{
    *m = (struct dev_memory){.room = INT64_MAX, .used = (int64_t)d->now};
}

static void *measure_adopt(struct dev *d, const void *host, size_t bytes)
{
    void *data;
    (void)d, (void)bytes;
    memcpy(&data, &host, sizeof data);
    return data;
}

static void measure_disown(struct dev *d, void *data, size_t bytes)
{
    (void)d, (void)data, (void)bytes;
}

static void measure_download(struct dev *d, void *host, struct arr from)
{
    (void)d;
    memset(host, 0, arr_type_bytes(from.type, arr_size(from)));
}

static int measure_sync(struct dev *d, const char **why)
{
    (void)d, (void)why;
    return 0;
}

size_t measure_bytes(const struct dev *d, size_t *most)
{
    *most = d->most;
    return d->now;
}

/* -- What computes nothing ------------------------------------------------------------
 */

#define NOTHING(name, ...)                                                               \
    static void name##_nothing(struct dev *d, __VA_ARGS__)                               \
    {                                                                                    \
        (void)d;                                                                         \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"

typedef struct arr A;
NOTHING(upload, A to, const void *host)
NOTHING(matmul, A y, A x, A w, A bias, enum matmul_mode mode)
NOTHING(rmsnorm, A y, A x, A w, float eps)
NOTHING(layernorm, A y, A x, A w, A b, float eps)
NOTHING(two, A y, A x)
NOTHING(three, A y, A x, A z)
NOTHING(four, A y, A x, A z, A w)
NOTHING(gelu, A y, A x, enum gelu_kind kind)
NOTHING(scatter, A y, A x, A index, bool add)
NOTHING(attention, A y, A q, A k, A v, A start, float scale, A lse)
NOTHING(attention_paged, A y, A q, A k, A v, struct kv_view view, float scale, A lse)
NOTHING(kv_write, A k_pages, A v_pages, A k, A v, A slot)
NOTHING(attention_input, const struct attention_input *in)
NOTHING(kv_copy, A k_pages, A v_pages, int from, int to, int places)
NOTHING(logsumexp, A out, A x, float scale)

NOTHING(one, A a)
NOTHING(matmul_x, A dx, A dy, A w, enum grad_mode mode)
NOTHING(back_rmsnorm, A dx, A dw, A dy, A x, A w, float eps, enum grad_mode mode)
NOTHING(back_layernorm, A dx, A dw, A db, A dy, A x, A w, float eps, enum grad_mode mode)
NOTHING(back_swiglu, A dgate, A dup, A dy, A gate, A up, enum grad_mode gate_mode,
        enum grad_mode up_mode)
NOTHING(back_gelu, A dx, A dy, A x, enum gelu_kind kind, enum grad_mode mode)
NOTHING(back_silu, A dx, A dy, A x, enum grad_mode mode)
NOTHING(back_attention, A dq, A dk, A dv, A dy, A q, A k, A v, A y, A lse, A start,
        float scale)
NOTHING(back_attention_paged, A dq, A dk, A dv, A dy, A q, A k, A v, A y, A lse,
        struct kv_view view, float scale)
NOTHING(logits, A logits, struct token_grad g)
NOTHING(adamw, A w, A grad, A m, A v, const struct adamw *how)
NOTHING(adamw8, A w, A grad, struct moment m, struct moment v, const struct adamw *how)

static double sum_squares_one(struct dev *d, struct arr a)
{
    (void)d, (void)a;
    return 1;
}

const struct kernels *measure_kernels(void)
{
    static const struct backward back = {
        .zero = one_nothing,
        .copy = two_nothing,
        .matmul_x = matmul_x_nothing,
        .matmul_w = four_nothing,
        .rmsnorm = back_rmsnorm_nothing,
        .layernorm = back_layernorm_nothing,
        .swiglu = back_swiglu_nothing,
        .gelu = back_gelu_nothing,
        .silu = back_silu_nothing,
        .add_scaled = logsumexp_nothing,
        .gather = three_nothing,
        .scatter = scatter_nothing,
        .gather_mix = four_nothing,
        .rope = three_nothing,
        .rope_pairs = three_nothing,
        .attention = back_attention_nothing,
        .attention_paged = back_attention_paged_nothing,
        .kv_write = kv_write_nothing,
        .kv_copy = kv_copy_nothing,
        .logits = logits_nothing,
        .entropy = three_nothing,
        .sum_squares = sum_squares_one,
        .adamw = adamw_nothing,
        .adamw8 = adamw8_nothing,
        .to_bf16 = two_nothing,
    };
    static const struct kernels table = {
        .back = &back,
        .name = "measure",
        .open = measure_open,
        .close = measure_close,
        .act = measure_act,
        .alloc = measure_alloc,
        .release = measure_release,
        .memory = measure_memory,
        .adopt = measure_adopt,
        .disown = measure_disown,
        .upload = upload_nothing,
        .download = measure_download,
        .sync = measure_sync,
        .matmul = matmul_nothing,
        .rmsnorm = rmsnorm_nothing,
        .layernorm = layernorm_nothing,
        .swiglu = three_nothing,
        .gelu = gelu_nothing,
        .silu = two_nothing,
        .add = two_nothing,
        .gather = three_nothing,
        .scatter = scatter_nothing,
        .gather_mix = four_nothing,
        .rope = three_nothing,
        .rope_pairs = three_nothing,
        .attention = attention_nothing,
        .attention_paged = attention_paged_nothing,
        .kv_write = kv_write_nothing,
        .attention_input = attention_input_nothing,
        .kv_copy = kv_copy_nothing,
        .logsumexp = logsumexp_nothing,
    };
    return &table;
}
