/* cuda-test: gradients of the CUDA table, its kernels run by the host (kernels/cuda/host/
 * blocks.h), against those of the CPU's on random shapes. What every table owes forward
 * is kernels-test's. */
#include "backward.h"

#include "check.h"
#include "device.h"
#include "kernels-arrays.h"
#include "kernels-staged.h"

#include <stdio.h>

static const struct kernels *cpu;
static struct dev *cpu_dev;

/* Both tables' results are as close as sums in another order are: got to want, in terms
 * of the largest value there is. */
static void check_near(struct arr got, struct arr want, const char *what)
{
    double most = 1e-3, off = 0;
    for (int64_t r = 0; r < want.shape[0]; r++)
        for (int64_t i = 0; i < arr_row_size(want); i++) {
            double x = value(got, r, i), y = value(want, r, i);
            most = fmax(most, fabs(y));
            off = fmax(off, isnan(x) ? (double)INFINITY : fabs(x - y));
        }
    CHECK(off <= 4e-6 * most, "%s: off by %g of %g", what, off, most);
}

/* An operation's gradients, on the CPU and on the GPU; both begin with the same floats.
 */
struct both {
    struct arr cpu, cuda;
};

static struct both twin(struct arr a)
{
    return (struct both){a, copied(a)};
}

#define CHECK_TWIN(pair, what) check_near((pair).cuda, (pair).cpu, what)
/* Call an operation of both tables; in call, `g` is a twin's member and `back` a table.
 */
#define ON_BOTH(call_cpu, call_cuda)                                                     \
    do {                                                                                 \
        const struct backward *back = cpu->back;                                         \
        struct dev *d = cpu_dev;                                                         \
        call_cpu;                                                                        \
        back = k->back;                                                                  \
        d = any_dev();                                                                   \
        call_cuda;                                                                       \
    } while (0)

static enum grad_mode any_mode(void)
{
    return random_bits() & 1 ? GRAD_ADD : GRAD_SET;
}

static struct arr floats(int64_t rows, int64_t columns)
{
    return filled(MAKE(ARR_F32, random_in(0, 3), rows, columns));
}

/* -- Products and norms ----------------------------------------------------------------
 */

static void products_have_the_cpus_gradients(void)
{
    static const enum arr_type types[] = {ARR_F32, ARR_BF16, ARR_F16};
    for (int i = 0; i < 12; i++) {
        int64_t m = random_in(1, 40), n = random_in(1, 70), depth = random_in(1, 300);
        struct arr dy = floats(m, n), x = floats(m, depth);
        struct arr w = filled(MAKE(types[i % 3], random_in(0, 1), n, depth));
        struct both dx = twin(floats(m, depth)), dw = twin(floats(n, depth));
        struct both db = twin(filled(MAKE(ARR_F32, 0, n)));
        enum grad_mode mode = any_mode();
        ON_BOTH(back->matmul_x(d, dx.cpu, dy, w, mode),
                back->matmul_x(d, dx.cuda, dy, w, mode));
        CHECK_TWIN(dx, "matmul_x");
        ON_BOTH(back->matmul_w(d, dw.cpu, db.cpu, dy, x),
                back->matmul_w(d, dw.cuda, db.cuda, dy, x));
        CHECK_TWIN(dw, "matmul_w");
        CHECK_TWIN(db, "matmul_w, bias");
        pool_free();
    }
}

