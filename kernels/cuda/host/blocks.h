/* blocks.h: CUDA's blocks on the host: for tests, never for speed.
 *
 * The threads of a block are fibers on one host thread (one launch at a time); each runs
 * until it comes to a barrier (or a shuffle, which is two barriers of its warp) or ends.
 * Blocks run one after the other, so a __shared__ array is a static one. What a GPU
 * leaves undefined is told and ends the program: a barrier that not all threads of a
 * block reach, a shuffle from a lane that is not there. The order in which fibers run
 * between barriers is CUDA_HOST_ORDER (up, down, or the number of the thread to begin
 * with): a missing barrier shows as another result. An asynchronous copy is made as late
 * as it may be, when its thread waits for it; or, with CUDA_HOST_COPIES=early, as it is
 * begun, which shows where somebody still reads what lay there. Memory that is taken
 * lies between pages that must not be touched, and holds anything (runtime.cc).
 *
 * The functions of CUDA's runtime that the plug-in calls have twins of the same signature
 * here.
 *
 * With CUDA_HOST_DRY set a launch is looked at and not run, and what comes from the GPU
 * is zeros: a model of any size goes through in no time, and shows what no GPU would
 * start.
 */
#ifndef CUDA_HOST_BLOCKS_H
#define CUDA_HOST_BLOCKS_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/streams.h"

#define PARAMETER const
#define UNROLL
#define ROLLED
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

/* CUDA's vectors of 4-byte numbers, which are read and written at once. */
#define BLOCKS_VECTOR2(name, type)                                                       \
    struct alignas(8) name {                                                             \
        type x, y;                                                                       \
    };                                                                                   \
    static inline name make_##name(type x, type y)                                       \
    {                                                                                    \
        return {x, y};                                                                   \
    }
#define BLOCKS_VECTOR4(name, type)                                                       \
    struct alignas(16) name {                                                            \
        type x, y, z, w;                                                                 \
    };                                                                                   \
    static inline name make_##name(type x, type y, type z, type w)                       \
    {                                                                                    \
        return {x, y, z, w};                                                             \
    }
BLOCKS_VECTOR2(uint2, unsigned)
BLOCKS_VECTOR4(uint4, unsigned)
BLOCKS_VECTOR4(float4, float)

struct blocks_place {
    dim3 thread, block, block_dim, grid_dim;
};
extern blocks_place blocks_here;
#define threadIdx (blocks_here.thread)
#define blockIdx (blocks_here.block)
#define blockDim (blocks_here.block_dim)
#define gridDim (blocks_here.grid_dim)

/* Shared memory whose size the launch gives, all bits set as a block begins; a GPU has
 * BLOCKS_SHARED_MOST. */
enum { BLOCKS_SHARED_MOST = 227 << 10 };
extern char *blocks_shared;
#define SHARED_ROOM(type, name) type *name = (type *)(void *)blocks_shared

/* How a kernel is to be launched. */
struct blocks_launch {
    const char *kernel;
    dim3 grid, block;
    size_t shared;
};
/* Run call(with) as every thread of every block. */
void blocks_run_all(const struct blocks_launch *launch, void (*call)(const void *),
                    const void *with);

/* Run body as every thread, once the stream comes to it. */
template <class F>
void blocks_run(cudaStream_t stream, const char *kernel, dim3 grid, dim3 block,
                size_t shared, F body)
{
    struct whole {
        struct blocks_launch launch;
        F body;
    } w = {{kernel, grid, block, shared}, body};
    static_assert(__is_trivially_copyable(F), "arguments are copied byte by byte");
    stream_do(
        stream,
        [](const void *with) {
            const whole *of = (const whole *)with;
            blocks_run_all(
                &of->launch, [](const void *f) { (*(const F *)f)(); }, &of->body);
        },
        &w, sizeof w);
}

/* -- What a thread may call ------------------------------------------------------------
 */

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);
/* A value of up to 8 bytes from lane `from` of the warp. */
void blocks_shuffle(void *value, size_t bytes, unsigned from);
unsigned blocks_lane();

