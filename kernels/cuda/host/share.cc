/* share.cc: the twins of CUDA's memory between processes (blocks.h). An allocation is a
 * file without a name; a handle says whose it is, so that, as on a GPU, it is of no more
 * use once its process has gone.
 *
 * The GPU at CUDA_HOST_BUS (1) on the bus, and those behind it. */
#include "host/blocks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace
{
constexpr int MOST = 64;
struct allocation {
    void *data;
    size_t bytes;
    int fd; /* -1: another process's */
} all[MOST];

struct allocation *find(void *data)
{
    for (int i = 0; i < MOST; i++)
        if (all[i].data == data)
            return &all[i];
    return NULL;
}

struct handle {
    int pid, fd;
};
} // namespace

/* The fd is this function's now. */
static cudaError_t map(void **data, int fd, size_t bytes, bool own)
{
    struct allocation *a = find(NULL);
    *data = a && fd >= 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                         : MAP_FAILED;
    if (*data == MAP_FAILED || !own) {
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    if (*data == MAP_FAILED)
        return own ? cudaErrorMemoryAllocation : cudaErrorMapBufferObjectFailed;
    *a = {*data, bytes, fd};
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **data, size_t bytes)
{
    if (!host_memory_take(bytes))
        return cudaErrorMemoryAllocation;
    int fd = memfd_create("cuda on host", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0) {
        close(fd);
        fd = -1;
    }
    cudaError_t error = map(data, fd, bytes, true);
    if (error != cudaSuccess)
        host_memory_give(bytes);
    return error;
}

static cudaError_t unmap(void *data)
{
    struct allocation *a = data ? find(data) : NULL;
    if (!a)
        return cudaErrorMapBufferObjectFailed;
    munmap(data, a->bytes);
    if (a->fd >= 0) {
        close(a->fd);
        host_memory_give(a->bytes);
    }
    *a = {};
    return cudaSuccess;
}

cudaError_t cudaFree(void *data)
{
    return unmap(data);
}

cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t *handle, void *data)
{
    struct allocation *a = find(data);
    if (!a || a->fd < 0)
        return cudaErrorMapBufferObjectFailed; /* not of cudaMalloc() */
    struct handle h = {getpid(), a->fd};
    memset(handle, 0, sizeof *handle);
    memcpy(handle, &h, sizeof h);
    return cudaSuccess;
}

cudaError_t cudaIpcOpenMemHandle(void **data, cudaIpcMemHandle_t handle, unsigned)
{
    struct handle h;
    struct stat st;
    char path[64];
    memcpy(&h, &handle, sizeof h);
    if (h.pid == getpid())
        return cudaErrorMapBufferObjectFailed; /* CUDA wants another process, too */
    snprintf(path, sizeof path, "/proc/%d/fd/%d", h.pid, h.fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) < 0) {
        close(fd);
        fd = -1;
    }
    return map(data, fd, fd < 0 ? 0 : (size_t)st.st_size, false);
}

cudaError_t cudaIpcCloseMemHandle(void *data)
{
    return unmap(data);
}

cudaError_t cudaDeviceGetPCIBusId(char *id, int length, int ordinal)
{
    const char *bus = getenv("CUDA_HOST_BUS");
    snprintf(id, (size_t)length, "0000:%02x:00.0", (bus ? atoi(bus) : 1) + ordinal);
    return cudaSuccess;
}
