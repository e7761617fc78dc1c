/* record.c: the tape's table of kernels: each operation is handed on, and noted while the
 * tape records. What the gradient needs is copied before the operation if it may be
 * written over by it, else behind it. The order of an operation's g and v is that in
 * which replay.c reads them.
 */
#include "train/tape_own.h"

static struct arr grad_if(struct tape *t, struct arr a, bool wanted)
{
    return wanted ? tape_grad(t, a) : arr_none();
}

static bool is_same(struct arr a, struct arr b)
{
    return a.data == b.data;
}

/* -- Memory ---------------------------------------------------------------------------
 */

static void *rec_alloc(struct dev *d, size_t bytes)
{
    return tape_alloc(tape_of(d), bytes);
}

static void rec_release(struct dev *d, void *data, size_t bytes)
{
    tape_release(tape_of(d), data, bytes);
}

static void rec_memory(struct dev *d, struct dev_memory *m)
{
    tape_of(d)->k->memory(tape_of(d)->dev, m);
}

static void *rec_adopt(struct dev *d, const void *host, size_t bytes)
{
    return tape_of(d)->k->adopt(tape_of(d)->dev, host, bytes);
}

static void rec_disown(struct dev *d, void *data, size_t bytes)
{
    tape_of(d)->k->disown(tape_of(d)->dev, data, bytes);
}

static void rec_upload(struct dev *d, struct arr to, const void *host)
{
    struct tape *t = tape_of(d);
    t->k->upload(t->dev, to, host);
    tape_wrote(t, to, false);
}

static void rec_download(struct dev *d, void *host, struct arr from)
{
    tape_of(d)->k->download(tape_of(d)->dev, host, from);
}

static enum arr_type rec_act(const struct dev *d)
{
    const struct tape *t = (const struct tape *)(const void *)d;
    return t->k->act(t->dev);
}

static int rec_sync(struct dev *d, const char **why)
{
    return tape_of(d)->k->sync(tape_of(d)->dev, why);
}

/* -- Products and norms ---------------------------------------------------------------
 */

static void product(struct tape *t, struct arr y, struct arr x, struct arr w,
                    struct arr bias, enum matmul_mode mode)
{
    bool in = tape_active(t, x);
    bool active = t->recording && (in || tape_active(t, w) || tape_active(t, bias));
    bool before = mode == MATMUL_ADD && tape_active(t, y);
    struct arr kept = active && tape_active(t, w) ? tape_keep(t, x) : x;
    t->k->matmul(t->dev, y, x, w, bias, mode);
    tape_wrote(t, y, active || before);
    struct op *op = active ? tape_op(t, OP_MATMUL) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = grad_if(t, x, in);
    op->g[2] = tape_grad(t, w);
    op->g[3] = tape_grad(t, bias);
    op->v[0] = kept;
    op->v[1] = w;
    op->first = !before;
}

/* y = scale * x, which is no operation of the model's own. */
static void scaled(struct tape *t, struct arr y, struct arr x, float scale)
{
    bool active = t->recording && tape_active(t, x);
    t->k->back->zero(t->dev, y);
    t->k->back->add_scaled(t->dev, y, x, scale);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, OP_SCALE) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, x);
    op->number = scale;
}

/* y += scale * (x down^T) up^T */
static void low_rank(struct tape *t, struct arr y, struct arr x, const struct lora *l)
{
    int64_t rows = x.shape[0], rank = l->down.shape[0];
    struct arr low = tape_low(t, 0, x.type, rows, rank);
    struct arr times = tape_low(t, 1, x.type, rows, rank);
    if (!low.data || !times.data)
        return;
    product(t, low, x, l->down, arr_none(), MATMUL_SET);
    scaled(t, times, low, l->scale);
    product(t, y, times, l->up, arr_none(), MATMUL_ADD);
}

static void rec_matmul(struct dev *d, struct arr y, struct arr x, struct arr w,
                       struct arr bias, enum matmul_mode mode)
{
    struct tape *t = tape_of(d);
    product(t, y, x, w, bias, mode);
    for (int i = 0; i < t->lora_count; i++)
        if (t->loras[i].w == w.data)
            low_rank(t, y, x, &t->loras[i]);
}

