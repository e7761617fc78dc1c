/* kv.c: writing and copying pages of keys and values (kernels.h). */
#include "cpu.h"

void CPU_OP(kv_write)(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                      struct arr v, struct arr slot)
{
    int64_t rows = k.shape[0], heads = k.shape[1], dim = k.shape[2];
    assert(k.rank == 3 && v.rank == 3 && v.shape[0] == rows && slot.shape[0] == rows);
    assert(k_pages.shape[1] == heads && k_pages.shape[2] == dim);
    assert(k_pages.shape[3] == KV_PAGE && v_pages.shape[2] == KV_PAGE);
#pragma omp parallel for num_threads(cpu_threads(d, rows *heads *dim, CPU_WORK))
    for (int64_t r = 0; r < rows; r++) {
        int32_t page = *row_i32(slot, r) / KV_PAGE, place = *row_i32(slot, r) % KV_PAGE;
        assert(page >= 0 && page < k_pages.shape[0] && place >= 0);
        for (int64_t h = 0; h < heads; h++) {
            const float *key = row_f32(k, r) + h * dim, *value = row_f32(v, r) + h * dim;
            float *keys = row_f32(k_pages, page) + h * dim * KV_PAGE;
            float *values = row_f32(v_pages, page) + h * dim * KV_PAGE;
            for (int64_t i = 0; i < dim; i++) keys[i * KV_PAGE + place] = key[i];
            memcpy(values + place * dim, value, (size_t)dim * sizeof *value);
        }
    }
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
