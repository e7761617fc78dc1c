/* cuda-matmul-test: products of bf16 of the CUDA table, its kernels run by the host
 * (kernels/cuda/host/blocks.h): tensor cores' twins against the definition, products and
 * their gradients against sums in double precision, and the bits of rows against those
 * of the same rows computed alone. */
#include "backward.h"

#include "check.h"
#include "kernels-arrays.h"
#include "kernels-staged.h"

#include <stdio.h>

void fragments_product(float *d, const uint16_t *a, const uint16_t *b, int way);
int lt_host_products(void);

/* -- Arrays ----------------------------------------------------------------------------
 */

static uint16_t bf16_of(double x)
{
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Memory at a multiple of 16, so that numbers are copied 16 bytes at a time if rows and
 * gaps are multiples of 8 as well; bytes: all NaN. */
static struct arr aligned(enum arr_type type, int64_t rows, int64_t columns, int64_t gap)
{
    struct arr a = {.dev = devs[0], .type = type, .rank = 2, .shape = {rows, columns}};
    a.stride = columns + gap;
    size_t bytes = arr_type_bytes(type, rows * a.stride), whole = (bytes + 63) / 64 * 64;
    if (pooled == 256 || !(a.data = aligned_alloc(64, whole)))
        abort();
    pool[pooled++] = a.data;
    memset(a.data, 0xff, whole);
    return a;
}

/* The same elements in other memory, as far from 16 bytes and with gaps as a. */
static struct arr twin_of(struct arr a)
{
    size_t bytes = arr_type_bytes(a.type, (a.shape[0] - 1) * a.stride) +
                   arr_type_bytes(a.type, a.shape[1]);
    size_t shift = (uintptr_t)a.data % 16;
    char *data = aligned_alloc(64, (bytes + shift + 63) / 64 * 64);
    if (pooled == 256 || !data)
        abort();
    pool[pooled++] = data;
    memcpy(data + shift, a.data, bytes);
    a.data = data + shift;
    return a;
}

static bool equal(struct arr a, struct arr b)
{
    size_t bytes = arr_type_bytes(a.type, a.shape[1]);
    for (int64_t r = 0; r < a.shape[0]; r++)
        if (memcmp((char *)a.data + arr_type_bytes(a.type, r * a.stride),
                   (char *)b.data + arr_type_bytes(b.type, r * b.stride), bytes) != 0)
            return false;
    return true;
}

/* What lies between a's rows is as it was. */
static bool gaps_kept(struct arr a, struct arr was)
{
    size_t size = arr_type_size(a.type), gap = (size_t)(a.stride - a.shape[1]) * size;
    for (int64_t r = 0; r + 1 < a.shape[0]; r++) {
        size_t at = (size_t)(r * a.stride + a.shape[1]) * size;
        if (memcmp((char *)a.data + at, (char *)was.data + at, gap) != 0)
            return false;
    }
    return true;
}

/* As a product on tensor cores reads it. */
static double operand(struct arr a, int64_t r, int64_t i)
{
    uint32_t bits = (uint32_t)bf16_of(value(a, r, i)) << 16;
    float f;
    memcpy(&f, &bits, 4);
    return (double)f;
}

/* Any of what a caller may hand over: what can be copied at once, and what cannot. */
static struct arr any_matrix(enum arr_type type, int64_t rows, int64_t columns)
{
    int64_t kind = random_in(0, 3);
    if (kind == 0)
        return filled(MAKE(type, random_in(0, 3), rows, columns));
    return filled(aligned(type, rows, columns, kind == 1 ? 3 : kind * 8 - 16));
}

/* -- Tensor cores ----------------------------------------------------------------------
 */

static void fragments_are_rows_and_columns_of_the_definition(void)
{
    for (int i = 0; i < 4; i++) {
        struct arr a = filled(aligned(ARR_BF16, 16, 16, 0));
        struct arr b = filled(aligned(ARR_BF16, 16, 8, 0));
        struct arr was = filled(aligned(ARR_F32, 16, 8, 0)), d = twin_of(was);
        fragments_product(d.data, a.data, b.data, 0);
        for (int64_t r = 0; r < 16; r++)
            for (int64_t c = 0; c < 8; c++) {
                double sum = value(was, r, c);
                for (int64_t j = 0; j < 16; j++) sum += value(a, r, j) * value(b, j, c);
                CHECK(fabs(value(d, r, c) - sum) < 1e-6, "%d, %d", (int)r, (int)c);
            }
        for (int way = 1; way <= 2; way++) { /* out of shared memory */
            struct arr other = twin_of(was);
            fragments_product(other.data, a.data, b.data, way);
            CHECK(same_bits(other, d), "way %d", way);
        }
        pool_free();
    }
}

/* -- Products --------------------------------------------------------------------------
 */

struct product {
    struct arr y, x, w, bias;
    enum matmul_mode mode;
};
enum product_way { BY_PRODUCT, BY_GRADIENT_OF_X, BY_GRADIENT_OF_W };

/* Hold got to `sum`, where the terms' sizes add up to `size`. */
static void check_number(struct arr got, int64_t r, int64_t c, double sum, double size,
                         const char *what)
{
    double y = value(got, r, c), off = fabs(y - sum);
    double may = 1e-6 * size + (got.type == ARR_BF16 ? fabs(sum) / 256 : 0) + 1e-30;
    CHECK(off <= may, "%s: [%d,%d]: %g, not %g", what, (int)r, (int)c, y, sum);
}

static void check_product(const struct product *p, const char *what)
{
    struct arr y = twin_of(p->y);
    k->matmul(any_dev(), y, p->x, p->w, p->bias, p->mode);
    for (int64_t i = 0; i < y.shape[0]; i++)
        for (int64_t j = 0; j < y.shape[1]; j++) {
            double sum = p->bias.data ? value(p->bias, j, 0) : 0, size = fabs(sum);
            if (p->mode == MATMUL_ADD)
                sum += value(p->y, i, j), size += fabs(value(p->y, i, j));
            for (int64_t l = 0; l < p->x.shape[1]; l++) {
                double term = operand(p->x, i, l) * operand(p->w, j, l);
                sum += term, size += fabs(term);
            }
            check_number(y, i, j, sum, size, what);
        }
    CHECK(gaps_kept(y, p->y), "%s: between rows", what);
}

static struct product product_of(int64_t m, int64_t n, int64_t depth)
{
    static const enum arr_type types[] = {ARR_F32, ARR_BF16, ARR_F16, ARR_BF16};
    struct product p = {.mode = random_bits() & 1 ? MATMUL_ADD : MATMUL_SET};
    enum arr_type to = random_bits() & 1 ? ARR_F32 : ARR_BF16;
    p.x = any_matrix(to == ARR_BF16 && random_bits() % 4 == 0 ? ARR_F32 : ARR_BF16, m,
                     depth); /* one of both in bf16 is enough */
    p.y = any_matrix(to, m, n);
    p.w = any_matrix(types[random_in(0, 3)], n, depth);
    p.bias = random_bits() & 1 ? filled(MAKE(types[random_in(0, 2)], 0, n)) : arr_none();
    return p;
}

static void products_are_the_sums_of_products(void)
{
    static const int64_t depths[] = {8,  16,  1,   64,  7,    72, 128,
                                     33, 200, 512, 320, 1032, 521};
    enum { DEPTHS = sizeof depths / sizeof *depths };
    for (int i = 0; i < 3 * DEPTHS; i++) {
        int64_t m = i % 3 == 0 ? random_in(1, 16) : random_in(1, i % 3 == 1 ? 64 : 150);
        struct product p = product_of(m, random_in(1, 150), depths[i % DEPTHS]);
        check_product(&p, "product");
        pool_free();
    }
    for (int i = 0; i < 6; i++) { /* weights that are turned to bf16 in parts */
        struct product p = product_of(i % 2 ? 9 : 70, 600, 72);
        p.w = any_matrix(i < 3 ? ARR_F32 : ARR_F16, 600, 72);
        check_product(&p, "parts");
        pool_free();
    }
    /* enough tiles for the large ones */
    struct product p = product_of(1400, 1410, 40);
    check_product(&p, "large tiles");
    pool_free();
}

/* Rows in groups of any size, columns cut anywhere, have the bits of the whole. */
static void check_pieces(const struct product *p, struct arr whole, int64_t most_rows,
                         int64_t most_columns)
{
    struct arr y = twin_of(p->y);
    int64_t m = y.shape[0], n = y.shape[1], rows, columns;
    for (int64_t i = 0; i < m; i += rows) {
        rows = most_rows > 1 ? random_in(1, most_rows) : 1;
        rows = rows < m - i ? rows : m - i;
        for (int64_t j = 0; j < n; j += columns) {
            columns = most_columns < n ? random_in(1, most_columns) : n;
            columns = columns < n - j ? columns : n - j;
            k->matmul(any_dev(), arr_columns(arr_rows(y, i, rows), j, columns),
                      arr_rows(p->x, i, rows), arr_rows(p->w, j, columns),
                      p->bias.data ? arr_rows(p->bias, j, columns) : p->bias, p->mode);
        }
    }
    CHECK(equal(y, whole), "pieces of %d rows, %d columns of [%d,%d]x%d, w %s",
          (int)most_rows, (int)most_columns, (int)m, (int)n, (int)p->x.shape[1],
          arr_type_name(p->w.type));
}

static void rows_have_the_same_bits_alone_and_among_others(void)
{
    static const int64_t most[][3] = {{200, 40, 1100}, {150, 140, 300}, {70, 30, 7000}};
    for (int i = 0; i < 9; i++) {
        const int64_t *s = most[i % 3];
        int64_t n = random_in(1, s[1]), depth = random_in(1, s[2]);
        struct product p = product_of(i < 3 ? s[0] : random_in(1, s[0]), n, depth);
        struct arr whole = twin_of(p.y);
        k->matmul(devs[0], whole, p.x, p.w, p.bias, p.mode);
        check_pieces(&p, whole, 1, n);
        check_pieces(&p, whole, 20, n);
        check_pieces(&p, whole, 150, 50);
        pool_free();
    }
    for (int64_t m = 1; m <= 200;
         m += m < 70 ? 3 : 11) { /* all ways, and what is between */
        struct product p = product_of(m, 24, 264);
        struct arr whole = twin_of(p.y);
        k->matmul(devs[0], whole, p.x, p.w, p.bias, p.mode);
        check_pieces(&p, whole, 1, 24);
        pool_free();
    }
}

/* Threads in any order, and their copies as late or as early as may be: a barrier that is
 * missing, or comes too late, shows as other bits. */
static void check_orders(const struct product *p, enum product_way way)
{
    static const char *const orders[] = {"up", "down", "37", "101"};
    struct arr first = twin_of(p->y);
    for (int i = 0; i < 8; i++) {
        struct arr y = i ? twin_of(p->y) : first;
        setenv("CUDA_HOST_ORDER", orders[i % 4], 1);
        setenv("CUDA_HOST_COPIES", i < 4 ? "late" : "early", 1);
        if (way == BY_PRODUCT)
            k->matmul(devs[1], y, p->x, p->w, p->bias, p->mode);
        else if (way == BY_GRADIENT_OF_X)
            k->back->matmul_x(devs[1], y, p->x, p->w, GRAD_ADD);
        else
            k->back->matmul_w(devs[1], y, arr_none(), p->x, p->w);
        CHECK(equal(y, first), "%s, copies %s: [%d,%d]x%d, w %s, way %d", orders[i % 4],
              i < 4 ? "late" : "early", (int)y.shape[0], (int)y.shape[1],
              (int)p->x.shape[1], arr_type_name(p->w.type), way);
    }
    unsetenv("CUDA_HOST_ORDER");
    unsetenv("CUDA_HOST_COPIES");
}

/* -- Weights in blocks -----------------------------------------------------------------
 */

/* Random blocks; where a block has its f16 factors. */
static const struct {
    enum arr_type type;
    int factor[2]; /* -1: none */
} formats[] = {{ARR_Q4_0, {0, -1}},   {ARR_Q4_1, {0, 2}},    {ARR_Q5_0, {0, -1}},
               {ARR_Q5_1, {0, 2}},    {ARR_Q8_0, {0, -1}},   {ARR_Q2_K, {80, 82}},
               {ARR_Q3_K, {108, -1}}, {ARR_Q4_K, {0, 2}},    {ARR_Q5_K, {0, 2}},
               {ARR_Q6_K, {208, -1}}, {ARR_IQ4_NL, {0, -1}}, {ARR_IQ4_XS, {0, -1}}};
enum { FORMATS = sizeof formats / sizeof *formats, Q8_0 = 4, Q4_K = 7, Q6_K = 9 };

/* shift: bytes from a multiple of 64. */
static struct arr blocks(int f, int64_t rows, int64_t columns, size_t shift)
{
    enum arr_type type = formats[f].type;
    size_t size = arr_type_size(type), bytes = arr_type_bytes(type, rows * columns);
    struct arr a = aligned(ARR_U8, 1, (int64_t)(bytes + shift), 0);
    uint8_t *p = (uint8_t *)a.data + shift;
    for (size_t i = 0; i < bytes; i++) p[i] = (uint8_t)random_bits();
    for (size_t b = 0; b < bytes; b += size)
        for (int i = 0; i < 2 && formats[f].factor[i] >= 0; i++) {
            uint16_t h = (uint16_t)((random_bits() & 0x83ff) | random_in(1, 12) << 10);
            memcpy(p + b + formats[f].factor[i], &h, 2);
        }
    a.data = p;
    a.type = type;
    a.shape[0] = rows;
    a.stride = a.shape[1] = columns;
    return a;
}

/* The floats that they stand for, in bf16. */
static struct arr turned(struct arr w)
{
    int64_t n = w.shape[0], columns = w.shape[1];
    struct arr floats = aligned(ARR_F32, n, columns, 0);
    struct arr to = aligned(ARR_BF16, n, columns, 0);
    int32_t *index = malloc(sizeof *index * (size_t)n);
    for (int64_t i = 0; i < n; i++) index[i] = (int32_t)i;
    k->gather(devs[0], floats, w, integers(n, index));
    free(index);
    for (int64_t i = 0; i < n * columns; i++)
        ((uint16_t *)to.data)[i] = bf16_of((double)((float *)floats.data)[i]);
    return to;
}

static void check_blocks(int f, int64_t m, int64_t n, int64_t depth, size_t shift)
{
    struct arr w = blocks(f, n, depth, shift);
    struct product p = product_of(m, n, depth), q;
    p.w = w, q = p, q.w = turned(w);
    struct arr y = twin_of(p.y), want = twin_of(p.y);
    k->matmul(devs[0], y, p.x, p.w, p.bias, p.mode);
    k->matmul(devs[0], want, q.x, q.w, q.bias, q.mode);
    CHECK(equal(y, want), "%s: [%d,%d]x%d", arr_type_name(w.type), (int)m, (int)n,
          (int)depth);
    check_product(&q, "blocks' numbers");
    pool_free();
}

static void blocks_have_the_bits_of_their_numbers_in_bf16(void)
{
    for (int i = 0; i < 8 * FORMATS; i++) {
        int f = i % FORMATS;
        int64_t block = arr_type_block(formats[f].type), m = i / FORMATS % 2 ? 8 : 1;
        if (i / FORMATS >= 2)
            m = i / FORMATS >= 5 ? random_in(65, 90) : random_in(1, 64);
        int64_t depth = block * random_in(1, 1400 / block), n = random_in(1, 50);
        /* at any address, and where it is read in words */
        check_blocks(f, m, n, depth, (size_t[]){0, 16, 32, 2, 1, 3, 0, 2}[i / FORMATS]);
    }
    for (int i = 0; i < 3 * FORMATS; i++) /* long strips */
        check_blocks(i % FORMATS, random_in(1, i < 2 * FORMATS ? 8 : 64),
                     random_in(1, 20), 256 * random_in(9, 45), 0);
}

static void no_order_of_threads_and_copies_changes_a_bit(void)
{
    static const int64_t rows[] = {3, 12, 30, 60, 90}; /* each with a kernel of its own */
    for (int i = 0; i < 5; i++) {
        struct product p = product_of(rows[i], 40, 1160);
        p.x = filled(aligned(ARR_BF16, rows[i], 1160, 0));
        p.w = filled(aligned(ARR_BF16, 40, 1160, 0));
        check_orders(&p, BY_PRODUCT);
        pool_free();
    }
    static const int formats_read_ahead[] = {Q8_0, Q4_K, Q6_K};
    for (int i = 0; i < 5; i++) {
        struct product p = product_of(5, 40, 2816);
        p.x = filled(aligned(ARR_BF16, 5, 2816, 0));
        p.w = i < 3 ? blocks(formats_read_ahead[i], 40, 2816, 0)
                    : filled(aligned(i == 3 ? ARR_F16 : ARR_F32, 40, 2816, 0));
        check_orders(&p, BY_PRODUCT);
        pool_free();
    }
    /* dx [70, 136] = dy [70, 264] w; dw [264, 136] = dy^T x [70, 136] */
    struct arr dy = filled(aligned(ARR_BF16, 70, 264, 0));
    struct product x = {.y = filled(aligned(ARR_F32, 70, 136, 0)),
                        .x = dy,
                        .w = filled(aligned(ARR_BF16, 264, 136, 0))};
    struct product w = {.y = filled(aligned(ARR_F32, 264, 136, 0)),
                        .x = dy,
                        .w = filled(aligned(ARR_BF16, 70, 136, 0))};
    check_orders(&x, BY_GRADIENT_OF_X);
    check_orders(&w, BY_GRADIENT_OF_W);
    pool_free();
}

/* Several weights at once: of sizes and types that one grid takes, and of others. */
static void products_of_one_x_have_the_bits_of_each_alone(void)
{
    for (int i = 0; i < 60; i++) {
        int64_t m = random_in(1, i % 4 ? 64 : 80), depth = 8 * random_in(1, 60);
        if (i % 4 == 1)
            m = random_in(1, 9), depth = 256 * random_in(1, 5);
        int count = (int)random_in(1, MATMUL_PARTS), f = i % 8 == 1 ? Q8_0 : Q4_K;
        struct matmul_part parts[MATMUL_PARTS];
        struct product p = product_of(m, 8, depth);
        struct arr want[MATMUL_PARTS], x = p.x;
        for (int j = 0; j < count; j++) {
            p = product_of(m, random_in(1, 70), depth);
            if (i % 4 < 3) /* as weights lie in fact */
                p.w = filled(aligned(ARR_BF16, p.w.shape[0], depth, 0));
            if (i % 4 < 3 && j == 0)
                x = filled(aligned(ARR_BF16, m, depth, 8));
            if (i % 4 == 1) /* in blocks, the last perhaps others */
                p.w = blocks(i % 12 == 1 && j == 2 ? Q6_K : f, p.w.shape[0], depth, 0);
            if (x.type == ARR_F32)
                p.y = filled(aligned(ARR_BF16, m, p.w.shape[0], 3));
            want[j] = twin_of(p.y);
            k->matmul(any_dev(), want[j], x, p.w, p.bias, MATMUL_SET);
            parts[j] = (struct matmul_part){p.y, p.w, p.bias};
        }
        k->matmuls(any_dev(), parts, count, x);
        for (int j = 0; j < count; j++)
            CHECK(equal(parts[j].y, want[j]), "part %d of %d: [%d,%d]x%d", j, count,
                  (int)m, (int)parts[j].y.shape[1], (int)depth);
        pool_free();
    }
}

/* -- Gradients -------------------------------------------------------------------------
 */

static enum arr_type f32_or_bf16(void)
{
    return random_bits() & 1 ? ARR_F32 : ARR_BF16;
}

static void check_gradient_of_x(struct arr dy, struct arr w, bool set)
{
    int64_t m = dy.shape[0], n = dy.shape[1], depth = w.shape[1];
    struct arr dx = any_matrix(dy.type == ARR_F32 ? ARR_BF16 : f32_or_bf16(), m, depth);
    struct arr was = twin_of(dx);
    k->back->matmul_x(any_dev(), dx, dy, w, set ? GRAD_SET : GRAD_ADD);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < depth; j++) {
            double sum = set ? 0 : value(was, i, j), size = fabs(sum);
            for (int64_t l = 0; l < n; l++) {
                double term = operand(dy, i, l) * operand(w, l, j);
                sum += term, size += fabs(term);
            }
            check_number(dx, i, j, sum, size, "dx");
        }
    CHECK(gaps_kept(dx, was), "dx: between rows");
}

