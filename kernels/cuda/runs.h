/* runs.h: runs of 32 weights of one row, read as they are stored and turned to bf16 in
 * registers: the numbers of quant.h, rounded to nearest even. Between load() and pairs()
 * the reads are on their way.
 *
 *   AHEAD         how many steps ahead of their use product_few reads them
 *   load(a, n, k, to)  from row n of a, numbers k .. k + 31; k a multiple of 32; zeros
 *                 where k >= to, and where there is no row n
 *   pairs(pair)   in bf16, by two
 */
#ifndef CUDA_RUNS_H
#define CUDA_RUNS_H
#include "quant.h"

constexpr int RUN = 32;

struct runs {
    struct arr a;
    int64_t bytes; /* of a row */
};
static inline struct runs runs_of(struct arr a)
{
    return {a, row_bytes(a)};
}

/* The type if a's rows can be read by its run below, else ARR_TYPES. */
static inline enum arr_type runs_type(struct arr a)
{
    const uintptr_t at = (uintptr_t)a.data | (uintptr_t)row_bytes(a);
    const bool whole = a.shape[1] % RUN == 0;
    switch (a.type) {
    case ARR_F32:
    case ARR_F16:
    case ARR_Q4_K: return whole && at % 16 == 0 ? a.type : ARR_TYPES;
    case ARR_Q8_0:
    case ARR_Q6_K: return at % 2 == 0 ? a.type : ARR_TYPES;
    default: return ARR_TYPES;
    }
}

/* Of float32 (or float16) at a multiple of 16, where the depth has whole runs. */
struct run_f32 {
    static constexpr int AHEAD = 1;
    float4 four[RUN / 4];

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        const bool there = n < a.a.shape[0] && k < to;
        const float4 *from = (const float4 *)(const void *)(row_of<float>(a.a, n) + k);
        UNROLL
        for (int i = 0; i < RUN / 4; i++)
            four[i] = there ? from[i] : make_float4(0, 0, 0, 0);
    }
    __device__ void pairs(uint32_t pair[RUN / 2]) const
    {
        UNROLL
        for (int i = 0; i < RUN / 4; i++) {
            pair[2 * i] = bf16_pair(four[i].x, four[i].y);
            pair[2 * i + 1] = bf16_pair(four[i].z, four[i].w);
        }
    }
};

struct run_f16 {
    static constexpr int AHEAD = 2;
    uint4 eight[RUN / 8];

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        const bool there = n < a.a.shape[0] && k < to;
        const uint4 *from = (const uint4 *)(const void *)(row_of<uint16_t>(a.a, n) + k);
        UNROLL
        for (int i = 0; i < RUN / 8; i++)
            eight[i] = there ? from[i] : make_uint4(0, 0, 0, 0);
    }
    __device__ void pairs(uint32_t pair[RUN / 2]) const
    {
        UNROLL
        for (int i = 0; i < RUN / 2; i++) {
            const uint4 &e = eight[i / 4];
            const uint32_t two = i % 4 == 0   ? e.x
                                 : i % 4 == 1 ? e.y
                                 : i % 4 == 2 ? e.z
                                              : e.w;
            pair[i] =
                bf16_pair(f16_float((uint16_t)two), f16_float((uint16_t)(two >> 16)));
        }
    }
};

/* A block of Q8_0 at an even address. */
struct run_q8_0 {
    static constexpr int AHEAD = 2;
    uint16_t half[17];

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        const uint16_t *from =
            (const uint16_t *)(const void *)((const char *)a.a.data + n * a.bytes +
                                             k / 32 * 34);
        const bool there = n < a.a.shape[0] && k < to;
        UNROLL
        for (int i = 0; i < 17; i++) half[i] = there ? from[i] : (uint16_t)0;
    }
    __device__ void pairs(uint32_t pair[RUN / 2]) const
    {
        const float d = f16_float(half[0]);
        UNROLL
        for (int i = 0; i < RUN / 2; i++)
            pair[i] = bf16_pair(d * (float)(int8_t)(half[i + 1] & 255),
                                d * (float)(int8_t)(half[i + 1] >> 8));
    }
};

