/* matmul_wide_avx2.c: y = x w^T with AVX2 and FMA, for many rows of x.
 *
 * A chunk of x's rows is packed once for all threads; then each thread takes panels of w,
 * a block of K at a time, turns the block into packed floats in its cache and runs it
 * past the chunk in tiles of TILE_ROWS x TILE_COLUMNS outputs. Between blocks of K the
 * accumulators rest in memory, all 8 lanes of them, so blocks do not show in the result.
 *
 * Packed: for each tile, for each step of 8 along K, the 8 lanes of each of its rows.
 */
#include "matmul_avx2.h"

enum {
    CHUNK = 192, /* rows of x packed at a time */
    PANEL = 32,  /* rows of w in a panel */
    BLOCK = 512, /* of K */
    STEPS = BLOCK / CPU_LANES,
    X_TILE = TILE_ROWS * BLOCK,    /* floats of a packed tile of x and */
    W_TILE = TILE_COLUMNS * BLOCK, /* of w in one block of K */
    CHUNK_TILES = CHUNK / TILE_ROWS,
    PANEL_TILES = PANEL / TILE_COLUMNS,
    OUTPUTS = TILE_ROWS * TILE_COLUMNS,
};

/* A thread's scratch. */
struct panel {
    float w[PANEL_TILES * W_TILE];
    __m256 acc[CHUNK_TILES][PANEL_TILES][OUTPUTS];
};
_Static_assert(sizeof(struct panel) <= CPU_SCRATCH, "a panel fits the scratch");

/* Pack row `row` of `rows` in a tile: elements [from, to) of it, zeros up to a whole
 * step. */
ALWAYS_INLINE void pack_row(float *tile, int row, int rows, const char *data,
                            enum arr_type type, int64_t count)
{
    const int64_t size = type == ARR_F32 ? 4 : 2;
    int64_t k = 0;
    float *to = tile + row * CPU_LANES;
    for (; k + CPU_LANES <= count; k += CPU_LANES, to += rows * CPU_LANES)
        _mm256_store_ps(to, load8(data + k * size, type));
    if (k < count)
        _mm256_store_ps(to, load_tail(data + k * size, type, count - k));
}

static void pack_w_row(float *tile, int row, const char *data, enum arr_type type,
                       int64_t count)
{
    switch (type) {
    case ARR_F32: pack_row(tile, row, TILE_COLUMNS, data, ARR_F32, count); break;
    case ARR_BF16: pack_row(tile, row, TILE_COLUMNS, data, ARR_BF16, count); break;
    case ARR_F16: pack_row(tile, row, TILE_COLUMNS, data, ARR_F16, count); break;
    case ARR_I32: assert(!"a float array");
    }
}

/* acc += the products of `steps` steps of two packed tiles. */
static void multiply(__m256 acc[OUTPUTS], const float *x, const float *w, int64_t steps,
                     bool first)
{
    __m256 sum[TILE_ROWS][TILE_COLUMNS], a[TILE_ROWS], b;
    for (int r = 0; r < TILE_ROWS; r++)
        for (int c = 0; c < TILE_COLUMNS; c++)
            sum[r][c] = first ? _mm256_setzero_ps() : acc[r * TILE_COLUMNS + c];
    for (int64_t s = 0; s < steps; s++) {
        for (int r = 0; r < TILE_ROWS; r++) a[r] = _mm256_load_ps(x + r * CPU_LANES);
        for (int c = 0; c < TILE_COLUMNS; c++) {
            b = _mm256_load_ps(w + c * CPU_LANES);
            for (int r = 0; r < TILE_ROWS; r++)
                sum[r][c] = _mm256_fmadd_ps(a[r], b, sum[r][c]);
        }
        x += TILE_ROWS * CPU_LANES;
        w += TILE_COLUMNS * CPU_LANES;
    }
    for (int r = 0; r < TILE_ROWS; r++)
        for (int c = 0; c < TILE_COLUMNS; c++) acc[r * TILE_COLUMNS + c] = sum[r][c];
}

