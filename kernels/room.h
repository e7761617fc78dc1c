/* room.h: how attention in bf16 is cut on a GPU, and how much memory of its own it may
 * take: for its kernels (cuda/attention_bf16.cu, cuda/back_attention_bf16.cu), and for
 * forecasts of what they take (measure.h). What these numbers are for is said there.
 */
#ifndef ROOM_H
#define ROOM_H

enum {
    ROOM_RUN = 4,              /* pages of one run */
    ROOM_BLOCKS_ENOUGH = 264,  /* blocks of threads */
    ROOM_RUNS_MOST = 64 << 20, /* bytes */
    ROOM_CHUNK_TILES = 8,      /* tiles of queries of one chunk */
    ROOM_CHUNKS_MOST = 128 << 20,
};
#endif
