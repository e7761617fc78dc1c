/* kv.c: see kv.h. */
#include "engine/kv.h"
#include "base/fail.h"
#include "engine/device_memory.h"
#include "engine/prefix.h"

#include <assert.h>
#include <stdlib.h>

int kv_pages_for(int64_t positions)
{
    return (int)((positions + KV_PAGE - 1) / KV_PAGE);
}

int64_t kv_position_bytes(const struct text_config *tc, enum arr_type act)
{
    return 2 * (int64_t)arr_type_size(act) * tc->layers * tc->kv_heads * tc->head_dim;
}

int kv_open(struct kv *kv, const struct kernels *k, struct dev *dev, enum arr_type act,
            const struct text_config *tc, int pages)
{
    int64_t heads = tc->kv_heads, dim = tc->head_dim;
    *kv = (struct kv){.k = k, .dev = dev, .layers = tc->layers, .pages = pages};
    kv->bytes = (size_t)pages * (size_t)(heads * dim * KV_PAGE) * arr_type_size(act);
    kv->keys = calloc((size_t)tc->layers, sizeof *kv->keys);
    kv->values = calloc((size_t)tc->layers, sizeof *kv->values);
    kv->free_pages = malloc((size_t)pages * sizeof *kv->free_pages);
    kv->references = calloc((size_t)pages, sizeof *kv->references);
    if (!kv->keys || !kv->values || !kv->free_pages || !kv->references) {
        kv_close(kv);
        return fail_memory();
    }
    struct arr key = {.dev = dev, .type = act, .rank = 4};
    key.shape[0] = pages;
    key.shape[1] = heads;
    struct arr value = key;
    key.shape[2] = value.shape[3] = dim;
    key.shape[3] = value.shape[2] = KV_PAGE;
    key.stride = value.stride = heads * dim * KV_PAGE;
    for (int i = 0; i < tc->layers; i++) {
        kv->keys[i] = key;
        kv->values[i] = value;
        kv->keys[i].data = k->alloc(dev, kv->bytes);
        kv->values[i].data = k->alloc(dev, kv->bytes);
        if (!kv->keys[i].data || !kv->values[i].data) {
            device_memory_fail(k, dev);
            kv_close(kv);
            return fail_in("no room for %d pages of keys and values", pages);
        }
    }
    for (int i = 0; i < pages; i++) kv->free_pages[i] = pages - 1 - i;
    kv->free_count = pages;
    return 0;
}

void kv_close(struct kv *kv)
{
    for (int i = 0; i < kv->layers; i++) {
        if (kv->keys && kv->keys[i].data)
            kv->k->release(kv->dev, kv->keys[i].data, kv->bytes);
        if (kv->values && kv->values[i].data)
            kv->k->release(kv->dev, kv->values[i].data, kv->bytes);
    }
    free(kv->keys);
    free(kv->values);
    free(kv->free_pages);
    free(kv->references);
    *kv = (struct kv){0};
}

bool kv_reserve(struct kv *kv, int pages)
{
    if (pages > kv->pages - kv->reserved)
        return false;
    kv->reserved += pages;
    return true;
}

void kv_release(struct kv *kv, int pages)
{
    kv->reserved -= pages;
    assert(kv->reserved >= 0);
}

int kv_in_use(const struct kv *kv)
{
    return kv->pages - kv->free_count - (kv->prefix ? prefix_kept(kv->prefix) : 0);
}

/* Put a page, already counted for, at the end of the list. 0 or -1. */
static int append(struct kv_pages *pages, int page)
{
    if (pages->count == pages->cap) {
        int cap = pages->cap ? pages->cap * 2 : 8;
        int32_t *list = realloc(pages->page, (size_t)cap * sizeof *list);
        if (!list)
            return fail_memory();
        pages->page = list;
        pages->cap = cap;
    }
    pages->page[pages->count++] = page;
    return 0;
}

static int append_new(struct kv *kv, struct kv_pages *pages)
{
    if (kv->prefix)
        prefix_yield(kv->prefix);
    assert(kv->free_count > 0); /* whoever asks has reserved */
    int page = kv->free_pages[kv->free_count - 1];
    if (append(pages, page) < 0)
        return -1;
    kv->free_count--;
    kv->references[page] = 1;
    return 0;
}

int kv_grow(struct kv *kv, struct kv_pages *pages, int positions)
{
    int need = kv_pages_for(positions);
    while (pages->count < need)
        if (append_new(kv, pages) < 0)
            return -1;
    return 0;
}

int kv_add(struct kv *kv, struct kv_pages *pages, int page)
{
    if (append(pages, page) < 0)
        return -1;
    if (kv->references[page]++ == 0)
        prefix_use(kv->prefix, page);
    return 0;
}

void kv_copy(struct kv *kv, int from, int to, int places)
{
    for (int i = 0; i < kv->layers; i++)
        kv->k->kv_copy(kv->dev, kv->keys[i], kv->values[i], from, to, places);
}

int kv_share(struct kv *kv, struct kv_pages *to, const struct kv_pages *from,
             int positions)
{
    int full = positions / KV_PAGE;
    assert(to->count == 0);
    for (int i = 0; i < full; i++)
        if (kv_add(kv, to, from->page[i]) < 0)
            return -1;
    return positions % KV_PAGE ? append_new(kv, to) : 0;
}

int kv_fork(struct kv *kv, struct kv_pages *to, const struct kv_pages *from,
            int positions)
{
    int full = positions / KV_PAGE, rest = positions % KV_PAGE;
    if (kv_share(kv, to, from, positions) < 0)
        return -1;
    if (rest)
        kv_copy(kv, from->page[full], to->page[full], rest);
    return 0;
}

void kv_drop(struct kv *kv, struct kv_pages *pages)
{
    for (int i = pages->count - 1; i >= 0; i--) {
        int page = pages->page[i];
        if (--kv->references[page] > 0)
            continue;
        if (!kv->prefix || !prefix_keep(kv->prefix, page))
            kv->free_pages[kv->free_count++] = page;
    }
    free(pages->page);
    *pages = (struct kv_pages){0};
}
