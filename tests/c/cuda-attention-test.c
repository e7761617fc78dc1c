/* cuda-attention-test: attention in bf16 of the CUDA table, its kernels run by the host
 * (kernels/cuda/host/blocks.h), against sums in double precision of the same bf16
 * numbers.
 *
 * Tolerances. U = 2^-8 is what rounding to bf16 changes a number by at most, in its own
 * terms. Weights p are rounded before they are multiplied with values, and so is what
 * comes out: |y - want| <= U (sum of p |v| + |want|). In a gradient, p and its slope are
 * rounded, and the sum with what was there. Sums in float32 add SUMS of the terms'
 * magnitudes to each bound: not much, next to U. */
#include "backward.h"

#include "check.h"
#include "device.h"
#include "kernels-arrays.h"
#include "kernels-staged.h"

#include <stdio.h>

enum { DIM_MOST = 128, LONGEST = 20 * KV_PAGE };
static const double U = 1.0 / 256, SUMS = 2e-5;

/* -- Arrays of bf16 --------------------------------------------------------------------
 */

/* Whether rows begin at multiples of 16 bytes, as devices' memory does. */
static bool aligned;

/* Random numbers in (-1, 1); rows in one piece but for `gap` numbers. */
static struct arr halves(int rank, const int64_t shape[], int64_t gap)
{
    struct arr a = make(ARR_BF16, rank, shape, gap);
    if (aligned)
        a.data = (char *)a.data - 2; /* where malloc() had it */
    return filled(a);
}
#define HALVES(gap, ...)                                                                 \
    halves((int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),                      \
           (int64_t[]){__VA_ARGS__}, gap)

static struct arr halves_copied(struct arr a)
{
    struct arr b = halves(a.rank, a.shape, a.stride - arr_row_size(a));
    for (int64_t r = 0; r < a.shape[0]; r++)
        memcpy((uint16_t *)b.data + r * b.stride, (uint16_t *)a.data + r * a.stride,
               (size_t)arr_row_size(a) * 2);
    return b;
}

static bool same_halves(struct arr a, struct arr b)
{
    for (int64_t r = 0; r < a.shape[0]; r++)
        if (memcmp((uint16_t *)a.data + r * a.stride, (uint16_t *)b.data + r * b.stride,
                   (size_t)arr_row_size(a) * 2) != 0)
            return false;
    return true;
}

/* -- What is seen ----------------------------------------------------------------------
 */

/* The keys and values that a row and head sees, and where they lie in their arrays:
 * number i of a key is number k + i * k_next of row `row`. */
static double keys[LONGEST][DIM_MOST], values[LONGEST][DIM_MOST];
static struct place {
    int64_t row, k, k_next, v, v_next;
} places[LONGEST];

static void see(struct arr k_all, struct arr v_all, int64_t n, int64_t dim)
{
    for (int64_t j = 0; j < n; j++) {
        const struct place *p = &places[j];
        for (int64_t i = 0; i < dim; i++) {
            keys[j][i] = value(k_all, p->row, p->k + i * p->k_next);
            values[j][i] = value(v_all, p->row, p->v + i * p->v_next);
        }
    }
}

static void see_segment(struct arr k_rows, struct arr v_rows, int64_t from, int64_t n,
                        int64_t head)
{
    int64_t dim = k_rows.shape[2];
    for (int64_t j = 0; j < n; j++)
        places[j] = (struct place){from + j, head * dim, 1, head * dim, 1};
    see(k_rows, v_rows, n, dim);
}

static void see_pages(struct arr k_pages, struct arr v_pages, const int32_t *table,
                      int64_t n, int64_t head)
{
    int64_t dim = k_pages.shape[2];
    for (int64_t j = 0; j < n; j++)
        places[j] = (struct place){table[j / KV_PAGE], head * dim * KV_PAGE + j % KV_PAGE,
                                   KV_PAGE, (head * KV_PAGE + j % KV_PAGE) * dim, 1};
    see(k_pages, v_pages, n, dim);
}

