/* matmul_many_avx2.c: many rows of x past many rows of w (product_avx2.h).
 *
 * The definition's CPU_LANES running sums of one output take every eighth k each. Here
 * each lane is a product of its own, of the columns k = lane, lane + 8, ... of x and w,
 * in the manner of BLIS (matmul_back.c): packed panels, tiles of ROWS x COLUMNS outputs
 * in registers, a vector along the columns. Lanes come in the order in which lanes_sum()
 * adds them, so that three partial sums of an output are enough, and each number is the
 * definition's to the bit. What it saves over matmul_avx2.c's tiles are the sums across a
 * vector, one for every 8 outputs, and turning halves into floats for every 3 rows. Of
 * OpenBLAS' sgemm: 512 rows past 2048 x 2048, f32 and bf16, 0.93 (the tiles 0.93 and 0.77
 * in chunks of a megabyte); 2048 rows past 1024 x 256, 0.92 (0.82).
 */
#define CPU_AVX2
#include "product_avx2.h"

enum {
    ROWS = 6,
    COLUMNS = 16,
    PANEL_BYTES = 1 << 20, /* of x packed by one thread, in the second cache, but */
    BLOCK_ROWS = 96,       /* no more rows than this; whole tiles */
    BLOCK_LEAST = 24,
    SPARE = 8, /* floats behind a packed tile of x, which its last store may touch */
};

_Static_assert(BLOCK_ROWS % ROWS == 0, "blocks are whole tiles");

/* Partial sums of a block at one panel of w. */
struct sums {
    float part[3][BLOCK_ROWS][COLUMNS];
};

/* How w and x lie when packed. */
struct packing {
    int64_t steps;   /* elements of a lane: depth / CPU_LANES, rounded up */
    int64_t tile;    /* floats of one lane of ROWS rows of x: [steps, ROWS], and SPARE */
    int64_t rows;    /* of x in a block */
    int64_t columns; /* of w packed together: whole panels [CPU_LANES, steps, COLUMNS] */
    float *w;        /* shared */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Elements [k, k + 8) of a row of floats, zeros behind `depth`. */
ALWAYS_INLINE __m256 floats8(const float *row, int64_t k, int64_t depth)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    if (k + CPU_LANES <= depth)
        return _mm256_loadu_ps(row + k);
    const int32_t *mask = ones + (CPU_LANES - (depth - k));
    return _mm256_maskload_ps(row + k,
                              _mm256_loadu_si256((const __m256i *)(const void *)mask));
}

/* Up to 8 rows of floats: lane l of step s goes to to[l * lane + s * step], a vector of
 * the rows; the last row again where there are fewer. */
ALWAYS_INLINE void pack(float *to, int64_t lane, int64_t step, const float *const row[8],
                        int64_t depth)
{
    for (int64_t k = 0; k < depth; k += CPU_LANES, to += step) {
        __m256 r[8];
        for (int i = 0; i < 8; i++) r[i] = floats8(row[i], k, depth);
        transpose8(r);
        for (int l = 0; l < CPU_LANES; l++) _mm256_storeu_ps(to + l * lane, r[l]);
    }
}

/* Panel c of w from column j on. */
static void pack_w(const struct product *p, const struct packing *how, int64_t j,
                   int64_t c)
{
    float *to = how->w + c * how->steps * CPU_LANES * COLUMNS;
    float *floats = cpu_scratch(p->d);
    const float *row[8];
    for (int half = 0; half < COLUMNS; half += 8) {
        for (int i = 0; i < 8; i++) {
            int64_t at = least(j + c * COLUMNS + half + i, p->n - 1);
            row[i] = floats + i * p->depth;
            if (p->w.type == ARR_F32)
                row[i] = row_f32(p->w, at);
            else
                floats_of(floats + i * p->depth, row_any(p->w, at), p->w.type, p->depth);
        }
        pack(to + half, how->steps * COLUMNS, COLUMNS, row, p->depth);
    }
}

/* Rows [i, end) of x: [CPU_LANES, tiles, tile]. */
static void pack_x(float *to, const struct product *p, const struct packing *how,
                   int64_t i, int64_t end)
{
    int64_t tiles = (end - i + ROWS - 1) / ROWS;
    const float *row[8];
    for (int64_t t = 0; t < tiles; t++) {
        for (int r = 0; r < 8; r++)
            row[r] = row_f32(p->x, least(i + t * ROWS + (r < ROWS ? r : 0), end - 1));
        pack(to + t * how->tile, tiles * how->tile, ROWS, row, p->depth);
    }
}

/* One lane of a tile, added to its partial sums as lanes_sum() would: ((0 + 4) + (2 + 6))
 * + ((1 + 5) + (3 + 7)). */