static void norms_have_the_cpus_gradients(void)
{
    for (int i = 0; i < 12; i++) {
        int64_t rows = random_in(1, 30), heads = i % 2 ? 1 : random_in(1, 4);
        int64_t dim = random_in(2, 150);
        struct arr x = filled(MAKE(ARR_F32, 3, rows, heads, dim));
        struct arr dy = filled(make(ARR_F32, 3, x.shape, 1));
        struct arr w = filled(MAKE(i % 3 ? ARR_F32 : ARR_BF16, 0, dim));
        struct both dx = twin(filled(make(ARR_F32, 3, x.shape, 2)));
        struct both dw = twin(filled(MAKE(ARR_F32, 0, dim)));
        struct both db = twin(filled(MAKE(ARR_F32, 0, dim)));
        enum grad_mode mode = any_mode();
        ON_BOTH(back->rmsnorm(d, dx.cpu, dw.cpu, dy, x, w, 1e-6f, mode),
                back->rmsnorm(d, dx.cuda, dw.cuda, dy, x, w, 1e-6f, mode));
        CHECK_TWIN(dx, "rmsnorm");
        CHECK_TWIN(dw, "rmsnorm, weight");
        if (heads == 1) {
            struct both flat = {arr_reshape(dx.cpu, 2, (int64_t[]){rows, dim}),
                                arr_reshape(dx.cuda, 2, (int64_t[]){rows, dim})};
            struct arr x2 = arr_reshape(x, 2, (int64_t[]){rows, dim});
            struct arr dy2 = arr_reshape(dy, 2, (int64_t[]){rows, dim});
            ON_BOTH(
                back->layernorm(d, flat.cpu, dw.cpu, db.cpu, dy2, x2, w, 1e-6f, mode),
                back->layernorm(d, flat.cuda, dw.cuda, db.cuda, dy2, x2, w, 1e-6f, mode));
            CHECK_TWIN(flat, "layernorm");
            CHECK_TWIN(dw, "layernorm, weight");
            CHECK_TWIN(db, "layernorm, bias");
        }
        /* in place of dy */
        struct both own = twin(copied(dy));
        ON_BOTH(back->rmsnorm(d, own.cpu, arr_none(), own.cpu, x, w, 1e-6f, GRAD_SET),
                back->rmsnorm(d, own.cuda, arr_none(), own.cuda, x, w, 1e-6f, GRAD_SET));
        CHECK_TWIN(own, "rmsnorm in dy's place");
        pool_free();
    }
}

/* -- Elements and rows -----------------------------------------------------------------
 */

static void activations_have_the_cpus_gradients(void)
{
    for (int i = 0; i < 6; i++) {
        int64_t rows = random_in(1, 20), columns = random_in(1, 300);
        struct arr dy = floats(rows, columns), x = floats(rows, columns);
        struct arr up = floats(rows, columns);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) at(x, r)[c] *= r % 2 ? 8.0f : 1.0f;
        struct both dx = twin(floats(rows, columns)), dup = twin(floats(rows, columns));
        enum grad_mode mode = any_mode(), other = any_mode();
        ON_BOTH(back->silu(d, dx.cpu, dy, x, mode), back->silu(d, dx.cuda, dy, x, mode));
        CHECK_TWIN(dx, "silu");
        for (int kind = GELU_ERF; kind <= GELU_TANH; kind++) {
            ON_BOTH(back->gelu(d, dx.cpu, dy, x, (enum gelu_kind)kind, mode),
                    back->gelu(d, dx.cuda, dy, x, (enum gelu_kind)kind, mode));
            CHECK_TWIN(dx, "gelu");
        }
        ON_BOTH(back->swiglu(d, dx.cpu, dup.cpu, dy, x, up, mode, other),
                back->swiglu(d, dx.cuda, dup.cuda, dy, x, up, mode, other));
        CHECK_TWIN(dx, "swiglu, gate");
        CHECK_TWIN(dup, "swiglu, up");
        ON_BOTH(back->add_scaled(d, dx.cpu, x, 0.3f),
                back->add_scaled(d, dx.cuda, x, 0.3f));
        CHECK_TWIN(dx, "add_scaled");
        ON_BOTH(back->copy(d, dup.cpu, x), back->copy(d, dup.cuda, x));
        CHECK(same_bits(dup.cuda, x), "copy");
        ON_BOTH(back->zero(d, dup.cpu), back->zero(d, dup.cuda));
        CHECK(same_bits(dup.cuda, dup.cpu), "zero");
        pool_free();
    }
}

static void rows_have_the_cpus_gradients(void)
{
    enum { TABLE = 30, ROWS = 25, TAPS = 4 };
    for (int i = 0; i < 6; i++) {
        int64_t dim = random_in(1, 90);
        int32_t repeated[ROWS * TAPS], distinct[ROWS];
        for (int j = 0; j < ROWS * TAPS; j++)
            repeated[j] = (int32_t)random_in(0, TABLE - 1);
        for (int j = 0; j < ROWS; j++) distinct[j] = (j * 7 + i) % TABLE;
        struct arr dy = floats(ROWS, dim), index = integers(ROWS, repeated);
        struct arr taps =
            arr_reshape(integers(ROWS * TAPS, repeated), 2, (int64_t[]){ROWS, TAPS});
        struct arr weight = filled(MAKE(ARR_F32, 0, ROWS, TAPS));
        struct both table = twin(floats(TABLE, dim)), dx = twin(floats(ROWS, dim));
        struct both over = twin(floats(TABLE, dim));
        ON_BOTH(back->gather(d, table.cpu, dy, index),
                back->gather(d, table.cuda, dy, index));
        CHECK_TWIN(table, "gather");
        ON_BOTH(back->gather_mix(d, table.cpu, dy, taps, weight),
                back->gather_mix(d, table.cuda, dy, taps, weight));
        CHECK_TWIN(table, "gather_mix");
        ON_BOTH(back->scatter(d, dx.cpu, over.cpu, integers(ROWS, distinct), i % 2),
                back->scatter(d, dx.cuda, over.cuda, integers(ROWS, distinct), i % 2));
        CHECK_TWIN(dx, "scatter");
        CHECK_TWIN(over, "scatter, what was written over");
        int64_t heads = random_in(1, 4), half = random_in(1, 20);
        struct both turned = twin(filled(MAKE(ARR_F32, 2, ROWS, heads, 2 * half)));
        struct arr c = floats(ROWS, half), s = floats(ROWS, half);
        ON_BOTH(back->rope(d, turned.cpu, c, s), back->rope(d, turned.cuda, c, s));
        CHECK_TWIN(turned, "rope");
        ON_BOTH(back->rope_pairs(d, turned.cpu, c, s),
                back->rope_pairs(d, turned.cuda, c, s));
        CHECK_TWIN(turned, "rope_pairs");
        pool_free();
    }
}

