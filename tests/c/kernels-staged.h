/* kernels-staged.h: the CUDA table for tests whose arrays are in the host's memory.
 *
 * Where the kernels are run by the host (kernels/cuda/host/blocks.h) that is the device's
 * memory as well. With CAPMILL_TEST_DEVICE=cuda or cuda:N the table is a real GPU's, from
 * the plug-in: every operation's arrays are copied there, as they lie (strides, gaps and
 * alignment included; what overlaps is copied once), and back behind it. */
#ifndef KERNELS_STAGED_H
#define KERNELS_STAGED_H
#include "backward.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kernels cuda_table; /* run by the host */

enum { STAGE_ALIGN = 64, STAGE_MOST = 24 };

/* Bytes that an operation's arrays lie in. */
struct stage_span {
    char *low, *high;
    char *room, *device; /* device: of low, at the same place in STAGE_ALIGN bytes */
};

static const struct kernels *stage_real;
static struct stage_span stage_spans[STAGE_MOST];
static int stage_count;

static struct arr stage_bytes(struct dev *d, const struct stage_span *s)
{
    return (struct arr){.dev = d,
                        .data = s->device,
                        .type = ARR_U8,
                        .rank = 1,
                        .shape = {s->high - s->low},
                        .stride = 1};
}

/* One span more; those that it touches become one with it. */
static void stage_add(struct arr a)
{
    if (!a.data || a.shape[0] == 0)
        return;
    int64_t elements = (a.shape[0] - 1) * a.stride + arr_row_size(a);
    struct stage_span s = {.low = a.data};
    s.high = s.low + arr_type_bytes(a.type, elements);
    for (int i = stage_count - 1; i >= 0; i--) {
        struct stage_span *o = &stage_spans[i];
        if (o->high <= s.low || s.high <= o->low)
            continue;
        s.low = o->low < s.low ? o->low : s.low;
        s.high = o->high > s.high ? o->high : s.high;
        *o = stage_spans[--stage_count];
    }
    assert(stage_count < STAGE_MOST);
    stage_spans[stage_count++] = s;
}

static void stage_in(struct dev *d, const struct arr *arrays, int count)
{
    stage_count = 0;
    for (int i = 0; i < count; i++) stage_add(arrays[i]);
    for (int i = 0; i < stage_count; i++) {
        struct stage_span *s = &stage_spans[i];
        size_t bytes = (size_t)(s->high - s->low) + STAGE_ALIGN;
        s->room = stage_real->alloc(d, bytes);
        if (!s->room) {
            fprintf(stderr, "no room on the device for %zu bytes\n", bytes);
            exit(1);
        }
        s->device = s->room + (uintptr_t)s->low % STAGE_ALIGN;
        stage_real->upload(d, stage_bytes(d, s), s->low);
    }
}

