/* cuda-activation-test: operations of the CUDA table on activations in bf16, its kernels
 * run by the host (kernels/cuda/host/blocks.h), against those of the CPU's table on the
 * same numbers in f32: what comes out is the exact result, rounded to nearest once.
 * Products and attention have tests of their own. */
#include "backward.h"

#include "check.h"
#include "device.h"
#include "kernels-arrays.h"
#include "kernels-staged.h"

#include <stdio.h>

static const struct kernels *cpu;
static struct dev *cpu_dev;

/* The same numbers, in f32 for the CPU and as they are for the GPU. */
struct both {
    struct arr cpu, cuda;
};

/* 16-byte accesses want arrays that lie so, and others must be taken too. */
static int64_t any_gap(void)
{
    return random_bits() & 1 ? random_in(0, 1) * 8 : random_in(0, 9);
}

static enum arr_type any_act(void)
{
    return random_bits() % 3 ? ARR_BF16 : ARR_F32;
}

static struct both twin_of(struct arr a)
{
    struct both t = {make(ARR_F32, a.rank, a.shape, 0), a};
    for (int64_t r = 0; r < a.shape[0]; r++)
        for (int64_t i = 0; i < arr_row_size(a); i++)
            at(t.cpu, r)[i] = (float)value(a, r, i);
    return t;
}

/* Memory at a multiple of 16 bytes, or not. */
static struct arr placed(enum arr_type type, int rank, const int64_t shape[])
{
    struct arr a = make(type, rank, shape, any_gap());
    if (random_bits() & 1) {
        size_t bytes =
            arr_type_bytes(type, (a.shape[0] - 1) * a.stride + arr_row_size(a));
        char *room = pool_take(bytes + 15);
        a.data = room + (16 - (uintptr_t)room % 16) % 16;
        memset(a.data, 0xff, bytes);
    }
    return filled(a);
}
#define TWIN(type, ...)                                                                  \
    twin_of(placed(type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),        \
                   (int64_t[]){__VA_ARGS__}))

/* Off by half a last place of bf16, and by what sums in another order are. */
static void check_both(struct both t, const char *what)
{
    double most = 1e-3;
    for (int64_t r = 0; r < t.cpu.shape[0]; r++)
        for (int64_t i = 0; i < arr_row_size(t.cpu); i++)
            most = fmax(most, fabs(value(t.cpu, r, i)));
    for (int64_t r = 0; r < t.cpu.shape[0]; r++)
        for (int64_t i = 0; i < arr_row_size(t.cpu); i++) {
            double want = value(t.cpu, r, i), got = value(t.cuda, r, i);
            double room = 4e-6 * most;
            if (t.cuda.type == ARR_BF16)
                room += ldexp(1, ilogb(fmax(fabs(want), 1e-30)) - 8);
            CHECK(fabs(got - want) <= room, "%s at %lld,%lld: %.9g, not %.9g", what,
                  (long long)r, (long long)i, got, want);
        }
}

/* Call an operation of both tables; in call, `t` is a table, `d` its device and ON(x) its
 * one of two arrays. */
#define BOTH(call)                                                                       \
    do {                                                                                 \
        for (int side = 0; side < 2; side++) {                                           \
            const struct kernels *t = side ? k : cpu;                                    \
            struct dev *d = side ? any_dev() : cpu_dev;                                  \
            call;                                                                        \
        }                                                                                \
    } while (0)
#define ON(x) (side ? (x).cuda : (x).cpu)

/* Sizes that a warp has, one block's, and several chunks' of a block; one is too long to
 * be kept in registers. */
static int64_t any_dim(int i)
{
    static const int64_t sizes[] = {8, 128, 40, 256, 1280, 2048, 2056, 4096, 5120, 9000};
    return i % 3 == 2 ? random_in(1, 300) : sizes[i % 10];
}

static struct both reshaped(struct both t, int64_t rows, int64_t dim)
{
    const int64_t shape[] = {rows, dim};
    return (struct both){arr_reshape(t.cpu, 2, shape), arr_reshape(t.cuda, 2, shape)};
}

