/* attention.c: softmax attention inside segments (kernels.h). A piece of work is one head
 * and up to ATTEND_QUERIES rows of one segment; each block of its keys is transposed into
 * scratch once for all of them. */
#include "attend.h"

struct heads {
    struct arr y, q, k, v, lse;
    int64_t dim;
    float scale;
};

/* Rows [first, last) of head h over keys [start, end). */
static void piece(const struct heads *a, float *scratch, int64_t h, int64_t first,
                  int64_t last, int64_t start, int64_t end)
{
    int64_t dim = a->dim, at = h * dim;
    float *keys = scratch, *sums = scratch + dim * KV_PAGE;
    struct query queries[ATTEND_QUERIES];
    int count = (int)(last - first);
    for (int i = 0; i < count; i++)
        query_start(&queries[i], row_f32(a->q, first + i) + at, sums + i * dim, dim);
    for (int64_t key = start; key < end; key += KV_PAGE) {
        int seen = end - key < KV_PAGE ? (int)(end - key) : KV_PAGE;
        CPU_OP(attend_keys)(keys, row_f32(a->k, key) + at, a->k.stride, seen, dim);
        for (int i = 0; i < count; i++) queries[i].seen = seen;
        struct block b = {keys, row_f32(a->v, key) + at, a->v.stride, dim, a->scale};
        CPU_OP(attend)(queries, count, &b);
    }
    for (int i = 0; i < count; i++) {
        query_end(&queries[i], row_f32(a->y, first + i) + at, dim);
        if (a->lse.data)
            row_f32(a->lse, first + i)[h] = query_lse(&queries[i]);
    }
}

/* Multiplications of the whole call, to choose its threads. */
static int64_t products(struct arr start, int64_t width)
{
    int64_t sum = 0;
    for (int64_t s = 0; s + 1 < start.shape[0]; s++) {
        int64_t rows = *row_i32(start, s + 1) - *row_i32(start, s);
        sum += 2 * rows * rows * width;
    }
    return sum;
}

/* Thread `me` of `all` counts the pieces through and takes each all-th one. */
static void pieces(const struct heads *a, float *scratch, struct arr start, int me,
                   int all)
{
    int64_t n = 0;
    for (int64_t s = 0; s + 1 < start.shape[0]; s++) {
        int64_t from = *row_i32(start, s), to = *row_i32(start, s + 1);
        assert(from >= 0 && from <= to && to <= a->q.shape[0]);
        for (int64_t h = 0; h < a->q.shape[1]; h++)
            for (int64_t r = from; r < to; r += ATTEND_QUERIES)
                if (n++ % all == me)
                    piece(a, scratch, h, r,
                          r + ATTEND_QUERIES < to ? r + ATTEND_QUERIES : to, from, to);
    }
}

void CPU_OP(attention)(struct dev *d, struct arr y, struct arr q, struct arr k,
                       struct arr v, struct arr start, float scale, struct arr lse)
{
    struct heads a = {y, q, k, v, lse, q.shape[2], scale};
    assert(q.rank == 3 && a.dim <= CPU_HEAD_MAX && y.shape[0] == q.shape[0]);
    assert(k.shape[0] == q.shape[0] && k.shape[1] == q.shape[1]);
    assert(v.shape[0] == q.shape[0] && arr_row_size(v) == arr_row_size(q));
    int all = cpu_threads(d, products(start, arr_row_size(q)), CPU_PRODUCTS);
    CPU_EACH(d, t, all, all, 2, pieces(&a, cpu_scratch(d), start, (int)t, all));
}
