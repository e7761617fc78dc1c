/* bpe.c: see bpe.h. Short pieces, nearly all of them, are a scan over a small array; long
 * ones a linked list and a heap. */
#include "text/bpe.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_PIECE = 96 };
#define NO_RANK UINT32_MAX

/* Rank of the merge of two ids and what they become; NO_RANK if they don't. */
static uint32_t rank_of(const struct vocab *v, int32_t left, int32_t right, int32_t *id)
{
    const struct vocab_merge *m = vocab_merge_of(v, left, right);
    if (!m)
        return NO_RANK;
    *id = m->id;
    return m->rank;
}

static int encode_short(const struct vocab *v, struct span piece, struct ids *out)
{
    int32_t id[SHORT_PIECE], merged[SHORT_PIECE]; /* merged[i]: what i and i + 1 become */
    uint32_t rank[SHORT_PIECE];                   /* and the rank of that */
    int n = (int)piece.n;
    for (int i = 0; i < n; i++) id[i] = v->byte[(unsigned char)piece.s[i]];
    for (int i = 0; i + 1 < n; i++) rank[i] = rank_of(v, id[i], id[i + 1], &merged[i]);
    while (n > 1) {
        int best = 0;
        for (int i = 1; i + 1 < n; i++) best = rank[i] < rank[best] ? i : best;
        if (rank[best] == NO_RANK)
            break;
        id[best] = merged[best];
        int after = n - best - 2; /* tokens behind the pair */
        memmove(id + best + 1, id + best + 2, (size_t)after * sizeof *id);
        if (after > 0) { /* pair i is now what pair i + 1 was */
            memmove(rank + best, rank + best + 1, (size_t)after * sizeof *rank);
            memmove(merged + best, merged + best + 1, (size_t)after * sizeof *merged);
            rank[best] = rank_of(v, id[best], id[best + 1], &merged[best]);
        }
        n--;
        if (best > 0)
            rank[best - 1] = rank_of(v, id[best - 1], id[best], &merged[best - 1]);
    }
    for (int i = 0; i < n; i++)
        if (ids_add(out, id[i]) < 0)
            return -1;
    return 0;
}

/* A token in the list of a long piece. */
struct link {
    int32_t id;
    int32_t merged; /* what it and its successor become */
    uint32_t rank;  /* and the rank of that; NO_RANK too once the token is merged away */
    int32_t before, after; /* neighbours, -1 at the ends */
};

/* Heap of rank << 32 | place, the least first. An entry whose rank its place no longer
 * has is stale. Each merge adds two entries at most, so 3n are enough. */
struct heap {
    uint64_t *entry;
    size_t n;
};

static void heap_down(struct heap *h, size_t i)
{
    uint64_t value = h->entry[i];
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->entry[child + 1] < h->entry[child])
            child++;
        if (h->entry[child] >= value)
            break;
        h->entry[i] = h->entry[child];
    }
    h->entry[i] = value;
}

static void heap_add(struct heap *h, uint64_t value)
{
    size_t i = h->n++;
    for (; i > 0 && h->entry[(i - 1) / 2] > value; i = (i - 1) / 2)
        h->entry[i] = h->entry[(i - 1) / 2];
    h->entry[i] = value;
}

static uint64_t heap_take(struct heap *h)
{
    uint64_t least = h->entry[0];
    h->entry[0] = h->entry[--h->n];
    heap_down(h, 0);
    return least;
}

/* Look the pair at place i up again. */
static void pair_renew(const struct vocab *v, struct link *list, struct heap *h,
                       int32_t i)
{
    struct link *l = &list[i];
    l->rank = l->after < 0 ? NO_RANK : rank_of(v, l->id, list[l->after].id, &l->merged);
    if (l->rank != NO_RANK)
        heap_add(h, (uint64_t)l->rank << 32 | (uint32_t)i);
}

static int encode_long(const struct vocab *v, struct span piece, struct ids *out)
{
    size_t n = piece.n;
    int result = -1;
    struct link *list = malloc(n * sizeof *list);
    struct heap heap = {malloc(3 * n * sizeof *heap.entry), 0};
    if (!list || !heap.entry) {
        fail_memory();
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = (struct link){v->byte[(unsigned char)piece.s[i]], 0, NO_RANK,
                                (int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1};
    for (size_t i = 0; i < n; i++) pair_renew(v, list, &heap, (int32_t)i);
    while (heap.n > 0) {
        uint64_t least = heap_take(&heap);
        int32_t place = (int32_t)(least & UINT32_MAX);
        struct link *l = &list[place];
        if (l->rank != least >> 32)
            continue;
        struct link *gone = &list[l->after];
        l->id = l->merged;
        l->after = gone->after;
        gone->rank = NO_RANK;
        if (l->after >= 0)
            list[l->after].before = place;
        pair_renew(v, list, &heap, place);
        if (l->before >= 0)
            pair_renew(v, list, &heap, l->before);
    }
    for (int32_t i = 0; i >= 0; i = list[i].after)
        if (ids_add(out, list[i].id) < 0)
            goto out;
    result = 0;
out:
    free(list);
    free(heap.entry);
    return result;
}

int bpe_encode(const struct vocab *v, struct span piece, struct ids *out)
{
    if (piece.n == 0)
        return 0;
    if (piece.n <= SHORT_PIECE)
        return encode_short(v, piece, out);
    if (piece.n > INT32_MAX)
        return fail(FAIL_TOO_LARGE, "a piece of text of %zu bytes", piece.n);
    return encode_long(v, piece, out);
}
