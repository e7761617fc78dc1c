/* product.cu: what a product's operands are turned into (product.h). */
#include "product.h"

#include "runs.h"

struct turning {
    struct runs from;
    uint16_t *to;
    int64_t pieces; /* of 8 numbers in a row of to; zeros where from has no more */
};

/* Of any type; a piece for each thread. */
__global__ void turn_kernel(struct turning t)
{
    const int64_t at = thread_number(), row = at / t.pieces, k0 = at % t.pieces * 8;
    const struct arr &a = t.from.a;
    float x[8];
    if (row >= a.shape[0])
        return;
    const char *from = (const char *)a.data + row * t.from.bytes;
    UNROLL
    for (int i = 0; i < 8; i++)
        x[i] = k0 + i < a.shape[1] ? any_at(a.type, from, k0 + i) : 0.0f;
    ((uint4 *)t.to)[at] = make_uint4(bf16_pair(x[0], x[1]), bf16_pair(x[2], x[3]),
                                     bf16_pair(x[4], x[5]), bf16_pair(x[6], x[7]));
}

/* float32 at a multiple of 16, whole pieces. */
__global__ void turn_f32_kernel(struct turning t)
{
    const int64_t at = thread_number(), row = at / t.pieces, k0 = at % t.pieces * 8;
    if (row >= t.from.a.shape[0])
        return;
    const float4 *from =
        (const float4 *)(const void *)(row_of<float>(t.from.a, row) + k0);
    const float4 x = from[0], y = from[1];
    ((uint4 *)t.to)[at] = make_uint4(bf16_pair(x.x, x.y), bf16_pair(x.z, x.w),
                                     bf16_pair(y.x, y.y), bf16_pair(y.z, y.w));
}

/* What runs.h has; a run for each thread. */
template <class W> __global__ void turn_runs_kernel(struct turning t)
{
    const int64_t at = thread_number(), runs = t.pieces / 4, row = at / runs;
    W run;
    uint32_t pair[RUN / 2];
    if (row >= t.from.a.shape[0])
        return;
    run.load(t.from, row, at % runs * RUN, t.from.a.shape[1]);
    run.pairs(pair);
    UNROLL
    for (int q = 0; q < 4; q++)
        ((uint4 *)t.to)[at * 4 + q] =
            make_uint4(pair[q * 4], pair[q * 4 + 1], pair[q * 4 + 2], pair[q * 4 + 3]);
}

static void turn(struct dev *d, const struct turning &t)
{
    const int64_t pieces = t.from.a.shape[0] * t.pieces;
    const unsigned runs = blocks_for(pieces / 4, THREADS);
    switch (runs_type(t.from.a)) {
    case ARR_F32:
        LAUNCH(d, blocks_for(pieces, THREADS), THREADS, turn_f32_kernel, t);
        break;
    case ARR_F16: LAUNCH(d, runs, THREADS, turn_runs_kernel<struct run_f16>, t); break;
    case ARR_Q8_0: LAUNCH(d, runs, THREADS, turn_runs_kernel<struct run_q8_0>, t); break;
    case ARR_Q4_K: LAUNCH(d, runs, THREADS, turn_runs_kernel<struct run_q4_k>, t); break;
    case ARR_Q6_K: LAUNCH(d, runs, THREADS, turn_runs_kernel<struct run_q6_k>, t); break;
    default: LAUNCH(d, blocks_for(pieces, THREADS), THREADS, turn_kernel, t);
    }
}

bool halves_fit(struct arr a)
{
    return a.type == ARR_BF16 && (uintptr_t)a.data % 16 == 0 && a.stride % 8 == 0 &&
           a.shape[1] % 8 == 0;
}

struct halves halves_of(struct dev *d, struct arr from, struct product_room *room)
{
    const int64_t rows = from.shape[0], pieces = (from.shape[1] + 7) / 8;
    *room = (struct product_room){NULL, 0};
    if (halves_fit(from))
        return {(const uint16_t *)from.data, rows, from.shape[1], from.stride};
    room->bytes = (size_t)(rows * pieces) * 16;
    room->data = dev_room(d, room->bytes);
    if (!room->data)
        return {NULL, 0, 0, 8};
    struct turning t = {runs_of(from), (uint16_t *)room->data, pieces};
    turn(d, t);
    return {t.to, rows, pieces * 8, pieces * 8};
}

__global__ void numbers_kernel(struct arr to, struct arr from)
{
    const int64_t i = thread_number();
    if (i >= from.shape[0])
        return;
    if (to.type == ARR_F32)
        ((float *)to.data)[i] = vector_at(from, i);
    else
        ((uint16_t *)to.data)[i] = float_bf16(vector_at(from, i));
}

void numbers_turn(struct dev *d, void *to, enum arr_type type, struct arr from)
{
    struct arr a = from;
    a.data = to, a.type = type, a.stride = 1;
    LAUNCH(d, blocks_for(from.shape[0], THREADS), THREADS, numbers_kernel, a, from);
}

void product_room_free(struct dev *d, struct product_room *room)
{
    release_cuda(d, room->data, room->bytes);
}
