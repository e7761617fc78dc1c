/* attention_input.cu: heads of queries and keys normed and turned, keys and values
 * written to their pages, in one kernel (kernels.h). LANES of a warp or a part of them
 * have a head, WIDE numbers each; numbers are rounded where an operation of its own would
 * have stored them. Keys go to their transposed pages by way of shared memory, so that
 * rows that follow each other are written side by side. */
#include "act.h"

struct heads {
    struct attention_input in;
    int64_t rows, dim, heads, kv_heads;
    bool wide, weights_wide;
};

/* As team.h's norm of a vector of up to WARP_DIM numbers, to the bit: lanes that would
 * add zeros are left out. */
template <class T, int TEAM>
__device__ __forceinline__ void norm_head(float (&x)[WIDE], const struct heads &p,
                                          const struct arr &weight, int at)
{
    float w[WIDE], squares = 0;
    UNROLL for (int j = 0; j < WIDE; j++) squares = fmaf(x[j], x[j], squares);
    UNROLL for (int l = TEAM / 2; l > 0; l /= 2) squares +=
        __shfl_xor_sync(0xffffffffu, squares, l);
    const float factor = 1.0f / sqrtf(squares / (float)p.dim + p.in.eps);
    get_vector(w, weight, at, p.dim, p.weights_wide);
    UNROLL for (int j = 0; j < WIDE; j++) x[j] =
        float_of(number_of<T>(x[j] * factor * w[j]));
}

/* x[j] beside x[j + half]: another lane has the other one. */
template <int TEAM>
__device__ __forceinline__ void turn_halves(float (&x)[WIDE], const struct heads &p,
                                            int64_t r, int at)
{
    const int half = (int)p.dim / 2, apart = half / WIDE;
    const int lane = threadIdx.x % LANES, place = lane % TEAM;
    const bool low = place < apart;
    const int from = place < 2 * apart ? (low ? lane + apart : lane - apart) : lane;
    float c[WIDE], s[WIDE], other[WIDE];
    UNROLL for (int j = 0; j < WIDE; j++) other[j] = __shfl_sync(0xffffffffu, x[j], from);
    const int i = low ? at : at - half;
    get_row(c, row_of<float>(p.in.cos, r), i, half, p.wide);
    get_row(s, row_of<float>(p.in.sin, r), i, half, p.wide);
    UNROLL for (int j = 0; j < WIDE; j++) x[j] =
        low ? x[j] * c[j] - other[j] * s[j] : x[j] * c[j] + other[j] * s[j];
}

/* x[2 j] beside x[2 j + 1]. */
__device__ __forceinline__ void turn_pairs(float (&x)[WIDE], const struct heads &p,
                                           int64_t r, int at)
{
    const float *cosine = row_of<float>(p.in.cos, r) + at / 2;
    const float *sine = row_of<float>(p.in.sin, r) + at / 2;
    if (at >= p.dim)
        return;
    UNROLL for (int j = 0; j < WIDE / 2; j++)
    {
        const float a = x[2 * j], b = x[2 * j + 1], c = cosine[j], s = sine[j];
        x[2 * j] = a * c - b * s;
        x[2 * j + 1] = b * c + a * s;
    }
}

