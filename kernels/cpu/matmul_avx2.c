/* matmul_avx2.c: y [M, N] = x [M, K] w [N, K]^T with AVX2, FMA and F16C (matmul.c is the
 * definition, whose lanes and final reduction these are, with fused sums).
 *
 * TILE_ROWS rows of x meet TILE_COLUMNS rows of w at a time, in 12 accumulators. A tile
 * of w stays in the first cache for all rows of a chunk of x, which stays in the second;
 * w is read as stored, turned into floats in registers. With few rows of x all this is
 * bound by memory, and the next tile of w is asked for early.
 *
 * Many rows go another way: matmul_many_avx2.c.
 */
#include "product_avx2.h"

enum {
    CHUNK_BYTES = 1 << 20, /* of x in a chunk, unless that makes */
    CHUNK_LEAST = 24,      /* fewer rows than this */
    AHEAD_TILE = 32 << 10, /* a tile of w of up to so many bytes asks for the next tile */
    AHEAD = 2048,          /* (the processor's own prefetch ends with a row); a larger
                            * one asks for what comes so many bytes later */
};

/* 8 elements of a float type, at any address. */
ALWAYS_INLINE __m256 load_floats8(const char *p, enum arr_type type)
{
    if (type == ARR_F32)
        return _mm256_loadu_ps((const float *)(const void *)p);
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (type == ARR_F16)
        return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* The same of n < 8 elements, zeros behind them. */
ALWAYS_INLINE __m256 load_tail(const char *p, enum arr_type type, int64_t n)
{
    char bytes[32] = {0};
    memcpy(bytes, p, (size_t)n * (type == ARR_F32 ? 4 : 2));
    return load_floats8(bytes, type);
}

/* Elements [k, k + 8) of the rows of a tile. */
ALWAYS_INLINE void step(__m256 acc[TILE_ROWS][TILE_COLUMNS], const float *const x[],
                        const char *const w[], int rows, enum arr_type type, int64_t k)
{
    __m256 a[TILE_ROWS], b;
    for (int r = 0; r < rows; r++) a[r] = _mm256_loadu_ps(x[r] + k);
    for (int c = 0; c < TILE_COLUMNS; c++) {
        b = load_floats8(w[c] + k * (type == ARR_F32 ? 4 : 2), type);
        for (int r = 0; r < rows; r++) acc[r][c] = _mm256_fmadd_ps(a[r], b, acc[r][c]);
    }
}

/* Rows i.. (`rows` of them) of y at columns j.. (`count` of TILE_COLUMNS), whose rows of
 * w are at w[]; fetch: w is not in the cache yet. */
ALWAYS_INLINE void tile(const struct product *p, int64_t i, int rows,
                        const char *const w[], int64_t j, int64_t count,
                        enum arr_type type, bool fetch, const float *bias)
{
    const int64_t size = type == ARR_F32 ? 4 : 2, line = 64 / size, depth = p->depth;
    const int64_t tile_bytes = TILE_COLUMNS * p->w.stride * size;
    const int64_t ahead = tile_bytes <= AHEAD_TILE ? tile_bytes : AHEAD;
    const float *x[TILE_ROWS];
    __m256 acc[TILE_ROWS][TILE_COLUMNS], a[TILE_ROWS], b;
    int64_t k = 0;
    for (int r = 0; r < rows; r++) {
        x[r] = row_f32(p->x, i + r);
        for (int c = 0; c < TILE_COLUMNS; c++) acc[r][c] = _mm256_setzero_ps();
    }
    for (; fetch && k + line <= depth; k += line) {
        for (int c = 0; c < TILE_COLUMNS; c++)
            _mm_prefetch(w[c] + k * size + ahead, _MM_HINT_T0);
#pragma GCC unroll 1
        for (int64_t l = k; l < k + line; l += CPU_LANES) step(acc, x, w, rows, type, l);
    }
    for (; k + CPU_LANES <= depth; k += CPU_LANES) step(acc, x, w, rows, type, k);
    if (k < depth) {
        const int64_t n = depth - k;
        for (int r = 0; r < rows; r++)
            a[r] = load_tail((const char *)(x[r] + k), ARR_F32, n);
        for (int c = 0; c < TILE_COLUMNS; c++) {
            b = load_tail(w[c] + k * size, type, n);
            for (int r = 0; r < rows; r++)
                acc[r][c] = _mm256_fmadd_ps(a[r], b, acc[r][c]);
        }
    }
    for (int r = 0; r < rows; r++) finish(p, i + r, j, count, reduce4(acc[r]), bias);
}

/* Rows [i, end) at columns j.., whose rows of w are at w[]; the tile stays in the cache
 * for the later rows. */
ALWAYS_INLINE void rows_past(const struct product *p, int64_t i, int64_t end,
                             const char *const w[], int64_t j, int64_t count,
                             enum arr_type type, bool fetch, const float *bias)
{
    if (end - i >= 3)
        tile(p, i, 3, w, j, count, type, fetch, bias);
    else if (end - i == 2)
        tile(p, i, 2, w, j, count, type, fetch, bias);
    else
        tile(p, i, 1, w, j, count, type, fetch, bias);
    for (i += 3; i + 3 <= end; i += 3) tile(p, i, 3, w, j, count, type, false, bias);
    if (i + 2 == end)
        tile(p, i, 2, w, j, count, type, false, bias);
    else if (i + 1 == end)
        tile(p, i, 1, w, j, count, type, false, bias);
}

/* The same for blocks: many rows of x meet w's rows turned into floats once. */
static void blocks_past(const struct product *p, int64_t i, int64_t end,
                        const char *w[TILE_COLUMNS], int64_t j, int64_t count,
                        const float *bias)
{
    if (end - i <= TILE_ROWS) {
        product_blocks(p, i, (int)(end - i), j, count, bias);
        return;
    }
    float *rows = cpu_scratch(p->d);
    for (int64_t c = 0; c < TILE_COLUMNS; c++) {
        if (c < count)
            blocks_avx2(rows + c * p->depth, w[c], p->w.type, p->depth);
        w[c] = (const char *)(rows + (c < count ? c : count - 1) * p->depth);
    }
    rows_past(p, i, end, w, j, count, ARR_F32, false, bias);
}

/* Rows [i, end) of x past the tile of w from column j. */
static void columns(const struct product *p, int64_t i, int64_t end, int64_t j)
{
    const char *w[TILE_COLUMNS];
    float bias[TILE_COLUMNS] = {0};
    int64_t count = p->n - j < TILE_COLUMNS ? p->n - j : TILE_COLUMNS;
    /* Columns that are not there repeat the last one, and are not written. */
    for (int c = 0; c < TILE_COLUMNS; c++)
        w[c] = row_any(p->w, c < count ? j + c : j + count - 1);
    if (p->bias.data)
        floats_of(bias, row_any(p->bias, j), p->bias.type, count);
    switch (p->w.type) {
    case ARR_F32: rows_past(p, i, end, w, j, count, ARR_F32, true, bias); break;
    case ARR_BF16: rows_past(p, i, end, w, j, count, ARR_BF16, true, bias); break;
    case ARR_F16: rows_past(p, i, end, w, j, count, ARR_F16, true, bias); break;
    default: blocks_past(p, i, end, w, j, count, bias);
    }
}

/* Tile t of w past one chunk of x's rows; chunks are the outer order. */
static void piece(const struct product *p, int64_t t)
{
    int64_t tiles = (p->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    int64_t i = t / tiles * p->chunk, j = t % tiles * TILE_COLUMNS;
    int64_t end = i + p->chunk < p->m ? i + p->chunk : p->m;
    columns(p, i, end, j);
}

/* Rows of x that stay in the cache while all of w goes past them: equal chunks, since the
 * threads share out whole ones. */
static int64_t chunk_rows(int64_t rows, int64_t depth)
{
    int64_t most = CHUNK_BYTES / ((int64_t)sizeof(float) * (depth + 1));
    most = most < CHUNK_LEAST ? CHUNK_LEAST : most;
    int64_t chunks = (rows + most - 1) / most,
            each = chunks ? (rows + chunks - 1) / chunks : 1;
    return (each + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

void matmul_avx2(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr bias,
                 enum matmul_mode mode)
{
    struct product p = {d, y, x, w, bias, mode, x.shape[0], w.shape[0], w.shape[1], 0};
    p.chunk = chunk_rows(p.m, p.depth);
    assert(x.shape[1] == p.depth && y.shape[0] == p.m && y.shape[1] == p.n);
    assert(w.type != ARR_I32 && w.type != ARR_U8 && w.type < ARR_TYPES);
    assert(arr_type_block(w.type) == 1 ||
           p.depth * TILE_COLUMNS * (int64_t)sizeof(float) <= CPU_SCRATCH);
    bool half = w.type == ARR_BF16 || w.type == ARR_F16;
    if (p.m >= (half ? MANY_HALF_ROWS : MANY_ROWS) && p.n >= MANY_COLUMNS &&
        product_many(&p))
        return;
    int64_t chunks = (p.m + p.chunk - 1) / p.chunk;
    int64_t tiles = (p.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    CPU_EACH(d, t, chunks * tiles, p.m * p.n * p.depth, CPU_PRODUCTS, piece(&p, t));
}