/* -- Attention -------------------------------------------------------------------------
 */

/* Two sequences that share their first page, and one alone, at the last rows of each. */
static void attention_over_pages_has_the_cpus_gradients(void)
{
    for (int i = 0; i < 4; i++) {
        enum { PAGES = 7, ROWS = 24 };
        static const int32_t tables[3][3] = {{4, 1, 0}, {4, 2, 3}, {5, 6, 0}};
        static const int32_t lens[3] = {130, 150, 70};
        int64_t dim = i == 0 ? 20 : random_in(2, 40), kv_heads = random_in(1, 2);
        int64_t heads = kv_heads * random_in(1, 3);
        int32_t seq[ROWS], len[ROWS];
        for (int r = 0; r < ROWS; r++) seq[r] = r / 8, len[r] = lens[r / 8] - 7 + r % 8;
        struct arr table = arr_reshape(integers(9, tables[0]), 2, (int64_t[]){3, 3});
        struct kv_view view = {table, integers(ROWS, seq), integers(ROWS, len)};
        struct arr keys = filled(MAKE(ARR_F32, 0, PAGES, kv_heads, dim, KV_PAGE));
        struct arr values = filled(MAKE(ARR_F32, 0, PAGES, kv_heads, KV_PAGE, dim));
        struct arr q = filled(MAKE(ARR_F32, 0, ROWS, heads, dim)), y = copied(q);
        struct arr dy = filled(MAKE(ARR_F32, 1, ROWS, heads, dim));
        struct arr lse = MAKE(ARR_F32, 0, ROWS, heads);
        struct both dq = twin(filled(MAKE(ARR_F32, 2, ROWS, heads, dim)));
        struct both dk = twin(filled(make(ARR_F32, 4, keys.shape, 0)));
        struct both dv = twin(filled(make(ARR_F32, 4, values.shape, 0)));
        float scale = 2.0f / sqrtf((float)dim);
        cpu->attention_paged(cpu_dev, y, q, keys, values, view, scale, lse);
        ON_BOTH(back->attention_paged(d, dq.cpu, dk.cpu, dv.cpu, dy, q, keys, values, y,
                                      lse, view, scale),
                back->attention_paged(d, dq.cuda, dk.cuda, dv.cuda, dy, q, keys, values,
                                      y, lse, view, scale));
        CHECK_TWIN(dq, "queries");
        CHECK_TWIN(dk, "keys in pages");
        CHECK_TWIN(dv, "values in pages");
        struct arr slot =
            integers(3, (int32_t[]){4 * KV_PAGE, 2 * KV_PAGE + 9, 6 * KV_PAGE});
        struct both rk = twin(filled(MAKE(ARR_F32, 1, 3, kv_heads, dim)));
        struct both rv = twin(filled(MAKE(ARR_F32, 0, 3, kv_heads, dim)));
        ON_BOTH(back->kv_write(d, rk.cpu, rv.cpu, dk.cpu, dv.cpu, slot),
                back->kv_write(d, rk.cuda, rv.cuda, dk.cuda, dv.cuda, slot));
        ON_BOTH(back->kv_copy(d, dk.cpu, dv.cpu, 1, 3, 37),
                back->kv_copy(d, dk.cuda, dv.cuda, 1, 3, 37));
        CHECK_TWIN(rk, "kv_write, keys");
        CHECK_TWIN(rv, "kv_write, values");
        CHECK_TWIN(dk, "kv_copy, keys");
        CHECK_TWIN(dv, "kv_copy, values");
        pool_free();
    }
}

