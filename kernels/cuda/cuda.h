/* cuda.h: what the files of the CUDA table share. */
#ifndef KERNELS_CUDA_H
#define KERNELS_CUDA_H
extern "C" {
#include "backward.h"
}
#include "arena.h"
#include "launch.h"
#include "staging.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr int LANES = 32, WARPS = 8, THREADS = LANES * WARPS; /* of most blocks */

/* A kernel that has been let have so much shared memory (dev_shared()). */
struct dev_allowed {
    const void *kernel;
    size_t bytes;
};
constexpr int DEV_ALLOWED = 128;

/* What one stream alone may use, besides its memory. */
struct course {
    cudaStream_t stream;
    struct staging staging;
    struct lt *lt; /* cuBLASLt (lt.h), opened when it is first wanted; owned */
};

/* One GPU in use. Everything is asked for in one stream, in order; between beside_begin()
 * and beside_end() (beside.cu), in another, whose course has then changed places with the
 * first. */
struct dev : course {
    int ordinal;
    int shared;     /* bytes of shared memory that a block may have */
    bool invariant; /* batch-invariant products: true but where speed alone was asked for
                     */
    struct course other;         /* for work beside the rest, opened by it */
    cudaEvent_t turn;            /* behind which the other goes on */
    bool is_beside;              /* they have changed places */
    struct beside *spare;        /* a list, owned */
    cudaStream_t apart;          /* for memory that recorded work keeps */
    struct recording *recording; /* under way (record.cu); owned */
    bool recording_short;        /* of memory: that was the error */
    struct arena arena;
    struct dev_allowed allowed[DEV_ALLOWED]; /* by the kernel's address; a newcomer takes
                                                the place */
    enum arr_type act;                       /* of activations */
    cudaError_t error;                       /* the first one */
    char why[200];                           /* it, and what was asked for */
};

/* Kernels and memory of this host thread are this GPU's from now on. */
void dev_use(struct dev *d);
/* Remember the first error, and what it came from. */
void dev_checked(struct dev *d, cudaError_t error, const char *what);
static inline void dev_launched(struct dev *d, const char *kernel)
{
    dev_checked(d, cudaGetLastError(), kernel);
}

/* Let a kernel have so much shared memory, more than the 48 KiB that all have. */
void dev_shared(struct dev *d, const void *kernel, size_t bytes);

static inline unsigned blocks_for(int64_t things, int64_t each)
{
    int64_t n = (things + each - 1) / each;
    assert(n <= INT32_MAX);
    return n > 0 ? (unsigned)n : 1;
}

/* -- On the device ---------------------------------------------------------------------
 */

template <class T> __device__ __forceinline__ T *row_of(const struct arr &a, int64_t r)
{
    return (T *)a.data + r * a.stride;
}

__device__ __forceinline__ int64_t columns_of(const struct arr &a)
{
    int64_t n = 1;
    for (int i = 1; i < a.rank; i++) n *= a.shape[i];
    return n;
}

/* Number of this thread among all of a grid of one dimension. */
__device__ __forceinline__ int64_t thread_number()
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

/* Of the warps: one for each piece of work in most kernels. */
__device__ __forceinline__ int64_t warp_number()
{
    return (int64_t)blockIdx.x * WARPS + threadIdx.x / LANES;
}

/* The sum (maximum) over a warp's lanes, in every lane, in one fixed order. */
template <class T> __device__ __forceinline__ T warp_sum(T x)
{
    for (int l = LANES / 2; l > 0; l /= 2) x += __shfl_xor_sync(0xffffffffu, x, l);
    return x;
}
__device__ __forceinline__ float warp_max(float x)
{
    for (int l = LANES / 2; l > 0; l /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, l));
    return x;
}

__device__ __forceinline__ float bits_float(uint32_t bits)
{
#ifdef CUDA_ON_HOST
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
#else
    return __uint_as_float(bits);
#endif
}

__device__ __forceinline__ uint32_t float_bits(float x)
{
#ifdef CUDA_ON_HOST
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
#else
    return __float_as_uint(x);
#endif
}

__device__ __forceinline__ float bf16_float(uint16_t h)
{
    return bits_float((uint32_t)h << 16);
}