/* Head h of row r of y and lse, which sees n keys. */
static void check_attended(struct arr y, struct arr lse, struct arr q, int64_t r,
                           int64_t h, int64_t n, double scale)
{
    static double p[LONGEST];
    int64_t dim = q.shape[2];
    double most = -1e300, total = 0;
    for (int64_t j = 0; j < n; j++) {
        p[j] = 0;
        for (int64_t i = 0; i < dim; i++)
            p[j] += value(q, r, h * dim + i) * keys[j][i] * scale;
        most = fmax(most, p[j]);
    }
    for (int64_t j = 0; j < n; j++) total += p[j] = exp(p[j] - most);
    for (int64_t i = 0; i < dim; i++) {
        double want = 0, terms = 0, got = value(y, r, h * dim + i);
        for (int64_t j = 0; j < n; j++) {
            want += p[j] / total * values[j][i];
            terms += p[j] / total * fabs(values[j][i]);
        }
        CHECK(fabs(got - want) <= U * (terms + fabs(want)) + SUMS * terms,
              "row %lld of %lld keys, dim %lld: %g for %g", (long long)r, (long long)n,
              (long long)dim, got, want);
    }
    if (lse.data)
        CHECK(fabs(value(lse, r, h) - most - log(total)) < 1e-5, "lse %g for %g",
              value(lse, r, h), most + log(total));
}

/* -- Gradients -------------------------------------------------------------------------
 */

/* What is added to a gradient, and how far off it may be: terms of sums whose factors are
 * rounded to bf16, and what float32 comes to. */
struct sums {
    double *want, *terms, *small;
};

static struct sums sums_of(struct arr a)
{
    size_t bytes = (size_t)arr_size(a) * sizeof(double);
    struct sums s = {pool_take(bytes), pool_take(bytes), pool_take(bytes)};
    memset(s.want, 0, bytes);
    memset(s.terms, 0, bytes);
    memset(s.small, 0, bytes);
    return s;
}

static void sums_add(struct sums *s, int64_t at, double factor, double size, double x)
{
    s->want[at] += factor * x;
    s->terms[at] += fabs(factor * x);
    s->small[at] += size * fabs(x);
}

/* The gradients of one attention: what went in, what is wanted. */
struct gradients {
    struct arr q, k, v, y, lse, dy, dq, dk, dv;
    struct arr dq_was, dk_was, dv_was;
    struct sums to_q, to_k, to_v;
};

static void gradients_begin(struct gradients *g)
{
    g->dq_was = halves_copied(g->dq);
    g->dk_was = halves_copied(g->dk);
    g->dv_was = halves_copied(g->dv);
    g->to_q = sums_of(g->dq);
    g->to_k = sums_of(g->dk);
    g->to_v = sums_of(g->dv);
}

/* What head h of row r, which sees n keys, adds. */
static void gradients_add(struct gradients *g, int64_t r, int64_t h, int64_t n,
                          double scale)
{
    int64_t dim = g->q.shape[2], of_q = h * dim;
    double delta = 0, delta_size = 0;
    for (int64_t i = 0; i < dim; i++) {
        double term = value(g->dy, r, of_q + i) * value(g->y, r, of_q + i);
        delta += term;
        delta_size += fabs(term);
    }
    for (int64_t j = 0; j < n; j++) {
        const struct place *at = &places[j];
        double score = 0, slope = -delta, size = delta_size;
        for (int64_t i = 0; i < dim; i++) {
            double term = value(g->dy, r, of_q + i) * values[j][i];
            score += value(g->q, r, of_q + i) * keys[j][i];
            slope += term;
            size += fabs(term);
        }
        double p = exp(score * scale - value(g->lse, r, h));
        for (int64_t i = 0; i < dim; i++) {
            int64_t of_k = at->row * arr_row_size(g->dk) + at->k + i * at->k_next;
            int64_t of_v = at->row * arr_row_size(g->dv) + at->v + i * at->v_next;
            sums_add(&g->to_q, r * arr_row_size(g->dq) + of_q + i, p * slope * scale,
                     p * size * scale, keys[j][i]);
            sums_add(&g->to_k, of_k, p * slope * scale, p * size * scale,
                     value(g->q, r, of_q + i));
            sums_add(&g->to_v, of_v, p, p, value(g->dy, r, of_q + i));
        }
    }
}

