/* keys.c: see keys.h. Open addressing with linear probing; an all-zero key is an empty
 * slot, so a hash of zero is counted as one. */
#include "row/keys.h"
#include "base/fail.h"

#include <stdlib.h>
#include <xxhash.h>

struct key_count {
    uint64_t hash; /* 0: empty */
    uint64_t count;
};

static struct key key_from(XXH128_hash_t h)
{
    return (struct key){h.low64 ? h.low64 : 1, h.high64};
}

struct key key_of(bool has_id, const void *bytes, size_t n)
{
    return key_from(XXH3_128bits_withSeed(bytes, n, has_id));
}

void key_hex(char hex[33], const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, n));
    for (int i = 0; i < 16; i++) {
        hex[2 * i] = digits[canonical.digest[i] >> 4];
        hex[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    hex[32] = '\0';
}

struct key key_at(struct key key, int64_t occurrence)
{
    uint64_t words[3] = {key.lo, key.hi, (uint64_t)occurrence};
    return key_from(XXH3_128bits(words, sizeof words));
}

static struct key_count *find_count(const struct key_counts *counts, uint64_t hash)
{
    size_t i = hash & (counts->cap - 1);
    while (counts->slots[i].hash && counts->slots[i].hash != hash)
        i = (i + 1) & (counts->cap - 1);
    return &counts->slots[i];
}

static int grow_counts(struct key_counts *counts)
{
    struct key_counts bigger = {.cap = counts->cap ? 2 * counts->cap : 1024};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return fail_memory();
    for (size_t i = 0; i < counts->cap; i++)
        if (counts->slots[i].hash)
            *find_count(&bigger, counts->slots[i].hash) = counts->slots[i];
    bigger.used = counts->used;
    free(counts->slots);
    *counts = bigger;
    return 0;
}

int64_t key_counts_add(struct key_counts *counts, struct key key)
{
    if (counts->used >= counts->cap / 4 * 3 && grow_counts(counts) < 0)
        return -1;
    struct key_count *slot = find_count(counts, key.lo);
    if (!slot->hash) {
        slot->hash = key.lo;
        counts->used++;
    }
    return (int64_t)slot->count++;
}

void key_counts_free(struct key_counts *counts)
{
    free(counts->slots);
    *counts = (struct key_counts){0};
}

static struct done *find_done(const struct done_set *set, struct key key)
{
    size_t i = key.lo & (set->cap - 1);
    while (set->slots[i].key.lo &&
           (set->slots[i].key.lo != key.lo || set->slots[i].key.hi != key.hi))
        i = (i + 1) & (set->cap - 1);
    return &set->slots[i];
}

int done_set_add(struct done_set *set, struct done entry)
{
    if (set->used >= set->cap / 4 * 3) {
        struct done_set bigger = {.cap = set->cap ? 2 * set->cap : 1024};
        bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
        if (!bigger.slots)
            return fail_memory();
        for (size_t i = 0; i < set->cap; i++)
            if (set->slots[i].key.lo)
                *find_done(&bigger, set->slots[i].key) = set->slots[i];
        bigger.used = set->used;
        free(set->slots);
        *set = bigger;
    }
    struct done *slot = find_done(set, entry.key);
    set->used += !slot->key.lo;
    *slot = entry;
    return 0;
}

const struct done *done_set_find(const struct done_set *set, struct key key)
{
    if (set->cap == 0)
        return NULL;
    struct done *slot = find_done(set, key);
    return slot->key.lo ? slot : NULL;
}

void done_set_free(struct done_set *set)
{
    free(set->slots);
    *set = (struct done_set){0};
}
