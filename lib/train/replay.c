/* replay.c: one operation's gradient: what record.c noted, handed to backward.h. What an
 * operation wrote over, not in place and not added to, has no gradient from here on
 * backwards: it is cleared. So is what was added to but had no gradient before. */
#include "train/tape_own.h"

static enum grad_mode mode_of(struct arr dx, struct arr dy)
{
    return dx.data == dy.data ? GRAD_SET : GRAD_ADD;
}

/* Clear dy unless it became an input's gradient. */
static void clear(struct tape *t, struct arr dy, struct arr dx, struct arr other)
{
    if (dx.data != dy.data && other.data != dy.data)
        t->k->back->zero(t->dev, dy);
}

static void back_matmul(struct tape *t, const struct op *op)
{
    const struct backward *b = t->k->back;
    struct arr dy = op->g[0];
    if (op->g[2].data || op->g[3].data)
        b->matmul_w(t->dev, op->g[2], op->g[3], dy, op->v[0]);
    if (op->g[1].data)
        b->matmul_x(t->dev, op->g[1], dy, op->v[1], GRAD_ADD);
    if (op->first)
        b->zero(t->dev, dy);
}

static void back_swiglu(struct tape *t, const struct op *op)
{
    struct arr dy = op->g[0], gate = op->g[1], up = op->g[2];
    t->k->back->swiglu(t->dev, gate, up, dy, op->v[0], op->v[1], mode_of(gate, dy),
                       mode_of(up, dy));
    clear(t, dy, gate, up);
}

static void back_scatter(struct tape *t, const struct op *op)
{
    t->k->back->scatter(t->dev, op->g[1], op->g[0], op->v[0], op->flag);
    if (!op->active)
        t->k->back->zero(t->dev, op->g[1]);
    if (op->first)
        t->k->back->zero(t->dev, op->g[0]);
}

static void back_attention_paged(struct tape *t, const struct op *op)
{
    const struct arr *g = op->g, *v = op->v;
    struct kv_view view = {v[1], v[2], v[3]};
    t->k->back->attention_paged(t->dev, g[1], g[2], g[3], g[0], v[0], v[6], v[7], v[4],
                                v[5], view, op->number);
    t->k->back->zero(t->dev, g[0]);
    if (!op->active)
        t->k->back->zero(t->dev, g[1]);
}

static void back_kv_write(struct tape *t, const struct op *op)
{
    t->k->back->kv_write(t->dev, op->g[2], op->g[3], op->g[0], op->g[1], op->v[0]);
    if (!op->active)
        t->k->back->zero(t->dev, op->g[2]);
    if (!op->flag)
        t->k->back->zero(t->dev, op->g[3]);
}

/* The layer once more, recorded this time, and its gradient. */
static void back_layer(struct tape *t, const struct op *op)
{
    struct mark mark = tape_mark(t);
    t->k->back->copy(t->dev, op->v[0], op->v[1]);
    tape_wrote(t, op->v[0], op->active);
    t->recording = true;
    op->call(op->with, op->from);
    t->recording = false;
    tape_back_to(t, mark);
}

void tape_replay(struct tape *t, const struct op *op)
{
    const struct backward *b = t->k->back;
    struct dev *d = t->dev;
    struct arr dy = op->g[0];
    const struct arr *g = op->g, *v = op->v;
    switch (op->kind) {
    case OP_MATMUL: back_matmul(t, op); break;
    case OP_RMSNORM:
        b->rmsnorm(d, g[1], g[2], dy, v[0], v[1], op->number, mode_of(g[1], dy));
        clear(t, dy, g[1], arr_none());
        break;
    case OP_LAYERNORM:
        b->layernorm(d, g[1], g[2], g[3], dy, v[0], v[1], op->number, mode_of(g[1], dy));
        clear(t, dy, g[1], arr_none());
        break;
    case OP_SWIGLU: back_swiglu(t, op); break;
    case OP_GELU:
        b->gelu(d, g[1], dy, v[0], (enum gelu_kind)op->flag, mode_of(g[1], dy));
        clear(t, dy, g[1], arr_none());
        break;
    case OP_SILU:
        b->silu(d, g[1], dy, v[0], mode_of(g[1], dy));
        clear(t, dy, g[1], arr_none());
        break;
    case OP_ADD:
        b->add_scaled(d, g[1], dy, 1);
        if (op->first)
            b->zero(d, dy);
        break;
    case OP_SCALE:
        b->add_scaled(d, g[1], dy, op->number);
        b->zero(d, dy);
        break;
    case OP_GATHER:
        b->gather(d, g[1], dy, v[0]);
        b->zero(d, dy);
        break;
    case OP_SCATTER: back_scatter(t, op); break;
    case OP_GATHER_MIX:
        b->gather_mix(d, g[1], dy, v[0], v[1]);
        if (op->first)
            b->zero(d, dy);
        break;
    case OP_ROPE: b->rope(d, dy, v[0], v[1]); break;
    case OP_ROPE_PAIRS: b->rope_pairs(d, dy, v[0], v[1]); break;
    case OP_ATTENTION:
        b->attention(d, g[1], g[2], g[3], dy, v[0], v[1], v[2], v[4], v[5], v[3],
                     op->number);
        b->zero(d, dy);
        break;
    case OP_ATTENTION_PAGED: back_attention_paged(t, op); break;
    case OP_KV_WRITE: back_kv_write(t, op); break;
    case OP_KV_COPY: b->kv_copy(d, g[0], g[1], op->from, op->to, op->places); break;
    case OP_LAYER: back_layer(t, op); break;
    }
}
