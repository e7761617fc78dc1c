/* launch.h: what a CUDA kernel is written against: CUDA itself, or (CUDA_ON_HOST) the
 * host compiler and blocks that run thread by thread (host/blocks.h), so that every
 * kernel is tested where there is no GPU.
 *
 * Of CUDA C++ kernels use: the built-in indices, __shared__ arrays of a fixed size, and
 * one, SHARED_ROOM(), whose size LAUNCH_SHARED() gives; PARAMETER; mma.h's instructions;
 * __syncthreads(), __syncwarp(), __shfl_xor_sync(), fmaf() and the other functions of
 * math.h. A template kernel with a comma in its name is put into parentheses.
 */
#ifndef CUDA_LAUNCH_H
#define CUDA_LAUNCH_H
#ifdef CUDA_ON_HOST
#include "host/blocks.h"
#define LAUNCH_SHARED(d, grid, block, bytes, kernel, ...)                                \
    (dev_shared((d), NULL, (bytes)),                                                     \
     blocks_run((d)->stream, #kernel, (grid), (block), (bytes),                          \
                [=] { (kernel)(__VA_ARGS__); }),                                         \
     dev_launched((d), #kernel))
#define LAUNCH(d, grid, block, kernel, ...)                                              \
    LAUNCH_SHARED(d, grid, block, 0, kernel, __VA_ARGS__)
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
/* Of a kernel's parameter that is read by an index: where it is, without a copy. */
#define PARAMETER const __grid_constant__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#define SHARED_ROOM(type, name)                                                          \
    extern __shared__ __align__(128) char shared_room[];                                 \
    type *name = (type *)(void *)shared_room
/* clang-format off */
#define LAUNCH_SHARED(d, grid, block, bytes, kernel, ...)                                \
    (dev_use(d), dev_shared(d, (const void *)(kernel), bytes),                           \
     (kernel)<<<(grid), (block), (bytes), (d)->stream>>>(__VA_ARGS__),                   \
     dev_launched((d), #kernel))
#define LAUNCH(d, grid, block, kernel, ...)                                              \
    (dev_use(d), (kernel)<<<(grid), (block), 0, (d)->stream>>>(__VA_ARGS__),             \
     dev_launched((d), #kernel))
/* clang-format on */
#endif
#endif
