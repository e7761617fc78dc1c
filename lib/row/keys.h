/* keys.h: which rows were seen how often, and which are done. Memory: 16 bytes for each
 * different key counted (40 for each one kept as done) over a table at most 3/4 full. */
#ifndef KEYS_H
#define KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row's key, hashed. */
struct key {
    uint64_t lo, hi;
};

struct key key_of(bool has_id, const void *bytes, size_t n);
struct key key_at(struct key key, int64_t occurrence); /* key and occurrence as one */

/* xxh3-128 of n bytes as 32 hex digits and a NUL. */
void key_hex(char hex[33], const void *bytes, size_t n);

/* How many times each key came. A zeroed struct is empty. */
struct key_counts {
    struct key_count *slots;
    size_t cap, used;
};

/* How many times key came before, counting it; -1 if memory is short. Keys are told apart
 * by 64 bits; were two ever taken for one, one of them would count from 1. */
int64_t key_counts_add(struct key_counts *counts, struct key key);
void key_counts_free(struct key_counts *counts);

/* What is known of a row that an earlier run has done. */
struct done {
    struct key key;   /* key_at() */
    int64_t from, to; /* its bytes in the output */
    bool ok;
};

/* A set of done rows. A zeroed struct is empty. */
struct done_set {
    struct done *slots;
    size_t cap, used;
};

int done_set_add(struct done_set *set, struct done entry); /* 0 or -1 (memory) */
const struct done *done_set_find(const struct done_set *set,
                                 struct key key); /* or NULL */
void done_set_free(struct done_set *set);
#endif