ALWAYS_INLINE void lane_tile(struct sums *s, int64_t row, const float *x, const float *w,
                             int64_t steps, int lane)
{
    __m256 acc[ROWS][2];
    for (int r = 0; r < ROWS; r++) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (int64_t k = 0; k < steps; k++, x += ROWS, w += COLUMNS) {
        __m256 w0 = _mm256_load_ps(w), w1 = _mm256_load_ps(w + 8);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            __m256 a = _mm256_broadcast_ss(x + r);
            acc[r][0] = _mm256_fmadd_ps(a, w0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(a, w1, acc[r][1]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            float *p0 = &s->part[0][row + r][v * 8], *p1 = &s->part[1][row + r][v * 8],
                  *p2 = &s->part[2][row + r][v * 8];
            __m256 sum = acc[r][v];
            switch (lane) {
            case 0: _mm256_storeu_ps(p0, sum); break;
            case 4: _mm256_storeu_ps(p0, _mm256_add_ps(_mm256_loadu_ps(p0), sum)); break;
            case 2:
            case 1: _mm256_storeu_ps(p1, sum); break;
            case 5: _mm256_storeu_ps(p1, _mm256_add_ps(_mm256_loadu_ps(p1), sum)); break;
            case 3: _mm256_storeu_ps(p2, sum); break;
            case 6:
                sum = _mm256_add_ps(_mm256_loadu_ps(p1), sum);
                _mm256_storeu_ps(p0, _mm256_add_ps(_mm256_loadu_ps(p0), sum));
                break;
            default:
                sum = _mm256_add_ps(_mm256_loadu_ps(p2), sum);
                sum = _mm256_add_ps(_mm256_loadu_ps(p1), sum);
                _mm256_storeu_ps(p0, _mm256_add_ps(_mm256_loadu_ps(p0), sum));
            }
        }
}

/* One lane of all tiles of a block. */
ALWAYS_INLINE void lane_block(struct sums *s, const struct packing *how, const float *x,
                              const float *w, int64_t tiles, int lane)
{
    x += lane * tiles * how->tile;
    w += lane * how->steps * COLUMNS;
    for (int64_t t = 0; t < tiles; t++)
        lane_tile(s, t * ROWS, x + t * how->tile, w, how->steps, lane);
}

/* Bias, then what y held; columns [j, j + count). */
static void write(const struct product *p, const struct sums *s, int64_t i, int64_t end,
                  int64_t j, int64_t count)
{
    float bias[COLUMNS];
    if (p->bias.data)
        floats_of(bias, row_any(p->bias, j), p->bias.type, count);
    for (int64_t r = i; r < end; r++) {
        const float *from = s->part[0][r - i];
        float *y = row_f32(p->y, r) + j, out[COLUMNS];
        for (int64_t c = 0; c < COLUMNS; c++) out[c] = from[c];
        if (p->bias.data)
            for (int64_t c = 0; c < count; c++) out[c] += bias[c];
        if (p->mode == MATMUL_ADD)
            for (int64_t c = 0; c < count; c++) y[c] += out[c];
        else if (count == COLUMNS)
            memcpy(y, out, sizeof out);
        else
            memcpy(y, out, (size_t)count * sizeof *y);
    }
}

/* Block t of x's rows past the packed columns [j, end of them). */
static void block(const struct product *p, const struct packing *how, int64_t t,
                  int64_t j, int64_t columns)
{
    int64_t i = t * how->rows, end = least(i + how->rows, p->m);
    int64_t tiles = (end - i + ROWS - 1) / ROWS;
    float *x = cpu_scratch(p->d);
    struct sums s;
    pack_x(x, p, how, i, end);
    for (int64_t c = 0; c < columns; c += COLUMNS) {
        const float *w = how->w + c * how->steps * CPU_LANES;
        lane_block(&s, how, x, w, tiles, 0);
        lane_block(&s, how, x, w, tiles, 4);
        lane_block(&s, how, x, w, tiles, 2);
        lane_block(&s, how, x, w, tiles, 6);
        lane_block(&s, how, x, w, tiles, 1);
        lane_block(&s, how, x, w, tiles, 5);
        lane_block(&s, how, x, w, tiles, 3);
        for (int64_t r = i; r < end; r++)
            _mm_prefetch((const char *)(row_f32(p->y, r) + j + c), _MM_HINT_T0);
        lane_block(&s, how, x, w, tiles, 7);
        write(p, &s, i, end, j + c, least(COLUMNS, columns - c));
    }
}

/* Blocks of equal size, as many for each thread. */
static int64_t block_rows(const struct product *p, int64_t steps)
{
    int64_t most = PANEL_BYTES / (steps * CPU_LANES * (int64_t)sizeof(float));
    most = most > BLOCK_ROWS ? BLOCK_ROWS : most < BLOCK_LEAST ? BLOCK_LEAST : most;
    int64_t round = most * p->d->threads, rounds = (p->m + round - 1) / round;
    int64_t each = (p->m + rounds * p->d->threads - 1) / (rounds * p->d->threads);
    return (each + ROWS - 1) / ROWS * ROWS;
}

bool product_many(const struct product *p)
{
    struct dev *d = p->d;
    int64_t steps = (p->depth + CPU_LANES - 1) / CPU_LANES;
    int64_t panel = steps * CPU_LANES * COLUMNS * (int64_t)sizeof(float);
    struct packing how = {.steps = steps, .tile = steps * ROWS + SPARE};
    how.rows = block_rows(p, steps);
    how.columns = CPU_SHARED / panel * COLUMNS;
    how.w = p->d->shared;
    if (how.columns == 0 ||
        (BLOCK_LEAST + ROWS) * (steps + SPARE) * CPU_LANES * 4 > CPU_SCRATCH)
        return false;
    int64_t blocks = (p->m + how.rows - 1) / how.rows;
    for (int64_t j = 0; j < p->n; j += how.columns) {
        int64_t columns = least(how.columns, p->n - j), work = p->m * columns * p->depth;
        CPU_EACH(d, c, (columns + COLUMNS - 1) / COLUMNS, work, CPU_PRODUCTS,
                 pack_w(p, &how, j, c));
        CPU_EACH(d, t, blocks, work, CPU_PRODUCTS, block(p, &how, t, j, columns));
    }
    return true;
}