static void check_sums(struct arr got, struct arr was, struct sums s, const char *what)
{
    int64_t row = arr_row_size(got);
    for (int64_t r = 0; r < got.shape[0]; r++)
        for (int64_t i = 0; i < row; i++) {
            int64_t at = r * row + i;
            double want = value(was, r, i) + s.want[at];
            double off = fabs(value(got, r, i) - want);
            double most = U * (s.terms[at] + fabs(want)) + (SUMS + U * U) * s.small[at];
            CHECK(off <= (s.small[at] > 0 ? most : 0), "%s: %g for %g (%g and %g)", what,
                  value(got, r, i), want, value(was, r, i), s.want[at]);
        }
}

static void check_gradients(const struct gradients *g)
{
    check_sums(g->dq, g->dq_was, g->to_q, "dq");
    check_sums(g->dk, g->dk_was, g->to_k, "dk");
    check_sums(g->dv, g->dv_was, g->to_v, "dv");
}

/* The same once more, threads in another order, and their copies as early as may be or
 * as late, must have the same bits. */
static void other_order(void)
{
    static const char *const orders[] = {"up", "down", "37", "64"};
    setenv("CUDA_HOST_ORDER", orders[random_in(0, 3)], 1);
    setenv("CUDA_HOST_COPIES", random_bits() & 1 ? "early" : "late", 1);
}

static void usual_order(void)
{
    unsetenv("CUDA_HOST_ORDER");
    unsetenv("CUDA_HOST_COPIES");
}

/* -- Segments --------------------------------------------------------------------------
 */

enum { SEGMENTS = 4 };

/* q, k, v of one array of rows, as a fused projection gives them. */
struct in_segments {
    struct arr q, k, v;
    int32_t start[SEGMENTS + 1];
    float scale;
};

static struct in_segments segments_of(int n)
{
    static const int64_t dims[] = {64, 72, 80, 128, 32, 16, 20, 7};
    struct in_segments s = {.start = {0}};
    int64_t dim = dims[n % 8], heads = random_in(1, 3);
    aligned = n % 8 < 6 || n % 2;
    for (int i = 0; i < SEGMENTS; i++)
        s.start[i + 1] = s.start[i] + (int32_t)(i == 1   ? random_in(0, 1) * 64
                                                : i == 2 ? random_in(1, 64)
                                                         : random_in(1, 150));
    struct arr qkv = HALVES(aligned ? 8 : 3, s.start[SEGMENTS], 3 * heads * dim);
    int64_t shape[] = {s.start[SEGMENTS], heads, dim};
    s.q = arr_reshape(arr_columns(qkv, 0, heads * dim), 3, shape);
    s.k = arr_reshape(arr_columns(qkv, heads * dim, heads * dim), 3, shape);
    s.v = arr_reshape(arr_columns(qkv, 2 * heads * dim, heads * dim), 3, shape);
    s.scale = 4.0f / sqrtf((float)dim);
    return s;
}

