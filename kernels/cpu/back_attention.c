/* back_attention.c: gradient of attention inside segments (backward.h). One head of one
 * segment is a piece of work: nobody else adds to its keys. */
#include "attend_back.h"
#include "backward_cpu.h"

struct segments {
    struct arr dq, dk, dv, dy, q, k, v, y, lse;
};

static void rows_in(float *to, struct arr from, int64_t first, int count, int64_t at,
                    int64_t dim, int64_t wide)
{
    memset(to, 0, (size_t)(TILE * wide) * sizeof *to);
    for (int j = 0; j < count; j++)
        memcpy(to + j * wide, row_f32(from, first + j) + at, (size_t)dim * sizeof *to);
}

static void rows_out(struct arr to, const float *from, int64_t first, int count,
                     int64_t at, int64_t dim, int64_t wide)
{
    for (int j = 0; j < count; j++) {
        float *row = row_f32(to, first + j) + at;
        for (int64_t i = 0; i < dim; i++) row[i] += from[j * wide + i];
    }
}

static int up_to(int64_t n, int most)
{
    return n < most ? (int)n : most;
}

/* Head h of rows [from, to). */
static void piece(const struct segments *a, struct tile_back *t, int64_t h, int64_t from,
                  int64_t to)
{
    int64_t at = h * t->dim;
    for (int64_t r = from; r < to; r += ATTEND_QUERIES) {
        int queries = up_to(to - r, ATTEND_QUERIES);
        for (int n = 0; n < queries; n++)
            tile_back_query(t, n, row_f32(a->q, r + n) + at, row_f32(a->dy, r + n) + at,
                            row_f32(a->y, r + n) + at, row_f32(a->lse, r + n)[h]);
        for (int64_t key = from; key < to; key += TILE) {
            int keys = up_to(to - key, TILE);
            rows_in(t->k, a->k, key, keys, at, t->dim, t->wide);
            rows_in(t->v, a->v, key, keys, at, t->dim, t->wide);
            for (int n = 0; n < queries; n++) t->seen[n] = keys;
            CPU_OP(tile_back_run)(t, queries);
            rows_out(a->dk, t->dk, key, keys, at, t->dim, t->wide);
            rows_out(a->dv, t->dv, key, keys, at, t->dim, t->wide);
        }
        rows_out(a->dq, t->dq, r, queries, at, t->dim, t->wide);
    }
}

static void one(struct dev *d, const struct segments *a, struct arr start, int64_t i,
                float scale)
{
    struct tile_back t;
    int64_t heads = a->q.shape[1], s = i / heads;
    tile_back_make(&t, cpu_scratch(d), a->q.shape[2], scale);
    piece(a, &t, i % heads, *row_i32(start, s), *row_i32(start, s + 1));
}

void CPU_OP(back_attention)(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                            struct arr dy, struct arr q, struct arr k, struct arr v,
                            struct arr y, struct arr lse, struct arr start, float scale)
{
    struct segments a = {dq, dk, dv, dy, q, k, v, y, lse};
    int64_t pieces = (start.shape[0] - 1) * q.shape[1];
    assert(q.shape[2] <= CPU_HEAD_MAX);
    CPU_EACH(d, i, pieces, arr_size(q) * 64, CPU_PRODUCTS, one(d, &a, start, i, scale));
}
