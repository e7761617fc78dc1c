/* kernels-test: each operation of each table against sums in double precision, and its
 * bits against those of the same rows computed alone, in other groups and by other
 * threads. */
#include "kernels.h"

#include "check.h"
#include "device.h"
#include "kernels-arrays.h"
#include "kernels-staged.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static bool on_cuda; /* table k is CUDA's */

/* -- Opening and memory ----------------------------------------------------------------
 */

static void an_instruction_set_is_forced_by_name_or_refused(void)
{
    const char *why = NULL;
    const struct kernels *found;
    setenv("CAPMILL_ISA", "plain", 1);
    found = kernels_open("cpu", &why);
    CHECK(found && strcmp(found->name, "cpu plain") == 0, "%s", why ? why : "");
    setenv("CAPMILL_ISA", "sse9", 1);
    why = NULL;
    CHECK(!kernels_open("cpu", &why) && why && strstr(why, "CAPMILL_ISA"), "no reason");
    setenv("CAPMILL_ISA", "avx2", 1);
    why = NULL;
    found = kernels_open("cpu", &why);
    CHECK(found ? strcmp(found->name, "cpu avx2") == 0 : why != NULL, "neither");
    unsetenv("CAPMILL_ISA");
    why = NULL;
    CHECK(kernels_open("cpu", &why) != NULL, "%s", why ? why : "");
    CHECK(!kernels_open("toaster", &why) && why, "a device that is not there opened");
}

static void memory_is_aligned_and_copies_come_back(void)
{
    const size_t sizes[] = {0, 1, 100, 4096, (1 << 20) - 1, 1 << 20, 3 << 20};
    struct dev *d = devs[0];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = k->alloc(d, sizes[i]);
        NEED(p && (uintptr_t)p % 64 == 0, "%zu bytes at %p", sizes[i], (void *)p);
        if (sizes[i] && !on_cuda)
            p[0] = 1, p[sizes[i] - 1] = 2;
        k->release(d, p, sizes[i]);
    }
    if (!on_cuda) { /* costs what is touched */
        char *huge = k->alloc(d, (size_t)1 << 36);
        NEED(huge, "64 GiB of untouched memory");
        huge[(size_t)1 << 35] = 1;
        k->release(d, huge, (size_t)1 << 36);
    }
    float host[6] = {1, 2, 3, 4, 5, 6}, back[6] = {0};
    struct arr a = MAKE(ARR_F32, 0, 2, 3);
    const char *why = NULL;
    k->upload(d, a, host);
    k->download(d, back, a);
    CHECK(memcmp(host, back, sizeof host) == 0, "%g", (double)back[0]);
    void *view = k->adopt(d, host, sizeof host);
    CHECK(on_cuda || view == host, "a copy on the CPU");
    k->disown(d, view, sizeof host);
    CHECK(k->sync(d, &why) == 0, "%s", why ? why : "");
}

/* -- Products --------------------------------------------------------------------------
 */

struct product {
    struct arr y, x, w, bias;
    enum matmul_mode mode;
};

static struct product product_of(int64_t m, int64_t n, int64_t depth)
{
    static const enum arr_type types[] = {ARR_F32, ARR_BF16, ARR_F16};
    struct product p = {.mode = random_bits() & 1 ? MATMUL_ADD : MATMUL_SET};
    p.x = filled(MAKE(ARR_F32, random_in(0, 1) * 3, m, depth));
    p.y = filled(MAKE(ARR_F32, random_in(0, 1) * 5, m, n));
    p.w = filled(MAKE(types[random_in(0, 2)], random_in(0, 1), n, depth));
    p.bias = random_bits() & 1 ? filled(MAKE(types[random_in(0, 2)], 0, n)) : arr_none();
    return p;
}

static double bias_at(struct arr bias, int64_t j)
{
    return bias.data ? value(bias, j, 0) : 0;
}