static void attention_stays_inside_its_segments(void)
{
    for (int n = 0; n < 16; n++) {
        struct in_segments s = segments_of(n);
        int64_t rows = s.q.shape[0], heads = s.q.shape[1];
        struct arr y = halves(3, s.q.shape, 16), alone = halves_copied(y);
        struct arr lse = filled(MAKE(ARR_F32, 2, rows, heads)), lse_alone = copied(lse);
        struct arr starts = integers(SEGMENTS + 1, s.start), before = halves_copied(y);
        k->attention(any_dev(), y, s.q, s.k, s.v, starts, s.scale, lse);
        other_order();
        k->attention(any_dev(), alone, s.q, s.k, s.v, starts, s.scale, arr_none());
        CHECK(same_halves(alone, y), "threads in another order");
        alone = before;
        for (int i = 0; i < SEGMENTS; i++) {
            int64_t from = s.start[i], count = s.start[i + 1] - from;
            int32_t whole[] = {0, (int32_t)count};
            if (count > 0)
                k->attention(any_dev(), arr_rows(alone, from, count),
                             arr_rows(s.q, from, count), arr_rows(s.k, from, count),
                             arr_rows(s.v, from, count), integers(2, whole), s.scale,
                             arr_rows(lse_alone, from, count));
            for (int64_t h = 0; h < heads; h++) {
                see_segment(s.k, s.v, from, count, h);
                for (int64_t r = from; r < from + count; r++)
                    check_attended(y, lse, s.q, r, h, count, (double)s.scale);
            }
        }
        CHECK(same_halves(alone, y) && same_bits(lse_alone, lse), "segments alone");
        usual_order();
        pool_free();
    }
}

/* dq, dk, dv are columns of one array, too. */
static void gradients_in_segments_are_sums_over_rows_and_keys(void)
{
    for (int n = 0; n < 16; n++) {
        struct in_segments s = segments_of(n);
        int64_t rows = s.q.shape[0], heads = s.q.shape[1], columns = heads * s.q.shape[2];
        struct arr all = HALVES(aligned ? 16 : 5, rows, 3 * columns), again;
        struct gradients g = {.q = s.q, .k = s.k, .v = s.v};
        struct arr starts = integers(SEGMENTS + 1, s.start);
        g.y = halves(3, s.q.shape, 8);
        g.dy = halves(3, s.q.shape, 0);
        g.lse = MAKE(ARR_F32, 3, rows, heads);
        k->attention(any_dev(), g.y, g.q, g.k, g.v, starts, s.scale, g.lse);
        again = halves_copied(all);
        for (int t = 0; t < 2; t++) {
            struct arr *of = t ? &again : &all;
            g.dq = arr_reshape(arr_columns(*of, 0, columns), 3, s.q.shape);
            g.dk = arr_reshape(arr_columns(*of, columns, columns), 3, s.q.shape);
            g.dv = arr_reshape(arr_columns(*of, 2 * columns, columns), 3, s.q.shape);
            if (t == 0)
                gradients_begin(&g);
            other_order();
            k->back->attention(any_dev(), g.dq, g.dk, g.dv, g.dy, g.q, g.k, g.v, g.y,
                               g.lse, starts, s.scale);
            usual_order();
        }
        CHECK(same_halves(again, all), "threads in another order");
        for (int i = 0; i < SEGMENTS; i++)
            for (int64_t h = 0; h < heads; h++) {
                see_segment(s.k, s.v, s.start[i], s.start[i + 1] - s.start[i], h);
                for (int64_t r = s.start[i]; r < s.start[i + 1]; r++)
                    gradients_add(&g, r, h, s.start[i + 1] - s.start[i], (double)s.scale);
            }
        check_gradients(&g);
        pool_free();
    }
}

/* -- Pages -----------------------------------------------------------------------------
 */

enum { SEQUENCES = 5, PAGES = SEQUENCES * LONGEST / KV_PAGE, NOWHERE = 1 << 28 };

/* Sequences 0 to 2 have their first pages in common, 3 and 4 are alone; what no row may
 * see is NaN, and what a table says beyond its sequence's end is no page. */
struct in_pages {
    int64_t dim, kv_heads, heads;
    int32_t tables[SEQUENCES][LONGEST / KV_PAGE];
    int32_t lengths[SEQUENCES];
    struct arr q, k, v;
    struct kv_view view;
    int32_t seq[1000], len[1000];
    int64_t rows;
    float scale;
};

