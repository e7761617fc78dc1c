/* gradient-test.c: each operation's gradient alone against central differences of the
 * operation itself, on both of the CPU's tables, and equal bits for 1, 2 and 3 threads.
 *
 * The loss is the sum of dy * y, in double. With steps of h = 2^-7 a difference is off by
 * about h^2 / 6 of a third derivative and 1e-7 / h of rounding: 1e-4 of the gradient's
 * norm; 2e-3 is asked.
 */
#include "backward.h"
#include "check.h"
#include "device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 4, DEVICES = 3, LOOKED = 160 };

static const struct kernels *k;
static struct dev *devs[DEVICES], *dev;
static uint64_t dice = 88172645463325252u;

static float random_float(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (float)(dice >> 40) / (float)(1 << 23) - 1.0f;
}

/* An operation under test: its inputs, what came out, what the loss says of that. */
static struct {
    struct arr in[INPUTS], grad[INPUTS], y, dy, lse;
    struct arr index, other; /* i32; f32 that nothing is asked of */
    struct arr cos, sin;
    struct kv_view view;
    int inputs, kind;
    void *memory[64];
    int held;
} op;

static struct arr array(enum arr_type type, int rank, const int64_t *shape)
{
    struct arr a = {.dev = devs[0], .type = type, .rank = rank};
    for (int i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.stride = arr_row_size(a);
    a.data = op.memory[op.held++] = calloc((size_t)arr_size(a) + 1, 4);
    for (int64_t i = 0; i < arr_size(a) && type == ARR_F32; i++)
        ((float *)a.data)[i] = random_float();
    return a;
}
#define ARRAY(type, ...)                                                                 \
    array(type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),                 \
          (int64_t[]){__VA_ARGS__})
#define INPUT(...) op.in[op.inputs++] = ARRAY(ARR_F32, __VA_ARGS__)
#define OUTPUT(...)                                                                      \
    (op.y = ARRAY(ARR_F32, __VA_ARGS__), op.dy = ARRAY(ARR_F32, __VA_ARGS__))

static struct arr whole(int n, const int32_t *values)
{
    struct arr a = ARRAY(ARR_I32, n);
    memcpy(a.data, values, (size_t)n * 4);
    return a;
}
#define WHOLE(...)                                                                       \
    whole((int)(sizeof(int32_t[]){__VA_ARGS__} / 4), (int32_t[]){__VA_ARGS__})

static struct arr like(struct arr a)
{
    return array(a.type, a.rank, a.shape);
}

static void clear(struct arr a)
{
    memset(a.data, 0, (size_t)arr_size(a) * 4);
}

static void same(struct arr to, struct arr from)
{
    memcpy(to.data, from.data, (size_t)arr_size(from) * 4);
}

static double loss(void (*forward)(void))
{
    double sum = 0;
    forward();
    for (int64_t i = 0; i < arr_size(op.y); i++)
        sum += (double)((float *)op.y.data)[i] * (double)((float *)op.dy.data)[i];
    return sum;
}

/* Gradients of all inputs, with a number of threads; then forward's own values again. */
static void gradients(void (*forward)(void), void (*backward)(void), int threads)
{
    dev = devs[threads];
    for (int i = 0; i < op.inputs; i++) clear(op.grad[i]);
    struct arr dy = like(op.dy);
    same(dy, op.dy);
    forward();
    backward();
    same(op.dy, dy); /* an operation in place takes its gradient in place */
}

static void differences(const char *name, void (*forward)(void), void (*backward)(void))
{
    const float h = 0.0078125f;
    for (int i = 0; i < op.inputs; i++) op.grad[i] = like(op.in[i]);
    gradients(forward, backward, 0);
    for (int i = 0; i < op.inputs; i++) {
        float *x = op.in[i].data, *grad = op.grad[i].data;
        int64_t n = arr_size(op.in[i]), step = n / LOOKED + 1;
        double off = 0, norm = 0;
        for (int64_t j = 0; j < n; j += step) {
            float was = x[j];
            x[j] = was + h;
            double more = loss(forward);
            x[j] = was - h;
            double less = loss(forward);
            x[j] = was;
            double expected = (more - less) / (2 * (double)h);
            off += (expected - (double)grad[j]) * (expected - (double)grad[j]);
            norm += expected * expected;
        }
        CHECK(norm > 0 && sqrt(off / norm) <= 2e-3, "%s, input %d: %.3g", name, i,
              sqrt(off / norm));
    }
    for (int t = 1; t < DEVICES; t++) {
        struct arr first[INPUTS];
        for (int i = 0; i < op.inputs; i++) {
            first[i] = like(op.grad[i]);
            same(first[i], op.grad[i]);
        }
        gradients(forward, backward, t);
        for (int i = 0; i < op.inputs; i++)
            CHECK(memcmp(first[i].data, op.grad[i].data,
                         (size_t)arr_size(first[i]) * 4) == 0,
                  "%s, input %d: %d threads differ", name, i, t + 1);
    }
    while (op.held > 0) free(op.memory[--op.held]);
    memset(&op, 0, sizeof op);
    dev = devs[0];
}