static void check_product(const struct product *p)
{
    struct arr y = copied(p->y);
    int64_t m = p->x.shape[0], n = p->w.shape[0], depth = p->w.shape[1];
    k->matmul(any_dev(), y, p->x, p->w, p->bias, p->mode);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = bias_at(p->bias, j), size = fabs(sum);
            if (p->mode == MATMUL_ADD)
                sum += (double)at(p->y, i)[j], size += 1;
            for (int64_t l = 0; l < depth; l++) {
                double term = (double)at(p->x, i)[l] * value(p->w, j, l);
                sum += term, size += fabs(term);
            }
            double off = fabs((double)at(y, i)[j] - sum);
            CHECK(off <= 4e-7 * size + 1e-30,
                  "[%lld,%lld]x%lld type %d at %lld,%lld: off by %g", (long long)m,
                  (long long)n, (long long)depth, (int)p->w.type, (long long)i,
                  (long long)j, off);
        }
}

static const int64_t odd_depths[] = {1,  2,  7,   8,   9,   15,  16,
                                     33, 64, 100, 255, 300, 520, 1029};
enum { ODD_DEPTHS = sizeof odd_depths / sizeof *odd_depths };

static void matmul_is_the_sum_of_products(void)
{
    for (int i = 0; i < 60; i++) {
        struct product p =
            product_of(random_in(1, 40), random_in(1, 90), odd_depths[i % ODD_DEPTHS]);
        check_product(&p);
        pool_free();
    }
}

/* Compute p in pieces, rows of x and rows of w cut at random, and hold it to `whole`. */
static void check_pieces(const struct product *p, struct arr whole, int64_t most_rows,
                         int64_t most_columns)
{
    struct arr y = copied(p->y);
    int64_t m = y.shape[0], n = y.shape[1], rows, columns;
    for (int64_t i = 0; i < m; i += rows) {
        rows = random_in(1, most_rows);
        rows = rows < m - i ? rows : m - i;
        for (int64_t j = 0; j < n; j += columns) {
            columns = random_in(1, most_columns);
            columns = columns < n - j ? columns : n - j;
            k->matmul(any_dev(), arr_columns(arr_rows(y, i, rows), j, columns),
                      arr_rows(p->x, i, rows), arr_rows(p->w, j, columns),
                      p->bias.data ? arr_rows(p->bias, j, columns) : p->bias, p->mode);
        }
    }
    CHECK(same_bits(y, whole),
          "pieces of %lld rows, %lld columns of [%lld,%lld]x%lld type %d",
          (long long)most_rows, (long long)most_columns, (long long)m, (long long)n,
          (long long)p->w.shape[1], (int)p->w.type);
}

static void matmul_rows_have_the_same_bits_alone_and_among_others(void)
{
    static const int64_t shapes[][3] = {
        {512, 70, 97},  {130, 129, 1029}, {33, 300, 520},
        {7, 513, 2056}, {5, 1000, 333},   {96, 64, 4100},
        {3, 2, 8},      {260, 21, 4500},  {256, 1100, 1029}};
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i / 2];
        /* threads that take turns on the host are slow: smaller shapes, once each */
        if (on_cuda && (i % 2 || s[0] * s[1] * s[2] > 6000000))
            continue;
        struct product p = product_of(s[0], s[1], s[2]);
        struct arr whole = copied(p.y), y;
        k->matmul(devs[0], whole, p.x, p.w, p.bias, p.mode);
        for (int t = 1; t < DEVICES; t++) {
            y = copied(p.y);
            k->matmul(devs[t], y, p.x, p.w, p.bias, p.mode);
            CHECK(same_bits(y, whole), "%d threads differ, shape %zu", t + 1, i / 2);
        }
        check_pieces(&p, whole, 1, s[1]);
        check_pieces(&p, whole, 9, s[1]);
        check_pieces(&p, whole, s[0], 11);
        check_pieces(&p, whole, 100, 200);
        pool_free();
    }
}

/* -- Norms -----------------------------------------------------------------------------
 */

