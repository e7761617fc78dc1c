/* act.h: activations, f32 or bf16, read and written as floats: WIDE numbers by accesses
 * of 16 bytes where they lie so, else one by one. */
#ifndef CUDA_ACT_H
#define CUDA_ACT_H
#include "cuda.h"

constexpr int WIDE = 8;

struct bf16 {
    uint16_t bits;
};

/* -- On the device ---------------------------------------------------------------------
 */

__device__ __forceinline__ float float_of(float x)
{
    return x;
}
__device__ __forceinline__ float float_of(bf16 x)
{
    return bf16_float(x.bits);
}

/* x as T has it. */
template <class T> __device__ __forceinline__ T number_of(float x)
{
    if constexpr (sizeof(T) == 4)
        return x;
    else
        return bf16{float_bf16(x)};
}

/* N elements that lie aligned to all their bytes, or to 16 where these are more. */
template <int N, class T>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) several {
    T one[N];
};

template <int N, class T>
__device__ __forceinline__ several<N, T> get_several(const T *from)
{
#ifdef CUDA_ON_HOST
    several<N, T> all;
    assert((uintptr_t)from % alignof(several<N, T>) == 0);
    memcpy(&all, from, sizeof all);
    return all;
#else
    return *(const several<N, T> *)(const void *)from;
#endif
}

template <int N, class T>
__device__ __forceinline__ void put_several(T *to, const several<N, T> &all)
{
#ifdef CUDA_ON_HOST
    assert((uintptr_t)to % alignof(several<N, T>) == 0);
    memcpy(to, &all, sizeof all);
#else
    *(several<N, T> *)(void *)to = all;
#endif
}

template <int N, class T>
__device__ __forceinline__ void get(float (&x)[N], const T *from)
{
    const several<N, T> all = get_several<N>(from);
    UNROLL for (int i = 0; i < N; i++) x[i] = float_of(all.one[i]);
}

template <int N, class T> __device__ __forceinline__ void put(T *to, const float (&x)[N])
{
    several<N, T> all;
    UNROLL for (int i = 0; i < N; i++) all.one[i] = number_of<T>(x[i]);
    put_several<N>(to, all);
}

/* Numbers [i, i + WIDE) of a row of n; 0 behind its end. wide: they may be taken at once,
 * and n is a multiple of WIDE. */
template <class T>
__device__ __forceinline__ void get_row(float (&x)[WIDE], const T *row, int64_t i,
                                        int64_t n, bool wide)
{
    if (wide && i < n) {
        get<WIDE>(x, row + i);
        return;
    }
    UNROLL for (int j = 0; j < WIDE; j++) x[j] = i + j < n ? float_of(row[i + j]) : 0.0f;
}

template <class T>
__device__ __forceinline__ void put_row(T *row, int64_t i, int64_t n, bool wide,
                                        const float (&x)[WIDE])
{
    if (wide && i < n) {
        put<WIDE>(row + i, x);
        return;
    }
    UNROLL for (int j = 0; j < WIDE; j++) if (i + j < n) row[i + j] = number_of<T>(x[j]);
}

/* The same of a vector of any float type that may be absent: then 0. */
__device__ __forceinline__ void get_vector(float (&x)[WIDE], const struct arr &a,
                                           int64_t i, int64_t n, bool wide)
{
    if (wide && i < n && a.data && a.type == ARR_F32)
        get<WIDE>(x, (const float *)a.data + i);
    else if (wide && i < n && a.data && a.type == ARR_BF16)
        get<WIDE>(x, (const bf16 *)a.data + i);
    else
        UNROLL for (int j = 0; j < WIDE; j++) x[j] =
            i + j < n ? vector_at(a, i + j) : 0.0f;
}

/* Blocks of a row (row_blocks()). */
__host__ __device__ __forceinline__ unsigned row_parts(int64_t columns)
{
    return columns > THREADS * WIDE ? (unsigned)((columns - 1) / (THREADS * WIDE)) + 1
                                    : 1;
}

/* This thread's row, and the first of its columns there. */
struct row_place {
    int64_t row, column;
};
__device__ __forceinline__ struct row_place row_here(int64_t columns)
{
    const unsigned parts = row_parts(columns), row = blockIdx.x / parts;
    const unsigned part = blockIdx.x - row * parts;
    return {row, ((int64_t)part * blockDim.x + threadIdx.x) * WIDE};
}

/* -- On the host -----------------------------------------------------------------------
 */

/* Do rows of an array lie so that `width` numbers may be taken at once? An absent one
 * does not object. */
static inline bool lies_wide(const struct arr &a, int width)
{
    size_t bytes = width * arr_type_size(a.type);
    bytes = bytes < 16 ? bytes : 16;
    return !a.data || ((uintptr_t)a.data % bytes == 0 &&
                       (a.shape[0] < 2 || a.stride * arr_type_size(a.type) % bytes == 0));
}
template <class... A>
static inline bool lie_wide(int width, int64_t columns, const A &...a)
{
    return columns % width == 0 && (... && lies_wide(a, width));
}

/* The same of a vector of numbers. */
static inline bool vector_lies_wide(const struct arr &a)
{
    return !a.data || ((uintptr_t)a.data % 16 == 0 && a.stride == 1);
}

/* Call f with a number of the array's type. */
template <class F> static inline void with_act(enum arr_type type, F f)
{
    assert(type == ARR_F32 || type == ARR_BF16);
    if (type == ARR_BF16)
        f(bf16());
    else
        f(float());
}
template <class F>
static inline void with_acts(enum arr_type first, enum arr_type second, F f)
{
    with_act(first, [&](auto a) { with_act(second, [&](auto b) { f(a, b); }); });
}

/* A block for a row's WIDE numbers a thread, up to THREADS, or several one after the
 * other: all in .x, for there may be many rows, and a long one (a whole matrix). */
static inline unsigned row_threads(int64_t columns)
{
    int64_t n = (columns + WIDE * LANES - 1) / (WIDE * LANES) * LANES;
    return n < LANES ? LANES : n < THREADS ? (unsigned)n : THREADS;
}
static inline unsigned row_blocks(int64_t rows, int64_t columns)
{
    return blocks_for(rows * row_parts(columns), 1);
}
#endif
