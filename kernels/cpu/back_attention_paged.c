/* back_attention_paged.c: gradient of attention over pages (backward.h). A piece of work
 * is one head of keys of a clan: of the rows whose sequences have their first page in
 * common, the only ones that can share others. */
#include "attend_back.h"
#include "backward_cpu.h"
#include "turned.h"

struct paged_back {
    struct arr dq, dk, dv, dy, q, k, v, y, lse;
    struct kv_view view;
    int64_t group; /* query heads of one head of keys */
};

/* Page `page` at head h: keys are stored turned. */
static void page_in(struct tile_back *t, struct arr k, struct arr v, int32_t page,
                    int64_t h)
{
    int64_t dim = t->dim, wide = t->wide;
    const float *keys = row_f32(k, page) + h * dim * KV_PAGE;
    const float *values = row_f32(v, page) + h * dim * KV_PAGE;
    turned(t->k, wide, keys, KV_PAGE, dim, TILE);
    for (int64_t j = 0; j < TILE; j++) {
        memcpy(t->v + j * wide, values + j * dim, (size_t)dim * sizeof *values);
        for (int64_t i = dim; i < wide; i++) t->k[j * wide + i] = t->v[j * wide + i] = 0;
    }
}

/* Keys that nobody sees may hold any bits, NaN too: away with them. */
static void unseen_clear(struct tile_back *t, int most)
{
    int64_t from = most < 0 ? 0 : most;
    for (int64_t j = from; j < TILE; j++) {
        memset(t->k + j * t->wide, 0, (size_t)t->wide * sizeof *t->k);
        memset(t->v + j * t->wide, 0, (size_t)t->wide * sizeof *t->v);
    }
}

/* Adds dk and dv to the page's; k_turned is done with. */
static void page_out(struct tile_back *t, struct arr dk, struct arr dv, int32_t page,
                     int64_t h)
{
    int64_t dim = t->dim, wide = t->wide;
    float *keys = row_f32(dk, page) + h * dim * KV_PAGE;
    float *values = row_f32(dv, page) + h * dim * KV_PAGE;
    float *dk_turned = t->k_turned;
    turned(dk_turned, TILE, t->dk, wide, TILE, dim);
    for (int64_t i = 0; i < dim * TILE; i++) keys[i] += dk_turned[i];
    for (int64_t j = 0; j < TILE; j++)
        for (int64_t i = 0; i < dim; i++) values[j * dim + i] += t->dv[j * wide + i];
}

/* Rows [first, first + count) of one sequence, at head h of the keys. */
static void rows_back(const struct paged_back *a, struct tile_back *t, int64_t h,
                      int64_t first, int64_t count)
{
    const int32_t *table = row_i32(a->view.table, *row_i32(a->view.seq, first));
    int64_t group = a->group, longest = 0;
    int queries = (int)(count * group);
    for (int n = 0; n < queries; n++) {
        int64_t r = first + n / group, head = h * group + n % group, at = head * t->dim;
        int64_t len = *row_i32(a->view.len, r);
        longest = len > longest ? len : longest;
        tile_back_query(t, n, row_f32(a->q, r) + at, row_f32(a->dy, r) + at,
                        row_f32(a->y, r) + at, row_f32(a->lse, r)[head]);
    }
    for (int64_t key = 0; key < longest; key += KV_PAGE) {
        int most = 0;
        for (int n = 0; n < queries; n++) {
            int64_t seen = *row_i32(a->view.len, first + n / group) - key;
            t->seen[n] = seen > KV_PAGE ? KV_PAGE : seen < 0 ? 0 : (int)seen;
            most = t->seen[n] > most ? t->seen[n] : most;
        }
        page_in(t, a->k, a->v, table[key / KV_PAGE], h);
        unseen_clear(t, most);
        CPU_OP(tile_back_run)(t, queries);
        page_out(t, a->dk, a->dv, table[key / KV_PAGE], h);
    }
    for (int n = 0; n < queries; n++) {
        float *dq = row_f32(a->dq, first + n / group) + (h * group + n % group) * t->dim;
        for (int64_t i = 0; i < t->dim; i++) dq[i] += t->dq[n * t->wide + i];
    }
}

/* Clans are told apart by the page number of their first place; thread `me` of `all`
 * takes those pieces whose number is its own. */
static void pieces(struct dev *d, const struct paged_back *a, float scale, int me,
                   int all)
{
    struct tile_back t;
    int64_t rows = a->q.shape[0], heads = a->k.shape[1], most = ATTEND_QUERIES / a->group;
    tile_back_make(&t, cpu_scratch(d), a->q.shape[2], scale);
    int64_t count;
    for (int64_t r = 0; r < rows; r += count) {
        int32_t seq = *row_i32(a->view.seq, r), clan = *row_i32(a->view.table, seq);
        for (count = 1; count < most && r + count < rows; count++)
            if (*row_i32(a->view.seq, r + count) != seq)
                break;
        for (int64_t h = 0; h < heads; h++)
            if (((int64_t)clan * heads + h) % all == me)
                rows_back(a, &t, h, r, count);
    }
}

void CPU_OP(back_attention_paged)(struct dev *d, struct arr dq, struct arr dk,
                                  struct arr dv, struct arr dy, struct arr q,
                                  struct arr k, struct arr v, struct arr y,
                                  struct arr lse, struct kv_view view, float scale)
{
    struct paged_back a = {dq, dk, dv, dy, q, k, v, y, lse, view, 0};
    a.group = q.shape[1] / k.shape[1];
    assert(q.shape[2] <= CPU_HEAD_MAX && a.group <= ATTEND_QUERIES);
    int all = cpu_threads(d, arr_size(q) * KV_PAGE, CPU_PRODUCTS);
    CPU_EACH(d, t, all, all, 2, pieces(d, &a, scale, (int)t, all));
}
