/* back_rows.c: clearing and copying rows, and the gradients of what moves rows
 * (backward.h). Where rows may meet in one place, a thread owns columns, so that they
 * meet in ascending order. */
#include "backward_cpu.h"

void CPU_OP(zero)(struct dev *d, struct arr a)
{
    int64_t rows = a.shape[0], n = arr_row_size(a);
    assert(a.type == ARR_F32);
    if (arr_contiguous(a)) { /* in pieces, for the threads */
        n = n * rows < CPU_WORK ? n * rows : CPU_WORK;
        rows = n ? arr_size(a) / n : 0;
        if (n && arr_size(a) % n)
            memset((float *)a.data + rows * n, 0,
                   (size_t)(arr_size(a) % n) * sizeof(float));
        a.stride = n;
    }
    CPU_EACH(d, r, rows, rows * n, 8 * CPU_WORK,
             memset(row_f32(a, r), 0, (size_t)n * sizeof(float)));
}

void CPU_OP(copy)(struct dev *d, struct arr to, struct arr from)
{
    int64_t rows = from.shape[0], n = arr_row_size(from);
    size_t size = arr_type_size(from.type);
    assert(to.type == from.type && to.shape[0] == rows && arr_row_size(to) == n);
    CPU_EACH(d, r, rows, rows * n, 8 * CPU_WORK,
             memcpy((char *)to.data + (size_t)(r * to.stride) * size,
                    (const char *)from.data + (size_t)(r * from.stride) * size,
                    (size_t)n * size));
}

static void add_row(float *y, const float *x, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i++) y[i] += scale * x[i];
}

void CPU_OP(add_scaled)(struct dev *d, struct arr y, struct arr x, float scale)
{
    int64_t rows = x.shape[0], n = arr_row_size(x);
    assert(y.shape[0] == rows && arr_row_size(y) == n);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             add_row(row_f32(y, r), row_f32(x, r), n, scale));
}

static void gather_columns(struct arr dtable, struct arr dy, struct arr index, int64_t c,
                           int64_t end)
{
    for (int64_t r = 0; r < dy.shape[0]; r++) {
        int32_t at = *row_i32(index, r);
        assert(at >= 0 && at < dtable.shape[0]);
        add_row(row_f32(dtable, at) + c, row_f32(dy, r) + c, end - c, 1);
    }
}

void CPU_OP(back_gather)(struct dev *d, struct arr dtable, struct arr dy,
                         struct arr index)
{
    int64_t n = arr_row_size(dy);
    assert(arr_row_size(dtable) == n && index.shape[0] == dy.shape[0]);
    CPU_EACH_COLUMNS(d, c, end, n, dy.shape[0] * n,
                     gather_columns(dtable, dy, index, c, end));
}

static void scatter_row(struct arr dx, struct arr dy, int32_t at, bool keep, int64_t r)
{
    int64_t n = arr_row_size(dx);
    assert(at >= 0 && at < dy.shape[0]);
    add_row(row_f32(dx, r), row_f32(dy, at), n, 1);
    if (!keep)
        memset(row_f32(dy, at), 0, (size_t)n * sizeof(float));
}

void CPU_OP(back_scatter)(struct dev *d, struct arr dx, struct arr dy, struct arr index,
                          bool keep)
{
    int64_t rows = dx.shape[0], n = arr_row_size(dx);
    assert(arr_row_size(dy) == n && index.shape[0] == rows);
    CPU_EACH(d, r, rows, rows * n, CPU_WORK,
             scatter_row(dx, dy, *row_i32(index, r), keep, r));
}

static void mix_columns(struct arr dtable, struct arr dy, struct arr index,
                        struct arr weight, int64_t c, int64_t end)
{
    for (int64_t r = 0; r < dy.shape[0]; r++)
        for (int64_t t = 0; t < index.shape[1]; t++) {
            int32_t at = row_i32(index, r)[t];
            assert(at >= 0 && at < dtable.shape[0]);
            add_row(row_f32(dtable, at) + c, row_f32(dy, r) + c, end - c,
                    row_f32(weight, r)[t]);
        }
}

void CPU_OP(back_gather_mix)(struct dev *d, struct arr dtable, struct arr dy,
                             struct arr index, struct arr weight)
{
    int64_t n = arr_row_size(dy);
    assert(arr_row_size(dtable) == n && index.shape[0] == dy.shape[0]);
    CPU_EACH_COLUMNS(d, c, end, n, dy.shape[0] * n * index.shape[1],
                     mix_columns(dtable, dy, index, weight, c, end));
}

/* -- Pages of keys and values ---------------------------------------------------------
 */

static void write_back(float *dk, float *dv, float *k_page, float *v_page, int64_t heads,
                       int64_t dim, int32_t place)
{
    for (int64_t i = 0; i < heads * dim; i++) {
        dk[i] += k_page[i * KV_PAGE + place];
        k_page[i * KV_PAGE + place] = 0;
    }
    for (int64_t h = 0; h < heads; h++) {
        float *from = v_page + (h * KV_PAGE + place) * dim;
        add_row(dv + h * dim, from, dim, 1);
        memset(from, 0, (size_t)dim * sizeof *from);
    }
}

void CPU_OP(back_kv_write)(struct dev *d, struct arr dk, struct arr dv,
                           struct arr dk_pages, struct arr dv_pages, struct arr slot)
{
    int64_t rows = dk.shape[0], heads = dk.shape[1], dim = dk.shape[2];
    CPU_EACH(d, r, rows, rows * heads * dim, CPU_WORK,
             write_back(row_f32(dk, r), row_f32(dv, r),
                        row_f32(dk_pages, *row_i32(slot, r) / KV_PAGE),
                        row_f32(dv_pages, *row_i32(slot, r) / KV_PAGE), heads, dim,
                        *row_i32(slot, r) % KV_PAGE));
}

void CPU_OP(back_kv_copy)(struct dev *d, struct arr dk_pages, struct arr dv_pages,
                          int from, int to, int places)
{
    int64_t heads = dk_pages.shape[1], dim = dk_pages.shape[2];
    float *keys = row_f32(dk_pages, from), *own_keys = row_f32(dk_pages, to);
    float *values = row_f32(dv_pages, from), *own_values = row_f32(dv_pages, to);
    size_t size = (size_t)places * sizeof(float);
    (void)d;
    for (int64_t i = 0; i < heads * dim; i++) {
        add_row(keys + i * KV_PAGE, own_keys + i * KV_PAGE, places, 1);
        memset(own_keys + i * KV_PAGE, 0, size);
    }
    for (int64_t h = 0; h < heads; h++) {
        int64_t at = h * KV_PAGE * dim;
        add_row(values + at, own_values + at, places * dim, 1);
        memset(own_values + at, 0, size * (size_t)dim);
    }
}