template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes)
{
    (void)mask;
    blocks_shuffle(&value, sizeof value, blocks_lane() ^ (unsigned)lanes);
    return value;
}
template <class T> T __shfl_sync(unsigned mask, T value, int lane)
{
    (void)mask;
    blocks_shuffle(&value, sizeof value, (unsigned)lane % 32);
    return value;
}

/* Bit l: lane l says yes. */
static inline unsigned __ballot_sync(unsigned mask, bool yes)
{
    unsigned lanes = (unsigned)yes << blocks_lane();
    for (int l = 1; l < 32; l *= 2) lanes |= __shfl_xor_sync(mask, lanes, l);
    return lanes;
}
/* The place of the lowest bit, from 1; of 0: 0. */
static inline int __ffsll(long long bits)
{
    return __builtin_ffsll(bits);
}

/* Fibers take turns: nothing comes in between. */
static inline int atomicMin(int *at, int value)
{
    int was = *at;
    *at = value < was ? value : was;
    return was;
}
static inline int atomicMax(int *at, int value)
{
    int was = *at;
    *at = value > was ? value : was;
    return was;
}
template <class T> T atomicAdd(T *at, T value)
{
    T was = *at;
    *at = was + value;
    return was;
}

/* Tensor cores and asynchronous copies: see mma.h. */
void blocks_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]);
void blocks_ldmatrix(uint32_t to[4], const void *row);
void blocks_ldmatrix_trans(uint32_t to[4], const void *row);
void blocks_copy16(void *to, const void *from, bool there);
void blocks_copies_commit();
void blocks_copies_wait(int left);

/* -- The runtime's twins ---------------------------------------------------------------
 */

enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice
};

enum cudaDeviceAttr {
    cudaDevAttrComputeCapabilityMajor,
    cudaDevAttrComputeCapabilityMinor,
    cudaDevAttrMaxSharedMemoryPerBlockOptin
};
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int ordinal);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaSetDevice(int ordinal);

/* The GPU's memory is CUDA_HOST_MEMORY bytes (2^40): take some, if there is as much. */
bool host_memory_take(size_t bytes);
void host_memory_give(size_t bytes);
enum cudaMemAllocationType { cudaMemAllocationTypePinned = 1 };
enum cudaMemLocationType { cudaMemLocationTypeDevice = 1 };
enum cudaMemPoolAttr {
    cudaMemPoolAttrReleaseThreshold = 4,
    cudaMemPoolAttrReservedMemCurrent = 5
};
struct cudaMemPoolProps {
    cudaMemAllocationType allocType;
    struct {
        cudaMemLocationType type;
        int id;
    } location;
};
typedef struct cuda_host_pool *cudaMemPool_t;
cudaError_t cudaMemGetInfo(size_t *unused, size_t *total);
cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *props);
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr which,
                                    void *value);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr which,
                                    void *value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes);
cudaError_t cudaMallocFromPoolAsync(void **data, size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream);
cudaError_t cudaFreeAsync(void *data, cudaStream_t stream);
enum { cudaHostAllocDefault };
cudaError_t cudaHostAlloc(void **data, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *data);
/* From or to memory that cudaHostAlloc() did not give, as CUDA does: the host waits until
 * what is there may be written (read) again. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
/* Memory between processes: share.cc. */
typedef struct cudaIpcMemHandle_st {
    char reserved[64];
} cudaIpcMemHandle_t;
enum { cudaIpcMemLazyEnablePeerAccess = 1 };
cudaError_t cudaMalloc(void **data, size_t bytes);
cudaError_t cudaFree(void *data);
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t *handle, void *data);
cudaError_t cudaIpcOpenMemHandle(void **data, cudaIpcMemHandle_t handle, unsigned flags);
cudaError_t cudaIpcCloseMemHandle(void *data);
cudaError_t cudaDeviceGetPCIBusId(char *id, int length, int ordinal);

const char *cudaGetErrorString(cudaError_t error);
#endif
