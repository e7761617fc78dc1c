/* attention_paged.c: softmax attention over paged keys and values (kernels.h). A piece of
 * work is one head of keys and a run of rows of one sequence: with all query heads that
 * read this head, up to ATTEND_QUERIES queries share each page. */
#include "attend.h"

struct paged {
    struct arr y, q, k, v, lse;
    struct kv_view view;
    int64_t dim, group; /* group: query heads of one head of keys */
    float scale;
};

/* Rows [first, first + count) with head `head` of the keys. */
static void piece(const struct paged *a, float *sums, int64_t head, int64_t first,
                  int64_t count)
{
    int64_t dim = a->dim, group = a->group, longest = 0;
    const int32_t *table = row_i32(a->view.table, *row_i32(a->view.seq, first));
    struct query queries[ATTEND_QUERIES];
    for (int64_t r = 0; r < count; r++) {
        int64_t len = *row_i32(a->view.len, first + r);
        longest = len > longest ? len : longest;
        for (int64_t g = 0; g < group; g++) {
            int64_t i = r * group + g;
            query_start(&queries[i], row_f32(a->q, first + r) + (head * group + g) * dim,
                        sums + i * dim, dim);
        }
    }
    assert(longest <= arr_row_size(a->view.table) * KV_PAGE);
    for (int64_t key = 0; key < longest; key += KV_PAGE) {
        int32_t page = table[key / KV_PAGE];
        assert(page >= 0 && page < a->k.shape[0]);
        struct block b = {row_f32(a->k, page) + head * dim * KV_PAGE,
                          row_f32(a->v, page) + head * dim * KV_PAGE, dim, dim, a->scale};
        for (int64_t i = 0; i < count * group; i++) {
            int64_t seen = *row_i32(a->view.len, first + i / group) - key;
            queries[i].seen = seen > KV_PAGE ? KV_PAGE : (int)(seen < 0 ? 0 : seen);
        }
        CPU_OP(attend)(queries, (int)(count * group), &b);
    }
    for (int64_t i = 0; i < count * group; i++) {
        int64_t row = first + i / group, h = head * group + i % group;
        query_end(&queries[i], row_f32(a->y, row) + h * dim, dim);
        if (a->lse.data)
            row_f32(a->lse, row)[h] = query_lse(&queries[i]);
    }
}

/* Thread `me` of `all` counts the pieces through and takes each all-th one. */
static void pieces(const struct paged *a, float *scratch, int me, int all)
{
    int64_t n = 0, rows = a->q.shape[0], most = ATTEND_QUERIES / a->group, count;
    for (int64_t r = 0; r < rows; r += count) {
        int32_t seq = *row_i32(a->view.seq, r);
        assert(seq >= 0 && seq < a->view.table.shape[0] && *row_i32(a->view.len, r) > 0);
        for (count = 1; count < most && r + count < rows; count++)
            if (*row_i32(a->view.seq, r + count) != seq)
                break;
        for (int64_t h = 0; h < a->k.shape[1]; h++)
            if (n++ % all == me)
                piece(a, scratch, h, r, count);
    }
}

void CPU_OP(attention_paged)(struct dev *d, struct arr y, struct arr q, struct arr k,
                             struct arr v, struct kv_view view, float scale,
                             struct arr lse)
{
    int64_t rows = q.shape[0], heads = q.shape[1], dim = q.shape[2],
            kv_heads = k.shape[1];
    struct paged a = {y, q, k, v, lse, view, dim, heads / kv_heads, scale};
    assert(heads % kv_heads == 0 && a.group <= ATTEND_QUERIES && dim <= CPU_HEAD_MAX);
    assert(k.shape[2] == dim && k.shape[3] == KV_PAGE && v.shape[3] == dim);
    assert(y.shape[0] == rows && view.seq.shape[0] == rows && view.len.shape[0] == rows);
    int64_t products = 0;
    for (int64_t r = 0; r < rows; r++)
        products += 2 * heads * dim * *row_i32(view.len, r);
    int all = cpu_threads(d, products, CPU_PRODUCTS);
    CPU_EACH(d, t, all, all, 2, pieces(&a, cpu_scratch(d), (int)t, all));
}
