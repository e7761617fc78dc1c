/* share.cu: memory of a GPU between processes: CUDA's interprocess handles (kernels.h).
 *
 * They are of allocations of their own: memory of a pool has none. */
#include "cuda.h"

static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(dev_handle::memory));

/* Which GPU this is on its machine: its place on the bus, whatever CUDA_VISIBLE_DEVICES
 * makes of its number. false: not to be had. */
static bool place_of(struct dev *d, char place[sizeof(dev_handle::device)])
{
    memset(place, 0, sizeof(dev_handle::device));
    return cudaDeviceGetPCIBusId(place, sizeof(dev_handle::device), d->ordinal) ==
           cudaSuccess;
}

/* What the pool keeps for itself is in the way, perhaps: once more, without. */
static bool room_of(struct dev *d, void **data, size_t bytes)
{
    if (cudaMalloc(data, bytes) == cudaSuccess)
        return true;
    cudaGetLastError();
    arena_trim(&d->arena, d->stream);
    return cudaMalloc(data, bytes) == cudaSuccess;
}

void *share_cuda(struct dev *d, size_t bytes, struct dev_handle *handle)
{
    void *data = NULL;
    cudaIpcMemHandle_t memory;
    dev_use(d);
    if (place_of(d, handle->device) && room_of(d, &data, bytes ? bytes : 1)) {
        if (cudaIpcGetMemHandle(&memory, data) == cudaSuccess) {
            memcpy(handle->memory, &memory, sizeof memory);
            return data;
        }
        cudaFree(data);
    }
    cudaGetLastError(); /* told by the NULL: not the device's failure */
    return NULL;
}

void unshare_cuda(struct dev *d, void *data)
{
    dev_use(d);
    dev_checked(d, cudaStreamSynchronize(d->stream), "giving shared memory back");
    dev_checked(d, cudaFree(data), "giving shared memory back");
}

const void *attach_cuda(struct dev *d, const struct dev_handle *handle, const char **why)
{
    static thread_local char reason[200];
    char place[sizeof(dev_handle::device)];
    void *data = NULL;
    cudaIpcMemHandle_t memory;
    *why = reason;
    dev_use(d);
    if (!place_of(d, place) || strncmp(place, handle->device, sizeof place) != 0) {
        snprintf(reason, sizeof reason, "it is on the GPU at %.*s, and cuda:%d is at %s",
                 (int)sizeof handle->device, handle->device, d->ordinal, place);
        return NULL;
    }
    memcpy(&memory, handle->memory, sizeof memory);
    cudaError_t error =
        cudaIpcOpenMemHandle(&data, memory, cudaIpcMemLazyEnablePeerAccess);
    if (error == cudaSuccess)
        return data;
    cudaGetLastError(); /* as above */
    snprintf(reason, sizeof reason, "cuda:%d: %s", d->ordinal, cudaGetErrorString(error));
    return NULL;
}

void detach_cuda(struct dev *d, const void *data)
{
    dev_use(d);
    dev_checked(d, cudaStreamSynchronize(d->stream), "leaving shared memory");
    dev_checked(d, cudaIpcCloseMemHandle((void *)data), "leaving shared memory");
}

void move_cuda(struct dev *d, void *to, const void *from, size_t bytes)
{
    dev_use(d);
    if (bytes > 0)
        dev_checked(d,
                    cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, d->stream),
                    "copying on the device");
}
