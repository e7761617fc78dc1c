/* matmul_blocks_avx2.c: few rows of x past w in blocks (product_avx2.h).
 *
 * Up to 256 elements of TILE_COLUMNS rows of w are unpacked, then turned into floats in
 * registers and multiplied at once, the rows of w in turns: the running sum of one alone
 * would wait for itself. The numbers and their order are those of whole rows turned into
 * floats first. Rows of w follow each other in memory, and the next tile's are asked for
 * early, since the processor's own prefetch loses four streams that each end soon.
 */
#include "product_avx2.h"

enum {
    TURN = 32,             /* elements of one row of w before the next row's turn */
    AHEAD_TILE = 32 << 10, /* a tile of w of up to so many bytes asks for the next tile */
    AHEAD = 2048,          /* a larger one asks for what comes so many bytes later */
};

static int64_t ahead_of(const struct product *p)
{
    int64_t tile = TILE_COLUMNS * (int64_t)arr_type_bytes(p->w.type, p->w.stride);
    return tile <= AHEAD_TILE ? tile : AHEAD;
}

/* One turn of one row of w: elements at, ... of the unpacked ones, at k + at in x. */
ALWAYS_INLINE void turn(__m256 acc[TILE_ROWS][TILE_COLUMNS], int c,
                        const float *const x[], const struct unpacked *w, int rows,
                        int64_t k, int at, int run)
{
#pragma GCC unroll 2
    for (int r = 0; r < TURN; r += run) {
        __m256 scale = _mm256_broadcast_ss(w->scale + (at + r) / run);
        __m256 shift = _mm256_broadcast_ss(w->shift + (at + r) / run);
#pragma GCC unroll 4
        for (int i = at + r; i < at + r + run; i += CPU_LANES) {
            __m256 b = unpacked_floats(w, i, scale, shift);
            for (int row = 0; row < rows; row++)
                acc[row][c] =
                    _mm256_fmadd_ps(_mm256_loadu_ps(x[row] + k + i), b, acc[row][c]);
        }
    }
}

ALWAYS_INLINE void tile(const struct product *p, int64_t i, int rows, int64_t j,
                        int64_t count, const float *bias, unpack_function *unpack,
                        int run)
{
    const int64_t ahead = ahead_of(p);
    struct unpacked u[TILE_COLUMNS];
    const char *w[TILE_COLUMNS];
    const float *x[TILE_ROWS];
    __m256 acc[TILE_ROWS][TILE_COLUMNS];
    for (int c = 0; c < TILE_COLUMNS; c++) /* the last one again where there is none */
        w[c] = row_any(p->w, c < count ? j + c : j + count - 1);
    for (int r = 0; r < rows; r++) {
        x[r] = row_f32(p->x, i + r);
        for (int c = 0; c < TILE_COLUMNS; c++) acc[r][c] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < p->depth; k += UNPACKED) {
        int n = p->depth - k < UNPACKED ? (int)(p->depth - k) : UNPACKED;
        int64_t bytes = (int64_t)arr_type_bytes(p->w.type, n);
        for (int c = 0; c < TILE_COLUMNS; c++) {
            for (int64_t b = 0; b < bytes; b += 64)
                _mm_prefetch(w[c] + ahead + b, _MM_HINT_T0);
            unpack(&u[c], w[c], n);
            w[c] += bytes;
        }
        for (int at = 0; at < n; at += TURN)
#pragma GCC unroll 4
            for (int c = 0; c < TILE_COLUMNS; c++)
                turn(acc, c, x, &u[c], rows, k, at, run);
    }
    for (int r = 0; r < rows; r++) finish(p, i + r, j, count, reduce4(acc[r]), bias);
}

/* The number of rows is a constant inside, as is the length of a run. */
ALWAYS_INLINE void tile_of(const struct product *p, int64_t i, int rows, int64_t j,
                           int64_t count, const float *bias)
{
    int run;
    unpack_function *unpack = unpack_of(p->w.type, &run);
    if (run == 16)
        tile(p, i, rows, j, count, bias, unpack, 16);
    else
        tile(p, i, rows, j, count, bias, unpack, 32);
}

void product_blocks(const struct product *p, int64_t i, int rows, int64_t j,
                    int64_t count, const float bias[TILE_COLUMNS])
{
    if (rows == 3)
        tile_of(p, i, 3, j, count, bias);
    else if (rows == 2)
        tile_of(p, i, 2, j, count, bias);
    else
        tile_of(p, i, 1, j, count, bias);
}
