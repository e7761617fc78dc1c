/* adamw8.cu: AdamW whose moments are 8-bit codes (backward.h): the numbers of
 * kernels/cpu/adamw8.c, which says what the codes are, to the bit.
 *
 * A warp steps a block of MOMENT_BLOCK numbers, eight in each lane, so that the largest
 * is found without a barrier; a block of threads looks codes up in shared memory, where
 * the tables are brought once for ROUNDS such blocks of each warp.
 */
#include "adamw.h"

namespace
{
constexpr int CODES = 256, DECADES = 7, MANTISSA = 7, GUESSES = 32 << MANTISSA;
constexpr int ROUNDS = 8, EACH = 4, PARTS = MOMENT_BLOCK / (EACH * LANES);
static_assert(PARTS * EACH * LANES == MOMENT_BLOCK);

/* Codes in ascending order; middle: between a code's number and the next; guess [top bits
 * of x >= 0, counted from 2^-31]: no code above the nearest one. */
struct codes {
    float value[CODES], middle[CODES];
    uint8_t guess[GUESSES];
};
struct alignas(16) tables {
    struct codes mean, root;
};

/* The least number whose top bits are these: (1 + part / 2^MANTISSA) 2^exponent. */
constexpr double guess_least(int at)
{
    double x = 1 + (double)(at % (1 << MANTISSA)) / (1 << MANTISSA);
    for (int e = (at >> MANTISSA) - 32; e < 0; e++) x /= 2;
    return at ? x : 0;
}

constexpr struct codes codes_made(bool sign)
{
    constexpr double decade[DECADES] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    struct codes c = {};
    int n = 0;
    for (int i = 0; i < DECADES; i++) {
        const int parts = 1 << (sign ? i : i + 1);
        for (int j = 0; j < parts; j++) {
            const double middle = 0.1 + 0.9 * (j + 0.5) / parts;
            c.value[n++] = (float)(decade[i] * middle);
            if (sign)
                c.value[n++] = -(float)(decade[i] * middle);
        }
    }
    c.value[n++] = 0;
    c.value[n++] = 1;
    for (int i = 1; i < CODES; i++)
        for (int j = i; j > 0 && c.value[j] < c.value[j - 1]; j--) {
            const float t = c.value[j];
            c.value[j] = c.value[j - 1];
            c.value[j - 1] = t;
        }
    for (int i = 0; i + 1 < CODES; i++) c.middle[i] = (c.value[i] + c.value[i + 1]) / 2;
    c.middle[CODES - 1] = __builtin_huge_valf(); /* no code lies above */
    int code = 0;
    while (c.value[code] < 0) code++;
    for (int at = 0; at < GUESSES; at++) {
        while (guess_least(at) > c.middle[code]) code++;
        c.guess[at] = (uint8_t)code;
    }
    return c;
}

__device__ constexpr struct tables made = {codes_made(true), codes_made(false)};

struct step {
    float *w;
    const float *grad;
    uint8_t *mean, *root;         /* codes */
    float *mean_most, *root_most; /* [blocks] */
    int64_t n, blocks;
    struct factors by;
};

/* The code nearest to x >= 0. */
__device__ __forceinline__ int code_above(const struct codes &c, float x)
{
    int at = (int)(float_bits(x) >> (23 - MANTISSA)) - ((127 - 32) << MANTISSA);
    at = at < 0 ? 0 : at < GUESSES ? at : GUESSES - 1;
    int code = c.guess[at];
    while (x > c.middle[code]) code++;
    return code;
}

/* Codes below 0 mirror those above, but for 1: the lowest is not -1. */
__device__ __forceinline__ int code_of(const struct codes &c, float x)
{
    constexpr int zero = CODES / 2 - 1;
    const int up = code_above(c, fabsf(x));
    return x >= 0 ? up : up == CODES - 1 ? 0 : 2 * zero - up;
}

template <class T> struct alignas(sizeof(T) * EACH) several {
    T x[EACH];
};

/* EACH neighbours at an address aligned to them, of which `left` are there. */
template <class T> __device__ struct several<T> taken(const T *from, int64_t left) {
    if (left >= EACH)
        return *(const struct several<T> *)(const void *)from;
    struct several<T> v = {
    };
    UNROLL
    for (int i = 0; i < EACH; i++)
        if (i < left)
            v.x[i] = from[i];
    return v;
} template <class T> __device__ void put(T *to, struct several<T> v, int64_t left)
{
    if (left >= EACH)
        *(struct several<T> *)(void *)to = v;
    else
        UNROLL
    for (int i = 0; i < EACH; i++)
        if (i < left)
            to[i] = v.x[i];
}

/* One block of numbers: codes to numbers, a step, and back. What lies behind the end is
 * 0, and its own moments are 0, whatever codes it has. */
__device__ void block_step(const struct step &p, const struct tables &t, int64_t block)
{
    const float mean_was = p.mean_most[block], root_was = p.root_most[block];
    const struct factors &by = p.by;
    const int64_t first = block * MOMENT_BLOCK + threadIdx.x % LANES * EACH;
    float m[PARTS][EACH], r[PARTS][EACH], mean_by = 0, root_by = 0;
    UNROLL
    for (int part = 0; part < PARTS; part++) {
        const int64_t at = first + part * LANES * EACH, left = p.n - at;
        struct several<float> w = taken(p.w + at, left);
        const struct several<float> grad = taken(p.grad + at, left);
        const struct several<uint8_t> mean = taken(p.mean + at, left);
        const struct several<uint8_t> root = taken(p.root + at, left);
        UNROLL
        for (int i = 0; i < EACH; i++) {
            const float g = grad.x[i] * by.scale;
            const float before = t.root.value[root.x[i]] * root_was;
            float mi = t.mean.value[mean.x[i]] * mean_was;
            mi = mi + by.rest1 * (g - mi);
            float ri = sqrtf(before * before * by.beta2 + by.rest2 * g * g);
            w.x[i] = w.x[i] * by.keep - by.size * (mi / (ri / by.root + by.eps));
            m[part][i] = i < left ? mi : 0;
            r[part][i] = i < left ? ri : 0;
            mean_by = fmaxf(mean_by, fabsf(m[part][i]));
            root_by = fmaxf(root_by, r[part][i]);
        }
        put(p.w + at, w, left);
    }
    mean_by = warp_max(mean_by);
    root_by = warp_max(root_by);
    if (threadIdx.x % LANES == 0) {
        p.mean_most[block] = mean_by;
        p.root_most[block] = root_by;
    }
    mean_by = mean_by > 0 ? mean_by : 1;
    root_by = root_by > 0 ? root_by : 1;
    UNROLL
    for (int part = 0; part < PARTS; part++) {
        const int64_t at = first + part * LANES * EACH, left = p.n - at;
        struct several<uint8_t> mean, root;
        UNROLL
        for (int i = 0; i < EACH; i++) {
            const int code = code_above(t.root, r[part][i] / root_by);
            mean.x[i] = (uint8_t)code_of(t.mean, m[part][i] / mean_by);
            root.x[i] = (uint8_t)(code == 0 && r[part][i] > 0 ? 1 : code);
        }
        put(p.mean + at, mean, left);
        put(p.root + at, root, left);
    }
}

__global__ void __launch_bounds__(THREADS) adamw8_kernel(struct step p)
{
    struct alignas(16) word {
        uint32_t x[4];
    };
    __shared__ struct tables t;
    static_assert(sizeof t % sizeof(struct word) == 0);
    for (unsigned i = threadIdx.x; i < sizeof t / sizeof(struct word); i += THREADS)
        ((struct word *)(void *)&t)[i] = ((const struct word *)(const void *)&made)[i];
    __syncthreads();
    for (int64_t block = warp_number(); block < p.blocks; block += gridDim.x * WARPS)
        block_step(p, t, block);
}
} // namespace

void adamw8_cuda(struct dev *d, struct arr w, struct arr grad, struct moment m,
                 struct moment v, const struct adamw *how)
{
    struct step p = {(float *)w.data,
                     (const float *)grad.data,
                     (uint8_t *)m.code.data,
                     (uint8_t *)v.code.data,
                     (float *)m.most.data,
                     (float *)v.most.data,
                     arr_size(w),
                     arr_size(m.most),
                     factors_of(how)};
    LAUNCH(d, blocks_for(p.blocks, WARPS * ROUNDS), THREADS, adamw8_kernel, p);
}