static void norms_are_rounded_once(void)
{
    for (int i = 0; i < 30; i++) {
        int64_t dim = any_dim(i), heads = dim > 256 ? 1 : random_in(1, 4);
        int64_t rows = random_in(1, 12);
        enum arr_type in = any_act(), out = any_act();
        struct both x = TWIN(in, rows, heads, dim), y = TWIN(out, rows, heads, dim);
        struct both w = twin_of(filled(MAKE(any_act(), 0, dim))),
                    own = twin_of(copied(x.cuda));
        struct both b = twin_of(filled(MAKE(any_act(), 0, dim)));
        BOTH(t->rmsnorm(d, ON(y), ON(x), ON(w), 1e-6f));
        check_both(y, "rmsnorm");
        if (heads == 1) {
            struct both x2 = reshaped(x, rows, dim), y2 = reshaped(y, rows, dim);
            BOTH(t->layernorm(d, ON(y2), ON(x2), ON(w), ON(b), 1e-6f));
            check_both(y2, "layernorm");
        }
        BOTH(t->rmsnorm(d, ON(own), ON(own), ON(w), 1e-6f));
        check_both(own, "rmsnorm in place");
        pool_free();
    }
}

/* Where a row lies changes no bit, nor which rows are beside it. */
static void norms_are_the_same_to_the_bit_wherever_they_lie(void)
{
    for (int i = 0; i < 12; i++) {
        int64_t dim = any_dim(i), rows = random_in(2, 9);
        struct arr x = filled(MAKE(ARR_F32, 0, rows, dim));
        struct arr there = MAKE(ARR_F32, 1, rows, dim);
        struct arr w = filled(MAKE(ARR_BF16, 0, dim));
        struct arr y = MAKE(ARR_BF16, 0, rows, dim), z = MAKE(ARR_BF16, 3, rows, dim);
        cpu->back->copy(cpu_dev, there, x);
        k->rmsnorm(any_dev(), y, x, w, 1e-6f);
        for (int64_t r = 0; r < rows; r++)
            k->rmsnorm(any_dev(), arr_rows(z, r, 1), arr_rows(there, r, 1), w, 1e-6f);
        CHECK(same_bits(y, z), "%lld x %lld", (long long)rows, (long long)dim);
        pool_free();
    }
}

static void norms_have_rounded_gradients(void)
{
    for (int i = 0; i < 30; i++) {
        int64_t dim = any_dim(i), heads = dim > 256 ? 1 : random_in(1, 4);
        int64_t rows = i == 3 ? 70 : random_in(1, 12);
        enum arr_type in = any_act(), out = any_act();
        enum grad_mode mode = random_bits() & 1 ? GRAD_ADD : GRAD_SET;
        struct both x = TWIN(in, rows, heads, dim), dy = TWIN(out, rows, heads, dim);
        struct both dx = TWIN(in, rows, heads, dim);
        struct both w = twin_of(filled(MAKE(any_act(), 0, dim)));
        struct both dw = twin_of(filled(MAKE(ARR_F32, 0, dim)));
        struct both db = twin_of(filled(MAKE(ARR_F32, 0, dim)));
        BOTH(t->back->rmsnorm(d, ON(dx), ON(dw), ON(dy), ON(x), ON(w), 1e-6f, mode));
        check_both(dx, "rmsnorm");
        check_both(dw, "rmsnorm, weight");
        if (heads == 1) {
            struct both dx2 = twin_of(arr_reshape(dx.cuda, 2, (int64_t[]){rows, dim}));
            struct both x2 = reshaped(x, rows, dim), dy2 = reshaped(dy, rows, dim);
            BOTH(t->back->layernorm(d, ON(dx2), ON(dw), ON(db), ON(dy2), ON(x2), ON(w),
                                    1e-6f, mode));
            check_both(dx2, "layernorm");
            check_both(dw, "layernorm, weight");
            check_both(db, "layernorm, bias");
        }
        if (in == out) {
            BOTH(t->back->rmsnorm(d, ON(dy), arr_none(), ON(dy), ON(x), ON(w), 1e-6f,
                                  GRAD_SET));
            check_both(dy, "rmsnorm in dy's place");
        }
        pool_free();
    }
}

