/* staging.h: copies between the host's memory and a GPU's by way of pinned buffers, which
 * the GPU reads and writes by itself: the host copies one piece while the GPU has
 * another.
 */
#ifndef CUDA_STAGING_H
#define CUDA_STAGING_H
#include "launch.h"

/* Pinned memory in parts; each has an event behind its latest copy. */
enum { STAGING_PARTS = 4 };
struct staging_ring {
    char *memory; /* [STAGING_PARTS * STAGING_PART], owned */
    cudaEvent_t event[STAGING_PARTS];
    int part;    /* that is being filled */
    size_t used; /* of it */
};

struct staging {
    struct staging_ring up, down;
};

cudaError_t staging_open(struct staging *s);
void staging_close(struct staging *s); /* nothing may be under way */

/* Copy to a GPU's memory in the order of the stream; the source may be used again at
 * once. All calls name the same stream. */
cudaError_t staging_send(struct staging *s, void *to, const void *host, size_t bytes,
                         cudaStream_t stream);
/* Copy from a GPU's memory, in the order of the stream, and wait for it. */
cudaError_t staging_fetch(struct staging *s, void *host, const void *from, size_t bytes,
                          cudaStream_t stream);
#endif