static void rmsnorm_divides_by_the_root_mean_square(void)
{
    static const int64_t dims[] = {1, 7, 16, 20, 32, 64, 80, 128, 333, 2048};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        int64_t rows = random_in(1, 40), heads = random_in(1, 4), dim = dims[i];
        struct arr x = filled(MAKE(ARR_F32, 3, rows, heads, dim));
        struct arr w = filled(MAKE(i % 2 ? ARR_BF16 : ARR_F32, 0, dim));
        struct arr y = make(ARR_F32, 3, x.shape, 5), own = copied(x), alone = copied(x);
        k->rmsnorm(any_dev(), y, x, w, 1e-6f);
        k->rmsnorm(any_dev(), own, own, w, 1e-6f);
        CHECK(same_bits(y, own), "in place differs");
        for (int64_t r = 0; r < rows; r++)
            k->rmsnorm(any_dev(), arr_rows(alone, r, 1), arr_rows(x, r, 1), w, 1e-6f);
        CHECK(same_bits(y, alone), "rows alone differ");
        for (int64_t r = 0; r < rows * heads; r++) {
            const float *from = at(x, r / heads) + r % heads * dim;
            const float *to = at(y, r / heads) + r % heads * dim;
            double ss = 0;
            for (int64_t j = 0; j < dim; j++) ss += (double)from[j] * (double)from[j];
            double scale = 1 / sqrt(ss / (double)dim + 1e-6);
            for (int64_t j = 0; j < dim; j++) {
                double want = (double)from[j] * scale * value(w, j, 0);
                CHECK(fabs((double)to[j] - want) <= 1e-6 * (fabs(want) + 1e-3),
                      "%g for %g", (double)to[j], want);
            }
        }
        pool_free();
    }
}

static void layernorm_takes_mean_and_deviation_out(void)
{
    static const int64_t dims[] = {2, 7, 16, 33, 128, 1029};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        int64_t rows = random_in(1, 60), dim = dims[i];
        struct arr x = filled(MAKE(ARR_F32, 3, rows, dim));
        struct arr w = filled(MAKE(i % 2 ? ARR_BF16 : ARR_F32, 0, dim));
        struct arr b = filled(MAKE(i % 2 ? ARR_F16 : ARR_F32, 0, dim));
        struct arr y = make(ARR_F32, 2, x.shape, 5), alone = copied(x);
        for (int64_t j = 0; j < dim; j++) at(x, 0)[j] += 100; /* a mean that is far off */
        k->layernorm(any_dev(), y, x, w, b, 1e-6f);
        for (int64_t r = 0; r < rows; r++)
            k->layernorm(any_dev(), arr_rows(alone, r, 1), arr_rows(x, r, 1), w, b,
                         1e-6f);
        CHECK(same_bits(y, alone), "rows alone differ");
        for (int64_t r = 0; r < rows; r++) {
            double mean = 0, var = 0;
            for (int64_t j = 0; j < dim; j++) mean += (double)at(x, r)[j] / (double)dim;
            for (int64_t j = 0; j < dim; j++)
                var += pow((double)at(x, r)[j] - mean, 2) / (double)dim;
            for (int64_t j = 0; j < dim; j++) {
                double want =
                    ((double)at(x, r)[j] - mean) / sqrt(var + 1e-6) * value(w, j, 0) +
                    value(b, j, 0);
                double tolerance = r == 0 ? 1e-3 : 4e-6;
                CHECK(fabs((double)at(y, r)[j] - want) <= tolerance,
                      "dim %lld row %lld: %g for %g", (long long)dim, (long long)r,
                      (double)at(y, r)[j], want);
            }
        }
        pool_free();
    }
}

/* -- Elementwise -----------------------------------------------------------------------
 */

