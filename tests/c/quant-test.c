/* quant-test: weights in blocks against the floats that the reference reads in them, and
 * products with them against products with those floats: equal bits, whatever the rows
 * of x, the threads and the columns. */
#include "kernels.h"

#include "check.h"
#include "device.h"
#include "golden.h"
#include "kernels-staged.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 8, COLUMNS = 512, X_ROWS = 11, DEVICES = 3 };

static const struct kernels *k;   /* the table under test */
static struct dev *devs[DEVICES]; /* of 1, 2 and 3 threads */

static const struct {
    enum arr_type type;
    const char *name;
} types[] = {{ARR_BF16, "BF16"},     {ARR_F16, "F16"},      {ARR_Q4_0, "Q4_0"},
             {ARR_Q4_1, "Q4_1"},     {ARR_Q5_0, "Q5_0"},    {ARR_Q5_1, "Q5_1"},
             {ARR_Q8_0, "Q8_0"},     {ARR_Q2_K, "Q2_K"},    {ARR_Q3_K, "Q3_K"},
             {ARR_Q4_K, "Q4_K"},     {ARR_Q5_K, "Q5_K"},    {ARR_Q6_K, "Q6_K"},
             {ARR_IQ4_NL, "IQ4_NL"}, {ARR_IQ4_XS, "IQ4_XS"}};
enum { TYPES = sizeof types / sizeof *types };

static struct arr over(void *data, enum arr_type type, int64_t rows, int64_t columns)
{
    return (struct arr){.data = data,
                        .type = type,
                        .rank = 2,
                        .shape = {rows, columns},
                        .stride = columns};
}

/* Bits as they are, but any NaN is a NaN, and a zero is a zero. */
static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || a == b || (a != a && b != b);
}

/* Rows gathered in reverse are the reference's floats. */
static void gathers(struct arr w, const float *want, const char *what)
{
    int64_t columns = w.shape[1];
    int32_t *index = malloc(sizeof *index * (size_t)w.shape[0]);
    float *y = malloc(sizeof *y * (size_t)(w.shape[0] * columns));
    NEED(index && y, "memory");
    for (int64_t r = 0; r < w.shape[0]; r++) index[r] = (int32_t)(w.shape[0] - 1 - r);
    struct arr rows = {
        .data = index, .type = ARR_I32, .rank = 1, .shape = {w.shape[0]}, .stride = 1};
    k->gather(devs[1], over(y, ARR_F32, w.shape[0], columns), w, rows);
    for (int64_t r = 0; r < w.shape[0]; r++)
        for (int64_t i = 0; i < columns; i++) {
            float got = y[r * columns + i], right = want[index[r] * columns + i];
            CHECK(same(got, right), "%s: row %d, column %d: %a, not %a", what, index[r],
                  (int)i, (double)got, (double)right);
        }
    free(index);
    free(y);
}

/* One golden pair: raw bytes and floats; 1, or 0 if it is not there (the reference has
 * no quantiser for every type). They are copied to exact allocations, so that a sanitizer
 * sees a step too far; blocks to an odd address, numbers to one of their own size. */
static int golden_pair(int t, const char *file, const char *raw, const char *floats)
{
    struct golden_tensor bytes, want;
    char what[64];
    if (!golden_tensor_read(&bytes, file, raw))
        return 0;
    if (!golden_tensor_read(&want, file, floats))
        return golden_tensor_free(&bytes), 0;
    int64_t columns = want.shape[1], rows = want.shape[0];
    size_t size = arr_type_bytes(types[t].type, rows * columns);
    size_t shift = arr_type_block(types[t].type) > 1 ? 1 : arr_type_size(types[t].type);
    char *at = malloc(size + shift);
    if (!at || (size_t)bytes.count != size)
        return 0;
    memcpy(at + shift, bytes.data, size);
    snprintf(what, sizeof what, "%s %s", types[t].name, raw);
    gathers(over(at + shift, types[t].type, rows, columns), want.f32, what);
    free(at);
    golden_tensor_free(&bytes);
    golden_tensor_free(&want);
    return 1;
}

static const char *type_file(int t)
{
    char name[64];
    snprintf(name, sizeof name, "goldens2/gguf/types/%s.safetensors", types[t].name);
    return golden_path(name);
}

static void blocks_are_the_floats_that_the_reference_reads(void)
{
    for (int t = 0; t < TYPES; t++) {
        NEED(type_file(t), "%s: no reference data", types[t].name);
        int pairs = golden_pair(t, type_file(t), "raw", "dequant") +
                    golden_pair(t, type_file(t), "random_raw", "random_dequant");
        CHECK(pairs >= 1, "%s: nothing to compare", types[t].name);
    }
}

/* -- Products -------------------------------------------------------------------------
 */

static float x_values[X_ROWS * COLUMNS];

