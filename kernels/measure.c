/* measure.c: see measure.h. */
#include "measure.h"
#include "backward.h"
#include "room.h"

#include <stdlib.h>
#include <string.h>

struct dev {
    size_t now, most;
    uintptr_t next; /* address of the next piece */
    enum arr_type act;
    bool cuda;
};

enum { PIECE = 512 };        /* what kernels/cuda/arena.cu gives is whole ones */
enum { LIBRARY = 32 << 20 }; /* cuBLASLt's workspace */

static struct dev *measure_open(const char *device, const struct dev_options *o,
                                const char **why)
{
    struct dev *d = calloc(1, sizeof *d);
    *why = "out of memory";
    if (!d)
        return NULL;
    d->next = (uintptr_t)1 << 44;
    d->cuda = strncmp(device, "cuda", 4) == 0;
    bool half =
        o->compute == DEV_COMPUTE_BF16 || (o->compute == DEV_COMPUTE_OWN && d->cuda);
    d->act = half ? ARR_BF16 : ARR_F32;
    d->now = d->most = d->cuda && half && o->batch_variant ? LIBRARY : 0;
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

/* As the device counts them. */
static size_t counted(const struct dev *d, size_t bytes)
{
    return d->cuda ? (bytes + PIECE - 1) / PIECE * PIECE : bytes;
}

static void *measure_alloc(struct dev *d, size_t bytes)
{
    void *data = (void *)d->next;
    d->next += (bytes + 4096) / 64 * 64; /* pieces do not touch */
    d->now += counted(d, bytes);
    if (d->now > d->most)
        d->most = d->now;
    return data;
}

static void measure_release(struct dev *d, void *data, size_t bytes)
{
    (void)data;
    d->now -= counted(d, bytes);
}

static void measure_memory(struct dev *d, struct dev_memory *m)
{
    *m = (struct dev_memory){
        .room = INT64_MAX, .used = (int64_t)d->now, .most = (int64_t)d->most};
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
NOTHING(rmsnorm, A y, A x, A w, float eps)
NOTHING(layernorm, A y, A x, A w, A b, float eps)
NOTHING(two, A y, A x)
NOTHING(three, A y, A x, A z)
NOTHING(four, A y, A x, A z, A w)
NOTHING(gelu, A y, A x, enum gelu_kind kind)
NOTHING(scatter, A y, A x, A index, bool add)
NOTHING(attention, A y, A q, A k, A v, A start, float scale, A lse)
NOTHING(kv_write, A k_pages, A v_pages, A k, A v, A slot)
NOTHING(attention_input, const struct attention_input *in)
NOTHING(kv_copy, A k_pages, A v_pages, int from, int to, int places)
NOTHING(logsumexp, A out, A x, float scale)

NOTHING(one, A a)
NOTHING(back_swiglu, A dgate, A dup, A dy, A gate, A up, enum grad_mode gate_mode,
        enum grad_mode up_mode)
NOTHING(back_gelu, A dx, A dy, A x, enum gelu_kind kind, enum grad_mode mode)
NOTHING(back_silu, A dx, A dy, A x, enum grad_mode mode)
NOTHING(logits, A logits, struct token_grad g)
NOTHING(adamw, A w, A grad, A m, A v, const struct adamw *how)
NOTHING(adamw8, A w, A grad, struct moment m, struct moment v, const struct adamw *how)

/* -- What computes nothing, but on a GPU has room of its own meanwhile
 * --------------------
 *
 * As kernels/cuda takes it, which cuda-plan-test holds this to. */

static void room(struct dev *d, int64_t bytes)
{
    if (d->cuda && bytes > 0)
        measure_release(d, measure_alloc(d, (size_t)bytes), (size_t)bytes);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An operand that is turned to bf16; most: at a time. */
static int64_t half_of(A a, int64_t most)
{
    return a.data && a.type != ARR_BF16 ? least(2 * arr_size(a), most) : 0;
}
enum { TURNED = 32 << 20 }; /* of an operand that is turned in parts */

static void product_room(struct dev *d, A parts, A whole)
{
    if (d->act == ARR_BF16)
        room(d, half_of(parts, TURNED) + half_of(whole, INT64_MAX));
}

static void matmul_room(struct dev *d, A y, A x, A w, A bias, enum matmul_mode mode)
{
    if (x.type != ARR_F32 || y.type != ARR_F32)
        product_room(d, w, x);
}

static void matmul_x_room(struct dev *d, A dx, A dy, A w, enum grad_mode mode)
{
    if (dx.type != ARR_F32 || dy.type != ARR_F32)
        product_room(d, w, dy);
}

static void matmul_w_room(struct dev *d, A dw, A db, A dy, A x)
{
    if (dw.data && (x.type != ARR_F32 || dy.type != ARR_F32))
        product_room(d, x, dy);
}

/* Sums of a norm's weights over slabs of vectors. */
static void norm_room(struct dev *d, A x, A dw, A db)
{
    int64_t dim = x.shape[x.rank - 1], count = dim ? arr_size(x) / dim : 0;
    if (count > 0 && (dw.data || db.data))
        room(d, room_slabs(count, dim));
}

static void back_rmsnorm_room(struct dev *d, A dx, A dw, A dy, A x, A w, float eps,
                              enum grad_mode mode)
{
    norm_room(d, x, dw, arr_none());
}

static void back_layernorm_room(struct dev *d, A dx, A dw, A db, A dy, A x, A w,
                                float eps, enum grad_mode mode)
{
    norm_room(d, x, dw, db);
}

static struct room_queries queries_of(A q, A k)
{
    return (struct room_queries){q.shape[0], q.shape[1], k.shape[1], q.shape[2]};
}

/* Attention's sums of runs of pages side by side. */
static void attention_paged_room(struct dev *d, A y, A q, A k, A v, struct kv_view view,
                                 float scale, A lse)
{
    struct room_queries of = queries_of(q, k);
    if (d->act != ARR_BF16) /* which alone has at most as many heads as a tile has rows */
        return;
    struct room_runs runs = room_runs_of(&of, view.table.shape[1]);
    if (runs.apart)
        room(d, runs.sums + runs.stats);
}

static void back_attention_room(struct dev *d, A dq, A dk, A dv, A dy, A q, A k, A v, A y,
                                A lse, A start, float scale)
{
    if (d->act == ARR_BF16)
        room(d, q.shape[0] * q.shape[1] * 4);
}

/* And its gradients' of chunks of rows. */
static void back_attention_paged_room(struct dev *d, A dq, A dk, A dv, A dy, A q, A k,
                                      A v, A y, A lse, struct kv_view view, float scale)
{
    struct room_queries of = queries_of(q, k);
    if (d->act == ARR_BF16)
        room(d, q.shape[0] * q.shape[1] * 4 + k.shape[0] * 12 +
                    room_chunks_of(&of, k.shape[0]).sums);
}

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
        .matmul_x = matmul_x_room,
        .matmul_w = matmul_w_room,
        .rmsnorm = back_rmsnorm_room,
        .layernorm = back_layernorm_room,
        .swiglu = back_swiglu_nothing,
        .gelu = back_gelu_nothing,
        .silu = back_silu_nothing,
        .add_scaled = logsumexp_nothing,
        .gather = three_nothing,
        .scatter = scatter_nothing,
        .gather_mix = four_nothing,
        .rope = three_nothing,
        .rope_pairs = three_nothing,
        .attention = back_attention_room,
        .attention_paged = back_attention_paged_room,
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
        .matmul = matmul_room,
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
        .attention_paged = attention_paged_room,
        .kv_write = kv_write_nothing,
        .attention_input = attention_input_nothing,
        .kv_copy = kv_copy_nothing,
        .logsumexp = logsumexp_nothing,
    };
    return &table;
}