/* -- Products and norms ----------------------------------------------------------------
 */

static void matmul_forward(void)
{
    k->matmul(dev, op.y, op.in[0], op.in[1], op.in[2], MATMUL_SET);
}
static void matmul_backward(void)
{
    k->back->matmul_x(dev, op.grad[0], op.dy, op.in[1], GRAD_ADD);
    k->back->matmul_w(dev, op.grad[1], op.grad[2], op.dy, op.in[0]);
}
static void a_product(void)
{
    INPUT(37, 50), INPUT(29, 50), INPUT(29);
    OUTPUT(37, 29);
    differences("matmul", matmul_forward, matmul_backward);
}

static void rmsnorm_forward(void)
{
    k->rmsnorm(dev, op.y, op.in[0], op.in[1], 1e-6f);
}
static void rmsnorm_backward(void)
{
    k->back->rmsnorm(dev, op.grad[0], op.grad[1], op.dy, op.in[0], op.in[1], 1e-6f,
                     GRAD_ADD);
}
static void layernorm_forward(void)
{
    k->layernorm(dev, op.y, op.in[0], op.in[1], op.in[2], 1e-6f);
}
static void layernorm_backward(void)
{
    k->back->layernorm(dev, op.grad[0], op.grad[1], op.grad[2], op.dy, op.in[0], op.in[1],
                       1e-6f, GRAD_ADD);
}
static void norms(void)
{
    INPUT(19, 36), INPUT(36);
    OUTPUT(19, 36);
    differences("rmsnorm", rmsnorm_forward, rmsnorm_backward);
    INPUT(7, 3, 20), INPUT(20); /* of heads */
    OUTPUT(7, 3, 20);
    differences("rmsnorm of heads", rmsnorm_forward, rmsnorm_backward);
    INPUT(19, 36), INPUT(36), INPUT(36);
    OUTPUT(19, 36);
    differences("layernorm", layernorm_forward, layernorm_backward);
}

/* -- Elementwise -----------------------------------------------------------------------
 */

static void swiglu_forward(void)
{
    k->swiglu(dev, op.y, op.in[0], op.in[1]);
}
static void swiglu_backward(void)
{
    k->back->swiglu(dev, op.grad[0], op.grad[1], op.dy, op.in[0], op.in[1], GRAD_ADD,
                    GRAD_ADD);
}
static void gelu_forward(void)
{
    k->gelu(dev, op.y, op.in[0], (enum gelu_kind)op.kind);
}
static void gelu_backward(void)
{
    k->back->gelu(dev, op.grad[0], op.dy, op.in[0], (enum gelu_kind)op.kind, GRAD_ADD);
}
static void silu_forward(void)
{
    k->silu(dev, op.y, op.in[0]);
}
static void silu_backward(void)
{
    k->back->silu(dev, op.grad[0], op.dy, op.in[0], GRAD_ADD);
}
static void activations(void)
{
    INPUT(9, 33), INPUT(9, 33);
    OUTPUT(9, 33);
    differences("swiglu", swiglu_forward, swiglu_backward);
    for (int kind = GELU_ERF; kind <= GELU_TANH; kind++) {
        INPUT(9, 33);
        OUTPUT(9, 33);
        op.kind = kind;
        differences(kind == GELU_ERF ? "gelu (erf)" : "gelu (tanh)", gelu_forward,
                    gelu_backward);
    }
    INPUT(9, 33);
    OUTPUT(9, 33);
    differences("silu", silu_forward, silu_backward);
}

/* -- Rows ------------------------------------------------------------------------------
 */

