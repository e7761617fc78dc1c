/* arr.c: shapes and views of arrays (kernels.h). */
#include "kernels.h"

#include <assert.h>

static const struct {
    const char *name;
    uint16_t elements, bytes; /* of one block */
} types[ARR_TYPES] = {
    [ARR_F32] = {"f32", 1, 4},
    [ARR_BF16] = {"bf16", 1, 2},
    [ARR_F16] = {"f16", 1, 2},
    [ARR_I32] = {"i32", 1, 4},
    [ARR_U8] = {"u8", 1, 1},
    [ARR_Q4_0] = {"q4_0", 32, 18},
    [ARR_Q4_1] = {"q4_1", 32, 20},
    [ARR_Q5_0] = {"q5_0", 32, 22},
    [ARR_Q5_1] = {"q5_1", 32, 24},
    [ARR_Q8_0] = {"q8_0", 32, 34},
    [ARR_Q2_K] = {"q2_k", 256, 84},
    [ARR_Q3_K] = {"q3_k", 256, 110},
    [ARR_Q4_K] = {"q4_k", 256, 144},
    [ARR_Q5_K] = {"q5_k", 256, 176},
    [ARR_Q6_K] = {"q6_k", 256, 210},
    [ARR_IQ4_NL] = {"iq4_nl", 32, 18},
    [ARR_IQ4_XS] = {"iq4_xs", 256, 136},
};

const char *arr_type_name(enum arr_type type)
{
    return types[type].name;
}

int arr_type_block(enum arr_type type)
{
    return types[type].elements;
}

size_t arr_type_size(enum arr_type type)
{
    return types[type].bytes;
}

size_t arr_type_bytes(enum arr_type type, int64_t elements)
{
    assert(elements % types[type].elements == 0);
    return (size_t)(elements / types[type].elements) * types[type].bytes;
}

int64_t arr_row_size(struct arr a)
{
    int64_t n = 1;
    for (int i = 1; i < a.rank; i++) n *= a.shape[i];
    return n;
}

int64_t arr_size(struct arr a)
{
    return a.rank == 0 ? 0 : a.shape[0] * arr_row_size(a);
}

bool arr_contiguous(struct arr a)
{
    return a.shape[0] <= 1 || a.stride == arr_row_size(a);
}

struct arr arr_none(void)
{
    return (struct arr){0};
}

static void *at(struct arr a, int64_t element)
{
    return (char *)a.data + arr_type_bytes(a.type, element);
}

struct arr arr_rows(struct arr a, int64_t first, int64_t count)
{
    assert(first >= 0 && count >= 0 && first + count <= a.shape[0]);
    a.data = at(a, first * a.stride);
    a.shape[0] = count;
    return a;
}

struct arr arr_reshape(struct arr a, int rank, const int64_t shape[])
{
    struct arr b = a;
    assert(rank >= 1 && rank <= ARR_RANK_MAX);
    b.rank = rank;
    for (int i = 0; i < rank; i++) b.shape[i] = shape[i];
    assert(arr_size(b) == arr_size(a));
    if (shape[0] != a.shape[0]) {
        assert(arr_contiguous(a));
        b.stride = arr_row_size(b);
    }
    return b;
}

struct arr arr_columns(struct arr a, int64_t first, int64_t count)
{
    assert(a.rank == 2 && first >= 0 && count >= 0 && first + count <= a.shape[1]);
    a.data = at(a, first);
    a.shape[1] = count;
    return a;
}