static double silu_double(double x)
{
    return x / (1 + exp(-x));
}
static double gelu_erf_double(double x)
{
    return x / 2 * erfc(-x / sqrt(2));
}
static double gelu_tanh_double(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static void check_close(struct arr y, struct arr x, double (*f)(double), const char *name)
{
    for (int64_t r = 0; r < x.shape[0]; r++)
        for (int64_t i = 0; i < x.shape[1]; i++) {
            double in = (double)at(x, r)[i], want = f(in), got = (double)at(y, r)[i];
            CHECK(fabs(got - want) <= 2e-6 * fabs(want) + 1e-12,
                  "%s(%.9g) is %.9g for %.9g", name, in, got, want);
        }
}

static void activations_are_close_everywhere(void)
{
    struct arr x = MAKE(ARR_F32, 3, 61, 1003), y = MAKE(ARR_F32, 0, 61, 1003), up, own;
    for (int64_t i = 0; i < 61 * 1003; i++) {
        double size = (i / 1003) % 3 == 0 ? 1 : (i / 1003) % 3 == 1 ? 6 : 80;
        at(x, i / 1003)[i % 1003] = (float)(size * (double)random_float());
    }
    at(x, 0)[0] = 0, at(x, 0)[1] = -1000, at(x, 0)[2] = 1000, at(x, 0)[3] = -1e-30f;
    k->silu(any_dev(), y, x);
    check_close(y, x, silu_double, "silu");
    k->gelu(any_dev(), y, x, GELU_ERF);
    check_close(y, x, gelu_erf_double, "gelu_erf");
    own = copied(x);
    k->gelu(any_dev(), own, own, GELU_ERF);
    CHECK(same_bits(own, y), "gelu in place differs");
    k->gelu(any_dev(), y, x, GELU_TANH);
    check_close(y, x, gelu_tanh_double, "gelu_tanh");
    up = filled(make(ARR_F32, 2, x.shape, 1));
    k->silu(any_dev(), y, x);
    own = copied(x);
    k->swiglu(any_dev(), own, own, up);
    for (int64_t r = 0; r < 61; r++)
        for (int64_t i = 0; i < 1003; i++)
            CHECK(at(own, r)[i] == at(y, r)[i] * at(up, r)[i], "swiglu");
    own = copied(x);
    k->add(any_dev(), own, up);
    for (int64_t r = 0; r < 61; r++)
        for (int64_t i = 0; i < 1003; i++)
            CHECK(at(own, r)[i] == at(x, r)[i] + at(up, r)[i], "add");
    at(x, 0)[0] = NAN;
    k->silu(any_dev(), y, x);
    CHECK(isnan(at(y, 0)[0]), "silu hides NaN");
    pool_free();
}

/* -- Rows ------------------------------------------------------------------------------
 */

static void half_floats_read_as_their_formats_say(void)
{
    struct arr table = MAKE(ARR_F16, 0, 65536, 1), y = MAKE(ARR_F32, 0, 65536, 1);
    struct arr index = MAKE(ARR_I32, 0, 65536);
    for (int32_t i = 0; i < 65536; i++) {
        uint16_t h = (uint16_t)i;
        memcpy((char *)table.data + 2 * i, &h, 2);
        ((int32_t *)index.data)[i] = i;
    }
    for (int type = ARR_BF16; type <= ARR_F16; type++) {
        table.type = type;
        k->gather(any_dev(), y, table, index);
        for (int64_t i = 0; i < 65536; i++) {
            double want = value(table, i, 0), got = (double)at(y, i)[0];
            CHECK(isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want),
                  "type %d, %llx: %g for %g", type, (unsigned long long)i, got, want);
        }
    }
    pool_free();
}

static void rows_are_gathered_scattered_and_mixed(void)
{
    enum { ROWS = 50, TABLE = 80, DIM = 777, TAPS = 4 };
    int32_t order[TABLE], picks[ROWS * TAPS];
    for (int i = 0; i < TABLE; i++) order[i] = i;
    for (int i = TABLE - 1; i > 0; i--) {
        int j = (int)random_in(0, i), swap = order[i];
        order[i] = order[j], order[j] = swap;
    }
    for (int i = 0; i < ROWS * TAPS; i++) picks[i] = (int32_t)random_in(0, TABLE - 1);
    struct arr index = integers(ROWS, order),
               table = filled(MAKE(ARR_BF16, 1, TABLE, DIM));
    struct arr y = MAKE(ARR_F32, 3, ROWS, DIM),
               back = filled(MAKE(ARR_F32, 1, TABLE, DIM));
    k->gather(any_dev(), y, table, index);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < DIM; i++)
            CHECK((double)at(y, r)[i] == value(table, order[r], i), "gather");
    struct arr sum = copied(back);
    k->scatter(any_dev(), sum, y, index, true);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < DIM; i++)
            CHECK(at(sum, order[r])[i] == at(back, order[r])[i] + at(y, r)[i],
                  "scatter, add");
    k->scatter(any_dev(), sum, y, index, false);
    for (int64_t r = 0; r < TABLE; r++)
        for (int64_t i = 0; i < DIM; i++) {
            int64_t from = 0;
            while (from < ROWS && order[from] != r) from++;
            float want = from < ROWS ? at(y, from)[i] : at(back, r)[i];
            CHECK(at(sum, r)[i] == want, "scatter");
        }
    struct arr taps =
        arr_reshape(integers(ROWS * TAPS, picks), 2, (int64_t[]){ROWS, TAPS});
    struct arr weight = filled(MAKE(ARR_F32, 0, ROWS, TAPS)), mixed = copied(y);
    k->gather_mix(any_dev(), mixed, table, taps, weight);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < DIM; i++) {
            double want = (double)at(y, r)[i];
            for (int t = 0; t < TAPS; t++)
                want += (double)at(weight, r)[t] * value(table, picks[r * TAPS + t], i);
            CHECK(fabs((double)at(mixed, r)[i] - want) < 2e-6, "gather_mix");
        }
    pool_free();
}