static void gather_forward(void)
{
    k->gather(dev, op.y, op.in[0], op.index);
}
static void gather_backward(void)
{
    k->back->gather(dev, op.grad[0], op.dy, op.index);
}
/* Rows of in[1] put over those of in[0], or added to them (deepstack). */
static void scatter_forward(void)
{
    same(op.y, op.in[0]);
    k->scatter(dev, op.y, op.in[1], op.index, op.kind);
}
static void scatter_backward(void)
{
    k->back->scatter(dev, op.grad[1], op.dy, op.index, op.kind);
    k->back->add_scaled(dev, op.grad[0], op.dy, 1);
}
static void mix_forward(void)
{
    clear(op.y);
    k->gather_mix(dev, op.y, op.in[0], op.index, op.other);
}
static void mix_backward(void)
{
    k->back->gather_mix(dev, op.grad[0], op.dy, op.index, op.other);
}
static void rows(void)
{
    INPUT(11, 20);
    OUTPUT(6, 20);
    op.index = WHOLE(3, 10, 3, 0, 7, 3);
    differences("gather", gather_forward, gather_backward);
    for (int add = 0; add < 2; add++) {
        INPUT(9, 20), INPUT(4, 20);
        OUTPUT(9, 20);
        op.index = WHOLE(2, 8, 0, 5);
        op.kind = add;
        differences(add ? "scatter (add)" : "scatter", scatter_forward, scatter_backward);
    }
    INPUT(11, 20);
    OUTPUT(3, 20);
    int32_t taps[] = {0, 1, 4, 5, 9, 10, 9, 3, 2, 2, 2, 7};
    op.index = ARRAY(ARR_I32, 3, 4);
    memcpy(op.index.data, taps, sizeof taps);
    op.other = ARRAY(ARR_F32, 3, 4);
    differences("gather_mix", mix_forward, mix_backward);
}

/* -- Positions and attention -----------------------------------------------------------
 */

static void rope_forward(void)
{
    same(op.y, op.in[0]);
    (op.kind ? k->rope_pairs : k->rope)(dev, op.y, op.cos, op.sin);
}
static void rope_backward(void)
{
    (op.kind ? k->back->rope_pairs : k->back->rope)(dev, op.dy, op.cos, op.sin);
    same(op.grad[0], op.dy);
}
/* Tables of angles are what a family makes of its positions, M-RoPE's three among them.
 */
static void rotations(void)
{
    for (int pairs = 0; pairs < 2; pairs++) {
        INPUT(7, 3, 20);
        OUTPUT(7, 3, 20);
        op.kind = pairs;
        op.cos = ARRAY(ARR_F32, 7, 10);
        op.sin = ARRAY(ARR_F32, 7, 10);
        for (int i = 0; i < 70; i++) {
            float angle = 3 * random_float();
            ((float *)op.cos.data)[i] = cosf(angle);
            ((float *)op.sin.data)[i] = sinf(angle);
        }
        differences(pairs ? "rope of pairs" : "rope", rope_forward, rope_backward);
    }
}

static void attention_forward(void)
{
    k->attention(dev, op.y, op.in[0], op.in[1], op.in[2], op.index, 0.7f, op.lse);
}
static void attention_backward(void)
{
    k->back->attention(dev, op.grad[0], op.grad[1], op.grad[2], op.dy, op.in[0], op.in[1],
                       op.in[2], op.y, op.lse, op.index, 0.7f);
}
static void paged_forward(void)
{
    k->attention_paged(dev, op.y, op.in[0], op.in[1], op.in[2], op.view, 0.7f, op.lse);
}
static void paged_backward(void)
{
    k->back->attention_paged(dev, op.grad[0], op.grad[1], op.grad[2], op.dy, op.in[0],
                             op.in[1], op.in[2], op.y, op.lse, op.view, 0.7f);
}
static void attention(void)
{
    INPUT(90, 2, 12), INPUT(90, 2, 12), INPUT(90, 2, 12);
    OUTPUT(90, 2, 12);
    op.lse = ARRAY(ARR_F32, 90, 2);
    op.index = WHOLE(0, 90);
    differences("attention", attention_forward, attention_backward);
    INPUT(40, 2, 12), INPUT(40, 2, 12), INPUT(40, 2, 12);
    OUTPUT(40, 2, 12);
    op.lse = ARRAY(ARR_F32, 40, 2);
    op.index = WHOLE(0, 16, 17, 29, 40); /* windows of unequal sizes */
    differences("attention in windows", attention_forward, attention_backward);
    /* Two sequences that share a first page, heads in groups of two. */
    INPUT(9, 4, 12), INPUT(3, 2, 12, KV_PAGE), INPUT(3, 2, KV_PAGE, 12);
    OUTPUT(9, 4, 12);
    op.lse = ARRAY(ARR_F32, 9, 4);
    int32_t table[] = {2, 0, 2, 1};
    op.view.table = ARRAY(ARR_I32, 2, 2);
    memcpy(op.view.table.data, table, sizeof table);
    op.view.seq = WHOLE(0, 0, 0, 0, 0, 1, 1, 1, 1);
    op.view.len = WHOLE(1, 2, 63, 64, 70, 65, 66, 67, 68);
    differences("attention over pages", paged_forward, paged_backward);
}

