/* blocks.h: CUDA's blocks on the host: for tests, never for speed.
 *
 * The threads of a block are fibers on one host thread (one launch at a time); each runs
 * until it comes to a barrier (or a shuffle, which is two barriers of its warp) or ends.
 * Blocks run one after the other, so a __shared__ array is a static one. What a GPU
 * leaves undefined is told and ends the program: a barrier that not all threads of a
 * block reach, a shuffle from a lane that is not there. The order in which fibers run
 * between barriers is CUDA_HOST_ORDER (up, down, or the number of the thread to begin
 * with): a missing barrier shows as another result. An asynchronous copy is made as late
 * as it may be, when its thread waits for it. Memory that cudaMalloc() gives lies
 * between pages that must not be touched.
 *
 * The functions of CUDA's runtime that the plug-in calls have twins of the same signature
 * here.
 */
#ifndef CUDA_HOST_BLOCKS_H
#define CUDA_HOST_BLOCKS_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNROLL
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

/* Run call(with) as every thread of every block. */
void blocks_run_all(const char *kernel, dim3 grid, dim3 block, size_t shared,
                    void (*call)(const void *), const void *with);

template <class F>
void blocks_run(const char *kernel, dim3 grid, dim3 block, size_t shared, F body)
{
    blocks_run_all(
        kernel, grid, block, shared, [](const void *with) { (*(const F *)with)(); },
        &body);
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

/* Tensor cores and asynchronous copies: see mma.h. */
void blocks_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]);
void blocks_ldmatrix(uint32_t to[4], const void *row);
void blocks_ldmatrix_trans(uint32_t to[4], const void *row);
void blocks_copy16(void *to, const void *from, bool there);
void blocks_copies_commit();
void blocks_copies_wait(int left);

/* -- The runtime's twins ---------------------------------------------------------------
 */

typedef enum cudaError {
    cudaSuccess,
    cudaErrorMemoryAllocation = 2,
    cudaErrorNoDevice = 100,
    cudaErrorNotReady = 600,
} cudaError_t;
typedef struct cuda_host_stream *cudaStream_t;
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice
};

enum cudaDeviceAttr {
    cudaDevAttrComputeCapabilityMajor,
    cudaDevAttrComputeCapabilityMinor
};
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int ordinal);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaSetDevice(int ordinal);
cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaMallocAsync(void **data, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *data, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaGetLastError();
const char *cudaGetErrorString(cudaError_t error);
#endif