static void rope_rotates_pairs_half_a_head_apart(void)
{
    static const int64_t dims[] = {2, 16, 20, 72, 128};
    for (size_t n = 0; n < sizeof dims / sizeof *dims; n++) {
        int64_t rows = random_in(1, 300), heads = random_in(1, 5), dim = dims[n],
                half = dim / 2;
        struct arr x = filled(MAKE(ARR_F32, 7, rows, heads, dim)), y = copied(x);
        struct arr cosines = filled(MAKE(ARR_F32, 0, rows, half));
        struct arr sines = filled(MAKE(ARR_F32, 2, rows, half));
        k->rope(any_dev(), y, cosines, sines);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < heads * half; i++) {
                int64_t low = i / half * dim + i % half, high = low + half;
                double a = (double)at(x, r)[low], b = (double)at(x, r)[high];
                double c = (double)at(cosines, r)[i % half],
                       s = (double)at(sines, r)[i % half];
                CHECK(fabs((double)at(y, r)[low] - (a * c - b * s)) < 4e-7 &&
                          fabs((double)at(y, r)[high] - (b * c + a * s)) < 4e-7,
                      "dim %lld", (long long)dim);
            }
        pool_free();
    }
}

/* The same heads with their pairs side by side: the same numbers, to the bit. */
static void rope_rotates_pairs_side_by_side(void)
{
    static const int64_t dims[] = {2, 16, 20, 72, 128};
    for (size_t n = 0; n < sizeof dims / sizeof *dims; n++) {
        int64_t rows = random_in(1, 300), heads = random_in(1, 5), dim = dims[n],
                half = dim / 2;
        struct arr apart = filled(MAKE(ARR_F32, 7, rows, heads, dim));
        struct arr side = copied(apart);
        struct arr cosines = filled(MAKE(ARR_F32, 0, rows, half));
        struct arr sines = filled(MAKE(ARR_F32, 2, rows, half));
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < heads * dim; i++)
                at(side, r)[i / dim * dim + i % dim % half * 2 + i % dim / half] =
                    at(apart, r)[i];
        k->rope(any_dev(), apart, cosines, sines);
        k->rope_pairs(any_dev(), side, cosines, sines);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < heads * dim; i++)
                CHECK(at(side, r)[i / dim * dim + i % dim % half * 2 + i % dim / half] ==
                          at(apart, r)[i],
                      "dim %lld", (long long)dim);
        pool_free();
    }
}

/* -- Attention -------------------------------------------------------------------------
 */

static const int64_t head_dims[] = {16, 20, 32, 64, 72, 80, 128, 6, 256};
enum { HEAD_DIMS = sizeof head_dims / sizeof *head_dims, LONGEST = 400 };

/* One query over n keys in double precision, held to got. */
static void check_query(const float *q, const float *const keys[],
                        const float *const values[], int64_t n, int64_t dim, float scale,
                        const float *got)
{
    double score[LONGEST], max = -1e300, total = 0;
    for (int64_t j = 0; j < n; j++) {
        score[j] = 0;
        for (int64_t i = 0; i < dim; i++) score[j] += (double)q[i] * (double)keys[j][i];
        score[j] *= (double)scale;
        max = fmax(max, score[j]);
    }
    for (int64_t j = 0; j < n; j++) total += score[j] = exp(score[j] - max);
    for (int64_t i = 0; i < dim; i++) {
        double want = 0;
        for (int64_t j = 0; j < n; j++) want += score[j] / total * (double)values[j][i];
        CHECK(fabs((double)got[i] - want) < 2e-6, "dim %lld, %lld keys: %.9g for %.9g",
              (long long)dim, (long long)n, (double)got[i], want);
    }
}