static void x_fill(void)
{
    uint32_t state = 1;
    for (int i = 0; i < X_ROWS * COLUMNS; i++) {
        state = state * 1664525 + 1013904223;
        x_values[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
}

/* y = x w^T over rows [first, first + m) of x, from blocks and from floats. */
static void product_same(struct arr w, struct arr floats, int first, int m, int device,
                         enum matmul_mode mode, const char *name)
{
    float y[2][X_ROWS * ROWS], bias[ROWS];
    int64_t n = w.shape[0], depth = w.shape[1];
    struct arr b = {.data = bias, .type = ARR_F32, .rank = 1, .shape = {n}, .stride = 1};
    struct arr x = over(x_values + first * depth, ARR_F32, m, depth);
    for (int i = 0; i < ROWS; i++) bias[i] = (float)i / 3;
    for (int i = 0; i < X_ROWS * ROWS; i++) y[0][i] = y[1][i] = (float)i / 7;
    k->matmul(devs[device], over(y[0], ARR_F32, m, n), x, w, b, mode);
    k->matmul(devs[0], over(y[1], ARR_F32, m, n), x, floats, b, mode);
    for (int64_t i = 0; i < m * n; i++)
        CHECK(same(y[0][i], y[1][i]), "%s: %d rows from %d, %d threads: %d: %a, not %a",
              name, m, first, device + 1, (int)i, (double)y[0][i], (double)y[1][i]);
}

static void products_of(enum arr_type type, const char *name, const char *raw,
                        float *floats, int64_t n, int64_t depth)
{
    /* The same data as rows of another length: the file's layout has no row marks. */
    struct arr w = over((char *)(uintptr_t)raw, type, n, depth);
    struct arr f = over(floats, ARR_F32, n, depth);
    for (int m = 1; m <= X_ROWS; m++)
        for (int device = 0; device < DEVICES; device++)
            product_same(w, f, 0, m, device, m % 2 ? MATMUL_SET : MATMUL_ADD, name);
    for (int first = 0; first < X_ROWS; first++)
        product_same(w, f, first, 1, 0, MATMUL_SET, name);
}

/* Enough rows of both for the way that packs them. */
static void many_products_same(enum arr_type type, const char *name, const char *raw,
                               float *floats)
{
    enum { DEPTH = 32, N = 50, M = 260, APART = 16 }; /* rows of x overlap */
    static float y[2][M * N];
    struct arr x = over(x_values, ARR_F32, M, DEPTH);
    x.stride = APART;
    for (int device = 0; device < DEVICES; device++) {
        k->matmul(devs[device], over(y[0], ARR_F32, M, N), x,
                  over((char *)(uintptr_t)raw, type, N, DEPTH), arr_none(), MATMUL_SET);
        for (int i = 0; i < M; i++) /* a row alone */
            k->matmul(devs[0], over(y[1] + i * N, ARR_F32, 1, N),
                      over(x_values + i * APART, ARR_F32, 1, DEPTH),
                      over(floats, ARR_F32, N, DEPTH), arr_none(), MATMUL_SET);
        for (int i = 0; i < M * N; i++)
            CHECK(same(y[0][i], y[1][i]), "%s: many rows, %d threads: %d: %a, not %a",
                  name, device + 1, i, (double)y[0][i], (double)y[1][i]);
    }
}

static void products_have_the_bits_of_products_with_floats(void)
{
    x_fill();
    for (int t = 0; t < TYPES; t++) {
        struct golden_tensor raw, floats;
        if (arr_type_block(types[t].type) == 1)
            continue;
        NEED(type_file(t) && golden_tensor_read(&raw, type_file(t), "random_raw") &&
                 golden_tensor_read(&floats, type_file(t), "random_dequant"),
             "%s: no reference data", types[t].name);
        /* Rows of 512, of 256, and of one small block and five. */
        int block = arr_type_block(types[t].type);
        for (int64_t n = 1; n <= ROWS; n++)
            products_of(types[t].type, types[t].name, raw.data, floats.f32, n, COLUMNS);
        products_of(types[t].type, types[t].name, raw.data, floats.f32, 7, 256);
        if (block <= 32) {
            products_of(types[t].type, types[t].name, raw.data, floats.f32, 5, 32);
            products_of(types[t].type, types[t].name, raw.data, floats.f32, 6, 352);
            many_products_same(types[t].type, types[t].name, raw.data, floats.f32);
        }
        golden_tensor_free(&raw);
        golden_tensor_free(&floats);
    }
}

static void table(const char *isa)
{
    const char *why = "";
    setenv("CAPMILL_ISA", isa, 1);
    k = strcmp(isa, "cuda") == 0 ? cuda_under_test() : kernels_open("cpu", &why);
    if (!k) {
        printf("ok # skip %s: %s\n", isa, why);
        return;
    }
    for (int i = 0; i < DEVICES; i++) devs[i] = device_of(k, "cpu", i + 1);
    blocks_are_the_floats_that_the_reference_reads();
    char name[96];
    snprintf(name, sizeof name, "%s_blocks_are_the_floats_that_the_reference_reads", isa);
    check_report(name);
    products_have_the_bits_of_products_with_floats();
    snprintf(name, sizeof name, "%s_products_have_the_bits_of_products_with_floats", isa);
    check_report(name);
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
}

int main(void)
{
    table("plain");
    table("avx2");
    table("cuda");
    return check_end();
}