static void elements_are_rounded_once(void)
{
    for (int i = 0; i < 24; i++) {
        int64_t rows = random_in(1, 9),
                columns = i % 2 ? 8 * random_in(1, 50) : random_in(1, 300);
        enum arr_type act = any_act(), other = any_act();
        struct both x = TWIN(act, rows, columns), up = TWIN(act, rows, columns);
        struct both y = TWIN(act, rows, columns), sum = TWIN(other, rows, columns);
        BOTH(t->swiglu(d, ON(y), ON(x), ON(up)));
        check_both(y, "swiglu");
        BOTH(t->silu(d, ON(y), ON(x)));
        check_both(y, "silu");
        for (int kind = GELU_ERF; kind <= GELU_TANH; kind++) {
            BOTH(t->gelu(d, ON(y), ON(x), (enum gelu_kind)kind));
            check_both(y, "gelu");
        }
        BOTH(t->add(d, ON(sum), ON(x)));
        check_both(sum, "add");
        pool_free();
    }
}

static void elements_have_rounded_gradients(void)
{
    for (int i = 0; i < 24; i++) {
        int64_t rows = random_in(1, 9),
                columns = i % 2 ? 8 * random_in(1, 50) : random_in(1, 300);
        enum arr_type act = any_act(), other = any_act();
        enum grad_mode mode = random_bits() & 1 ? GRAD_ADD : GRAD_SET;
        struct both x = TWIN(act, rows, columns), up = TWIN(act, rows, columns);
        struct both dy = TWIN(act, rows, columns), dx = TWIN(act, rows, columns);
        struct both dup = TWIN(act, rows, columns), sum = TWIN(other, rows, columns);
        BOTH(t->back->swiglu(d, ON(dx), ON(dup), ON(dy), ON(x), ON(up), mode, !mode));
        check_both(dx, "swiglu, gate");
        check_both(dup, "swiglu, up");
        dx = twin_of(dx.cuda);
        BOTH(t->back->silu(d, ON(dx), ON(dy), ON(x), mode));
        check_both(dx, "silu");
        for (int kind = GELU_ERF; kind <= GELU_TANH; kind++) {
            dx = twin_of(dx.cuda);
            BOTH(t->back->gelu(d, ON(dx), ON(dy), ON(x), (enum gelu_kind)kind, mode));
            check_both(dx, "gelu");
        }
        BOTH(t->back->add_scaled(d, ON(sum), ON(x), 0.3f));
        check_both(sum, "add_scaled");
        struct both half = TWIN(ARR_BF16, rows, columns),
                    f = TWIN(ARR_F32, rows, columns);
        BOTH(t->back->copy(d, ON(half), ON(f)));
        check_both(half, "copy to bf16");
        BOTH(t->back->zero(d, ON(half)));
        check_both(half, "zero");
        pool_free();
    }
}

static void rows_are_rounded_once(void)
{
    enum { TABLE = 30, ROWS = 25, TAPS = 4 };
    for (int i = 0; i < 16; i++) {
        int64_t dim = any_dim(i);
        int32_t repeated[ROWS * TAPS], distinct[ROWS];
        for (int j = 0; j < ROWS * TAPS; j++)
            repeated[j] = (int32_t)random_in(0, TABLE - 1);
        for (int j = 0; j < ROWS; j++) distinct[j] = (j * 7 + i) % TABLE;
        struct arr index = integers(ROWS, repeated), places = integers(ROWS, distinct);
        struct arr taps =
            arr_reshape(integers(ROWS * TAPS, repeated), 2, (int64_t[]){ROWS, TAPS});
        struct arr weight = filled(MAKE(ARR_F32, 0, ROWS, TAPS));
        struct both table = TWIN(any_act(), TABLE, dim), y = TWIN(any_act(), ROWS, dim);
        struct both sum = TWIN(ARR_F32, ROWS, dim), over = TWIN(any_act(), TABLE, dim);
        BOTH(t->gather(d, ON(y), ON(table), index));
        check_both(y, "gather");
        BOTH(t->gather_mix(d, ON(sum), ON(table), taps, weight));
        check_both(sum, "gather_mix");
        y = twin_of(y.cuda);
        BOTH(t->scatter(d, ON(over), ON(y), places, i % 2));
        check_both(over, "scatter");
        /* and back */
        struct both dtable = TWIN(any_act(), TABLE, dim), dx = TWIN(any_act(), ROWS, dim);
        BOTH(t->back->gather(d, ON(dtable), ON(y), index));
        check_both(dtable, "gather's gradient");
        dtable = TWIN(ARR_F32, TABLE, dim);
        BOTH(t->back->gather_mix(d, ON(dtable), ON(y), taps, weight));
        check_both(dtable, "gather_mix's gradient");
        over = twin_of(over.cuda);
        BOTH(t->back->scatter(d, ON(dx), ON(over), places, i % 4 < 2));
        check_both(dx, "scatter's gradient");
        check_both(over, "what scatter wrote over");
        pool_free();
    }
}