static void rec_rmsnorm(struct dev *d, struct arr y, struct arr x, struct arr w,
                        float eps)
{
    struct tape *t = tape_of(d);
    bool in = tape_active(t, x), active = t->recording && (in || tape_active(t, w));
    struct arr kept = active ? tape_keep(t, x) : x;
    t->k->rmsnorm(t->dev, y, x, w, eps);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, OP_RMSNORM) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = grad_if(t, x, in);
    op->g[2] = tape_grad(t, w);
    op->v[0] = kept;
    op->v[1] = w;
    op->number = eps;
    op->in_place = is_same(y, x);
}

static void rec_layernorm(struct dev *d, struct arr y, struct arr x, struct arr w,
                          struct arr b, float eps)
{
    struct tape *t = tape_of(d);
    bool in = tape_active(t, x);
    bool active = t->recording && (in || tape_active(t, w) || tape_active(t, b));
    struct arr kept = active ? tape_keep(t, x) : x;
    t->k->layernorm(t->dev, y, x, w, b, eps);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, OP_LAYERNORM) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = grad_if(t, x, in);
    op->g[2] = tape_grad(t, w);
    op->g[3] = tape_grad(t, b);
    op->v[0] = kept;
    op->v[1] = w;
    op->number = eps;
    op->in_place = is_same(y, x);
}

/* -- Elementwise ----------------------------------------------------------------------
 */

static void rec_swiglu(struct dev *d, struct arr y, struct arr gate, struct arr up)
{
    struct tape *t = tape_of(d);
    bool gated = tape_active(t, gate), upped = tape_active(t, up);
    bool active = t->recording && (gated || upped);
    struct arr kept_gate = active ? tape_keep(t, gate) : gate;
    struct arr kept_up = active ? tape_keep(t, up) : up;
    t->k->swiglu(t->dev, y, gate, up);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, OP_SWIGLU) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = grad_if(t, gate, gated);
    op->g[2] = grad_if(t, up, upped);
    op->v[0] = kept_gate;
    op->v[1] = kept_up;
}

static void elementwise(struct tape *t, enum op_kind kind, struct arr y, struct arr x,
                        enum gelu_kind which)
{
    bool active = t->recording && tape_active(t, x);
    struct arr kept = active ? tape_keep(t, x) : x;
    if (kind == OP_GELU)
        t->k->gelu(t->dev, y, x, which);
    else
        t->k->silu(t->dev, y, x);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, kind) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, x);
    op->v[0] = kept;
    op->flag = which;
    op->in_place = is_same(y, x);
}

static void rec_gelu(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind)
{
    elementwise(tape_of(d), OP_GELU, y, x, kind);
}

static void rec_silu(struct dev *d, struct arr y, struct arr x)
{
    elementwise(tape_of(d), OP_SILU, y, x, GELU_ERF);
}

static void rec_add(struct dev *d, struct arr y, struct arr x)
{
    struct tape *t = tape_of(d);
    bool active = t->recording && tape_active(t, x), before = tape_active(t, y);
    t->k->add(t->dev, y, x);
    tape_wrote(t, y, active || before);
    struct op *op = active ? tape_op(t, OP_ADD) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, x);
    op->first = !before;
}

/* -- Rows -----------------------------------------------------------------------------
 */

static void rec_gather(struct dev *d, struct arr y, struct arr table, struct arr index)
{
    struct tape *t = tape_of(d);
    bool active = t->recording && tape_active(t, table);
    struct arr kept = active ? tape_keep(t, index) : index;
    t->k->gather(t->dev, y, table, index);
    tape_wrote(t, y, active);
    struct op *op = active ? tape_op(t, OP_GATHER) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, table);
    op->v[0] = kept;
}

static void rec_scatter(struct dev *d, struct arr y, struct arr x, struct arr index,
                        bool add)
{
    struct tape *t = tape_of(d);
    bool in = tape_active(t, x), out = tape_active(t, y);
    bool active = t->recording && (in || (out && !add));
    struct arr kept = active ? tape_keep(t, index) : index;
    t->k->scatter(t->dev, y, x, index, add);
    tape_wrote(t, y, in || out);
    struct op *op = active ? tape_op(t, OP_SCATTER) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, x);
    op->v[0] = kept;
    op->flag = add;
    op->first = !out;
    op->active = in;
}

