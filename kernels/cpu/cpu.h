/* cpu.h: what the CPU's operations share: the device, access to rows, weights as floats.
 *
 * One caller at a time uses a device: its scratch memory is there once.
 *
 * Two tables are filled. "plain" is C for any x86-64 and the definition of each
 * operation. "avx2" has code of its own where that pays (matmul, attention: *_avx2.c);
 * every other operation is the same source compiled once more with AVX2 allowed
 * (shared_avx2.c), which keeps its bits: each operation spells its lanes out, and fusing
 * is off. CPU_OP(name) is the operation's name in the table being compiled.
 */
#ifndef CPU_H
#define CPU_H
#include "kernels.h"
#include "quant.h"
#include "spin.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

#ifdef CPU_AVX2
#define CPU_OP(name) name##_avx2
#else
#define CPU_OP(name) name##_plain
#endif

enum {
    CPU_LANES = 8,            /* running sums of one long sum, in both tables */
    CPU_HEAD_MAX = 256,       /* the widest attention head */
    CPU_SCRATCH = 4 << 20,    /* bytes of scratch of each thread */
    CPU_SHARED = 4 << 20,     /* bytes of scratch that the threads share */
    CPU_WORK = 24 << 10,      /* elements below which an operation stays on one thread */
    CPU_PRODUCTS = 128 << 10, /* the same, for products and attention: multiplications */
};

struct dev {
    int threads;
    struct spin spin;
    char *scratch; /* owned: [threads, CPU_SCRATCH], 64-byte aligned */
    float *shared; /* owned: CPU_SHARED bytes, 64-byte aligned */
};

/* How many threads so much work is worth: all or one. */
static inline int cpu_threads(const struct dev *d, int64_t work, int64_t least)
{
    return work >= least ? d->threads : 1;
}

/* Call `call` for each i in [0, n), on all threads if the work is worth it. Not a region
 * of one thread otherwise: that costs 0.3 us, more than a small model's operations do. */
#define CPU_EACH(d, i, n, work, least, call)                                             \
    do {                                                                                 \
        if (cpu_threads(d, work, least) == 1) {                                          \
            for (int64_t i = 0; i < (n); i++) call;                                      \
        } else {                                                                         \
            _Pragma("omp parallel for num_threads((d)->threads)") for (int64_t i = 0;    \
                                                                       i < (n); i++)     \
                call;                                                                    \
        }                                                                                \
    } while (0)

/* The calling thread's scratch memory. */
static inline void *cpu_scratch(const struct dev *d)
{
    return d->scratch + (size_t)omp_get_thread_num() * CPU_SCRATCH;
}

/* Index r of dimension 0 of an f32 or i32 array. */
static inline float *row_f32(struct arr a, int64_t r)
{
    return (float *)a.data + r * a.stride;
}
static inline const int32_t *row_i32(struct arr a, int64_t r)
{
    return (const int32_t *)a.data + r * a.stride;
}

/* The same of an array of any float type or of blocks, whose memory may lie at any
 * address. */
static inline const char *row_any(struct arr a, int64_t r)
{
    return (const char *)a.data + arr_type_bytes(a.type, r * a.stride);
}

static inline float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float float_of_bf16(uint16_t h)
{
    return float_of_bits((uint32_t)h << 16);
}

/* An f16 moved into f32's fields has an exponent too small by 112: a product puts it
 * right, for subnormal numbers as well. Infinity and NaN get their exponent by hand. */
static inline float float_of_f16(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, scaled;
    float f = float_of_bits(magnitude) * 0x1p112f;
    memcpy(&scaled, &f, sizeof scaled);
    scaled = magnitude >= 0x7c00u << 13 ? magnitude | 0x7f800000u : scaled;
    return float_of_bits(scaled | sign);
}

