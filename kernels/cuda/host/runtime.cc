/* runtime.cc: the twins of CUDA's runtime (blocks.h). Memory that is asked for ends where
 * a page begins that must not be touched, and begins behind one. */
#include "host/blocks.h"

#include <pthread.h>
#include <sys/mman.h>

/* What there is, as the tests want it: CUDA_HOST_DEVICES GPUs (1) of compute capability
 * CUDA_HOST_CAPABILITY (90) and CUDA_HOST_MEMORY bytes (2^40), a driver for
 * CUDA_HOST_DRIVER (13000; 0: none). */
static long long setting(const char *name, long long usual)
{
    const char *value = getenv(name);
    return value ? atoll(value) : usual;
}

/* -- Memory ----------------------------------------------------------------------------
 */

enum { PAGE = 4096, ALIGN = 64 };

/* So much of new memory has bits that are no zeros: numbers of a usual size, indices that
 * are far off. (What is larger is not touched for it.) */
constexpr size_t FILLED = 1 << 20;

/* A pool keeps what is given back for itself, until it is trimmed. */
struct cuda_host_pool {
    size_t used, kept;
};

/* In front of the data, on its first page: what is to be unmapped. */
struct mapping {
    void *base;
    size_t bytes, counted;
    struct cuda_host_pool *pool;
};

/* Of the GPU, by all. */
static size_t in_use;
static pthread_mutex_t one =
    PTHREAD_MUTEX_INITIALIZER; /* guards it, pools, and what is pinned */

static size_t memory()
{
    return (size_t)setting("CUDA_HOST_MEMORY", (long long)1 << 40);
}

bool host_memory_take(size_t bytes)
{
    pthread_mutex_lock(&one);
    bool there = bytes <= memory() && in_use <= memory() - bytes;
    in_use += there ? bytes : 0;
    pthread_mutex_unlock(&one);
    return there;
}

void host_memory_give(size_t bytes)
{
    pthread_mutex_lock(&one);
    in_use -= bytes;
    pthread_mutex_unlock(&one);
}

/* Out of what the pool has, if it has as much, else new. */
static bool pool_take(struct cuda_host_pool *pool, size_t bytes)
{
    pthread_mutex_lock(&one);
    bool kept = bytes <= pool->kept;
    pool->kept -= kept ? bytes : 0;
    pthread_mutex_unlock(&one);
    if (!kept && !host_memory_take(bytes))
        return false;
    pthread_mutex_lock(&one);
    pool->used += bytes;
    pthread_mutex_unlock(&one);
    return true;
}

static void pool_give(struct cuda_host_pool *pool, size_t bytes)
{
    pthread_mutex_lock(&one);
    pool->used -= bytes;
    pool->kept += bytes;
    pthread_mutex_unlock(&one);
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    *total = memory();
    *unused = in_use < *total ? *total - in_use : 0;
    return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *)
{
    *pool = (cudaMemPool_t)calloc(1, sizeof **pool);
    return *pool ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool)
{
    host_memory_give(pool->used + pool->kept);
    free(pool);
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *)
{
    return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr which,
                                    void *value)
{
    uint64_t bytes = pool->used + pool->kept;
    if (which != cudaMemPoolAttrReservedMemCurrent)
        return cudaErrorInvalidValue;
    memcpy(value, &bytes, sizeof bytes);
    return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t)
{
    pthread_mutex_lock(&one);
    in_use -= pool->kept;
    pool->kept = 0;
    pthread_mutex_unlock(&one);
    return cudaSuccess;
}

cudaError_t cudaMallocFromPoolAsync(void **data, size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream)
{
    size_t room = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    size_t pages = (room + PAGE - 1) / PAGE * PAGE;
    /* a page for the mapping's own note, one that is not there, data, one that is not */
    size_t whole = pages + 3 * PAGE;
    cudaError_t error = stream_uncapturable(stream); /* we don't want it in a graph */
    if (error != cudaSuccess)
        return error;
    if (!pool_take(pool, bytes))
        return remembered(cudaErrorMemoryAllocation);
    char *p = (char *)mmap(NULL, whole, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        pool_give(pool, bytes);
        return cudaErrorMemoryAllocation;
    }
    struct mapping m = {p, whole, bytes, pool};
    *data = p + 2 * PAGE + pages - room;
    memcpy(p, &m, sizeof m);
    memset(*data, 0x3f, bytes < FILLED ? bytes : FILLED); /* somebody had it before */
    if (mprotect(p + PAGE, PAGE, PROT_NONE) != 0 ||
        mprotect(p + 2 * PAGE + pages, PAGE, PROT_NONE) != 0)
        return cudaErrorMemoryAllocation;
    return cudaSuccess;
}