static void check_gradient_of_w(struct arr dy, struct arr x)
{
    int64_t m = dy.shape[0], n = dy.shape[1], depth = x.shape[1];
    struct arr dw = any_matrix(ARR_F32, n, depth), db = filled(MAKE(ARR_F32, 0, n));
    struct arr was = twin_of(dw), bias = copied(db);
    k->back->matmul_w(any_dev(), dw, db, dy, x);
    for (int64_t i = 0; i < n; i++) {
        double all = value(bias, i, 0), most = fabs(all);
        for (int64_t l = 0; l < m; l++) all += value(dy, l, i), most += 1;
        check_number(db, i, 0, all, most, "db");
        for (int64_t j = 0; j < depth; j++) {
            double sum = value(was, i, j), size = fabs(sum);
            for (int64_t l = 0; l < m; l++) {
                double term = operand(dy, l, i) * operand(x, l, j);
                sum += term, size += fabs(term);
            }
            check_number(dw, i, j, sum, size, "dw");
        }
    }
    CHECK(gaps_kept(dw, was), "dw: between rows");
}

static void gradients_are_the_sums_of_products(void)
{
    static const enum arr_type types[] = {ARR_BF16, ARR_F32, ARR_F16};
    for (int i = 0; i < 24; i++) {
        int64_t m = random_in(1, 150), n = random_in(1, 150), depth = random_in(1, 200);
        if (i % 2) /* what needs no copies */
            n = (n + 7) / 8 * 8, depth = (depth + 7) / 8 * 8;
        struct arr dy = any_matrix(f32_or_bf16(), m, n);
        struct arr w = any_matrix(types[i % 3], n, depth);
        check_gradient_of_x(dy, w, i % 4 < 2);
        check_gradient_of_w(dy, any_matrix(ARR_BF16, m, depth));
        pool_free();
    }
    for (int i = 0; i < 4; i++) { /* in parts */
        struct arr dy = any_matrix(ARR_F32, 9, 70);
        check_gradient_of_x(dy, any_matrix(types[i % 3], 70, 600), i % 2);
        check_gradient_of_w(any_matrix(ARR_BF16, 70, 9), any_matrix(ARR_F32, 70, 600));
        pool_free();
    }
}

