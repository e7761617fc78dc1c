/* mma.h: what tensor cores compute, and how their operands come out of shared memory: the
 * PTX instructions, or on the host twins that follow the same layouts of fragments
 * (host/blocks.h), so that kernels made of them are tested where there is no GPU.
 *
 * Layouts (PTX ISA, "Matrix fragments for mma.m16n8k16"): with g = lane / 4, t = lane %
 * 4, A [16, 16]  a[0] row g, columns 2 t and 2 t + 1; a[1] row g + 8; a[2], a[3] the same
 *               rows, columns + 8
 *   B [16, 8]   b[0] rows 2 t and 2 t + 1 of column g; b[1] rows + 8
 *   C, D        c[0], c[1] row g, columns 2 t and 2 t + 1; c[2], c[3] row g + 8
 * two bf16 numbers in each 32-bit register, the one with the lower index in the low half.
 */
#ifndef CUDA_MMA_H
#define CUDA_MMA_H
#include "cuda.h"

#ifdef CUDA_ON_HOST
#define mma_bf16 blocks_mma_bf16
#define ldmatrix_x4 blocks_ldmatrix
#define ldmatrix_x4_trans blocks_ldmatrix_trans
#define copy16_start blocks_copy16
#define copies_commit blocks_copies_commit
template <int left> void copies_wait()
{
    blocks_copies_wait(left);
}
#else
/* d = a b + d, in float32. */
__device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4],
                                         const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Four matrices of 8 rows of 16 bytes in shared memory; lane l gives the address of row l
 * % 8 of matrix l / 8, a multiple of 16. to[i]: of matrix i, row l / 4, the numbers 2 (l
 * % 4) and the next. */
__device__ __forceinline__ void ldmatrix_x4(uint32_t to[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
}

/* The same of the matrices transposed: of column l / 4, rows 2 (l % 4) and the next. */
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t to[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
}

/* Begin to copy 16 bytes from global to shared memory, both at multiples of 16, past the
 * L1 cache; zeros where there is nothing to copy (from is not read then). */
__device__ __forceinline__ void copy16_start(void *to, const void *from, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     (unsigned)__cvta_generic_to_shared(to)),
                 "l"(from), "r"(there ? 16 : 0)
                 : "memory");
}

/* The copies that this thread has begun since the last commit are a group. */
__device__ __forceinline__ void copies_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until all but the last `left` groups of this thread are there. (Other threads see them
 * behind a __syncthreads().) */
template <int left> __device__ __forceinline__ void copies_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
}
#endif
#endif
