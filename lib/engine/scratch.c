/* scratch.c: see scratch.h. */
#include "engine/scratch.h"
#include "engine/device_memory.h"

#include <assert.h>

enum { ALIGN = 64 };

struct arr scratch_take(struct scratch *s, enum arr_type type, int rank,
                        const int64_t *shape)
{
    struct arr a = {.dev = s->dev, .type = type, .rank = rank};
    for (int i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.stride = arr_row_size(a);
    if (s->base) {
        a.data = s->base + s->used;
        assert(s->used + (size_t)arr_size(a) * arr_type_size(type) <= s->size);
    }
    s->used += (size_t)arr_size(a) * arr_type_size(type);
    s->used = (s->used + ALIGN - 1) / ALIGN * ALIGN;
    return a;
}

struct arr scratch_vector(struct scratch *s, enum arr_type type, int64_t n)
{
    return scratch_take(s, type, 1, &n);
}

struct arr scratch_matrix(struct scratch *s, int64_t rows, int64_t columns)
{
    return scratch_take(s, ARR_F32, 2, (int64_t[]){rows, columns});
}

struct arr scratch_act(struct scratch *s, enum arr_type act, int64_t rows,
                       int64_t columns)
{
    return scratch_take(s, act, 2, (int64_t[]){rows, columns});
}

struct arr scratch_since(const struct scratch *s, size_t from)
{
    struct arr a = {.dev = s->dev, .type = ARR_U8, .rank = 1, .stride = 1};
    a.shape[0] = (int64_t)(s->used - from);
    a.data = s->base ? s->base + from : NULL;
    return a;
}

int scratch_room(struct scratch *s, size_t bytes)
{
    s->used = 0;
    if (s->base && bytes <= s->size)
        return 0;
    scratch_free(s);
    bytes = bytes ? bytes : ALIGN;
    s->base = s->k->alloc(s->dev, bytes);
    if (!s->base)
        return device_memory_fail(s->k, s->dev);
    s->size = bytes;
    return 0;
}

void scratch_free(struct scratch *s)
{
    if (s->base)
        s->k->release(s->dev, s->base, s->size);
    s->base = NULL;
    s->size = s->used = 0;
}