static void stage_out(struct dev *d)
{
    const char *why = "";
    for (int i = 0; i < stage_count; i++) {
        struct stage_span *s = &stage_spans[i];
        stage_real->download(d, s->low, stage_bytes(d, s));
        stage_real->release(d, s->room, (size_t)(s->high - s->low) + STAGE_ALIGN);
    }
    if (stage_real->sync(d, &why) < 0) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

/* An array where the device has it. */
static struct arr staged(struct arr a)
{
    for (int i = 0; i < stage_count && a.data; i++) {
        const struct stage_span *s = &stage_spans[i];
        if (s->low <= (char *)a.data && (char *)a.data < s->high) {
            a.data = s->device + ((char *)a.data - s->low);
            break;
        }
    }
    return a;
}

#define STAGE(...)                                                                       \
    stage_in(d, (const struct arr[]){__VA_ARGS__},                                       \
             (int)(sizeof(struct arr[]){__VA_ARGS__} / sizeof(struct arr)))
/* An operation of arrays alone, or of arrays and `more` behind them. */
#define AT1(a) staged(a)
#define AT2(a, ...) staged(a), AT1(__VA_ARGS__)
#define AT3(a, ...) staged(a), AT2(__VA_ARGS__)
#define AT4(a, ...) staged(a), AT3(__VA_ARGS__)
#define AT5(a, ...) staged(a), AT4(__VA_ARGS__)
#define AT6(a, ...) staged(a), AT5(__VA_ARGS__)

static struct kv_view stage_view(struct kv_view v)
{
    return (struct kv_view){staged(v.table), staged(v.seq), staged(v.len)};
}

/* Tests' arrays are the host's. */
static void staged_upload(struct dev *d, struct arr to, const void *host)
{
    (void)d;
    memcpy(to.data, host, arr_type_bytes(to.type, arr_size(to)));
}
static void staged_download(struct dev *d, void *host, struct arr from)
{
    (void)d;
    memcpy(host, from.data, arr_type_bytes(from.type, arr_size(from)));
}
static void staged_matmul(struct dev *d, struct arr y, struct arr x, struct arr w,
                          struct arr bias, enum matmul_mode mode)
{
    STAGE(y, x, w, bias);
    stage_real->matmul(d, AT4(y, x, w, bias), mode);
    stage_out(d);
}
static void staged_matmuls(struct dev *d, const struct matmul_part *parts, int count,
                           struct arr x)
{
    struct matmul_part there[MATMUL_PARTS];
    struct arr all[1 + 3 * MATMUL_PARTS] = {x};
    for (int i = 0; i < count; i++) {
        all[1 + 3 * i] = parts[i].y;
        all[2 + 3 * i] = parts[i].w;
        all[3 + 3 * i] = parts[i].bias;
    }
    stage_in(d, all, 1 + 3 * count);
    for (int i = 0; i < count; i++)
        there[i] = (struct matmul_part){AT3(parts[i].y, parts[i].w, parts[i].bias)};
    stage_real->matmuls(d, there, count, staged(x));
    stage_out(d);
}
static void staged_rmsnorm(struct dev *d, struct arr y, struct arr x, struct arr w,
                           float eps)
{
    STAGE(y, x, w);
    stage_real->rmsnorm(d, AT3(y, x, w), eps);
    stage_out(d);
}
static void staged_layernorm(struct dev *d, struct arr y, struct arr x, struct arr w,
                             struct arr b, float eps)
{
    STAGE(y, x, w, b);
    stage_real->layernorm(d, AT4(y, x, w, b), eps);
    stage_out(d);
}
static void staged_swiglu(struct dev *d, struct arr y, struct arr gate, struct arr up)
{
    STAGE(y, gate, up);
    stage_real->swiglu(d, AT3(y, gate, up));
    stage_out(d);
}
static void staged_gelu(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind)
{
    STAGE(y, x);
    stage_real->gelu(d, AT2(y, x), kind);
    stage_out(d);
}
static void staged_silu(struct dev *d, struct arr y, struct arr x)
{
    STAGE(y, x);
    stage_real->silu(d, AT2(y, x));
    stage_out(d);
}
static void staged_add(struct dev *d, struct arr y, struct arr x)
{
    STAGE(y, x);
    stage_real->add(d, AT2(y, x));
    stage_out(d);
}
static void staged_gather(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    STAGE(y, table, index);
    stage_real->gather(d, AT3(y, table, index));
    stage_out(d);
}
static void staged_scatter(struct dev *d, struct arr y, struct arr x, struct arr index,
                           bool add)
{
    STAGE(y, x, index);
    stage_real->scatter(d, AT3(y, x, index), add);
    stage_out(d);
}
static void staged_gather_mix(struct dev *d, struct arr y, struct arr table,
                              struct arr index, struct arr weight)
{
    STAGE(y, table, index, weight);
    stage_real->gather_mix(d, AT4(y, table, index, weight));
    stage_out(d);
}
static void staged_rope(struct dev *d, struct arr x, struct arr cosine, struct arr sine)
{
    STAGE(x, cosine, sine);
    stage_real->rope(d, AT3(x, cosine, sine));
    stage_out(d);
}
static void staged_rope_pairs(struct dev *d, struct arr x, struct arr cosine,
                              struct arr sine)
{
    STAGE(x, cosine, sine);
    stage_real->rope_pairs(d, AT3(x, cosine, sine));
    stage_out(d);
}
static void staged_attention(struct dev *d, struct arr y, struct arr q, struct arr key,
                             struct arr v, struct arr start, float scale, struct arr lse)
{
    STAGE(y, q, key, v, start, lse);
    stage_real->attention(d, AT5(y, q, key, v, start), scale, staged(lse));
    stage_out(d);
}
static void staged_attention_paged(struct dev *d, struct arr y, struct arr q,
                                   struct arr key, struct arr v, struct kv_view view,
                                   float scale, struct arr lse)
{
    STAGE(y, q, key, v, view.table, view.seq, view.len, lse);
    stage_real->attention_paged(d, AT4(y, q, key, v), stage_view(view), scale,
                                staged(lse));
    stage_out(d);
}
static void staged_kv_write(struct dev *d, struct arr k_pages, struct arr v_pages,
                            struct arr key, struct arr v, struct arr slot)
{
    STAGE(k_pages, v_pages, key, v, slot);
    stage_real->kv_write(d, AT5(k_pages, v_pages, key, v, slot));
    stage_out(d);
}
static void staged_attention_input(struct dev *d, const struct attention_input *in)
{
    struct attention_input there = *in;
    struct arr *const arrays[] = {&there.q,       &there.k,   &there.v,   &there.q_norm,
                                  &there.k_norm,  &there.cos, &there.sin, &there.k_pages,
                                  &there.v_pages, &there.slot};
    STAGE(in->q, in->k, in->v, in->q_norm, in->k_norm, in->cos, in->sin, in->k_pages,
          in->v_pages, in->slot);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = staged(*arrays[i]);
    stage_real->attention_input(d, &there);
    stage_out(d);
}
static void staged_kv_copy(struct dev *d, struct arr k_pages, struct arr v_pages,
                           int from, int to, int places)
{
    STAGE(k_pages, v_pages);
    stage_real->kv_copy(d, AT2(k_pages, v_pages), from, to, places);
    stage_out(d);
}
static void staged_logsumexp(struct dev *d, struct arr out, struct arr x, float scale)
{
    STAGE(out, x);
    stage_real->logsumexp(d, AT2(out, x), scale);
    stage_out(d);
}
static void staged_draw(struct dev *d, struct drawn *drawn, struct arr logits,
                        const struct draw *how, int count, int top)
{
    STAGE(logits);
    stage_real->draw(d, drawn, staged(logits), how, count, top);
    stage_out(d);
}

/* -- Gradients -------------------------------------------------------------------------
 */

static void staged_zero(struct dev *d, struct arr a)
{
    STAGE(a);
    stage_real->back->zero(d, staged(a));
    stage_out(d);
}
static void staged_copy(struct dev *d, struct arr to, struct arr from)
{
    STAGE(to, from);
    stage_real->back->copy(d, AT2(to, from));
    stage_out(d);
}
static void staged_matmul_x(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                            enum grad_mode mode)
{
    STAGE(dx, dy, w);
    stage_real->back->matmul_x(d, AT3(dx, dy, w), mode);
    stage_out(d);
}
static void staged_matmul_w(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                            struct arr x)
{
    STAGE(dw, db, dy, x);
    stage_real->back->matmul_w(d, AT4(dw, db, dy, x));
    stage_out(d);
}
static void staged_back_rmsnorm(struct dev *d, struct arr dx, struct arr dw,
                                struct arr dy, struct arr x, struct arr w, float eps,
                                enum grad_mode mode)
{
    STAGE(dx, dw, dy, x, w);
    stage_real->back->rmsnorm(d, AT5(dx, dw, dy, x, w), eps, mode);
    stage_out(d);
}
static void staged_back_layernorm(struct dev *d, struct arr dx, struct arr dw,
                                  struct arr db, struct arr dy, struct arr x,
                                  struct arr w, float eps, enum grad_mode mode)
{
    STAGE(dx, dw, db, dy, x, w);
    stage_real->back->layernorm(d, AT6(dx, dw, db, dy, x, w), eps, mode);
    stage_out(d);
}
static void staged_back_swiglu(struct dev *d, struct arr dgate, struct arr dup,
                               struct arr dy, struct arr gate, struct arr up,
                               enum grad_mode gate_mode, enum grad_mode up_mode)
{
    STAGE(dgate, dup, dy, gate, up);
    stage_real->back->swiglu(d, AT5(dgate, dup, dy, gate, up), gate_mode, up_mode);
    stage_out(d);
}
static void staged_back_gelu(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                             enum gelu_kind kind, enum grad_mode mode)
{
    STAGE(dx, dy, x);
    stage_real->back->gelu(d, AT3(dx, dy, x), kind, mode);
    stage_out(d);
}
static void staged_back_silu(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                             enum grad_mode mode)
{
    STAGE(dx, dy, x);
    stage_real->back->silu(d, AT3(dx, dy, x), mode);
    stage_out(d);
}
static void staged_add_scaled(struct dev *d, struct arr y, struct arr x, float scale)
{
    STAGE(y, x);
    stage_real->back->add_scaled(d, AT2(y, x), scale);
    stage_out(d);
}
static void staged_back_gather(struct dev *d, struct arr dtable, struct arr dy,
                               struct arr index)
{
    STAGE(dtable, dy, index);
    stage_real->back->gather(d, AT3(dtable, dy, index));
    stage_out(d);
}
static void staged_back_scatter(struct dev *d, struct arr dx, struct arr dy,
                                struct arr index, bool keep)
{
    STAGE(dx, dy, index);
    stage_real->back->scatter(d, AT3(dx, dy, index), keep);
    stage_out(d);
}
static void staged_back_gather_mix(struct dev *d, struct arr dtable, struct arr dy,
                                   struct arr index, struct arr weight)
{
    STAGE(dtable, dy, index, weight);
    stage_real->back->gather_mix(d, AT4(dtable, dy, index, weight));
    stage_out(d);
}
static void staged_back_rope(struct dev *d, struct arr dx, struct arr cosine,
                             struct arr sine)
{
    STAGE(dx, cosine, sine);
    stage_real->back->rope(d, AT3(dx, cosine, sine));
    stage_out(d);
}
static void staged_back_rope_pairs(struct dev *d, struct arr dx, struct arr cosine,
                                   struct arr sine)
{
    STAGE(dx, cosine, sine);
    stage_real->back->rope_pairs(d, AT3(dx, cosine, sine));
    stage_out(d);
}
static void staged_back_attention(struct dev *d, struct arr dq, struct arr dk,
                                  struct arr dv, struct arr dy, struct arr q,
                                  struct arr key, struct arr v, struct arr y,
                                  struct arr lse, struct arr start, float scale)
{
    STAGE(dq, dk, dv, dy, q, key, v, y, lse, start);
    stage_real->back->attention(d, AT4(dq, dk, dv, dy), AT6(q, key, v, y, lse, start),
                                scale);
    stage_out(d);
}
static void staged_back_attention_paged(struct dev *d, struct arr dq, struct arr dk,
                                        struct arr dv, struct arr dy, struct arr q,
                                        struct arr key, struct arr v, struct arr y,
                                        struct arr lse, struct kv_view view, float scale)
{
    STAGE(dq, dk, dv, dy, q, key, v, y, lse, view.table, view.seq, view.len);
    stage_real->back->attention_paged(d, AT4(dq, dk, dv, dy), AT5(q, key, v, y, lse),
                                      stage_view(view), scale);
    stage_out(d);
}
static void staged_back_kv_write(struct dev *d, struct arr dk, struct arr dv,
                                 struct arr dk_pages, struct arr dv_pages,
                                 struct arr slot)
{
    STAGE(dk, dv, dk_pages, dv_pages, slot);
    stage_real->back->kv_write(d, AT5(dk, dv, dk_pages, dv_pages, slot));
    stage_out(d);
}
static void staged_back_kv_copy(struct dev *d, struct arr dk_pages, struct arr dv_pages,
                                int from, int to, int places)
{
    STAGE(dk_pages, dv_pages);
    stage_real->back->kv_copy(d, AT2(dk_pages, dv_pages), from, to, places);
    stage_out(d);
}
static void staged_logits(struct dev *d, struct arr logits, struct token_grad g)
{
    STAGE(logits, g.target, g.lse, g.weight, g.entropy);
    stage_real->back->logits(d, staged(logits),
                             (struct token_grad){staged(g.target), staged(g.lse),
                                                 staged(g.weight), staged(g.entropy)});
    stage_out(d);
}
static void staged_entropy(struct dev *d, struct arr out, struct arr logits,
                           struct arr lse)
{
    STAGE(out, logits, lse);
    stage_real->back->entropy(d, AT3(out, logits, lse));
    stage_out(d);
}
static double staged_sum_squares(struct dev *d, struct arr a)
{
    STAGE(a);
    double sum = stage_real->back->sum_squares(d, staged(a));
    stage_out(d);
    return sum;
}
static void staged_adamw(struct dev *d, struct arr w, struct arr grad, struct arr m,
                         struct arr v, const struct adamw *how)
{
    STAGE(w, grad, m, v);
    stage_real->back->adamw(d, AT4(w, grad, m, v), how);
    stage_out(d);
}
static void staged_adamw8(struct dev *d, struct arr w, struct arr grad, struct moment m,
                          struct moment v, const struct adamw *how)
{
    STAGE(w, grad, m.code, m.most, v.code, v.most);
    stage_real->back->adamw8(d, AT2(w, grad),
                             (struct moment){staged(m.code), staged(m.most)},
                             (struct moment){staged(v.code), staged(v.most)}, how);
    stage_out(d);
}
static void staged_to_bf16(struct dev *d, struct arr to, struct arr from)
{
    STAGE(to, from);
    stage_real->back->to_bf16(d, AT2(to, from));
    stage_out(d);
}

/* The table under test. Exits with the reason where a GPU was asked for and is not there.
 */
static const struct kernels *cuda_under_test(void)
{
    static struct backward back;
    static struct kernels table;
    const char *device = getenv("CAPMILL_TEST_DEVICE"), *why = "";
    if (!device || strncmp(device, "cuda", 4) != 0)
        return &cuda_table;
    stage_real = kernels_open(device, &why);
    if (!stage_real) {
        fprintf(stderr, "device \"%s\": %s\n", device, why);
        exit(1);
    }
    back = (struct backward){
        .zero = staged_zero,
        .copy = staged_copy,
        .matmul_x = staged_matmul_x,
        .matmul_w = staged_matmul_w,
        .rmsnorm = staged_back_rmsnorm,
        .layernorm = staged_back_layernorm,
        .swiglu = staged_back_swiglu,
        .gelu = staged_back_gelu,
        .silu = staged_back_silu,
        .add_scaled = staged_add_scaled,
        .gather = staged_back_gather,
        .scatter = staged_back_scatter,
        .gather_mix = staged_back_gather_mix,
        .rope = staged_back_rope,
        .rope_pairs = staged_back_rope_pairs,
        .attention = staged_back_attention,
        .attention_paged = staged_back_attention_paged,
        .kv_write = staged_back_kv_write,
        .kv_copy = staged_back_kv_copy,
        .logits = staged_logits,
        .entropy = staged_entropy,
        .sum_squares = staged_sum_squares,
        .adamw = staged_adamw,
        .adamw8 = stage_real->back->adamw8 ? staged_adamw8 : NULL,
        .to_bf16 = staged_to_bf16,
    };
    table = *stage_real; /* memory and what else is not of arrays */
    table.back = &back;
    table.upload = staged_upload;
    table.download = staged_download;
    table.matmul = staged_matmul;
    table.matmuls = staged_matmuls;
    table.rmsnorm = staged_rmsnorm;
    table.layernorm = staged_layernorm;
    table.swiglu = staged_swiglu;
    table.gelu = staged_gelu;
    table.silu = staged_silu;
    table.add = staged_add;
    table.gather = staged_gather;
    table.scatter = staged_scatter;
    table.gather_mix = staged_gather_mix;
    table.rope = staged_rope;
    table.rope_pairs = staged_rope_pairs;
    table.attention = staged_attention;
    table.attention_paged = staged_attention_paged;
    table.kv_write = staged_kv_write;
    table.attention_input = staged_attention_input;
    table.kv_copy = staged_kv_copy;
    table.logsumexp = staged_logsumexp;
    table.draw = staged_draw;
    return &table;
}
#endif