static void pages_made(struct in_pages *p, int64_t dim, int64_t kv_heads, int64_t group,
                       int32_t longest)
{
    int32_t order[PAGES], used = 0, shared = longest / KV_PAGE / 2;
    *p = (struct in_pages){.dim = dim, .kv_heads = kv_heads, .heads = kv_heads * group};
    for (int i = 0; i < PAGES; i++) order[i] = i;
    for (int i = PAGES - 1; i > 0; i--) {
        int j = (int)random_in(0, i), swap = order[i];
        order[i] = order[j], order[j] = swap;
    }
    p->k = HALVES(0, PAGES, kv_heads, dim, KV_PAGE);
    p->v = HALVES(0, PAGES, kv_heads, KV_PAGE, dim);
    struct arr k_seen = halves_copied(p->k), v_seen = halves_copied(p->v);
    memset(p->k.data, 0xff, (size_t)arr_size(p->k) * 2);
    memset(p->v.data, 0xff, (size_t)arr_size(p->v) * 2);
    for (int s = 0; s < SEQUENCES; s++) {
        int32_t least = s < 3 ? shared * KV_PAGE + 1 : 1;
        p->lengths[s] = s == 0 ? longest : (int32_t)random_in(least, longest);
        for (int b = 0; b < LONGEST / KV_PAGE; b++)
            p->tables[s][b] = b * KV_PAGE >= p->lengths[s]   ? NOWHERE
                              : s > 0 && s < 3 && b < shared ? p->tables[0][b]
                                                             : order[used++];
        for (int32_t j = 0; j < p->lengths[s]; j++) {
            int64_t page = p->tables[s][j / KV_PAGE], at = j % KV_PAGE;
            int64_t tile = page * kv_heads * dim * KV_PAGE;
            uint16_t *to_k = (uint16_t *)p->k.data + tile, *to_v = p->v.data;
            const uint16_t *k_from = (uint16_t *)k_seen.data + tile;
            const uint16_t *v_from = (uint16_t *)v_seen.data + tile;
            to_v += tile;
            for (int64_t e = 0; e < kv_heads * dim; e++) {
                int64_t h = e / dim, i = e % dim;
                to_k[e * KV_PAGE + at] = k_from[e * KV_PAGE + at];
                to_v[(h * KV_PAGE + at) * dim + i] = v_from[(h * KV_PAGE + at) * dim + i];
            }
        }
    }
    p->scale = 4.0f / sqrtf((float)dim);
}

static void row_more(struct in_pages *p, int s, int32_t len)
{
    p->seq[p->rows] = s;
    p->len[p->rows++] = len;
}

/* The last rows of each sequence, as in prefill or training; or one of each, as in
 * decode. */
static void rows_made(struct in_pages *p, int most)
{
    for (int s = 0; s < SEQUENCES; s++) {
        int32_t count = (int32_t)random_in(1, most);
        for (int32_t i = count < p->lengths[s] ? count : p->lengths[s]; i > 0; i--)
            row_more(p, s, p->lengths[s] - i + 1);
    }
}

static void view_made(struct in_pages *p)
{
    struct arr table = integers(SEQUENCES * (LONGEST / KV_PAGE), p->tables[0]);
    p->view.table = arr_reshape(table, 2, (int64_t[]){SEQUENCES, LONGEST / KV_PAGE});
    p->view.seq = integers(p->rows, p->seq);
    p->view.len = integers(p->rows, p->len);
    p->q = HALVES(aligned ? 8 : 1, p->rows, p->heads, p->dim);
}

static void attend_rows(const struct in_pages *p, struct arr y, struct arr lse, int64_t r,
                        int64_t count)
{
    struct kv_view view = {p->view.table, arr_rows(p->view.seq, r, count),
                           arr_rows(p->view.len, r, count)};
    k->attention_paged(any_dev(), arr_rows(y, r, count), arr_rows(p->q, r, count), p->k,
                       p->v, view, p->scale, lse.data ? arr_rows(lse, r, count) : lse);
}

static void check_rows(const struct in_pages *p, struct arr y, struct arr lse)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t h = 0; h < p->heads; h++) {
            see_pages(p->k, p->v, p->tables[p->seq[r]], p->len[r],
                      h / (p->heads / p->kv_heads));
            check_attended(y, lse, p->q, r, h, p->len[r], (double)p->scale);
        }
}

