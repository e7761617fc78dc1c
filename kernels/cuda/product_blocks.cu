/* product_blocks.cu: up to eight rows times weights in blocks of Q8_0 or Q4_K, as in
 * decoding (few.h): they come to shared memory as they are stored, 256 of the depth of 16
 * rows at a time, and each lane makes of them the very numbers of its fragments, in
 * registers. The same bits as any other way. */
#include "few.h"

constexpr int GROUP = 256, STEPS = GROUP / STEP; /* of the depth; steps in it */

__device__ __forceinline__ uint32_t two_bytes(const uint8_t *p)
{
    return *(const uint16_t *)(const void *)p;
}

/* A byte of a code as a float: 2^23 and what lies below; code: within the low 23 bits. */
__device__ __forceinline__ float code_float(uint32_t code)
{
    return bits_float(0x4b000000u | code) - 0x1p23f;
}

/* For each format: bytes of 256 numbers of a row, stages of them and of b, and a warp's
 * fragments of step `step` of 256, for each 16 of the depth; rows: where the lane's two
 * rows begin, g and g + 8; t: of mma.h. */
struct blocks_q8_0 {
    static constexpr int BYTES = GROUP / 32 * 34, STAGES = 2, STAGES_B = 3;
    static __device__ __forceinline__ void
    fragments(uint32_t to[4][4], const uint8_t *const rows[2], int t, int step)
    {
        UNROLL
        for (int r = 0; r < 2; r++) UNROLL
        for (int k = 0; k < 4; k++) UNROLL
        for (int high = 0; high < 2; high++) {
            const uint8_t *block = rows[r] + (step * 2 + k / 2) * 34;
            const float d = f16_float((uint16_t)two_bytes(block));
            const uint32_t two = two_bytes(block + 2 + k % 2 * 16 + high * 8 + t * 2);
            to[k][high * 2 + r] =
                bf16_pair(d * (float)(int8_t)(two & 255), d * (float)(int8_t)(two >> 8));
        }
    }
};

struct blocks_q4_k {
    static constexpr int BYTES = 144, STAGES = 3, STAGES_B = 4;
    /* A step's 64 numbers are the low, then the high halves of 32 bytes. */
    static __device__ __forceinline__ void
    fragments(uint32_t to[4][4], const uint8_t *const rows[2], int t, int step)
    {
        UNROLL
        for (int r = 0; r < 2; r++) {
            const uint4 head = *(const uint4 *)(const void *)rows[r];
            /* the scales of four runs, a byte each, and their constants' factors */
            const uint32_t scales =
                step < 2 ? head.y & 0x3f3f3f3f
                         : (head.w & 0x0f0f0f0f) | (head.y >> 2 & 0x30303030);
            const uint32_t least =
                step < 2 ? head.z & 0x3f3f3f3f
                         : (head.w >> 4 & 0x0f0f0f0f) | (head.z >> 2 & 0x30303030);
            UNROLL
            for (int half = 0; half < 2; half++) {
                const int at = (step % 2 * 2 + half) * 8;
                const float d = f16_float((uint16_t)head.x) * (float)(scales >> at & 255);
                const float m =
                    f16_float((uint16_t)(head.x >> 16)) * (float)(least >> at & 255);
                /* products are exact, so that a fused one has the same bits; of the
                 * second byte 256 times the code is taken */
                UNROLL
                for (int k = 0; k < 2; k++) UNROLL
                for (int high = 0; high < 2; high++) {
                    const uint32_t two =
                        two_bytes(rows[r] + 16 + step * 32 + k * 16 + high * 8 + t * 2) >>
                        half * 4;
                    to[half * 2 + k][high * 2 + r] =
                        bf16_pair(fmaf(d, code_float(two & 15), -m),
                                  fmaf(d * 0x1p-8f, code_float(two & 0xf00), -m));
                }
            }
        }
    }
};

template <class Q> struct layout {
    static constexpr int B = 8 * STEP; /* numbers of a stage of b */
    static constexpr int A_BYTES = Q::STAGES * 16 * Q::BYTES; /* of a warp */
    static constexpr int WARP_BYTES = A_BYTES + Q::STAGES_B * B * 2;
    static constexpr int BYTES = WARPS * WARP_BYTES;
    static_assert(BYTES <= SHARED_BYTES && strips_bytes(1, 1) <= BYTES, "room");
    static_assert(Q::BYTES % 16 == 0, "copies of 16 bytes");
};