static void attention_in_segments_has_the_cpus_gradients(void)
{
    for (int i = 0; i < 4; i++) {
        int64_t dim = random_in(2, 40), heads = random_in(1, 3);
        int32_t start[4] = {0};
        for (int s = 0; s < 3; s++)
            start[s + 1] = start[s] + (int32_t)random_in(s == 1 ? 0 : 1, 90);
        int64_t rows = start[3];
        struct arr part[3],
            grads[2] = {filled(MAKE(ARR_F32, 0, rows, 3 * heads * dim)), arr_none()};
        struct arr qkv = filled(MAKE(ARR_F32, 0, rows, 3 * heads * dim));
        struct both slices[3];
        grads[1] = copied(grads[0]);
        for (int j = 0; j < 3; j++) {
            const int64_t shape[] = {rows, heads, dim};
            part[j] =
                arr_reshape(arr_columns(qkv, j * heads * dim, heads * dim), 3, shape);
            slices[j].cpu = arr_reshape(
                arr_columns(grads[0], j * heads * dim, heads * dim), 3, shape);
            slices[j].cuda = arr_reshape(
                arr_columns(grads[1], j * heads * dim, heads * dim), 3, shape);
        }
        struct arr y = MAKE(ARR_F32, 2, rows, heads, dim),
                   lse = MAKE(ARR_F32, 0, rows, heads);
        struct arr dy = filled(MAKE(ARR_F32, 0, rows, heads, dim));
        struct arr starts = integers(4, start);
        float scale = 2.0f / sqrtf((float)dim);
        cpu->attention(cpu_dev, y, part[0], part[1], part[2], starts, scale, lse);
        ON_BOTH(back->attention(d, slices[0].cpu, slices[1].cpu, slices[2].cpu, dy,
                                part[0], part[1], part[2], y, lse, starts, scale),
                back->attention(d, slices[0].cuda, slices[1].cuda, slices[2].cuda, dy,
                                part[0], part[1], part[2], y, lse, starts, scale));
        check_near(grads[1], grads[0], "queries, keys and values of one array");
        pool_free();
    }
}

/* -- Losses and the optimizer ----------------------------------------------------------
 */

static void losses_and_steps_are_the_cpus(void)
{
    enum { ROWS = 9, VOCAB = 700 };
    struct arr x = filled(MAKE(ARR_F32, 0, ROWS, VOCAB)), lse = MAKE(ARR_F32, 0, ROWS);
    struct token_grad g = {.lse = lse};
    int32_t target[ROWS];
    for (int r = 0; r < ROWS; r++) target[r] = (int32_t)random_in(0, VOCAB - 1);
    g.target = integers(ROWS, target);
    g.weight = filled(MAKE(ARR_F32, 0, ROWS));
    g.entropy = filled(MAKE(ARR_F32, 0, ROWS));
    at(g.weight, 3)[0] = at(g.entropy, 3)[0] = 0;
    cpu->logsumexp(cpu_dev, lse, x, 1);
    struct both out = twin(filled(MAKE(ARR_F32, 0, ROWS))), logits = twin(copied(x));
    ON_BOTH(back->entropy(d, out.cpu, x, lse), back->entropy(d, out.cuda, x, lse));
    CHECK_TWIN(out, "entropy");
    ON_BOTH(back->logits(d, logits.cpu, g), back->logits(d, logits.cuda, g));
    CHECK_TWIN(logits, "logits");
    enum { SIZE = 40000 };
    struct arr grad = filled(MAKE(ARR_F32, 0, SIZE));
    struct both w = twin(filled(MAKE(ARR_F32, 0, SIZE))),
                m = twin(filled(MAKE(ARR_F32, 0, SIZE)));
    struct both v = twin(filled(MAKE(ARR_F32, 0, SIZE)));
    for (int64_t i = 0; i < SIZE; i++)
        at(v.cpu, i)[0] = at(v.cuda, i)[0] = fabsf(at(v.cpu, i)[0]);
    const struct adamw how = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.19, 0.0975};
    ON_BOTH(back->adamw(d, w.cpu, grad, m.cpu, v.cpu, &how),
            back->adamw(d, w.cuda, grad, m.cuda, v.cuda, &how));
    CHECK_TWIN(w, "adamw");
    CHECK_TWIN(m, "adamw, mean");
    CHECK_TWIN(v, "adamw, square");
    double a = cpu->back->sum_squares(cpu_dev, grad),
           b = k->back->sum_squares(devs[0], grad);
    CHECK(fabs(a - b) <= 1e-12 * a, "sum_squares: %.17g for %.17g", b, a);
    struct both half = {MAKE(ARR_BF16, 0, SIZE), MAKE(ARR_BF16, 0, SIZE)};
    at(grad, 5)[0] = NAN, at(grad, 6)[0] = INFINITY;
    ON_BOTH(back->to_bf16(d, half.cpu, grad), back->to_bf16(d, half.cuda, grad));
    CHECK(memcmp(half.cpu.data, half.cuda.data, SIZE * 2) == 0, "to_bf16");
    pool_free();
}