/* Rounded to nearest even; NaN stays NaN. */
__device__ __forceinline__ uint16_t float_bf16(float x)
{
#ifdef CUDA_ON_HOST
    const uint32_t bits = float_bits(x);
    if (x != x)
        return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#else
    return __bfloat16_as_ushort(__float2bfloat16_rn(x));
#endif
}

/* Two of them, as mma.h's registers have them. */
__device__ __forceinline__ uint32_t bf16_pair(float low, float high)
{
#ifdef CUDA_ON_HOST
    return (uint32_t)float_bf16(high) << 16 | float_bf16(low);
#else
    uint32_t pair; /* the first operand goes to the high half */
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

__device__ __forceinline__ float f16_float(uint16_t h)
{
#ifdef CUDA_ON_HOST
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31,
             part = h & 1023;
    if (exponent == 0) /* zero and subnormal numbers */
        return (sign ? -1.0f : 1.0f) * (float)part * 0x1p-24f;
    exponent = exponent == 31 ? 255 : exponent + 112;
    return bits_float(sign | exponent << 23 | part << 13);
#else
    return __half2float(__ushort_as_half(h));
#endif
}

/* Element i of a row of numbers (not blocks), as a float. */
__device__ __forceinline__ float number_at(enum arr_type type, const void *row, int64_t i)
{
    if (type == ARR_F32)
        return ((const float *)row)[i];
    uint16_t h = ((const uint16_t *)row)[i];
    return type == ARR_BF16 ? bf16_float(h) : f16_float(h);
}
/* Element i of a vector that may be absent: then 0. */
__device__ __forceinline__ float vector_at(const struct arr &a, int64_t i)
{
    return a.data ? number_at(a.type, a.data, i * a.stride) : 0.0f;
}

/* Bytes from one row of numbers or blocks to the next. */
static inline int64_t row_bytes(const struct arr &a)
{
    return (int64_t)arr_type_bytes(a.type, a.stride);
}

/* -- The table's operations -------------------------------------------------------------
 */

void matmul_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr bias,
                 enum matmul_mode mode);
void matmuls_cuda(struct dev *d, const struct matmul_part *parts, int count,
                  struct arr x);
void rmsnorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, float eps);
void layernorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr b,
                    float eps);
void swiglu_cuda(struct dev *d, struct arr y, struct arr gate, struct arr up);
void gelu_cuda(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind);
void silu_cuda(struct dev *d, struct arr y, struct arr x);
void add_cuda(struct dev *d, struct arr y, struct arr x);
void gather_cuda(struct dev *d, struct arr y, struct arr table, struct arr index);
void scatter_cuda(struct dev *d, struct arr y, struct arr x, struct arr index, bool add);
void gather_mix_cuda(struct dev *d, struct arr y, struct arr table, struct arr index,
                     struct arr weight);
void rope_cuda(struct dev *d, struct arr x, struct arr cos, struct arr sin);
void rope_pairs_cuda(struct dev *d, struct arr x, struct arr cos, struct arr sin);
void attention_cuda(struct dev *d, struct arr y, struct arr q, struct arr k, struct arr v,
                    struct arr start, float scale, struct arr lse);
void attention_paged_cuda(struct dev *d, struct arr y, struct arr q, struct arr k,
                          struct arr v, struct kv_view view, float scale, struct arr lse);
void kv_write_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                   struct arr v, struct arr slot);
void attention_input_cuda(struct dev *d, const struct attention_input *in);
void kv_copy_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, int from, int to,
                  int places);
void logsumexp_cuda(struct dev *d, struct arr out, struct arr x, float scale);
void draw_cuda(struct dev *d, struct drawn *drawn, struct arr logits,
               const struct draw *how, int count, int top);

int ordinal_of(const char *device); /* of "cuda:N"; 0 */
struct dev *dev_open_cuda(const char *device, const struct dev_options *o,
                          const char **why);
