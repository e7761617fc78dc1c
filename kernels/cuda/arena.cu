/* arena.cu: see arena.h. A pool of the driver's (cudaMallocFromPoolAsync) and an account
 * of what was taken from it. */
#include "arena.h"

constexpr size_t PIECE = 512; /* what the driver's pools cut pieces by */
constexpr size_t MARGIN_LEAST = (size_t)256 << 20, MARGIN_MOST = (size_t)4 << 30;

static size_t whole(size_t bytes)
{
    return bytes ? (bytes + PIECE - 1) / PIECE * PIECE : PIECE;
}

/* A twentieth of the GPU, within reason; a small one (a test's) keeps its half. */
static size_t margin(size_t unused, size_t total)
{
    size_t m = total / 20;
    m = m < MARGIN_LEAST ? MARGIN_LEAST : m > MARGIN_MOST ? MARGIN_MOST : m;
    return m < unused / 2 ? m : unused / 2;
}

cudaError_t arena_open(struct arena *a, int ordinal, int64_t bound)
{
    size_t unused, total;
    cudaMemPoolProps props = {};
    *a = {};
    props.allocType = cudaMemAllocationTypePinned;
    props.location.type = cudaMemLocationTypeDevice;
    props.location.id = ordinal;
    cudaError_t error = cudaMemGetInfo(&unused, &total);
    if (error == cudaSuccess)
        error = cudaMemPoolCreate(&a->pool, &props);
    if (error != cudaSuccess)
        return error;
    a->bound = bound > 0 ? (size_t)bound : unused - margin(unused, total);
    /* What is given back stays in the pool, and is not asked of the driver again; what
     * lies in pieces beyond the bound goes back when the host waits for the GPU. */
    uint64_t keep = a->bound;
    return cudaMemPoolSetAttribute(a->pool, cudaMemPoolAttrReleaseThreshold, &keep);
}

void arena_close(struct arena *a)
{
    if (a->pool)
        cudaMemPoolDestroy(a->pool);
    *a = {};
}

void arena_trim(struct arena *a, cudaStream_t stream)
{
    cudaStreamSynchronize(stream);
    cudaMemPoolTrimTo(a->pool, 0);
}

void *arena_take(struct arena *a, size_t bytes, cudaStream_t stream)
{
    void *data = NULL;
    size_t piece = whole(bytes);
    cudaError_t error = cudaErrorMemoryAllocation;
    if (piece >= bytes && piece <= a->bound && a->used <= a->bound - piece) {
        error = cudaMallocFromPoolAsync(&data, piece, a->pool, stream);
        if (error == cudaErrorMemoryAllocation) {
            /* in pieces too small, perhaps, or not yet given back: once more, without */
            cudaGetLastError();
            arena_trim(a, stream);
            error = cudaMallocFromPoolAsync(&data, piece, a->pool, stream);
        }
    }
    if (error == cudaSuccess) {
        a->used += piece;
        a->most = a->used > a->most ? a->used : a->most;
        return data;
    }
    cudaGetLastError(); /* told by the NULL: not the device's failure */
    a->refused = bytes;
    return NULL;
}

cudaError_t arena_give(struct arena *a, void *data, size_t bytes, cudaStream_t stream)
{
    a->used -= whole(bytes);
    return cudaFreeAsync(data, stream);
}

size_t arena_room(const struct arena *a, size_t *unused)
{
    size_t total, left = a->bound - a->used, reserved = 0;
    uint64_t held = 0;
    if (cudaMemGetInfo(unused, &total) != cudaSuccess)
        *unused = 0;
    if (cudaMemPoolGetAttribute(a->pool, cudaMemPoolAttrReservedMemCurrent, &held) ==
        cudaSuccess)
        reserved = (size_t)held;
    /* the pool's own unused pieces can be had as well as what is free outside of it */
    size_t had = *unused + (reserved > a->used ? reserved - a->used : 0);
    return left < had ? left : had;
}