/* -- cuBLASLt --------------------------------------------------------------------------
 */

static bool on_host; /* the kernels are run by the host */

static struct dev *opened(bool batch_variant)
{
    const struct dev_options o = {.threads = 1, .batch_variant = batch_variant};
    const char *why = "";
    struct dev *d = k->open("cuda", &o, &why);
    if (!d) {
        fprintf(stderr, "cuda-matmul-test: %s\n", why);
        exit(1);
    }
    return d;
}

static void every_device_wants_cublaslt(bool wanted)
{
    for (int i = 0; i < DEVICES; i++) { /* the first has less shared memory */
        if (devs[i])
            k->close(devs[i]);
        setenv("CUDA_HOST_CAPABILITY", i == 0 ? "86" : "90", 1);
        devs[i] = opened(wanted);
    }
}

static void cublaslt_is_told_what_a_product_is(void)
{
    every_device_wants_cublaslt(true);
    for (int i = 0; i < 30; i++) {
        int64_t m = random_in(1, 90), n = random_in(1, 100), depth = random_in(1, 200);
        struct product p = product_of(m, n, depth);
        if (i % 2) { /* what needs no copies */
            n = (n + 7) / 8 * 8, depth = (depth + 7) / 8 * 8;
            p = product_of(m, n, depth);
            p.w = filled(aligned(ARR_BF16, n, depth, 8));
            p.y = filled(aligned(p.y.type, m, n, 0));
        }
        int before = lt_host_products();
        check_product(&p, "product by cuBLASLt");
        bool may = !p.bias.data || p.y.type == ARR_F32 || p.bias.type == ARR_BF16;
        CHECK(!on_host || i % 2 == 0 || lt_host_products() - before == (m > 8 && may),
              "who did it");
        struct arr dy = any_matrix(f32_or_bf16(), m, n);
        check_gradient_of_x(dy, p.w, i % 4 < 2);
        check_gradient_of_w(dy, any_matrix(ARR_BF16, m, depth));
        pool_free();
    }
    CHECK(!on_host || lt_host_products() >= 20, "%d products", lt_host_products());
    every_device_wants_cublaslt(false);
}