template <class T, int TEAM, bool pairs>
__global__ void __launch_bounds__(THREADS) attention_input_kernel(struct heads p)
{
    constexpr int ROWS = THREADS / TEAM, STRIDE = TEAM * WIDE + 4 / (int)sizeof(T);
    __shared__ T turned[ROWS * STRIDE]; /* rows lie an odd number of banks apart */
    const int t = threadIdx.x / TEAM, at = (int)(threadIdx.x % TEAM) * WIDE;
    const int64_t first = (int64_t)blockIdx.x * ROWS, r = first + t;
    const bool there = r < p.rows;
    const int64_t row = there ? r : p.rows - 1; /* lanes without one keep step */
    int64_t h = blockIdx.y;
    const bool query = h < p.heads, value = h >= p.heads + p.kv_heads;
    h -= query ? 0 : value ? p.heads + p.kv_heads : p.heads;
    const struct arr &from = query ? p.in.q : value ? p.in.v : p.in.k;
    T *head = row_of<T>(from, row) + h * p.dim;
    float x[WIDE];
    get_row(x, head, at, p.dim, p.wide);
    if (value) {
        const int32_t slot = *row_of<int32_t>(p.in.slot, row);
        T *to = row_of<T>(p.in.v_pages, slot / KV_PAGE) +
                (h * KV_PAGE + slot % KV_PAGE) * p.dim;
        if (there)
            put_row(to, at, p.dim, p.wide, x);
        return;
    }
    if (p.in.q_norm.data)
        norm_head<T, TEAM>(x, p, query ? p.in.q_norm : p.in.k_norm, at);
    if constexpr (pairs)
        turn_pairs(x, p, row, at);
    else
        turn_halves<TEAM>(x, p, row, at);
    if (query) {
        if (there)
            put_row(head, at, p.dim, p.wide, x);
        return;
    }
    UNROLL for (int j = 0; j < WIDE; j++) turned[t * STRIDE + at + j] =
        number_of<T>(x[j]);
    __syncthreads();
    const int mine = threadIdx.x % ROWS;
    if (first + mine >= p.rows)
        return;
    const int32_t slot = *row_of<int32_t>(p.in.slot, first + mine);
    T *to =
        row_of<T>(p.in.k_pages, slot / KV_PAGE) + h * p.dim * KV_PAGE + slot % KV_PAGE;
    for (int j = threadIdx.x / ROWS; j < p.dim; j += THREADS / ROWS)
        to[j * KV_PAGE] = turned[mine * STRIDE + j];
}

template <class T, int TEAM> static void launch(struct dev *d, const struct heads &p)
{
    const dim3 grid(blocks_for(p.rows, THREADS / TEAM),
                    (unsigned)(p.heads + 2 * p.kv_heads));
    if (p.in.pairs)
        LAUNCH(d, grid, THREADS, (attention_input_kernel<T, TEAM, true>), p);
    else
        LAUNCH(d, grid, THREADS, (attention_input_kernel<T, TEAM, false>), p);
}

/* Heads that no team takes: the operations one by one. */
static void one_by_one(struct dev *d, const struct attention_input &in)
{
    if (in.q_norm.data) {
        rmsnorm_cuda(d, in.q, in.q, in.q_norm, in.eps);
        rmsnorm_cuda(d, in.k, in.k, in.k_norm, in.eps);
    }
    (in.pairs ? rope_pairs_cuda : rope_cuda)(d, in.q, in.cos, in.sin);
    (in.pairs ? rope_pairs_cuda : rope_cuda)(d, in.k, in.cos, in.sin);
    kv_write_cuda(d, in.k_pages, in.v_pages, in.k, in.v, in.slot);
}

void attention_input_cuda(struct dev *d, const struct attention_input *in)
{
    struct heads p = {
        *in,   in->q.shape[0], in->q.shape[2], in->q.shape[1], in->k.shape[1],
        false, false};
    assert(in->k.shape[2] == p.dim && in->slot.shape[0] == p.rows);
    assert(in->k.type == in->q.type && in->v.type == in->q.type &&
           in->k_pages.type == in->q.type && in->v_pages.type == in->q.type);
    if (p.rows == 0)
        return;
    if (p.dim > LANES * WIDE || p.dim % (in->pairs ? WIDE : 2 * WIDE)) {
        one_by_one(d, *in);
        return;
    }
    p.wide = lie_wide(WIDE, p.dim, in->q, in->k, in->v, in->v_pages, in->cos, in->sin);
    p.weights_wide = vector_lies_wide(in->q_norm) && vector_lies_wide(in->k_norm);
    with_act(in->q.type, [&](auto t) {
        typedef decltype(t) T;
        if (p.dim <= 64)
            launch<T, 8>(d, p);
        else if (p.dim <= 128)
            launch<T, 16>(d, p);
        else
            launch<T, 32>(d, p);
    });
}