/* Begin to copy 256 of the depth, the group-th, of 16 rows from i0 on. */
template <class Q>
__device__ __forceinline__ void blocks_fetch(uint8_t *to, const struct runs &a,
                                             int64_t i0, int64_t group)
{
    constexpr int PIECES = Q::BYTES / 16;
    UNROLL
    for (int e = 0; e < (16 * PIECES + LANES - 1) / LANES; e++) {
        const int at = e * LANES + (int)threadIdx.x % LANES;
        const int64_t row = i0 + at / PIECES;
        if (at < 16 * PIECES)
            copy16_start(to + at * 16,
                         (const char *)a.a.data + row * a.bytes + group * Q::BYTES +
                             at % PIECES * 16,
                         row < a.a.shape[0]);
    }
}

template <class Q>
__global__ void __launch_bounds__(THREADS)
    product_blocks_kernel(PARAMETER struct few_group g)
{
    const int number = few_number(g);
    const struct few &p = g.one[number];
    using L = layout<Q>;
    SHARED_ROOM(uint8_t, room);
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int64_t i0 = (int64_t)(blockIdx.x - g.first[number]) * 16,
                  each = strip_steps(p.depth);
    const int64_t all = steps_of(p.depth), first = warp * each;
    const int64_t end = first + each < all ? first + each : all; /* steps of the strip */
    const int64_t groups = (end + STEPS - 1) / STEPS;
    uint8_t *const mine = room + warp * L::WARP_BYTES;
    uint16_t *const mine_b = (uint16_t *)(void *)(mine + L::A_BYTES);
    float sum[1][1][4] = {};

    /* A group of blocks is under way long before b's rows, which are in the cache: the
     * i-th with the i-th step of b, then another each time that a group is done with. A
     * group but the first and the last has STEPS steps, more than are under way. */
    static_assert(Q::STAGES_B - 2 < STEPS && Q::STAGES <= Q::STAGES_B, "copies in time");
    UNROLL
    for (int s = 0; s < Q::STAGES_B - 1; s++) {
        if (first + s < end)
            warp_fetch<8, STEP / 8>(mine_b + s * L::B, p.b, 0, (first + s) * STEP);
        UNROLL
        for (int i = s; i < Q::STAGES; i += Q::STAGES_B - 1) {
            const int64_t group = first / STEPS + i;
            if (first < end && group < groups)
                blocks_fetch<Q>(mine + group % Q::STAGES * 16 * Q::BYTES, p.a, i0, group);
        }
        copies_commit();
    }
    for (int64_t s = first; s < end; s++) {
        copies_wait<Q::STAGES_B - 2>();
        __syncwarp(); /* all lanes have it, and are done with what is filled next */
        const int64_t next = s + Q::STAGES_B - 1, group = s / STEPS;
        if (next < end)
            warp_fetch<8, STEP / 8>(mine_b + (next - first) % Q::STAGES_B * L::B, p.b, 0,
                                    next * STEP);
        const int64_t wanted = group + Q::STAGES - 1;
        if (s > first && s % STEPS == 0 && wanted < groups)
            blocks_fetch<Q>(mine + wanted % Q::STAGES * 16 * Q::BYTES, p.a, i0, wanted);
        copies_commit();

        const uint8_t *tile = mine + group % Q::STAGES * 16 * Q::BYTES;
        const uint8_t *const rows[2] = {tile + lane / 4 * Q::BYTES,
                                        tile + (lane / 4 + 8) * Q::BYTES};
        const uint16_t *b = mine_b + (s - first) % Q::STAGES_B * L::B;
        uint32_t fa[4][4], fb[4];
        Q::fragments(fa, rows, lane % 4, (int)(s % STEPS));
        UNROLL
        for (int k = 0; k < 4; k++) {
            if (k % 2 == 0)
                ldmatrix_x4(fb, b + piece_at<STEP / 8>(lane % 8, k * 2 + lane / 8) * 8);
            mma_bf16(sum[0][0], fa[k], fb + k % 2 * 2);
        }
    }
    strips_put<1, 1>(p, (float *)(void *)room, i0, sum);
}

bool product_blocks(struct dev *d, const struct few *list, int count)
{
    const enum arr_type type = list->a.a.type;
    struct few_group g;
    if (list->r.out.shape[0] > 8 || list->depth % GROUP)
        return false;
    for (int i = 0; i < count; i++)
        if (list[i].a.a.type != type ||
            ((uintptr_t)list[i].a.a.data | (uintptr_t)list[i].a.bytes) % 16)
            return false;
    const unsigned grid = few_blocks(g, list, count, 16);
    if (type == ARR_Q8_0)
        LAUNCH_SHARED(d, grid, THREADS, layout<blocks_q8_0>::BYTES,
                      product_blocks_kernel<blocks_q8_0>, g);
    else if (type == ARR_Q4_K)
        LAUNCH_SHARED(d, grid, THREADS, layout<blocks_q4_k>::BYTES,
                      product_blocks_kernel<blocks_q4_k>, g);
    else
        return false;
    return true;
}