enum arr_type act_cuda(const struct dev *d);
const char *lacks_cuda(struct dev *d);
void dev_close_cuda(struct dev *d);
void *alloc_cuda(struct dev *d, size_t bytes);
/* The same for an operation's own use; NULL is the device's failure. */
void *dev_room(struct dev *d, size_t bytes);
void memory_cuda(struct dev *d, struct dev_memory *m);
/* Memory of operations that are being recorded. */
void *recording_take(struct dev *d, size_t bytes);
void recording_give(struct dev *d, void *data);
bool record_cuda(struct dev *d);
struct recording *recorded_cuda(struct dev *d);
void replay_cuda(struct dev *d, struct recording *r);
void forget_cuda(struct dev *d, struct recording *r);
void release_cuda(struct dev *d, void *data, size_t bytes);
void *adopt_cuda(struct dev *d, const void *host, size_t bytes);
void disown_cuda(struct dev *d, void *data, size_t bytes);
void upload_cuda(struct dev *d, struct arr to, const void *host);
void download_cuda(struct dev *d, void *host, struct arr from);
int sync_cuda(struct dev *d, const char **why);
/* A stream, and what goes with it; the lower the priority's number, the more urgent. */
cudaError_t course_open(struct course *c, int priority);
void course_close(struct course *c); /* its lt is closed already */
struct beside *beside_begin_cuda(struct dev *d);
void beside_end_cuda(struct dev *d, struct beside *b);
bool beside_done_cuda(struct dev *d, const struct beside *b);
void beside_join_cuda(struct dev *d, struct beside *b);
void beside_close(struct dev *d);
void *share_cuda(struct dev *d, size_t bytes, struct dev_handle *handle);
void unshare_cuda(struct dev *d, void *data);
const void *attach_cuda(struct dev *d, const struct dev_handle *handle, const char **why);
void detach_cuda(struct dev *d, const void *data);
void move_cuda(struct dev *d, void *to, const void *from, size_t bytes);

/* -- Gradients (backward.h) -------------------------------------------------------------
 */

void zero_cuda(struct dev *d, struct arr a);
void copy_cuda(struct dev *d, struct arr to, struct arr from);
void matmul_x_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                   enum grad_mode mode);
void matmul_w_cuda(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                   struct arr x);
void back_rmsnorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr dy,
                       struct arr x, struct arr w, float eps, enum grad_mode mode);
void back_layernorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                         struct arr dy, struct arr x, struct arr w, float eps,
                         enum grad_mode mode);
void back_swiglu_cuda(struct dev *d, struct arr dgate, struct arr dup, struct arr dy,
                      struct arr gate, struct arr up, enum grad_mode gate_mode,
                      enum grad_mode up_mode);
void back_gelu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum gelu_kind kind, enum grad_mode mode);
void back_silu_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                    enum grad_mode mode);
void add_scaled_cuda(struct dev *d, struct arr y, struct arr x, float scale);
void back_gather_cuda(struct dev *d, struct arr dtable, struct arr dy, struct arr index);
void back_scatter_cuda(struct dev *d, struct arr dx, struct arr dy, struct arr index,
                       bool keep);
void back_gather_mix_cuda(struct dev *d, struct arr dtable, struct arr dy,
                          struct arr index, struct arr weight);
void back_rope_cuda(struct dev *d, struct arr dx, struct arr cosine, struct arr sine);
void back_rope_pairs_cuda(struct dev *d, struct arr dx, struct arr cosine,
                          struct arr sine);
void back_attention_cuda(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                         struct arr dy, struct arr q, struct arr k, struct arr v,
                         struct arr y, struct arr lse, struct arr start, float scale);
void back_attention_paged_cuda(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                               struct arr dy, struct arr q, struct arr k, struct arr v,
                               struct arr y, struct arr lse, struct kv_view view,
                               float scale);
void back_kv_write_cuda(struct dev *d, struct arr dk, struct arr dv, struct arr dk_pages,
                        struct arr dv_pages, struct arr slot);
void back_kv_copy_cuda(struct dev *d, struct arr dk_pages, struct arr dv_pages, int from,
                       int to, int places);
void back_logits_cuda(struct dev *d, struct arr logits, struct token_grad g);
void entropy_cuda(struct dev *d, struct arr out, struct arr logits, struct arr lse);
double sum_squares_cuda(struct dev *d, struct arr a);
void adamw_cuda(struct dev *d, struct arr w, struct arr grad, struct arr m, struct arr v,
                const struct adamw *how);
void adamw8_cuda(struct dev *d, struct arr w, struct arr grad, struct moment m,
                 struct moment v, const struct adamw *how);
void to_bf16_cuda(struct dev *d, struct arr to, struct arr from);
#endif
