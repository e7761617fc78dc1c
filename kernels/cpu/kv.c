/* kv.c: writing and copying pages of keys and values (kernels.h). */
#include "cpu.h"

/* One new position: k and v [heads, dim] into its page. */
static void write_row(float *k_page, float *v_page, const float *k, const float *v,
                      int64_t heads, int64_t dim, int32_t place)
{
    for (int64_t i = 0; i < heads * dim; i++) k_page[i * KV_PAGE + place] = k[i];
    for (int64_t h = 0; h < heads; h++)
        memcpy(v_page + (h * KV_PAGE + place) * dim, v + h * dim,
               (size_t)dim * sizeof *v);
}

void CPU_OP(kv_write)(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                      struct arr v, struct arr slot)
{
    int64_t rows = k.shape[0], heads = k.shape[1], dim = k.shape[2];
    assert(k.rank == 3 && v.rank == 3 && v.shape[0] == rows && slot.shape[0] == rows);
    assert(k_pages.shape[1] == heads && k_pages.shape[2] == dim);
    assert(k_pages.shape[3] == KV_PAGE && v_pages.shape[2] == KV_PAGE);
    for (int64_t r = 0; r < rows; r++)
        assert(*row_i32(slot, r) >= 0 && *row_i32(slot, r) / KV_PAGE < k_pages.shape[0]);
    CPU_EACH(d, r, rows, rows * heads * dim, CPU_WORK,
             write_row(row_f32(k_pages, *row_i32(slot, r) / KV_PAGE),
                       row_f32(v_pages, *row_i32(slot, r) / KV_PAGE), row_f32(k, r),
                       row_f32(v, r), heads, dim, *row_i32(slot, r) % KV_PAGE));
}

void CPU_OP(kv_copy)(struct dev *d, struct arr k_pages, struct arr v_pages, int from,
                     int to, int places)
{
    int64_t heads = k_pages.shape[1], dim = k_pages.shape[2];
    (void)d;
    assert(places >= 0 && places <= KV_PAGE && from != to);
    assert(from >= 0 && from < k_pages.shape[0] && to >= 0 && to < k_pages.shape[0]);
    const float *old_keys = row_f32(k_pages, from), *old_values = row_f32(v_pages, from);
    float *keys = row_f32(k_pages, to), *values = row_f32(v_pages, to);
    for (int64_t i = 0; i < heads * dim; i++)
        memcpy(keys + i * KV_PAGE, old_keys + i * KV_PAGE, (size_t)places * sizeof *keys);
    for (int64_t h = 0; h < heads; h++)
        memcpy(values + h * KV_PAGE * dim, old_values + h * KV_PAGE * dim,
               (size_t)(places * dim) * sizeof *values);
}
