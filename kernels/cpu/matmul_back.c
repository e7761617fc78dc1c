/* matmul_back.c: the two products of a product's gradient (backward.h).
 *
 * Both are C [M, N] += A [M, K] B [K, N] with A and B read in one of two directions, in
 * the manner of BLIS (Van Zee and van de Geijn, 2015): B is packed into panels of COLUMNS
 * columns and DEPTH rows that stay in the third cache, A into panels of ROWS rows that
 * stay in the second; a tile of ROWS x COLUMNS of C is summed in registers. Each number
 * of C is summed over K ascending, in blocks of DEPTH whose sums are added in order: that
 * depends on nothing but its own row and column.
 */
#include "backward_cpu.h"
#include "vector.h"
#ifdef CPU_AVX2
#include "transpose_avx2.h"
#endif

enum {
    ROWS = 6,
    VECTORS = 2,
    COLUMNS = VECTORS * 8,
    DEPTH = 256,
    BLOCK_ROWS = 96,     /* of A packed together, one thread's work; whole tiles */
    BLOCK_COLUMNS = 2048 /* of B packed together by all threads */
};

/* A matrix read along or across its rows. */
struct side {
    struct arr a;
    bool turned; /* element (i, k) is a[k][i] */
};

/* C (+)= A B, of what sizes. */
struct gemm {
    struct dev *d;
    struct arr c;
    struct side a, b; /* a: (i, k); b: (k, j), turned: b[j][k] */
    int64_t m, n, depth;
    bool set;
    float *panels; /* of B, shared */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whole tiles, as far as whole vectors along k go: how many k that are. */
static int64_t pack_vectors(float *to, const struct side *s, int64_t i, int64_t k0,
                            int64_t depth)
{
    int64_t k = 0;
#ifdef CPU_AVX2
    /* A vector is stored of 8 rows; what is too much the next store covers. */
    for (; k + 16 <= depth; k += 8, to += 8 * ROWS) {
        __m256 r[8];
        for (int64_t l = 0; l < 8; l++)
            r[l] = _mm256_loadu_ps(row_f32(s->a, i + (l < ROWS ? l : 0)) + k0 + k);
        transpose8(r);
        for (int64_t l = 0; l < 8; l++) _mm256_storeu_ps(to + l * ROWS, r[l]);
    }
#else
    (void)to, (void)s, (void)i, (void)k0, (void)depth;
#endif
    return k;
}

/* Rows [i, i + ROWS) of A that lies along k, k in [k0, k0 + depth): [depth][ROWS], zeros
 * where there are no rows. */
static void pack_along(float *to, const struct side *s, int64_t i, int64_t rows,
                       int64_t k0, int64_t depth)
{
    int64_t done = rows == ROWS ? pack_vectors(to, s, i, k0, depth) : 0;
    for (int64_t r = 0; r < ROWS; r++) {
        const float *from = r < rows ? row_f32(s->a, i + r) + k0 : NULL;
        for (int64_t k = done; k < depth; k++) to[k * ROWS + r] = from ? from[k] : 0;
    }
}

/* The same of A turned, for rows [i, end): all tiles of a row of memory at once, since
 * rows a power of two apart would push each other out of the cache. */
static void pack_turned(float *to, const struct side *s, int64_t i, int64_t end,
                        int64_t k0, int64_t depth)
{
    for (int64_t k = 0; k < depth; k++, to += ROWS) {
        const float *from = row_f32(s->a, k0 + k) + i;
        float *at = to;
        int64_t left = end - i;
        for (; left >= ROWS; left -= ROWS, from += ROWS, at += depth * ROWS)
            memcpy(at, from, ROWS * sizeof *at);
        for (int64_t r = 0; left > 0 && r < ROWS; r++) at[r] = r < left ? from[r] : 0;
    }
}

/* Rows [i, end) of A in tiles. */
static void pack_a(float *to, const struct side *s, int64_t i, int64_t end, int64_t k0,
                   int64_t depth)
{
    if (s->turned) {
        pack_turned(to, s, i, end, k0, depth);
        return;
    }
    for (; i < end; i += ROWS, to += ROWS * depth)
        pack_along(to, s, i, least(ROWS, end - i), k0, depth);
}

/* Columns [j, j + COLUMNS) of B: [depth][COLUMNS]; B may be of any float type. */
static void pack_b(float *to, const struct side *s, int64_t j, int64_t columns,
                   int64_t k0, int64_t depth)
{
    if (s->a.type == ARR_F32 && columns == COLUMNS) {
        for (int64_t k = 0; k < depth; k++)
            memcpy(to + k * COLUMNS, row_f32(s->a, k0 + k) + j, COLUMNS * sizeof *to);
        return;
    }
    for (int64_t k = 0; k < depth; k++, to += COLUMNS) {
        const char *from = row_any(s->a, k0 + k) + arr_type_bytes(s->a.type, j);
        floats_of(to, from, s->a.type, columns);
        for (int64_t c = columns; c < COLUMNS; c++) to[c] = 0;
    }
}

/* One tile of C from panels of A and B. */
static void tile(const struct gemm *g, const float *a, const float *b, int64_t depth,
                 int64_t i, int64_t rows, int64_t j, int64_t columns, bool set)
{
    vec8 sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; r++) {
        if (r < rows) /* C is far away, and wanted at the end */
            __builtin_prefetch(row_f32(g->c, i + r) + j, 1);
        for (int v = 0; v < VECTORS; v++) sum[r][v] = vec8_of(0);
    }
    for (int64_t k = 0; k < depth; k++, a += ROWS, b += COLUMNS) {
        vec8 b0 = *(const vec8 *)b, b1 = *(const vec8 *)(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            vec8 x = vec8_of(a[r]);
            sum[r][0] = vec8_fma(x, b0, sum[r][0]);
            sum[r][1] = vec8_fma(x, b1, sum[r][1]);
        }
    }
    if (rows == ROWS && columns == COLUMNS) {
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < VECTORS; v++) {
                vec8 *to = (vec8 *)(row_f32(g->c, i + r) + j + v * 8);
                if (set)
                    *to = sum[r][v];
                else
                    *to = *to + sum[r][v];
            }
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *from = (const float *)sum[r];
        float *to = row_f32(g->c, i + r) + j;
        for (int64_t c = 0; c < columns; c++) to[c] = set ? from[c] : to[c] + from[c];
    }
}