static void write_forward(void)
{
    struct arr pages = arr_rows(op.y, 0, 2), values = arr_rows(op.y, 2, 2);
    clear(op.y);
    k->kv_write(dev, pages, arr_reshape(values, 4, (int64_t[]){2, 2, KV_PAGE, 12}),
                op.in[0], op.in[1], op.index);
}
static void write_backward(void)
{
    struct arr pages = arr_rows(op.dy, 0, 2), values = arr_rows(op.dy, 2, 2);
    k->back->kv_write(dev, op.grad[0], op.grad[1], pages,
                      arr_reshape(values, 4, (int64_t[]){2, 2, KV_PAGE, 12}), op.index);
}
/* The first 5 places of page 1 become those of page 0, keys and values. */
static void copy_forward(void)
{
    struct arr keys = arr_rows(op.y, 0, 2), values = arr_rows(op.y, 2, 2);
    same(keys, op.in[0]);
    same(values, op.in[1]);
    k->kv_copy(dev, keys, arr_reshape(values, 4, (int64_t[]){2, 2, KV_PAGE, 12}), 1, 0,
               5);
}
static void copy_backward(void)
{
    struct arr keys = arr_rows(op.dy, 0, 2), values = arr_rows(op.dy, 2, 2);
    k->back->kv_copy(dev, keys, arr_reshape(values, 4, (int64_t[]){2, 2, KV_PAGE, 12}), 1,
                     0, 5);
    same(op.grad[0], keys);
    same(op.grad[1], values);
}
static void pages(void)
{
    INPUT(4, 2, 12), INPUT(4, 2, 12);
    OUTPUT(4, 2, 12, KV_PAGE);
    op.index = WHOLE(3, 0, KV_PAGE + 7, 2 * KV_PAGE - 1);
    differences("kv_write", write_forward, write_backward);
    INPUT(2, 2, 12, KV_PAGE), INPUT(2, 2, KV_PAGE, 12);
    OUTPUT(4, 2, 12, KV_PAGE);
    differences("kv_copy", copy_forward, copy_backward);
}

/* -- Losses ----------------------------------------------------------------------------
 */

/* Of each row: weight log p(target), and its entropy. */
static void output_forward(void)
{
    struct arr entropy = arr_rows(op.y, 6, 6);
    float *logprob = op.y.data;
    k->logsumexp(dev, op.lse, op.in[0], 1);
    k->back->entropy(dev, entropy, op.in[0], op.lse);
    for (int r = 0; r < 6; r++)
        logprob[r] = ((float *)op.in[0].data)[r * 50 + ((int32_t *)op.index.data)[r]] -
                     ((float *)op.lse.data)[r];
}
static void output_backward(void)
{
    same(op.grad[0], op.in[0]);
    k->back->logits(dev, op.grad[0],
                    (struct token_grad){op.index, op.lse, arr_rows(op.dy, 0, 6),
                                        arr_rows(op.dy, 6, 6)});
}
static void log_probabilities_and_entropies(void)
{
    INPUT(6, 50);
    OUTPUT(12);
    op.lse = ARRAY(ARR_F32, 6);
    op.index = WHOLE(0, 49, 7, 7, 30, 12);
    differences("logits", output_forward, output_backward);
}

int main(void)
{
    static const char *const isas[] = {"plain", "avx2"};
    for (int i = 0; i < 2; i++) {
        const char *why;
        setenv("CAPMILL_ISA", isas[i], 1);
        if (!(k = kernels_open("cpu", &why)))
            continue;
        for (int t = 0; t < DEVICES; t++) devs[t] = device_of(k, "cpu", t + 1);
        dev = devs[0];
        CASE(a_product);
        CASE(norms);
        CASE(activations);
        CASE(rows);
        CASE(rotations);
        CASE(attention);
        CASE(pages);
        CASE(log_probabilities_and_entropies);
        for (int t = 0; t < DEVICES; t++) k->close(devs[t]);
    }
    return check_end();
}
