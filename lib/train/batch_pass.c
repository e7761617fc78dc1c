/* batch_pass.c: see batch_pass.h. */
#include "train/batch_pass.h"
#include "base/fail.h"

#include <stdlib.h>

static int part_len(const struct example *e, int part)
{
    return (int)e->part[part].ids.n;
}

int batch_pass_pages(const struct example *const *examples, int count)
{
    int pages = 0;
    for (int i = 0; i < count; i++) {
        const struct example *e = examples[i];
        if (e->parts > 1)
            pages += kv_pages_for((int)e->prompt.n);
        for (int j = 0; j < e->parts; j++)
            pages += kv_pages_for((int)e->prompt.n + part_len(e, j)) -
                     (e->parts > 1 ? (int)e->prompt.n / KV_PAGE : 0);
    }
    return pages;
}

/* Rows of a sequence: ids from place `first` on, of which positions[3][len] are given for
 * the first len; those behind go on by one. *picture: features used so far, -1: ids of
 * pictures are plain. */
struct run {
    const int32_t *ids;
    int count, first, sequence;
    const int32_t *positions; /* [3][len] */
    int len, delta;
    int32_t image; /* id that takes a picture's row; -1: none does */
};

static int run_add(struct batch_pass *b, const struct run *r, const struct features *f,
                   int *at)
{
    for (int i = 0; i < r->count; i++) {
        int place = r->first + i;
        struct pass_row row = {.id = r->ids[i], .sequence = r->sequence, .place = place};
        for (int axis = 0; axis < 3; axis++)
            row.position[axis] =
                place < r->len
                    ? r->positions[(size_t)axis * (size_t)r->len + (size_t)place]
                    : place + r->delta;
        if (pass_row(&b->pass, &row) < 0)
            return -1;
        if (r->image >= 0 && r->ids[i] == r->image &&
            pass_feature(&b->pass, f, (*at)++) < 0)
            return -1;
    }
    return 0;
}

/* Targets of a part whose first token has row `row`, and is predicted by row `before`. */
static int targets_add(struct batch_pass *b, const struct example_part *p, int before,
                       int row)
{
    for (int i = 0; i < (int)p->ids.n; i++) {
        struct target target = {i == 0 ? before : row + i - 1, p->ids.id[i]};
        if (p->target[i] && pass_list_add(&b->targets, &target, sizeof target) < 0)
            return -1;
    }
    return 0;
}

/* A sequence with new pages for so many places, or (from) sharing another one's first. */
static int sequence_add(struct batch_pass *b, struct kv *kv, int from, int shared,
                        int places)
{
    struct kv_pages *pages = &b->pages[b->sequences];
    if (from >= 0) {
        const struct kv_pages *old = &b->pages[from];
        if (kv_share(kv, pages, old, shared) < 0)
            return -1;
        struct pass_copy copy = {
            old->page[shared / KV_PAGE < old->count ? shared / KV_PAGE : old->count - 1],
            shared % KV_PAGE ? pages->page[shared / KV_PAGE] : 0, shared % KV_PAGE};
        if (copy.places && pass_list_add(&b->pass.copies, &copy, sizeof copy) < 0)
            return -1;
    }
    if (kv_grow(kv, pages, places) < 0)
        return -1;
    b->sequences++;
    return pass_sequence(&b->pass, pages);
}

/* One part: prompt and part are one sequence. */
static int single_add(struct batch_pass *b, const struct vlm *m, struct kv *kv,
                      const struct example *e, const struct features *f,
                      const struct engine_prompt *whole, const int32_t *positions)
{
    int first = b->pass.rows.count, at = 0;
    int sequence = sequence_add(b, kv, -1, 0, whole->len);
    struct run run = {.ids = whole->ids,
                      .count = whole->len,
                      .sequence = sequence,
                      .positions = positions,
                      .len = whole->len,
                      .image = f->tokens ? m->config.image_id : -1};
    if (sequence < 0 || run_add(b, &run, f, &at) < 0)
        return -1;
    int row = first + (int)e->prompt.n;
    return targets_add(b, &e->part[0], row - 1, row);
}

/* Several: each a sequence of its own that begins with the prompt's places. */
static int tree_add(struct batch_pass *b, const struct vlm *m, struct kv *kv,
                    const struct example *e, const struct features *f,
                    const int32_t *positions, int delta)
{
    int first = b->pass.rows.count, at = 0, len = (int)e->prompt.n;
    int root = sequence_add(b, kv, -1, 0, len);
    struct run run = {.ids = e->prompt.id,
                      .count = len,
                      .sequence = root,
                      .positions = positions,
                      .len = len,
                      .delta = delta,
                      .image = f->tokens ? m->config.image_id : -1};
    if (root < 0 || run_add(b, &run, f, &at) < 0)
        return -1;
    for (int j = 0; j < e->parts; j++) {
        const struct example_part *p = &e->part[j];
        int row = b->pass.rows.count;
        run.ids = p->ids.id;
        run.count = (int)p->ids.n;
        run.first = len;
        run.sequence = sequence_add(b, kv, root, len, len + (int)p->ids.n);
        run.image = -1;
        if (run.sequence < 0 || run_add(b, &run, f, &at) < 0 ||
            targets_add(b, p, first + len - 1, row) < 0)
            return -1;
    }
    return 0;
}

static int example_add(struct batch_pass *b, const struct vlm *m, struct kv *kv,
                       const struct example *e, const struct features *f)
{
    int len = (int)e->prompt.n + (e->parts == 1 ? (int)e->part[0].ids.n : 0), delta,
        status = -1;
    int32_t *ids = malloc(((size_t)len + 1) * sizeof *ids);
    int32_t *positions = malloc(((size_t)len + 1) * 3 * sizeof *positions);
    struct engine_prompt whole = {ids, len, e->pictures, e->picture_count};
    if (!ids || !positions) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < len; i++)
        ids[i] = i < (int)e->prompt.n ? e->prompt.id[i]
                                      : e->part[0].ids.id[i - (int)e->prompt.n];
    if (engine_positions(&m->config, &whole, positions, &delta) < 0)
        goto out;
    status = e->parts == 1 ? single_add(b, m, kv, e, f, &whole, positions)
                           : tree_add(b, m, kv, e, f, positions, delta);
out:
    free(ids);
    free(positions);
    return status;
}

int batch_pass_make(struct batch_pass *b, const struct vlm *m, struct kv *kv,
                    const struct example *const *examples, int count,
                    struct features *features)
{
    int sequences = 0;
    for (int i = 0; i < count; i++)
        sequences += examples[i]->parts == 1 ? 1 : 1 + examples[i]->parts;
    b->pages = calloc((size_t)sequences + 1, sizeof *b->pages);
    if (!b->pages)
        return fail_memory();
    for (int i = 0; i < count; i++)
        if (example_add(b, m, kv, examples[i], &features[i]) < 0)
            return -1;
    return 0;
}

void batch_pass_clear(struct batch_pass *b, struct kv *kv)
{
    for (int i = b->sequences - 1; i >= 0; i--) kv_drop(kv, &b->pages[i]);
    free(b->pages);
    b->pages = NULL;
    b->sequences = 0;
    b->targets.count = 0;
    pass_clear(&b->pass);
}

void batch_pass_free(struct batch_pass *b)
{
    pass_free(&b->pass);
    free(b->targets.items);
    *b = (struct batch_pass){0};
}