/* Rows of block t of A past the packed columns [j0, j1) of B, k from k0. */
static void block(const struct gemm *g, int64_t t, int64_t j0, int64_t j1, int64_t k0,
                  int64_t depth)
{
    int64_t i0 = t * BLOCK_ROWS, i1 = least(i0 + BLOCK_ROWS, g->m);
    float *panel = cpu_scratch(g->d);
    bool set = g->set && k0 == 0;
    pack_a(panel, &g->a, i0, i1, k0, depth);
    for (int64_t j = j0; j < j1; j += COLUMNS)
        for (int64_t i = i0; i < i1; i += ROWS)
            tile(g, panel + (i - i0) * depth, g->panels + (j - j0) * depth, depth, i,
                 least(ROWS, i1 - i), j, least(COLUMNS, j1 - j), set);
}

static void gemm(struct gemm *g)
{
    struct dev *d = g->d;
    int64_t blocks = (g->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    assert((int64_t)DEPTH * BLOCK_COLUMNS * (int64_t)sizeof(float) <= CPU_SHARED);
    g->panels = d->shared;
    for (int64_t j0 = 0; j0 < g->n; j0 += BLOCK_COLUMNS) {
        int64_t j1 = least(j0 + BLOCK_COLUMNS, g->n);
        int64_t columns = (j1 - j0 + COLUMNS - 1) / COLUMNS;
        for (int64_t k0 = 0; k0 < g->depth; k0 += DEPTH) {
            int64_t depth = least(DEPTH, g->depth - k0), work = g->m * (j1 - j0) * depth;
            CPU_EACH(d, c, columns, work, CPU_PRODUCTS,
                     pack_b(g->panels + c * COLUMNS * depth, &g->b, j0 + c * COLUMNS,
                            least(COLUMNS, j1 - j0 - c * COLUMNS), k0, depth));
            CPU_EACH(d, t, blocks, work, CPU_PRODUCTS, block(g, t, j0, j1, k0, depth));
        }
    }
}

void CPU_OP(matmul_x)(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                      enum grad_mode mode)
{
    struct gemm g = {.d = d, .c = dx, .a = {dy, false}, .b = {w, false}};
    g.m = dx.shape[0];
    g.n = dx.shape[1];
    g.depth = dy.shape[1];
    g.set = mode == GRAD_SET;
    assert(dy.shape[0] == g.m && w.shape[0] == g.depth && w.shape[1] == g.n);
    assert(dx.data != dy.data && arr_type_block(w.type) == 1);
    gemm(&g);
}

static void sum_columns(float *db, struct arr dy, int64_t c, int64_t end)
{
    float sum[CPU_COLUMNS] = {0};
    for (int64_t r = 0; r < dy.shape[0]; r++) {
        const float *from = row_f32(dy, r);
        for (int64_t k = c; k < end; k++) sum[k - c] += from[k];
    }
    for (int64_t k = c; k < end; k++) db[k] += sum[k - c];
}

void CPU_OP(matmul_w)(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                      struct arr x)
{
    struct gemm g = {.d = d, .c = dw, .a = {dy, true}, .b = {x, false}};
    if (db.data)
        CPU_EACH_COLUMNS(d, c, end, dy.shape[1], arr_size(dy),
                         sum_columns(db.data, dy, c, end));
    if (!dw.data)
        return;
    g.m = dw.shape[0];
    g.n = dw.shape[1];
    g.depth = dy.shape[0];
    assert(dy.shape[1] == g.m && x.shape[0] == g.depth && x.shape[1] == g.n);
    assert(x.type == ARR_F32);
    gemm(&g);
}
