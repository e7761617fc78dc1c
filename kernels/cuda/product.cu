/* product.cu: what a product's operands are turned into (product.h). */
#include "product.h"

#include "quant.h"

struct turning {
    struct arr from;
    int64_t from_bytes; /* of a row */
    uint16_t *to;
    int64_t pieces; /* of 8 numbers in a row of to; zeros where from has no more */
};

__global__ void turn_kernel(struct turning t)
{
    const int64_t at = thread_number(), row = at / t.pieces, k0 = at % t.pieces * 8;
    float x[8];
    if (row >= t.from.shape[0])
        return;
    const char *from = (const char *)t.from.data + row * t.from_bytes;
    UNROLL
    for (int i = 0; i < 8; i++)
        x[i] = k0 + i < t.from.shape[1] ? any_at(t.from.type, from, k0 + i) : 0.0f;
    ((uint4 *)t.to)[at] = make_uint4(bf16_pair(x[0], x[1]), bf16_pair(x[2], x[3]),
                                     bf16_pair(x[4], x[5]), bf16_pair(x[6], x[7]));
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
    struct turning t = {from, row_bytes(from), (uint16_t *)room->data, pieces};
    LAUNCH(d, blocks_for(rows * pieces, THREADS), THREADS, turn_kernel, t);
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
