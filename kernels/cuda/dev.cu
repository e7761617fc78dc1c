/* dev.cu: one GPU: its stream, its memory, copies in and out (kernels.h). */
#include "cuda.h"

#include "lt.h"

void dev_checked(struct dev *d, cudaError_t error, const char *what)
{
    if (error == cudaSuccess || d->error != cudaSuccess)
        return;
    d->error = error;
    snprintf(d->why, sizeof d->why, "cuda:%d: %s: %s", d->ordinal, what,
             cudaGetErrorString(error));
}

void dev_use(struct dev *d)
{
    dev_checked(d, cudaSetDevice(d->ordinal), "cudaSetDevice");
}

#ifdef CUDA_ON_HOST
void dev_shared(struct dev *d, const void *, size_t bytes)
{
    assert(bytes <= (size_t)d->shared); /* a GPU would not start the kernel */
}
#else
void dev_shared(struct dev *d, const void *kernel, size_t bytes)
{
    struct dev_allowed *a = &d->allowed[(uintptr_t)kernel / 16 % DEV_ALLOWED];
    if (bytes <= 48 << 10 || (a->kernel == kernel && a->bytes >= bytes))
        return;
    dev_checked(d,
                cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     (int)bytes),
                "shared memory");
    /* not less of it than as many blocks as can be on a processor take */
    dev_checked(d,
                cudaFuncSetAttribute(kernel,
                                     cudaFuncAttributePreferredSharedMemoryCarveout,
                                     cudaSharedmemCarveoutMaxShared),
                "shared memory");
    *a = {kernel, bytes};
}
#endif

cudaError_t course_open(struct course *c, int priority)
{
    cudaError_t error =
        cudaStreamCreateWithPriority(&c->stream, cudaStreamNonBlocking, priority);
    return error == cudaSuccess ? staging_open(&c->staging) : error;
}

void course_close(struct course *c)
{
    if (c->stream) {
        cudaStreamSynchronize(c->stream);
        cudaStreamDestroy(c->stream);
    }
    staging_close(&c->staging);
    *c = {};
}

struct dev *dev_open_cuda(const char *device, const struct dev_options *o,
                          const char **why)
{
    static thread_local char reason[sizeof(dev::why)];
    struct dev *d = (struct dev *)calloc(1, sizeof *d);
    *why = "out of memory";
    if (!d)
        return NULL;
    d->ordinal = ordinal_of(device);
    d->act = o->compute == DEV_COMPUTE_FP32 ? ARR_F32 : ARR_BF16;
    d->invariant = !o->batch_variant;
    cudaDeviceGetAttribute(&d->shared, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                           d->ordinal);
    dev_use(d);
    int least, most = 0;
    dev_checked(d, cudaDeviceGetStreamPriorityRange(&least, &most), "a stream");
    dev_checked(d, course_open(d, most), "a stream and pinned memory of the host");
    dev_checked(d, cudaStreamCreateWithFlags(&d->apart, cudaStreamNonBlocking),
                "a stream");
    dev_checked(d, arena_open(&d->arena, d->ordinal, o->memory), "a pool of memory");
    if (d->error == cudaSuccess)
        return d;
    memcpy(reason, d->why, sizeof reason);
    *why = reason;
    dev_close_cuda(d);
    return NULL;
}

enum arr_type act_cuda(const struct dev *d)
{
    return d->act;
}

void dev_close_cuda(struct dev *d)
{
    if (!d)
        return;
    dev_use(d);
    beside_close(d);
    if (d->stream)
        lt_close(d);
    course_close(d);
    if (d->apart) {
        cudaStreamSynchronize(d->apart);
        cudaStreamDestroy(d->apart);
    }
    arena_close(&d->arena);
    free(d);
}

void *alloc_cuda(struct dev *d, size_t bytes)
{
    dev_use(d);
    if (d->recording)
        return recording_take(d, bytes);
    return arena_take(&d->arena, bytes, d->stream);
}

void memory_cuda(struct dev *d, struct dev_memory *m)
{
    size_t unused;
    dev_use(d);
    size_t room = arena_room(&d->arena, &unused);
    *m = {(int64_t)room,   (int64_t)d->arena.used,    (int64_t)d->arena.bound,
          (int64_t)unused, (int64_t)d->arena.refused, (int64_t)d->arena.most};
}

void *dev_room(struct dev *d, size_t bytes)
{
    void *data = alloc_cuda(d, bytes);
    if (!data) {
        d->recording_short = d->recording && d->error == cudaSuccess;
        dev_checked(d, cudaErrorMemoryAllocation, "room for an operation");
    }
    return data;
}

void release_cuda(struct dev *d, void *data, size_t bytes)
{
    dev_use(d);
    if (data && d->recording)
        recording_give(d, data);
    else if (data)
        dev_checked(d, arena_give(&d->arena, data, bytes, d->stream),
                    "giving memory back");
}

void *adopt_cuda(struct dev *d, const void *host, size_t bytes)
{
    void *data = alloc_cuda(d, bytes);
    if (data)
        dev_checked(d, staging_send(&d->staging, data, host, bytes, d->stream),
                    "copying weights");
    return data;
}

void disown_cuda(struct dev *d, void *data, size_t bytes)
{
    release_cuda(d, data, bytes);
}

void upload_cuda(struct dev *d, struct arr to, const void *host)
{
    assert(arr_contiguous(to) && !d->recording);
    dev_use(d);
    dev_checked(d,
                staging_send(&d->staging, to.data, host,
                             arr_type_bytes(to.type, arr_size(to)), d->stream),
                "copying to the device");
}

void download_cuda(struct dev *d, void *host, struct arr from)
{
    assert(arr_contiguous(from) && !d->recording && !d->is_beside);
    dev_use(d);
    dev_checked(d,
                staging_fetch(&d->staging, host, from.data,
                              arr_type_bytes(from.type, arr_size(from)), d->stream),
                "copying from the device");
}

int sync_cuda(struct dev *d, const char **why)
{
    assert(!d->recording && !d->is_beside);
    dev_use(d);
    dev_checked(d, cudaStreamSynchronize(d->stream), "computing");
    if (d->error == cudaSuccess)
        return 0;
    *why = d->why;
    return -1;
}