static void rec_gather_mix(struct dev *d, struct arr y, struct arr table,
                           struct arr index, struct arr weight)
{
    struct tape *t = tape_of(d);
    bool active = t->recording && tape_active(t, table), before = tape_active(t, y);
    struct arr kept_index = active ? tape_keep(t, index) : index;
    struct arr kept_weight = active ? tape_keep(t, weight) : weight;
    t->k->gather_mix(t->dev, y, table, index, weight);
    tape_wrote(t, y, active || before);
    struct op *op = active ? tape_op(t, OP_GATHER_MIX) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, table);
    op->v[0] = kept_index;
    op->v[1] = kept_weight;
    op->first = !before;
}

/* -- Rotary positions and attention ---------------------------------------------------
 */

static void rotate(struct tape *t, enum op_kind kind, struct arr x, struct arr cos,
                   struct arr sin)
{
    bool active = t->recording && tape_active(t, x);
    struct arr kept_cos = active ? tape_keep(t, cos) : cos;
    struct arr kept_sin = active ? tape_keep(t, sin) : sin;
    (kind == OP_ROPE ? t->k->rope : t->k->rope_pairs)(t->dev, x, cos, sin);
    tape_wrote(t, x, active);
    struct op *op = active ? tape_op(t, kind) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, x);
    op->v[0] = kept_cos;
    op->v[1] = kept_sin;
}

static void rec_rope(struct dev *d, struct arr x, struct arr cos, struct arr sin)
{
    rotate(tape_of(d), OP_ROPE, x, cos, sin);
}

static void rec_rope_pairs(struct dev *d, struct arr x, struct arr cos, struct arr sin)
{
    rotate(tape_of(d), OP_ROPE_PAIRS, x, cos, sin);
}

static void rec_attention(struct dev *d, struct arr y, struct arr q, struct arr k,
                          struct arr v, struct arr start, float scale, struct arr lse)
{
    struct tape *t = tape_of(d);
    bool active =
        t->recording && (tape_active(t, q) || tape_active(t, k) || tape_active(t, v));
    if (!active) {
        t->k->attention(t->dev, y, q, k, v, start, scale, lse);
        tape_wrote(t, y, false);
        return;
    }
    struct arr kept[] = {tape_keep(t, q), tape_keep(t, k), tape_keep(t, v),
                         tape_keep(t, start)};
    lse = tape_take(t, ARR_F32, 2, (int64_t[]){q.shape[0], q.shape[1]});
    t->k->attention(t->dev, y, q, k, v, start, scale, lse);
    tape_wrote(t, y, true);
    struct arr out = tape_keep(t, y);
    struct op *op = tape_op(t, OP_ATTENTION);
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, q);
    op->g[2] = tape_grad(t, k);
    op->g[3] = tape_grad(t, v);
    for (int i = 0; i < 4; i++) op->v[i] = kept[i];
    op->v[4] = out;
    op->v[5] = lse;
    op->number = scale;
}

/* The pages are not copied: nobody writes them again before the tape has gone back. */
static void rec_attention_paged(struct dev *d, struct arr y, struct arr q, struct arr k,
                                struct arr v, struct kv_view view, float scale,
                                struct arr lse)
{
    struct tape *t = tape_of(d);
    bool in = tape_active(t, q);
    bool active = t->recording && (in || tape_active(t, k) || tape_active(t, v));
    if (!active) {
        t->k->attention_paged(t->dev, y, q, k, v, view, scale, lse);
        tape_wrote(t, y, false);
        return;
    }
    struct arr kept[] = {tape_keep(t, q), tape_keep(t, view.table),
                         tape_keep(t, view.seq), tape_keep(t, view.len)};
    lse = tape_take(t, ARR_F32, 2, (int64_t[]){q.shape[0], q.shape[1]});
    t->k->attention_paged(t->dev, y, q, k, v, view, scale, lse);
    tape_wrote(t, y, true);
    struct arr out = tape_keep(t, y);
    struct op *op = tape_op(t, OP_ATTENTION_PAGED);
    if (!op)
        return;
    op->g[0] = tape_grad(t, y);
    op->g[1] = tape_grad(t, q);
    op->g[2] = tape_grad(t, k);
    op->g[3] = tape_grad(t, v);
    for (int i = 0; i < 4; i++) op->v[i] = kept[i];
    op->v[4] = out;
    op->v[5] = lse;
    op->v[6] = k;
    op->v[7] = v;
    op->number = scale;
    op->active = in;
}