static void rotations_are_rounded_once(void)
{
    for (int i = 0; i < 24; i++) {
        static const int64_t halves[] = {64, 40, 36, 8, 4};
        int64_t rows = random_in(1, 20), heads = random_in(1, 5);
        int64_t half = i % 4 ? halves[i % 5] : random_in(1, 20);
        struct both x = TWIN(any_act(), rows, heads, 2 * half);
        struct both c = TWIN(ARR_F32, rows, half), s = TWIN(ARR_F32, rows, half);
        BOTH(t->rope(d, ON(x), ON(c), ON(s)));
        check_both(x, "rope");
        x = twin_of(x.cuda);
        BOTH(t->rope_pairs(d, ON(x), ON(c), ON(s)));
        check_both(x, "rope_pairs");
        x = twin_of(x.cuda);
        BOTH(t->back->rope(d, ON(x), ON(c), ON(s)));
        check_both(x, "rope, back");
        x = twin_of(x.cuda);
        BOTH(t->back->rope_pairs(d, ON(x), ON(c), ON(s)));
        check_both(x, "rope_pairs, back");
        pool_free();
    }
}

/* As many rows as are one tile of a page, and some more; their places follow each other
 * or not. */
static void pages_hold_what_was_written(void)
{
    enum { PAGES = 4, MOST = 70 };
    for (int i = 0; i < 16; i++) {
        enum arr_type act = any_act();
        int64_t rows = random_in(1, MOST), heads = random_in(1, 3);
        int64_t dim = i % 2 ? random_in(1, 90) : 8 * random_in(1, 16);
        int32_t slot[MOST];
        for (int r = 0; r < MOST; r++)
            slot[r] = (r * (i % 3 ? 1 : 37) + 20) % (PAGES * KV_PAGE);
        struct arr slots = integers(rows, slot);
        struct both key = TWIN(act, rows, heads, dim), v = TWIN(act, rows, heads, dim);
        struct both keys = twin_of(filled(MAKE(act, 0, PAGES, heads, dim, KV_PAGE)));
        struct both values = twin_of(filled(MAKE(act, 0, PAGES, heads, KV_PAGE, dim)));
        BOTH(t->kv_write(d, ON(keys), ON(values), ON(key), ON(v), slots));
        check_both(keys, "keys in pages");
        check_both(values, "values in pages");
        int from = (int)random_in(0, 1), places = (int)random_in(0, KV_PAGE);
        BOTH(t->kv_copy(d, ON(keys), ON(values), from, 2, places));
        check_both(keys, "keys in a copy");
        check_both(values, "values in a copy");
        BOTH(t->back->kv_copy(d, ON(keys), ON(values), from, 3, places));
        check_both(keys, "gradients of keys in a copy");
        check_both(values, "gradients of values in a copy");
        keys = twin_of(keys.cuda), values = twin_of(values.cuda);
        BOTH(t->back->kv_write(d, ON(key), ON(v), ON(keys), ON(values), slots));
        check_both(key, "gradients of keys");
        check_both(v, "gradients of values");
        check_both(keys, "gradients in pages, handed on");
        check_both(values, "gradients in pages, handed on");
        pool_free();
    }
}