static void paged_attention_sees_each_rows_own_past(void)
{
    static const int64_t dims[] = {128, 64, 80, 32, 20, 16, 7};
    static const int64_t groups[] = {7, 4, 1, 8, 3, 2, 5, 64};
    static struct in_pages p;
    for (int n = 0; n < 21; n++) {
        aligned = n % 7 < 4 || n % 7 == 5;
        pages_made(&p, dims[n % 7], random_in(1, 2), groups[n % 8],
                   (int32_t)(n % 3 == 0 ? random_in(513, LONGEST) : random_in(1, 300)));
        rows_made(&p, n % 3 == 2 ? 1 : n % 3 == 0 ? 3 : 20);
        view_made(&p);
        struct arr y = HALVES(8, p.rows, p.heads, p.dim), again = halves_copied(y);
        struct arr lse = filled(MAKE(ARR_F32, 1, p.rows, p.heads)), lse2 = copied(lse);
        attend_rows(&p, y, lse, 0, p.rows);
        check_rows(&p, y, lse);
        other_order();
        for (int64_t r = 0, count; r < p.rows; r += count) {
            count = random_in(1, n % 2 ? 1 : 20);
            count = count < p.rows - r ? count : p.rows - r;
            attend_rows(&p, again, lse2, r, count);
        }
        usual_order();
        CHECK(same_halves(again, y) && same_bits(lse2, lse), "rows in other groups");
        pool_free();
    }
}

/* So many tiles that each goes through all of its runs of pages itself: as in prefill;
 * rows alone have a block of threads for each run. */
static void prefill_and_decode_have_the_same_bits(void)
{
    enum { KV_HEADS = 66, ROWS = 4 * 64 + 3, RUN_KEYS = 8 * KV_PAGE };
    static struct in_pages p;
    aligned = true;
    pages_made(&p, 16, KV_HEADS, 1, LONGEST - 5);
    for (int r = 0; r < ROWS; r++) { /* most are short: to be fast */
        static const int32_t lens[] = {RUN_KEYS - 1, RUN_KEYS, RUN_KEYS + 1, LONGEST - 5};
        row_more(&p, 0, r % 80 == 79 ? lens[r / 80] : 1 + r % 100);
    }
    row_more(&p, 0, LONGEST - 5);
    view_made(&p);
    struct arr y = HALVES(0, p.rows, p.heads, p.dim), again = halves_copied(y);
    struct arr lse = filled(MAKE(ARR_F32, 0, p.rows, p.heads)), lse2 = copied(lse);
    attend_rows(&p, y, lse, 0, p.rows);
    for (int64_t r = 0; r < p.rows; r += 79) {
        int64_t count = r + 79 < p.rows ? 79 : p.rows - r;
        attend_rows(&p, again, lse2, r, count - 1);
        attend_rows(&p, again, lse2, r + count - 1, 1);
    }
    CHECK(same_halves(again, y) && same_bits(lse2, lse), "rows in other groups");
    for (int64_t h = 0; h < p.heads; h += 13) {
        int64_t r = p.rows - 1;
        see_pages(p.k, p.v, p.tables[0], p.len[r], h);
        check_attended(y, lse, p.q, r, h, p.len[r], (double)p.scale);
    }
    pool_free();
}

/* A query of NaN sees NaN in every run of pages; rows beside it are as they were. */
static void what_is_not_a_number_stays_so(void)
{
    enum { BAD = 1 };
    static struct in_pages p;
    aligned = true;
    pages_made(&p, 64, 1, 2, LONGEST);
    rows_made(&p, 1);
    view_made(&p);
    struct arr y = HALVES(0, p.rows, p.heads, p.dim), want = halves_copied(y);
    attend_rows(&p, want, arr_none(), 0, p.rows);
    memset((uint16_t *)p.q.data + BAD * p.q.stride, 0xff, (size_t)(p.dim * 2));
    attend_rows(&p, y, arr_none(), 0, p.rows);
    for (int64_t r = 0; r < p.rows; r++)
        for (int64_t i = 0; i < p.heads * p.dim; i++) {
            double got = value(y, r, i);
            bool bad = r == BAD && i < p.dim;
            CHECK(bad ? isnan(got) : got == value(want, r, i), "row %lld of %lld: %g",
                  (long long)r, (long long)p.rows, got);
        }
    pool_free();
}