static void without_cublaslt_own_kernels_do(void)
{
    struct product p = product_of(80, 40, 72);
    p.x = filled(aligned(ARR_BF16, 80, 72, 0));
    p.w = filled(aligned(ARR_BF16, 40, 72, 0));
    p.y = filled(aligned(ARR_F32, 80, 40, 0));
    struct arr want = twin_of(p.y);
    k->matmul(devs[0], want, p.x, p.w, p.bias, p.mode);
    for (int there = 0; there <= 1; there++) {
        struct dev *d = opened(true);
        int before = lt_host_products();
        setenv("CUDA_HOST_CUBLASLT", there ? "1" : "0", 1);
        for (int i = 0; i < 2; i++) {
            struct arr y = twin_of(p.y);
            k->matmul(d, y, p.x, p.w, p.bias, p.mode);
            CHECK(there || equal(y, want), "other bits");
        }
        CHECK(lt_host_products() - before == 2 * there, "who computed");
        k->close(d);
    }
    unsetenv("CUDA_HOST_CUBLASLT");
    pool_free();
}

/* Its workspace is the library's for good, though a recording was what first wanted it.
 */
static void cublaslt_may_be_opened_by_work_that_is_recorded(void)
{
    struct dev *d = opened(true);
    struct product p = product_of(80, 40, 72);
    const char *why = "";
    p.x = filled(aligned(ARR_BF16, 80, 72, 0));
    p.w = filled(aligned(ARR_BF16, 40, 72, 0));
    p.y = filled(aligned(ARR_F32, 80, 40, 0));
    p.bias = arr_none();
    p.mode = MATMUL_SET;
    struct arr recorded = twin_of(p.y), y = twin_of(p.y);
    NEED(k->record(d), "not recorded");
    k->matmul(d, recorded, p.x, p.w, p.bias, p.mode);
    struct recording *r = k->recorded(d);
    NEED(r, "not recorded");
    k->replay(d, r);
    k->forget(d, r);
    k->matmul(d, y, p.x, p.w, p.bias, p.mode);
    CHECK(k->sync(d, &why) == 0, "%s", why);
    CHECK(equal(y, recorded), "other bits");
    k->close(d);
    pool_free();
}

int main(void)
{
    k = cuda_under_test();
    on_host = k == &cuda_table;
    every_device_wants_cublaslt(false);
    CASE(fragments_are_rows_and_columns_of_the_definition);
    CASE(products_are_the_sums_of_products);
    CASE(rows_have_the_same_bits_alone_and_among_others);
    CASE(products_of_one_x_have_the_bits_of_each_alone);
    CASE(blocks_have_the_bits_of_their_numbers_in_bf16);
    CASE(gradients_are_the_sums_of_products);
    CASE(no_order_of_threads_and_copies_changes_a_bit);
    CASE(cublaslt_is_told_what_a_product_is);
    if (on_host) {
        CASE(without_cublaslt_own_kernels_do);
        CASE(cublaslt_may_be_opened_by_work_that_is_recorded);
    }
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
    return check_end();
}
