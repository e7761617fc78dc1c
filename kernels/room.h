/* room.h: how attention in bf16 and the gradients of norms are cut on a GPU, and how much
 * memory of their own they take for that: for the kernels (cuda/attention_bf16.cu,
 * cuda/back_attention_bf16.cu, cuda/back_norms.cu), which say what it is for, and for
 * forecasts of what they take (measure.h). In bytes, but for counts.
 */
#ifndef ROOM_H
#define ROOM_H
#include <stdbool.h>
#include <stdint.h>

enum {
    ROOM_TILE = 64,            /* queries of a tile */
    ROOM_RUN = 4,              /* pages of one run */
    ROOM_BLOCKS_ENOUGH = 264,  /* blocks of threads */
    ROOM_RUNS_MOST = 64 << 20, /* bytes */
    ROOM_CHUNK_TILES = 8,      /* tiles of queries of one chunk */
    ROOM_CHUNKS_MOST = 128 << 20,
};

/* So many pieces of `each`; at least one. */
static inline int64_t room_pieces(int64_t n, int64_t each)
{
    return n > 0 ? (n + each - 1) / each : 1;
}

/* Queries of attention over pages: rows, heads of them and of keys, dimensions. */
struct room_queries {
    int64_t rows, heads, kv_heads, dim;
};

/* Rows of one tile: all heads that read one head of keys are in it. (Of more heads than a
 * tile has rows there is none, which is refused; a plan may ask before.) */
static inline int64_t room_height(const struct room_queries *q)
{
    return q->heads > ROOM_TILE * q->kv_heads ? 1 : ROOM_TILE * q->kv_heads / q->heads;
}

/* A row that sees `places` pages has so many runs; apart: their sums are kept side by
 * side, with stats behind. */
struct room_runs {
    int64_t runs, tiles, sums, stats;
    bool apart;
};
static inline struct room_runs room_runs_of(const struct room_queries *q, int64_t places)
{
    const int64_t runs = room_pieces(places, ROOM_RUN), heads = q->rows * q->heads;
    struct room_runs r = {runs, room_pieces(q->rows, room_height(q)),
                          runs * heads * q->dim * 4, runs * heads * 2 * 4, false};
    r.apart = runs > 1 && r.tiles * q->kv_heads < ROOM_BLOCKS_ENOUGH &&
              r.sums + r.stats <= ROOM_RUNS_MOST;
    return r;
}

/* Chunks of so many rows each, and their sums (0: there is one chunk, which has none);
 * pages: how many there are of keys. */
struct room_chunks {
    int64_t chunks, rows, tiles, sums;
};
static inline struct room_chunks room_chunks_of(const struct room_queries *q,
                                                int64_t pages)
{
    const int64_t height = room_height(q), all = room_pieces(q->rows, height);
    const int64_t each = pages * q->kv_heads * q->dim * ROOM_TILE * 2 * 4;
    int64_t chunks = room_pieces(all, ROOM_CHUNK_TILES);
    if (each > 0 && chunks > ROOM_CHUNKS_MOST / each)
        chunks = ROOM_CHUNKS_MOST / each;
    const int64_t rows = (chunks > 1 ? room_pieces(all, chunks) : all) * height;
    chunks = room_pieces(all * height, rows);
    return (struct room_chunks){chunks, rows, all, chunks > 1 ? chunks * each : 0};
}

/* Vectors of one slab, of so many; and room for their statistics and the slabs' sums. */
static inline int64_t room_slab(int64_t vectors)
{
    return vectors / 256 > 32 ? vectors / 256 : 32;
}
static inline int64_t room_slabs(int64_t vectors, int64_t dim)
{
    return vectors * 8 + 2 * room_pieces(vectors, room_slab(vectors)) * dim * 4;
}
#endif