static void back_rows(const struct in_pages *p, const struct gradients *g, int64_t r,
                      int64_t count)
{
    struct kv_view view = {p->view.table, arr_rows(p->view.seq, r, count),
                           arr_rows(p->view.len, r, count)};
    k->back->attention_paged(any_dev(), arr_rows(g->dq, r, count), g->dk, g->dv,
                             arr_rows(g->dy, r, count), arr_rows(g->q, r, count), g->k,
                             g->v, arr_rows(g->y, r, count), arr_rows(g->lse, r, count),
                             view, p->scale);
}

static void gradients_over_pages_are_sums_over_rows_and_keys(void)
{
    static const int64_t dims[] = {128, 64, 80, 32, 20, 16, 7};
    static const int64_t groups[] = {7, 4, 1, 8, 3, 2, 5, 40};
    static struct in_pages p;
    for (int n = 0; n < 14; n++) {
        aligned = n % 7 < 4 || n % 7 == 5;
        pages_made(&p, dims[n % 7], random_in(1, 2), groups[n % 8],
                   (int32_t)random_in(1, 260));
        rows_made(&p, n % 3 == 2 ? 3 : 16);
        view_made(&p);
        struct gradients g = {.q = p.q, .k = p.k, .v = p.v};
        g.y = halves(3, p.q.shape, 8);
        g.dy = halves(3, p.q.shape, aligned ? 8 : 1);
        g.lse = filled(MAKE(ARR_F32, 1, p.rows, p.heads));
        g.dq = halves(3, p.q.shape, aligned ? 16 : 3);
        g.dk = halves(4, p.k.shape, 0);
        g.dv = halves(4, p.v.shape, 0);
        attend_rows(&p, g.y, g.lse, 0, p.rows);
        gradients_begin(&g);
        struct gradients again = g;
        again.dq = halves_copied(g.dq);
        again.dk = halves_copied(g.dk);
        again.dv = halves_copied(g.dv);
        back_rows(&p, &g, 0, p.rows);
        for (int64_t r = 0; r < p.rows; r++)
            for (int64_t h = 0; h < p.heads; h++) {
                see_pages(p.k, p.v, p.tables[p.seq[r]], p.len[r],
                          h / (p.heads / p.kv_heads));
                gradients_add(&g, r, h, p.len[r], (double)p.scale);
            }
        check_gradients(&g);
        other_order();
        back_rows(&p, &again, 0, p.rows);
        CHECK(same_halves(again.dq, g.dq) && same_halves(again.dk, g.dk) &&
                  same_halves(again.dv, g.dv),
              "threads in another order");
        again.dq = halves_copied(g.dq_was);
        for (int64_t r = 0, count; r < p.rows; r += count) {
            count = random_in(1, p.rows - r);
            back_rows(&p, &again, r, count);
        }
        usual_order();
        CHECK(same_halves(again.dq, g.dq), "dq of rows in other groups");
        pool_free();
    }
}

int main(void)
{
    k = cuda_under_test();
    for (int i = 0; i < DEVICES; i++) devs[i] = device_of(k, "cuda", 1);
    CASE(attention_stays_inside_its_segments);
    CASE(gradients_in_segments_are_sums_over_rows_and_keys);
    CASE(paged_attention_sees_each_rows_own_past);
    CASE(prefill_and_decode_have_the_same_bits);
    CASE(what_is_not_a_number_stays_so);
    CASE(gradients_over_pages_are_sums_over_rows_and_keys);
    for (int i = 0; i < DEVICES; i++) k->close(devs[i]);
    return check_end();
}
