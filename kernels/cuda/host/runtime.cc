/* runtime.cc: the twins of CUDA's runtime (blocks.h). Memory that is asked for ends where
 * a page begins that must not be touched, and begins behind one. */
#include "host/blocks.h"

#include <sys/mman.h>

enum { PAGE = 4096, ALIGN = 64 };

/* In front of the data, on its first page: what is to be unmapped. */
struct mapping {
    void *base;
    size_t bytes;
};

cudaError_t cudaMallocAsync(void **data, size_t bytes, cudaStream_t)
{
    size_t room = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    size_t pages = (room + PAGE - 1) / PAGE * PAGE;
    /* a page for the mapping's own note, one that is not there, data, one that is not */
    size_t whole = pages + 3 * PAGE;
    char *p = (char *)mmap(NULL, whole, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    struct mapping m = {p, whole};
    *data = p + 2 * PAGE + pages - room;
    memcpy(p, &m, sizeof m);
    if (mprotect(p + PAGE, PAGE, PROT_NONE) != 0 ||
        mprotect(p + 2 * PAGE + pages, PAGE, PROT_NONE) != 0)
        return cudaErrorMemoryAllocation;
    return cudaSuccess;
}

cudaError_t cudaFreeAsync(void *data, cudaStream_t)
{
    struct mapping m;
    if (!data)
        return cudaSuccess;
    char *first = (char *)((uintptr_t)data / PAGE * PAGE);
    memcpy(&m, first - 2 * PAGE, sizeof m);
    munmap(m.base, m.bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t)
{
    memcpy(to, from, bytes);
    return cudaSuccess;
}

/* What there is, as the tests want it: CUDA_HOST_DEVICES GPUs (1) of compute capability
 * CUDA_HOST_CAPABILITY (90), a driver for CUDA_HOST_DRIVER (13000; 0: none). */
static int setting(const char *name, int usual)
{
    const char *value = getenv(name);
    return value ? atoi(value) : usual;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = setting("CUDA_HOST_DRIVER", 13000);
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count)
{
    *count = setting("CUDA_HOST_DEVICES", 1);
    return setting("CUDA_HOST_DRIVER", 13000) < 13000 || *count == 0 ? cudaErrorNoDevice
                                                                     : cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int)
{
    int capability = setting("CUDA_HOST_CAPABILITY", 90);
    *value = attribute == cudaDevAttrComputeCapabilityMajor ? capability / 10
                                                            : capability % 10;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    *stream = NULL;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t)
{
    return cudaSuccess; /* everything is done when it is asked for */
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess         ? "no error"
           : error == cudaErrorNoDevice ? "no CUDA-capable device is detected"
                                        : "out of memory";
}