/* Moments in 8 bits are the CPU's to the bit, whatever the magnitudes: several steps of
 * gradients from nothing to large, blocks of zeros, and a last block that is not full. */
static void steps_with_moments_in_8_bits_are_the_cpus(void)
{
    enum { SIZE = 70 * MOMENT_BLOCK + 37, BLOCKS = 71, STEPS = 5 };
    struct both w = twin(filled(MAKE(ARR_F32, 0, SIZE)));
    struct both m = {MAKE(ARR_U8, 0, SIZE), MAKE(ARR_U8, 0, SIZE)};
    struct both v = {MAKE(ARR_U8, 0, SIZE), MAKE(ARR_U8, 0, SIZE)};
    struct both m_most = twin(MAKE(ARR_F32, 0, BLOCKS));
    struct both v_most = twin(MAKE(ARR_F32, 0, BLOCKS));
    struct arr grad = filled(MAKE(ARR_F32, 0, SIZE));
    struct arr const zero[] = {m.cpu, m.cuda, v.cpu, v.cuda};
    for (int i = 0; i < 4; i++) memset(zero[i].data, 0, SIZE);
    struct arr const most[] = {m_most.cpu, m_most.cuda, v_most.cpu, v_most.cuda};
    for (int i = 0; i < 4; i++) memset(most[i].data, 0, BLOCKS * sizeof(float));
    for (int step = 1; step <= STEPS; step++) {
        const struct adamw how = {1e-3f,
                                  0.9f,
                                  0.95f,
                                  1e-8f,
                                  0.1f,
                                  0.5f,
                                  1 - pow(0.9, step),
                                  1 - pow(0.95, step)};
        for (int64_t i = 0; i < SIZE; i++) {
            int64_t block = i / MOMENT_BLOCK;
            at(grad, i)[0] = block == 3 ? 0
                                        : ldexpf((float)random_in(-1000, 1000),
                                                 (int)(-3 * (i % 12) - block));
        }
        ON_BOTH(back->adamw8(d, w.cpu, grad, (struct moment){m.cpu, m_most.cpu},
                             (struct moment){v.cpu, v_most.cpu}, &how),
                back->adamw8(d, w.cuda, grad, (struct moment){m.cuda, m_most.cuda},
                             (struct moment){v.cuda, v_most.cuda}, &how));
        CHECK(memcmp(w.cpu.data, w.cuda.data, SIZE * sizeof(float)) == 0, "weights");
        CHECK(memcmp(m.cpu.data, m.cuda.data, SIZE) == 0, "codes of means");
        CHECK(memcmp(v.cpu.data, v.cuda.data, SIZE) == 0, "codes of roots");
        CHECK(memcmp(m_most.cpu.data, m_most.cuda.data, BLOCKS * sizeof(float)) == 0 &&
                  memcmp(v_most.cpu.data, v_most.cuda.data, BLOCKS * sizeof(float)) == 0,
              "largest of each block");
    }
    pool_free();
}

int main(void)
{
    const char *why = "";
    k = cuda_under_test();
    cpu = kernels_open("cpu", &why);
    if (!cpu || !(cpu_dev = device_of(cpu, "cpu", 1))) {
        fprintf(stderr, "cuda-test: %s\n", why);
        return 1;
    }
    for (int i = 0; i < DEVICES; i++) devs[i] = device_of(k, "cuda", 1);
    CASE(products_have_the_cpus_gradients);
    CASE(norms_have_the_cpus_gradients);
    CASE(activations_have_the_cpus_gradients);
    CASE(rows_have_the_cpus_gradients);
    CASE(attention_over_pages_has_the_cpus_gradients);
    CASE(attention_in_segments_has_the_cpus_gradients);
    CASE(losses_and_steps_are_the_cpus);
    CASE(steps_with_moments_in_8_bits_are_the_cpus);
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
    cpu->close(cpu_dev);
    return check_end();
}