/* 32 of a block of Q4_K at a multiple of 16: its factors and scales, and the 32 bytes
 * whose low or high halves they are. */
struct run_q4_k {
    static constexpr int AHEAD = 2;
    uint4 head, code[2];
    int run;

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        const uint4 *from = (const uint4 *)(const void *)((const char *)a.a.data +
                                                          n * a.bytes + k / 256 * 144);
        const uint4 none = make_uint4(0, 0, 0, 0);
        const bool there = n < a.a.shape[0] && k < to;
        run = (int)(k % 256 / 32);
        head = there ? from[0] : none;
        code[0] = there ? from[1 + run / 2 * 2] : none;
        code[1] = there ? from[2 + run / 2 * 2] : none;
    }
    /* scale_k() of the three words of scales. */
    __device__ int scale(bool least) const
    {
        const int at = run % 4 * 8;
        const uint32_t low = head.y >> at, high = head.z >> at, rest = head.w >> at;
        if (run < 4)
            return (int)((least ? high : low) & 63);
        return (int)((least ? rest >> 4 & 15 : rest & 15) |
                     ((least ? high : low) >> 6 & 3) << 4);
    }
    __device__ void pairs(uint32_t pair[RUN / 2]) const
    {
        const float d = f16_float((uint16_t)head.x) * (float)scale(false);
        const float m = f16_float((uint16_t)(head.x >> 16)) * (float)scale(true);
        const uint32_t word[8] = {code[0].x, code[0].y, code[0].z, code[0].w,
                                  code[1].x, code[1].y, code[1].z, code[1].w};
        UNROLL
        for (int i = 0; i < RUN / 2; i++) {
            const uint32_t two = word[i / 2] >> (i % 2 * 16 + run % 2 * 4);
            pair[i] =
                bf16_pair(d * (float)(two & 15) - m, d * (float)(two >> 8 & 15) - m);
        }
    }
};

/* 32 of a block of Q6_K at an even address: a quarter of a half of the block, whose codes
 * are halves of 32 bytes, and two bits of 32 others. */
struct run_q6_k {
    static constexpr int AHEAD = 1;
    uint16_t low[RUN / 2], high[RUN / 2], scale, d;
    int quarter;

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        const int run = (int)(k % 256 / 32), half = run / 4;
        const uint16_t *from =
            (const uint16_t *)(const void *)((const char *)a.a.data + n * a.bytes +
                                             k / 256 * 210);
        const bool there = n < a.a.shape[0] && k < to;
        quarter = run % 4;
        UNROLL
        for (int i = 0; i < RUN / 2; i++) {
            low[i] = there ? from[half * 32 + quarter % 2 * 16 + i] : (uint16_t)0;
            high[i] = there ? from[64 + half * 16 + i] : (uint16_t)0;
        }
        scale = there ? from[96 + run] : (uint16_t)0;
        d = there ? from[104] : (uint16_t)0;
    }
    __device__ void pairs(uint32_t pair[RUN / 2]) const
    {
        const float first = f16_float(d) * (float)(int8_t)(scale & 255);
        const float second = f16_float(d) * (float)(int8_t)(scale >> 8);
        UNROLL
        for (int i = 0; i < RUN / 2; i++) {
            const uint32_t l = (uint32_t)low[i] >> quarter / 2 * 4;
            const uint32_t h = (uint32_t)high[i] >> quarter * 2;
            const float by = i < RUN / 4 ? first : second;
            const int even = (int)((l & 15) | (h & 3) << 4) - 32;
            const int odd = (int)((l >> 8 & 15) | (h >> 8 & 3) << 4) - 32;
            pair[i] = bf16_pair(by * (float)even, by * (float)odd);
        }
    }
};
#endif
