/* kv.h: keys and values in pages of KV_PAGE positions, shared by counting references.
 *
 * The pool's memory is reserved at once and touched page by page, last given back first
 * taken, so that it costs what was in use at most. A sequence that starts has reserved
 * all pages that it may come to need: taking a page never fails. Pages that are only kept
 * for prompts to come (prefix.h) are neither in use nor in the list of free ones, and are
 * given up for whoever wants one.
 */
#ifndef KV_H
#define KV_H
#include "engine/config.h"
#include "kernels.h"

struct prefix;

struct kv {
    const struct kernels *k;
    struct dev *dev;
    int layers, pages;
    struct arr *keys, *values; /* [layers] of act [pages, kv_heads, ...] (kernels.h) */
    size_t bytes;              /* of one of these arrays */
    int *free_pages;           /* [free_count], the last is taken next */
    int *references;           /* [pages] */
    int free_count, reserved;
    struct prefix *prefix; /* owned by prefix.h; NULL: no page is kept */
};

/* The pages of one sequence, in order. Owns its references; zeroed is empty. */
struct kv_pages {
    int32_t *page; /* [count] */
    int count, cap;
};

/* act: the type of keys and values (kernels.h). 0, or -1 (memory). */
int kv_open(struct kv *kv, const struct kernels *k, struct dev *dev, enum arr_type act,
            const struct text_config *tc, int pages);
void kv_close(struct kv *kv);

int kv_pages_for(int64_t positions); /* pages that hold so many */
/* Keys and values of a position, all layers. */
int64_t kv_position_bytes(const struct text_config *tc, enum arr_type act);

/* Promise pages to somebody: false if too few are left. */
bool kv_reserve(struct kv *kv, int pages);
void kv_release(struct kv *kv, int pages); /* the promise, not the pages */

int kv_in_use(const struct kv *kv); /* pages that somebody has a reference to */

/* Make pages cover so many positions, with new pages. 0, or -1 (memory). */
int kv_grow(struct kv *kv, struct kv_pages *pages, int positions);

/* One page more: one that holds something, which from now on is shared. 0, or -1
 * (memory). */
int kv_add(struct kv *kv, struct kv_pages *pages, int page);

/* Copy so many positions, all layers of them, from one page to another, now. */
void kv_copy(struct kv *kv, int from, int to, int places);

/* Let an empty `to` begin with the full pages of `from` that hold so many positions,
 * shared, and a new page where they end inside one: what that holds must be copied. 0, or
 * -1 (memory). */
int kv_share(struct kv *kv, struct kv_pages *to, const struct kv_pages *from,
             int positions);

/* Let an empty `to` begin as `from` does, for so many positions: full pages are shared,
 * the last one, if partial, is copied into a new page. 0, or -1 (memory). */
int kv_fork(struct kv *kv, struct kv_pages *to, const struct kv_pages *from,
            int positions);

/* Drop all references; *pages is empty. */
void kv_drop(struct kv *kv, struct kv_pages *pages);
#endif
