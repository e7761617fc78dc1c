/* vocab.c: see vocab.h. Open addressing with linear steps, at most half full. */
#define XXH_INLINE_ALL
#include "text/vocab.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Smallest power of two of at least twice n, less one. */
static uint32_t mask_for(size_t n)
{
    uint32_t size = 64;
    while (size < 2 * n && size < 1u << 31) size *= 2;
    return size - 1;
}

int vocab_start(struct vocab *v, size_t ids, size_t bytes)
{
    *v = (struct vocab){0};
    if (ids > INT32_MAX / 4 || bytes > UINT32_MAX)
        return fail(FAIL_MODEL, "too large a vocabulary");
    v->slot_mask = mask_for(ids);
    v->room = bytes;
    v->capacity = (int32_t)ids;
    v->bytes = malloc(bytes + 1);
    v->token = calloc(ids + 1, sizeof *v->token);
    v->slot = malloc(((size_t)v->slot_mask + 1) * sizeof *v->slot);
    if (!v->bytes || !v->token || !v->slot)
        return fail_memory();
    for (size_t i = 0; i <= v->slot_mask; i++) v->slot[i].id = -1;
    for (int i = 0; i < 256; i++) v->byte[i] = -1;
    return 0;
}

int vocab_start_merges(struct vocab *v, size_t merges)
{
    if (merges > INT32_MAX / 4)
        return fail(FAIL_MODEL, "too many merges");
    v->merge_mask = mask_for(merges);
    v->merge = malloc(((size_t)v->merge_mask + 1) * sizeof *v->merge);
    if (!v->merge)
        return fail_memory();
    for (size_t i = 0; i <= v->merge_mask; i++) v->merge[i].pair = VOCAB_NO_PAIR;
    return 0;
}

void vocab_free(struct vocab *v)
{
    free(v->bytes);
    free(v->token);
    free(v->slot);
    free(v->merge);
    *v = (struct vocab){0};
}

/* The id of bytes, or -1; *place is its slot, or the free one where it would go. */
static int32_t probe(const struct vocab *v, struct span bytes, uint64_t hash,
                     uint32_t *place)
{
    for (uint32_t i = (uint32_t)hash & v->slot_mask;; i = (i + 1) & v->slot_mask) {
        struct vocab_slot slot = v->slot[i];
        *place = i;
        if (slot.id < 0)
            return -1;
        if (slot.hash == (uint32_t)(hash >> 32) && vocab_is(v, slot.id, bytes))
            return slot.id;
    }
}

int32_t vocab_find(const struct vocab *v, struct span bytes)
{
    uint32_t place;
    return probe(v, bytes, XXH3_64bits(bytes.s, bytes.n), &place);
}

int vocab_add(struct vocab *v, int32_t id, struct span bytes, uint8_t flags)
{
    if (id < 0 || id >= v->capacity || bytes.n > v->room - v->used)
        return fail(FAIL_MODEL, "token id %ld is out of range", (long)id);
    struct vocab_token *t = &v->token[id];
    if (t->flags & TOKEN_PRESENT)
        return fail(FAIL_MODEL, "token id %ld is there twice", (long)id);
    if (!(flags & TOKEN_ADDED)) {
        uint64_t hash = XXH3_64bits(bytes.s, bytes.n);
        uint32_t place;
        int32_t same = probe(v, bytes, hash, &place);
        if (same >= 0)
            return fail(FAIL_MODEL, "tokens %ld and %ld are the same", (long)same,
                        (long)id);
        v->slot[place] = (struct vocab_slot){(uint32_t)(hash >> 32), id};
        if (bytes.n == 1)
            v->byte[(unsigned char)bytes.s[0]] = id;
    }
    memcpy(v->bytes + v->used, bytes.s, bytes.n);
    t->at = (uint32_t)v->used;
    t->n = (uint32_t)bytes.n;
    t->flags = flags | TOKEN_PRESENT;
    v->used += bytes.n;
    if (id >= v->size)
        v->size = id + 1;
    return 0;
}

void vocab_add_merge(struct vocab *v, int32_t left, int32_t right, uint32_t rank,
                     int32_t id)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint32_t i = (uint32_t)(pair * 0x9E3779B97F4A7C15u >> 32) & v->merge_mask;
    while (v->merge[i].pair != VOCAB_NO_PAIR && v->merge[i].pair != pair)
        i = (i + 1) & v->merge_mask;
    v->merge[i] = (struct vocab_merge){pair, rank, id};
}