static void attention_stays_inside_its_segments(void)
{
    for (int n = 0; n < 2 * HEAD_DIMS; n++) {
        int64_t dim = head_dims[n / 2], heads = random_in(1, 3),
                segments = random_in(1, 5);
        int32_t start[6] = {0};
        for (int64_t s = 0; s < segments; s++)
            start[s + 1] =
                start[s] + (int32_t)random_in(s == 1 ? 0 : 1, n % 2 ? 200 : 70);
        int64_t rows = start[segments];
        /* q, k, v as slices of one array of rows, as a fused projection gives them. */
        struct arr qkv = filled(MAKE(ARR_F32, 0, rows, 3 * heads * dim)), part[3];
        for (int i = 0; i < 3; i++)
            part[i] = arr_reshape(arr_columns(qkv, i * heads * dim, heads * dim), 3,
                                  (int64_t[]){rows, heads, dim});
        float scale = 4.0f / sqrtf((float)dim);
        struct arr y = MAKE(ARR_F32, 9, rows, heads, dim), again, alone = copied(y);
        k->attention(devs[0], y, part[0], part[1], part[2], integers(segments + 1, start),
                     scale, arr_none());
        for (int t = 1; t < DEVICES; t++) {
            again = copied(y);
            k->attention(devs[t], again, part[0], part[1], part[2],
                         integers(segments + 1, start), scale, arr_none());
            CHECK(same_bits(again, y), "%d threads differ", t + 1);
        }
        for (int64_t s = 0; s < segments; s++) {
            int64_t count = start[s + 1] - start[s];
            if (count > 0)
                k->attention(any_dev(), arr_rows(alone, start[s], count),
                             arr_rows(part[0], start[s], count),
                             arr_rows(part[1], start[s], count),
                             arr_rows(part[2], start[s], count),
                             integers(2, (int32_t[]){0, (int32_t)count}), scale,
                             arr_none());
            for (int64_t r = start[s]; r < start[s + 1]; r++)
                for (int64_t h = 0; h < heads; h++) {
                    const float *keys[LONGEST], *values[LONGEST];
                    for (int64_t j = 0; j < count; j++) {
                        keys[j] = at(part[1], start[s] + j) + h * dim;
                        values[j] = at(part[2], start[s] + j) + h * dim;
                    }
                    check_query(at(part[0], r) + h * dim, keys, values, count, dim, scale,
                                at(y, r) + h * dim);
                }
        }
        CHECK(same_bits(alone, y), "segments alone differ");
        pool_free();
    }
}

/* Sequences in pages that lie in no order; what no row may see is NaN. */
struct paged {
    int64_t dim, kv_heads, heads, sequences;
    struct arr k[3], v[3]; /* [len, kv_heads, dim] of each sequence */
    struct arr k_pages, v_pages, table;
};

enum { PAGES = LONGEST / KV_PAGE + 1 }; /* of one sequence */

static struct paged paged_of(int64_t dim)
{
    struct paged p = {.dim = dim, .kv_heads = random_in(1, 3), .sequences = 3};
    int32_t order[3 * PAGES];
    p.heads = p.kv_heads * random_in(1, 6);
    p.k_pages = MAKE(ARR_F32, 0, 3 * PAGES, p.kv_heads, dim, KV_PAGE);
    p.v_pages = MAKE(ARR_F32, 0, 3 * PAGES, p.kv_heads, KV_PAGE, dim);
    for (int i = 0; i < 3 * PAGES; i++) order[i] = i;
    for (int i = 3 * PAGES - 1; i > 0; i--) {
        int j = (int)random_in(0, i), swap = order[i];
        order[i] = order[j], order[j] = swap;
    }
    p.table = arr_reshape(integers(3 * PAGES, order), 2, (int64_t[]){3, PAGES});
    for (int s = 0; s < 3; s++) {
        static const int64_t lengths[] = {1, 63, 64, 65, 130, 200};
        int64_t n = lengths[random_in(0, 5)];
        int32_t slots[LONGEST];
        for (int64_t i = 0; i < n; i++)
            slots[i] = order[s * PAGES + i / KV_PAGE] * KV_PAGE + (int32_t)(i % KV_PAGE);
        p.k[s] = filled(MAKE(ARR_F32, 3, n, p.kv_heads, dim));
        p.v[s] = filled(MAKE(ARR_F32, 0, n, p.kv_heads, dim));
        int64_t cut = random_in(1, n); /* in two calls */
        struct arr slot = integers(n, slots);
        k->kv_write(any_dev(), p.k_pages, p.v_pages, arr_rows(p.k[s], 0, cut),
                    arr_rows(p.v[s], 0, cut), arr_rows(slot, 0, cut));
        k->kv_write(any_dev(), p.k_pages, p.v_pages, arr_rows(p.k[s], cut, n - cut),
                    arr_rows(p.v[s], cut, n - cut), arr_rows(slot, cut, n - cut));
    }
    return p;
}