static void unmap(const void *with)
{
    struct mapping m;
    memcpy(&m, with, sizeof m);
    munmap(m.base, m.bytes);
}

cudaError_t cudaFreeAsync(void *data, cudaStream_t stream)
{
    struct mapping m;
    cudaError_t error = stream_uncapturable(stream);
    if (!data || error != cudaSuccess)
        return error;
    memcpy(&m, (char *)((uintptr_t)data / PAGE * PAGE) - 2 * PAGE, sizeof m);
    pool_give(m.pool, m.counted);
    stream_do(stream, unmap, &m, sizeof m);
    return cudaSuccess;
}

/* -- Copies ----------------------------------------------------------------------------
 */

enum { PINNED_MOST = 256 };
static struct {
    char *data;
    size_t bytes;
} pinned[PINNED_MOST];

/* The piece that memory lies in; data NULL: one that is free. -1: none. */
static int pinned_at(const void *data)
{
    for (int i = 0; i < PINNED_MOST; i++)
        if (data ? pinned[i].data && (const char *)data >= pinned[i].data &&
                       (const char *)data < pinned[i].data + pinned[i].bytes
                 : !pinned[i].data)
            return i;
    return -1;
}

static bool is_pinned(const void *data)
{
    pthread_mutex_lock(&one);
    bool is = pinned_at(data) >= 0;
    pthread_mutex_unlock(&one);
    return is;
}

cudaError_t cudaHostAlloc(void **data, size_t bytes, unsigned)
{
    pthread_mutex_lock(&one);
    int i = pinned_at(NULL);
    *data = i < 0 ? NULL : malloc(bytes);
    if (*data) {
        pinned[i].data = (char *)*data;
        pinned[i].bytes = bytes;
    }
    pthread_mutex_unlock(&one);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *data)
{
    pthread_mutex_lock(&one);
    int i = pinned_at(data);
    if (i >= 0)
        pinned[i].data = NULL;
    pthread_mutex_unlock(&one);
    free(data);
    return i >= 0 ? cudaSuccess : cudaErrorInvalidValue;
}

struct copying {
    void *to;
    const void *from;
    size_t bytes;
};

static void copy_now(const void *with)
{
    struct copying c;
    memcpy(&c, with, sizeof c);
    memcpy(c.to, c.from, c.bytes);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    struct copying c = {to, from, bytes};
    bool device = kind == cudaMemcpyDeviceToDevice,
         waits = !device && !is_pinned(kind == cudaMemcpyHostToDevice ? from : to);
    cudaError_t error = waits ? stream_uncapturable(stream) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    if (getenv("CUDA_HOST_DRY")) {
        if (kind == cudaMemcpyDeviceToHost)
            memset(to, 0, bytes);
        return cudaSuccess;
    }
    stream_do(stream, copy_now, &c, sizeof c);
    return waits ? cudaStreamSynchronize(stream) : cudaSuccess;
}

/* -- Devices ---------------------------------------------------------------------------
 */

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = (int)setting("CUDA_HOST_DRIVER", 13000);
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count)
{
    *count = (int)setting("CUDA_HOST_DEVICES", 1);
    return setting("CUDA_HOST_DRIVER", 13000) < 13000 || *count == 0 ? cudaErrorNoDevice
                                                                     : cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int)
{
    int capability = (int)setting("CUDA_HOST_CAPABILITY", 90);
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = capability % 10; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (capability >= 90 ? 227 : capability == 80 ? 163 : 99) << 10;
    }
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorMapBufferObjectFailed: return "mapping of buffer object failed";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorNotReady: return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
        return "operation failed due to a previous error during capture";
    }
    return "unknown error";
}