/* The operations one by one, and all in one, of a table. */
static void prepare(const struct kernels *t, struct dev *d,
                    const struct attention_input *in, bool apart)
{
    if (!apart) {
        t->attention_input(d, in);
        return;
    }
    if (in->q_norm.data) {
        t->rmsnorm(d, in->q, in->q, in->q_norm, in->eps);
        t->rmsnorm(d, in->k, in->k, in->k_norm, in->eps);
    }
    (in->pairs ? t->rope_pairs : t->rope)(d, in->q, in->cos, in->sin);
    (in->pairs ? t->rope_pairs : t->rope)(d, in->k, in->cos, in->sin);
    t->kv_write(d, in->k_pages, in->v_pages, in->k, in->v, in->slot);
}

static void inputs_of_attention_are_their_operations_to_the_bit(void)
{
    enum { PAGES = 3, MOST = 45 };
    static const int64_t dims[] = {128, 64, 80, 8, 256, 96, 264, 72};
    for (int i = 0; i < 40; i++) {
        bool gpu = i % 4 != 0;
        enum arr_type act = gpu ? any_act() : ARR_F32;
        int64_t rows = random_in(1, MOST), kv_heads = random_in(1, 2);
        int64_t heads = kv_heads * random_in(1, 3);
        int64_t dim = i % 5 ? dims[random_in(0, 7)] : 2 * random_in(1, 40);
        const int64_t q[] = {rows, heads, dim}, key[] = {rows, kv_heads, dim};
        int32_t slot[MOST];
        for (int r = 0; r < MOST; r++)
            slot[r] = (r * (i % 3 ? 1 : 37) + 20) % (PAGES * KV_PAGE);
        struct attention_input in = {.q = placed(act, 3, q),
                                     .k = placed(act, 3, key),
                                     .v = placed(act, 3, key),
                                     .eps = 1e-6f,
                                     .pairs = random_bits() & 1,
                                     .slot = integers(rows, slot)};
        const int64_t half[] = {rows, dim / 2};
        in.cos = placed(ARR_F32, 2, half);
        in.sin = placed(ARR_F32, 2, half);
        in.k_pages = filled(MAKE(act, 0, PAGES, kv_heads, dim, KV_PAGE));
        in.v_pages = filled(MAKE(act, 0, PAGES, kv_heads, KV_PAGE, dim));
        if (random_bits() & 1) {
            in.q_norm = filled(MAKE(any_act(), 0, dim));
            in.k_norm = filled(MAKE(any_act(), 0, dim));
        }
        struct attention_input other = in;
        other.q = copied(in.q);
        other.k = copied(in.k);
        other.k_pages = copied(in.k_pages);
        other.v_pages = copied(in.v_pages);
        prepare(gpu ? k : cpu, gpu ? any_dev() : cpu_dev, &in, false);
        prepare(gpu ? k : cpu, gpu ? any_dev() : cpu_dev, &other, true);
        CHECK(same_bits(in.q, other.q), "queries of %lld, type %d", (long long)dim,
              (int)act);
        CHECK(same_bits(in.k_pages, other.k_pages), "keys of %lld, type %d",
              (long long)dim, (int)act);
        CHECK(same_bits(in.v_pages, other.v_pages), "values of %lld, type %d",
              (long long)dim, (int)act);
        pool_free();
    }
}

int main(void)
{
    const char *why = "";
    cpu = kernels_open("cpu", &why);
    if (!cpu || !(cpu_dev = device_of(cpu, "cpu", 1))) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    k = cuda_under_test();
    if (!k)
        return 1;
    for (int i = 0; i < DEVICES; i++) devs[i] = device_of(k, "cuda", 1);
    CASE(norms_are_rounded_once);
    CASE(norms_are_the_same_to_the_bit_wherever_they_lie);
    CASE(norms_have_rounded_gradients);
    CASE(elements_are_rounded_once);
    CASE(elements_have_rounded_gradients);
    CASE(rows_are_rounded_once);
    CASE(rotations_are_rounded_once);
    CASE(pages_hold_what_was_written);
    CASE(inputs_of_attention_are_their_operations_to_the_bit);
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
    cpu->close(cpu_dev);
    return check_end();
}