static void paged_attention_sees_each_rows_own_past(void)
{
    for (int n = 0; n < 3 * HEAD_DIMS; n++) {
        struct paged p = paged_of(head_dims[n / 3]);
        int32_t seqs[LONGEST * 3], lens[LONGEST * 3];
        int64_t rows = 0, dim = p.dim;
        for (int s = 0; s < 3; s++) { /* the last rows of each sequence, or one row */
            int32_t len = (int32_t)p.k[s].shape[0];
            int32_t from = n % 3 == 0 ? len : (int32_t)random_in(1, len);
            for (int32_t i = from; i <= len; i++) seqs[rows] = s, lens[rows++] = i;
        }
        struct kv_view view = {p.table, integers(rows, seqs), integers(rows, lens)};
        struct arr q = filled(MAKE(ARR_F32, 11, rows, p.heads, dim)), again;
        struct arr y = MAKE(ARR_F32, 0, rows, p.heads, dim), alone = copied(y);
        float scale = 4.0f / sqrtf((float)dim);
        k->attention_paged(devs[0], y, q, p.k_pages, p.v_pages, view, scale, arr_none());
        for (int t = 1; t < DEVICES; t++) {
            again = copied(y);
            k->attention_paged(devs[t], again, q, p.k_pages, p.v_pages, view, scale,
                               arr_none());
            CHECK(same_bits(again, y), "%d threads differ", t + 1);
        }
        for (int64_t r = 0, count; r < rows; r += count) {
            count = random_in(1, n % 3 == 1 ? 1 : 20);
            count = count < rows - r ? count : rows - r;
            k->attention_paged(any_dev(), arr_rows(alone, r, count),
                               arr_rows(q, r, count), p.k_pages, p.v_pages,
                               (struct kv_view){p.table, arr_rows(view.seq, r, count),
                                                arr_rows(view.len, r, count)},
                               scale, arr_none());
        }
        CHECK(same_bits(alone, y), "rows in other groups differ, dim %lld",
              (long long)dim);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t h = 0; h < p.heads; h++) {
                const float *keys[LONGEST], *values[LONGEST];
                int64_t from = h / (p.heads / p.kv_heads) * dim;
                for (int64_t j = 0; j < lens[r]; j++) {
                    keys[j] = at(p.k[seqs[r]], j) + from;
                    values[j] = at(p.v[seqs[r]], j) + from;
                }
                check_query(at(q, r) + h * dim, keys, values, lens[r], dim, scale,
                            at(y, r) + h * dim);
            }
        pool_free();
    }
}

static void a_copied_page_holds_its_first_places(void)
{
    enum { HEADS = 3, DIM = 20, PLACES = 37 };
    struct arr keys = filled(MAKE(ARR_F32, 0, 3, HEADS, DIM, KV_PAGE));
    struct arr values = filled(MAKE(ARR_F32, 0, 3, HEADS, KV_PAGE, DIM));
    struct arr old_keys = copied(keys), old_values = copied(values);
    k->kv_copy(any_dev(), keys, values, 2, 0, PLACES);
    for (int64_t i = 0; i < HEADS * DIM * KV_PAGE; i++) {
        int from_k = i % KV_PAGE < PLACES ? 2 : 0,
            from_v = i / DIM % KV_PAGE < PLACES ? 2 : 0;
        CHECK(at(keys, 0)[i] == at(old_keys, from_k)[i], "key %lld", (long long)i);
        CHECK(at(values, 0)[i] == at(old_values, from_v)[i], "value %lld", (long long)i);
    }
    CHECK(same_bits(arr_rows(keys, 1, 2), arr_rows(old_keys, 1, 2)),
          "another page changed");
    pool_free();
}