/* Write one tile of outputs, rows i.. and columns j... */
static void write_tile(const struct product *p, int64_t i, int64_t rows, int64_t j,
                       const __m256 acc[OUTPUTS])
{
    int64_t count = p->n - j < TILE_COLUMNS ? p->n - j : TILE_COLUMNS;
    float bias[TILE_COLUMNS] = {0};
    bias_floats(bias, p, j, count);
    for (int64_t r = 0; r < rows; r++)
        finish(p, i + r, j, count, reduce4(acc + r * TILE_COLUMNS), bias);
}

/* Columns [j, j + PANEL) for the packed chunk of rows [i, i + rows). */
static void run_panel(const struct product *p, struct panel *panel, const float *packed,
                      int64_t i, int64_t rows, int64_t j)
{
    int64_t width = p->n - j < PANEL ? p->n - j : PANEL;
    int64_t row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    int64_t column_tiles = (width + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (int64_t k = 0; k < p->depth; k += BLOCK, packed += row_tiles * X_TILE) {
        int64_t count = p->depth - k < BLOCK ? p->depth - k : BLOCK;
        int64_t steps = (count + CPU_LANES - 1) / CPU_LANES;
        for (int64_t c = 0; c < column_tiles * TILE_COLUMNS; c++) /* repeats the last */
            pack_w_row(panel->w + c / TILE_COLUMNS * W_TILE, (int)(c % TILE_COLUMNS),
                       row_any(p->w, j + (c < width ? c : width - 1)) +
                           k * (int64_t)arr_type_size(p->w.type),
                       p->w.type, count);
        for (int64_t r = 0; r < row_tiles; r++)
            for (int64_t c = 0; c < column_tiles; c++)
                multiply(panel->acc[r][c], packed + r * X_TILE, panel->w + c * W_TILE,
                         steps, k == 0);
    }
    for (int64_t r = 0; r < row_tiles; r++)
        for (int64_t c = 0; c < column_tiles; c++)
            write_tile(p, i + r * TILE_ROWS,
                       rows - r * TILE_ROWS < TILE_ROWS ? rows - r * TILE_ROWS
                                                        : TILE_ROWS,
                       j + c * TILE_COLUMNS, panel->acc[r][c]);
}

/* Pack tile t of the chunk of rows [i, i + rows): [block of K][tile][step][row][lane].
 * Rows that are not there stay as they are: their outputs are not written. */
static void pack_x(float *packed, const struct product *p, int64_t i, int64_t rows,
                   int64_t t)
{
    int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t k = 0, block = 0; k < p->depth; k += BLOCK, block++)
        for (int64_t r = t * TILE_ROWS; r < rows && r < (t + 1) * TILE_ROWS; r++)
            pack_row(packed + (block * tiles + t) * X_TILE, (int)(r % TILE_ROWS),
                     TILE_ROWS, (const char *)(row_f32(p->x, i + r) + k), ARR_F32,
                     p->depth - k < BLOCK ? p->depth - k : BLOCK);
}

/* Rows of x in a chunk: what the memory for it holds, at most CHUNK. */
static int64_t chunk_rows(const struct product *p)
{
    int64_t blocks = (p->depth + BLOCK - 1) / BLOCK;
    int64_t tiles = CPU_SHARED / ((int64_t)sizeof(float) * X_TILE * blocks);
    assert(tiles > 0);
    return (tiles < CHUNK_TILES ? tiles : CHUNK_TILES) * TILE_ROWS;
}

void matmul_wide_avx2(struct dev *d, const struct product *p)
{
    int64_t chunk = chunk_rows(p);
#pragma omp parallel num_threads(cpu_threads(d, p->m * p->n * p->depth, CPU_PRODUCTS))
    {
        struct panel *panel = cpu_scratch(d);
        for (int64_t i = 0; i < p->m; i += chunk) {
            int64_t rows = p->m - i < chunk ? p->m - i : chunk;
#pragma omp for
            for (int64_t t = 0; t < (rows + TILE_ROWS - 1) / TILE_ROWS; t++)
                pack_x(d->shared, p, i, rows, t);
#pragma omp for schedule(dynamic)
            for (int64_t j = 0; j < p->n; j += PANEL)
                run_panel(p, panel, d->shared, i, rows, j);
        }
    }
}
