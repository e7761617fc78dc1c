/* arena.h: a GPU's memory under a bound, in the order of a stream: memory that was given
 * back is taken again without waiting for the GPU, by whatever comes later in the stream.
 */
#ifndef CUDA_ARENA_H
#define CUDA_ARENA_H
#include "launch.h"

#include <stdint.h>

struct arena {
    cudaMemPool_t pool;
    size_t bound;   /* bytes that may be in use at once */
    size_t used;    /* in use, in whole pieces */
    size_t most;    /* in use at once, so far */
    size_t refused; /* the latest piece that was not to be had; 0: none */
};

/* A GPU's arena of at most so many bytes; 0: what is free now, less a margin for what
 * libraries and other programs may come to need. */
cudaError_t arena_open(struct arena *a, int ordinal, int64_t bound);
void arena_close(struct arena *a); /* everything was given back, or is lost */

/* NULL, with a->refused set: beyond the bound, or the GPU has no more. */
void *arena_take(struct arena *a, size_t bytes, cudaStream_t stream);
cudaError_t arena_give(struct arena *a, void *data, size_t bytes, cudaStream_t stream);

/* What was given back in the stream's order, or before, is the whole GPU's again. Waits.
 */
void arena_trim(struct arena *a, cudaStream_t stream);

/* Bytes that arena_take() may still give; *unused: free on the whole GPU now. */
size_t arena_room(const struct arena *a, size_t *unused);
#endif
