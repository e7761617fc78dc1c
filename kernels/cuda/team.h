/* team.h: norms of vectors: a team of threads has each, a warp up to WARP_DIM numbers,
 * else a block. Thread t of a team of T has numbers [WIDE t, WIDE t + WIDE) of each WIDE
 * T. A sum is over these, ascending, then over the lanes of a warp, then over the block's
 * warps: it depends on the vector's length alone. */
#ifndef CUDA_TEAM_H
#define CUDA_TEAM_H
#include "act.h"

constexpr int WARP_DIM = LANES * WIDE;

/* The vectors of an array, `heads` in each row. */
struct vectors {
    int64_t count, heads, dim;
};

static inline struct vectors vectors_of(const struct arr &x)
{
    const int64_t dim = x.shape[x.rank - 1], heads = arr_row_size(x) / dim;
    assert(x.shape[0] * heads <= INT32_MAX);
    return {x.shape[0] * heads, heads, dim};
}

template <class T>
__device__ __forceinline__ T *vector_in(const struct arr &a, const struct vectors &in,
                                        int64_t v)
{
    const unsigned r = (unsigned)v / (unsigned)in.heads;
    return row_of<T>(a, r) + (v - r * in.heads) * in.dim;
}

/* The vector of this thread's team. */
template <int TEAM> __device__ __forceinline__ int64_t team_vector()
{
    return TEAM == LANES ? warp_number() : (int64_t)blockIdx.x;
}

/* In every thread of the team. room: shared [WARPS], where the team is a block. */
template <int TEAM> __device__ __forceinline__ float team_sum(float x, float *room)
{
    x = warp_sum(x);
    if (TEAM == LANES)
        return x;
    __syncthreads();
    if (threadIdx.x % LANES == 0)
        room[threadIdx.x / LANES] = x;
    __syncthreads();
    x = room[0];
    UNROLL for (int w = 1; w < WARPS; w++) x += room[w];
    return x;
}

/* A thread's numbers of a vector: CHUNKS times WIDE of them in registers, or, with CHUNKS
 * 0, for vectors too long for that, read again each time. */
template <class T, int TEAM, int CHUNKS> struct part {
    const T *row;
    int64_t dim;
    bool wide;
    float x[CHUNKS ? CHUNKS : 1][WIDE];

    __device__ __forceinline__ part(const T *row_, int64_t dim_, bool wide_)
        : row(row_), dim(dim_), wide(wide_)
    {
        UNROLL for (int c = 0; c < CHUNKS; c++) get_row(x[c], row, place(c), dim, wide);
    }
    __device__ __forceinline__ int chunks() const
    {
        return CHUNKS ? CHUNKS : (int)((dim + TEAM * WIDE - 1) / (TEAM * WIDE));
    }
    /* Where chunk c lies in the vector. */
    __device__ __forceinline__ int64_t place(int c) const
    {
        return ((int64_t)c * TEAM + threadIdx.x % TEAM) * WIDE;
    }
    /* Numbers that chunk c has: fewer than WIDE at the vector's end. */
    __device__ __forceinline__ int count(int c) const
    {
        const int64_t left = dim - place(c);
        return left < 0 ? 0 : left < WIDE ? (int)left : WIDE;
    }
    /* Chunk c; 0 behind the vector's end. */
    __device__ __forceinline__ float (&chunk(int c))[WIDE]
    {
        if (CHUNKS)
            return x[c];
        get_row(x[0], row, place(c), dim, wide);
        return x[0];
    }
};

/* Mean (0 unless centred) and 1 / sqrt(mean square of what is left + eps). */
struct moments {
    float mean, factor;
};

template <bool centred, class T, int TEAM, int CHUNKS>
__device__ __forceinline__ struct moments moments_of(part<T, TEAM, CHUNKS> &v, float eps,
                                                     float *room)
{
    float sum = 0, squares = 0;
    if (centred) {
        UNROLL for (int c = 0; c < v.chunks(); c++)
        {
            const float(&x)[WIDE] = v.chunk(c);
            UNROLL for (int j = 0; j < WIDE; j++) sum += x[j];
        }
        sum = team_sum<TEAM>(sum, room) / (float)v.dim;
    }
    UNROLL for (int c = 0; c < v.chunks(); c++)
    {
        const float(&x)[WIDE] = v.chunk(c);
        const int n = v.count(c);
        UNROLL for (int j = 0; j < WIDE; j++) if (j < n) squares =
            fmaf(x[j] - sum, x[j] - sum, squares);
    }
    squares = team_sum<TEAM>(squares, room);
    return {sum, 1.0f / sqrtf(squares / (float)v.dim + eps)};
}

/* Call f with the team's size and the chunks that vectors of this length are kept in, as
 * types, and the launch's blocks. */
template <int n> struct number {
    static constexpr int value = n;
};
template <class F> static inline void with_team(const struct vectors &in, F f)
{
    constexpr int64_t most = THREADS * WIDE;
    const unsigned blocks = blocks_for(in.count, 1);
    if (in.dim <= WARP_DIM)
        f(number<LANES>(), number<1>(), blocks_for(in.count, WARPS));
    else if (in.dim <= most)
        f(number<THREADS>(), number<1>(), blocks);
    else if (in.dim <= 4 * most)
        f(number<THREADS>(), number<4>(), blocks);
    else
        f(number<THREADS>(), number<0>(), blocks);
}
#endif