static void rec_kv_write(struct dev *d, struct arr k_pages, struct arr v_pages,
                         struct arr k, struct arr v, struct arr slot)
{
    struct tape *t = tape_of(d);
    bool keys = tape_active(t, k), values = tape_active(t, v);
    struct arr kept = t->recording ? tape_keep(t, slot) : slot;
    t->k->kv_write(t->dev, k_pages, v_pages, k, v, slot);
    tape_wrote(t, k_pages, keys || tape_active(t, k_pages));
    tape_wrote(t, v_pages, values || tape_active(t, v_pages));
    struct op *op = t->recording ? tape_op(t, OP_KV_WRITE) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, k_pages);
    op->g[1] = tape_grad(t, v_pages);
    op->g[2] = tape_grad(t, k);
    op->g[3] = tape_grad(t, v);
    op->v[0] = kept;
    op->active = keys;
    op->flag = values;
}

/* By its parts, whose gradients there are; it is these to the bit. */
static void rec_attention_input(struct dev *d, const struct attention_input *in)
{
    struct tape *t = tape_of(d);
    enum op_kind kind = in->pairs ? OP_ROPE_PAIRS : OP_ROPE;
    if (in->q_norm.data) {
        rec_rmsnorm(d, in->q, in->q, in->q_norm, in->eps);
        rec_rmsnorm(d, in->k, in->k, in->k_norm, in->eps);
    }
    rotate(t, kind, in->q, in->cos, in->sin);
    rotate(t, kind, in->k, in->cos, in->sin);
    rec_kv_write(d, in->k_pages, in->v_pages, in->k, in->v, in->slot);
}

static void rec_kv_copy(struct dev *d, struct arr k_pages, struct arr v_pages, int from,
                        int to, int places)
{
    struct tape *t = tape_of(d);
    t->k->kv_copy(t->dev, k_pages, v_pages, from, to, places);
    struct op *op = t->recording ? tape_op(t, OP_KV_COPY) : NULL;
    if (!op)
        return;
    op->g[0] = tape_grad(t, k_pages);
    op->g[1] = tape_grad(t, v_pages);
    op->from = from;
    op->to = to;
    op->places = places;
}

static void rec_logsumexp(struct dev *d, struct arr out, struct arr x, float scale)
{
    struct tape *t = tape_of(d);
    t->k->logsumexp(t->dev, out, x, scale);
    tape_wrote(t, out, false);
}

const struct kernels *tape_kernels(void)
{
    static const struct kernels table = {
        .name = "tape",
        .act = rec_act,
        .alloc = rec_alloc,
        .release = rec_release,
        .memory = rec_memory,
        .adopt = rec_adopt,
        .disown = rec_disown,
        .upload = rec_upload,
        .download = rec_download,
        .sync = rec_sync,
        .matmul = rec_matmul,
        .rmsnorm = rec_rmsnorm,
        .layernorm = rec_layernorm,
        .swiglu = rec_swiglu,
        .gelu = rec_gelu,
        .silu = rec_silu,
        .add = rec_add,
        .gather = rec_gather,
        .scatter = rec_scatter,
        .gather_mix = rec_gather_mix,
        .rope = rec_rope,
        .rope_pairs = rec_rope_pairs,
        .attention = rec_attention,
        .attention_paged = rec_attention_paged,
        .kv_write = rec_kv_write,
        .attention_input = rec_attention_input,
        .kv_copy = rec_kv_copy,
        .logsumexp = rec_logsumexp,
    };
    return &table;
}
