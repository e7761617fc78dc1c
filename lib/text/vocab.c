/* vocab.c: see vocab.h. Open addressing with linear steps, at most three
 * quarters full. */
#define XXH_INLINE_ALL
#include "text/vocab.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Smallest power of two of at least 4/3 n, less one. */
static uint32_t mask_for(size_t n)
{
    uint32_t size = 64;
    while (size - size / 4 < n && size < 1u << 31) size *= 2;
    return size - 1;
}

/* Eight bytes that tell texts of one length up to 8 apart; the first eight of others. */
static inline uint64_t key_of(struct span bytes)
{
    uint64_t key = 0;
    uint32_t low, high;
    if (bytes.n >= 8) {
        memcpy(&key, bytes.s, 8);
    } else if (bytes.n >= 4) { /* two halves, which overlap */
        memcpy(&low, bytes.s, 4);
        memcpy(&high, bytes.s + bytes.n - 4, 4);
        key = (uint64_t)high << 32 | low;
    } else if (bytes.n > 0) {
        const unsigned char *s = (const unsigned char *)bytes.s;
        key = s[0] | (uint64_t)s[bytes.n / 2] << 8 | (uint64_t)s[bytes.n - 1] << 16;
    }
    return key;
}

/* Where a text is looked for, and the tag it has there: of texts of up to 8 bytes key and
 * tag leave no doubt, as the tag has the length. */
static inline uint64_t hash_of(struct span bytes, uint64_t key, uint32_t *tag)
{
    uint64_t hash = bytes.n > 8 ? XXH3_64bits(bytes.s, bytes.n)
                                : XXH3_avalanche(key * 0x9E3779B97F4A7C15u + bytes.n);
    *tag = (uint32_t)(hash >> 40 << 8) | (uint32_t)(bytes.n < 255 ? bytes.n : 255);
    return hash;
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
    v->whole = calloc(ids + 1, sizeof *v->whole);
    v->slot = malloc(((size_t)v->slot_mask + 1) * sizeof *v->slot);
    if (!v->bytes || !v->token || !v->whole || !v->slot)
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
    free((void *)v->whole);
    free(v->slot);
    free(v->merge);
    *v = (struct vocab){0};
}

/* The id of bytes, or -1; *place is its slot, or what to put into the free slot where it
 * would go. */
static inline int32_t probe(const struct vocab *v, struct span bytes, uint32_t *place,
                            struct vocab_slot *want)
{
    want->key = key_of(bytes);
    for (uint32_t i = (uint32_t)hash_of(bytes, want->key, &want->tag);; i++) {
        const struct vocab_slot *slot = &v->slot[i & v->slot_mask];
        *place = i & v->slot_mask;
        if (slot->id < 0)
            return -1;
        if (slot->key == want->key && slot->tag == want->tag &&
            (bytes.n <= 8 || vocab_is(v, slot->id, bytes)))
            return slot->id;
    }
}

int32_t vocab_find(const struct vocab *v, struct span bytes)
{
    uint32_t place;
    struct vocab_slot want;
    return probe(v, bytes, &place, &want);
}

int vocab_add(struct vocab *v, int32_t id, struct span bytes, uint8_t flags)
{
    if (id < 0 || id >= v->capacity || bytes.n > v->room - v->used)
        return fail(FAIL_MODEL, "token id %ld is out of range", (long)id);
    struct vocab_token *t = &v->token[id];
    if (t->flags & TOKEN_PRESENT)
        return fail(FAIL_MODEL, "token id %ld is there twice", (long)id);
    if (!(flags & TOKEN_ADDED)) {
        uint32_t place;
        struct vocab_slot want;
        int32_t same = probe(v, bytes, &place, &want);
        if (same >= 0)
            return fail(FAIL_MODEL, "tokens %ld and %ld are the same", (long)same,
                        (long)id);
        want.id = id;
        v->slot[place] = want;
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

int vocab_check_bytes(const struct vocab *v)
{
    for (int i = 0; i <= 0xF4; i++)
        if (v->byte[i] < 0 && i != 0xC0 && i != 0xC1)
            return fail(FAIL_MODEL, "model: no token for the byte 0x%02X", (unsigned)i);
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