/* -- Output ----------------------------------------------------------------------------
 */

static void logsumexp_is_good_to_its_last_digit(void)
{
    static const int64_t sizes[] = {1, 3, 8, 100, 5000, 151936};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        struct arr x = filled(MAKE(ARR_F32, 1, 4, sizes[n])), out = MAKE(ARR_F32, 0, 4);
        for (int64_t r = 0; r < 4; r++)
            for (int64_t j = 0; j < sizes[n]; j++) at(x, r)[j] *= r < 2 ? 15.0f : 1e-3f;
        float scale = n % 2 ? 1.0f : 0.7f;
        k->logsumexp(any_dev(), out, x, scale);
        for (int64_t r = 0; r < 4; r++) {
            double max = -1e300, sum = 0;
            for (int64_t j = 0; j < sizes[n]; j++) max = fmax(max, (double)at(x, r)[j]);
            for (int64_t j = 0; j < sizes[n]; j++)
                sum += exp(((double)at(x, r)[j] - max) * (double)scale);
            double want = max * (double)scale + log(sum), got = (double)at(out, r)[0];
            CHECK(fabs(got - want) <= 1.5e-7 * fabs(want) + 2e-7, "%lld: %.9g for %.9g",
                  (long long)sizes[n], got, want);
            float alone[1];
            struct arr one = MAKE(ARR_F32, 0, 1);
            k->logsumexp(any_dev(), one, arr_rows(x, r, 1), scale);
            k->download(devs[0], alone, one);
            CHECK(memcmp(alone, at(out, r), 4) == 0, "a row alone differs");
        }
        pool_free();
    }
    struct arr x = MAKE(ARR_F32, 0, 1, 3), out = MAKE(ARR_F32, 0, 1);
    for (int j = 0; j < 3; j++) at(x, 0)[j] = -INFINITY;
    k->logsumexp(any_dev(), out, x, 1.0f);
    CHECK(at(out, 0)[0] == -INFINITY, "nothing at all: %g", (double)at(out, 0)[0]);
    at(x, 0)[1] = 5;
    k->logsumexp(any_dev(), out, x, 1.0f);
    CHECK(at(out, 0)[0] == 5, "one of three: %g", (double)at(out, 0)[0]);
    pool_free();
}

/* -- All of it, for each table ---------------------------------------------------------
 */

static void run_table(const char *isa)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
#define LINE(name) {#name, name}
        LINE(memory_is_aligned_and_copies_come_back),
        LINE(matmul_is_the_sum_of_products),
        LINE(matmul_rows_have_the_same_bits_alone_and_among_others),
        LINE(rmsnorm_divides_by_the_root_mean_square),
        LINE(layernorm_takes_mean_and_deviation_out),
        LINE(activations_are_close_everywhere),
        LINE(half_floats_read_as_their_formats_say),
        LINE(rows_are_gathered_scattered_and_mixed),
        LINE(rope_rotates_pairs_half_a_head_apart),
        LINE(rope_rotates_pairs_side_by_side),
        LINE(attention_stays_inside_its_segments),
        LINE(paged_attention_sees_each_rows_own_past),
        LINE(a_copied_page_holds_its_first_places),
        LINE(logsumexp_is_good_to_its_last_digit),
    };
    const char *why = "";
    setenv("CAPMILL_ISA", isa, 1);
    on_cuda = strcmp(isa, "cuda") == 0;
    k = on_cuda ? cuda_under_test() : kernels_open("cpu", &why);
    unsetenv("CAPMILL_ISA");
    if (!k) {
        fprintf(stderr, "not tested here: %s\n", why);
        return;
    }
    for (int i = 0; i < DEVICES; i++) devs[i] = device_of(k, "cpu", i + 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s_%s", isa, cases[i].name);
        cases[i].run();
        pool_free();
        check_report(name);
    }
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
}

int main(void)
{
    CASE(an_instruction_set_is_forced_by_name_or_refused);
    run_table("plain");
    run_table("avx2");
    run_table("cuda");
    return check_end();
}
