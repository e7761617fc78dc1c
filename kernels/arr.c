/* arr.c: shapes and views of arrays (kernels.h). */
#include "kernels.h"

#include <assert.h>

size_t arr_type_size(enum arr_type type)
{
    return type == ARR_BF16 || type == ARR_F16 ? 2 : 4;
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
    return (char *)a.data + element * (int64_t)arr_type_size(a.type);
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