/* n elements of any float type or whole blocks, at any address, as floats. */
static inline void floats_of(float *restrict to, const char *restrict from,
                             enum arr_type type, int64_t n)
{
    uint16_t h;
    switch (type) {
    case ARR_F32: memcpy(to, from, (size_t)n * sizeof *to); break;
    case ARR_BF16:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&h, from + 2 * i, 2);
            to[i] = float_of_bf16(h);
        }
        break;
    case ARR_F16:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&h, from + 2 * i, 2);
            to[i] = float_of_f16(h);
        }
        break;
    case ARR_I32:
    case ARR_U8:
    case ARR_TYPES: assert(!"a float array"); break;
    default: CPU_OP(blocks)(to, from, type, n);
    }
}

/* A vector [n] of any float type as floats, in the shared scratch from element `at` on.
 */
static inline const float *floats_in(const struct dev *d, struct arr a, int64_t at)
{
    assert(a.rank == 1 && arr_contiguous(a));
    assert((at + a.shape[0]) * (int64_t)sizeof(float) <= CPU_SHARED);
    floats_of(d->shared + at, a.data, a.type, a.shape[0]);
    return d->shared + at;
}

/* The one final reduction of CPU_LANES running sums. */
static inline float lanes_sum(const float a[CPU_LANES])
{
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

/* The operations of both tables; their meaning is in kernels.h. */
#define CPU_OPERATIONS(isa)                                                              \
    void matmul_##isa(struct dev *d, struct arr y, struct arr x, struct arr w,           \
                      struct arr bias, enum matmul_mode mode);                           \
    void rmsnorm_##isa(struct dev *d, struct arr y, struct arr x, struct arr w,          \
                       float eps);                                                       \
    void layernorm_##isa(struct dev *d, struct arr y, struct arr x, struct arr w,        \
                         struct arr b, float eps);                                       \
    void swiglu_##isa(struct dev *d, struct arr y, struct arr gate, struct arr up);      \
    void gelu_##isa(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind);     \
    void silu_##isa(struct dev *d, struct arr y, struct arr x);                          \
    void add_##isa(struct dev *d, struct arr y, struct arr x);                           \
    void gather_##isa(struct dev *d, struct arr y, struct arr table, struct arr index);  \
    void scatter_##isa(struct dev *d, struct arr y, struct arr x, struct arr index,      \
                       bool add);                                                        \
    void gather_mix_##isa(struct dev *d, struct arr y, struct arr table,                 \
                          struct arr index, struct arr weight);                          \
    void rope_##isa(struct dev *d, struct arr x, struct arr cos, struct arr sin);        \
    void rope_pairs_##isa(struct dev *d, struct arr x, struct arr cos, struct arr sin);  \
    void attention_##isa(struct dev *d, struct arr y, struct arr q, struct arr k,        \
                         struct arr v, struct arr start, float scale, struct arr lse);   \
    void attention_paged_##isa(struct dev *d, struct arr y, struct arr q, struct arr k,  \
                               struct arr v, struct kv_view view, float scale,           \
                               struct arr lse);                                          \
    void kv_write_##isa(struct dev *d, struct arr k_pages, struct arr v_pages,           \
                        struct arr k, struct arr v, struct arr slot);                    \
    void attention_input_##isa(struct dev *d, const struct attention_input *in);         \
    void kv_copy_##isa(struct dev *d, struct arr k_pages, struct arr v_pages, int from,  \
                       int to, int places);                                              \
    void logsumexp_##isa(struct dev *d, struct arr out, struct arr x, float scale);

CPU_OPERATIONS(plain)
CPU_OPERATIONS(avx2)

extern const struct kernels cpu_plain, cpu_avx2;

/* Memory, the same for both tables (dev.c). */
struct dev *cpu_open(const char *device, const struct dev_options *o, const char **why);
void cpu_close(struct dev *d);
enum arr_type cpu_act(const struct dev *d);
void *cpu_alloc(struct dev *d, size_t bytes);
void cpu_memory(struct dev *d, struct dev_memory *m);
void cpu_release(struct dev *d, void *data, size_t bytes);
void *cpu_adopt(struct dev *d, const void *host, size_t bytes);
void cpu_disown(struct dev *d, void *data, size_t bytes);
void cpu_upload(struct dev *d, struct arr to, const void *host);
void cpu_download(struct dev *d, void *host, struct arr from);
int cpu_sync(struct dev *d, const char **why);
#endif
