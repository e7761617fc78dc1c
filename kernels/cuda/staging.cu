/* staging.cu: see staging.h. */
#include "staging.h"

#include <string.h>

/* Large enough that a copy is as fast as the bus, small enough to stay in a cache. On the
 * host (tests) so small that rings go round often. */
#ifdef CUDA_ON_HOST
constexpr size_t STAGING_PART = 8 << 10;
#else
constexpr size_t STAGING_PART = 2 << 20;
#endif
constexpr size_t STAGING_ALIGN = 64;

static cudaError_t ring_open(struct staging_ring *r)
{
    cudaError_t error = cudaHostAlloc((void **)&r->memory, STAGING_PARTS * STAGING_PART,
                                      cudaHostAllocDefault);
    for (int i = 0; error == cudaSuccess && i < STAGING_PARTS; i++)
        error = cudaEventCreateWithFlags(&r->event[i], cudaEventDisableTiming);
    return error;
}

static void ring_close(struct staging_ring *r)
{
    for (int i = 0; i < STAGING_PARTS; i++)
        if (r->event[i])
            cudaEventDestroy(r->event[i]);
    if (r->memory)
        cudaFreeHost(r->memory);
    *r = {};
}

cudaError_t staging_open(struct staging *s)
{
    *s = {};
    cudaError_t error = ring_open(&s->up);
    return error == cudaSuccess ? ring_open(&s->down) : error;
}

void staging_close(struct staging *s)
{
    ring_close(&s->up);
    ring_close(&s->down);
}

static char *part_of(const struct staging_ring *r, int part)
{
    return r->memory + (size_t)part * STAGING_PART;
}

/* The part that is full is under way; wait until the next one has gone. (An event that
 * was never recorded is waited for in no time.) */
static cudaError_t next_part(struct staging_ring *r, cudaStream_t stream)
{
    cudaError_t error = cudaEventRecord(r->event[r->part], stream);
    r->part = (r->part + 1) % STAGING_PARTS;
    r->used = 0;
    return error == cudaSuccess ? cudaEventSynchronize(r->event[r->part]) : error;
}

cudaError_t staging_send(struct staging *s, void *to, const void *host, size_t bytes,
                         cudaStream_t stream)
{
    struct staging_ring *r = &s->up;
    cudaError_t error = cudaSuccess;
    for (size_t at = 0, n; error == cudaSuccess && at < bytes; at += n) {
        if (r->used == STAGING_PART && (error = next_part(r, stream)) != cudaSuccess)
            break;
        n = bytes - at < STAGING_PART - r->used ? bytes - at : STAGING_PART - r->used;
        char *piece = part_of(r, r->part) + r->used;
        memcpy(piece, (const char *)host + at, n);
        error =
            cudaMemcpyAsync((char *)to + at, piece, n, cudaMemcpyHostToDevice, stream);
        r->used += (n + STAGING_ALIGN - 1) / STAGING_ALIGN * STAGING_ALIGN;
    }
    return error;
}

/* One part's copy under way. */
struct coming {
    char *to;
    size_t bytes;
    int part;
};

static cudaError_t arrive(const struct staging_ring *r, const struct coming *c)
{
    cudaError_t error = cudaEventSynchronize(r->event[c->part]);
    if (error == cudaSuccess)
        memcpy(c->to, part_of(r, c->part), c->bytes);
    return error;
}

cudaError_t staging_fetch(struct staging *s, void *host, const void *from, size_t bytes,
                          cudaStream_t stream)
{
    struct staging_ring *r = &s->down;
    struct coming last = {};
    cudaError_t error = cudaSuccess;
    for (size_t at = 0, n; error == cudaSuccess && at < bytes; at += n) {
        n = bytes - at < STAGING_PART ? bytes - at : STAGING_PART;
        struct coming now = {(char *)host + at, n, r->part};
        error = cudaMemcpyAsync(part_of(r, now.part), (const char *)from + at, n,
                                cudaMemcpyDeviceToHost, stream);
        if (error == cudaSuccess)
            error = cudaEventRecord(r->event[now.part], stream);
        r->part = (r->part + 1) % STAGING_PARTS;
        if (error == cudaSuccess && last.bytes > 0)
            error = arrive(r, &last);
        last = now;
    }
    return error == cudaSuccess && last.bytes > 0 ? arrive(r, &last) : error;
}
