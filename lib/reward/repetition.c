/* repetition.c: see repetition.h. */
#include "reward/repetition.h"
#include "base/fail.h"

#include <stdlib.h>
#include <xxhash.h>

enum { RUN = 6 };

/* A run of words in the open hash table, known by its hash alone. */
struct run {
    uint64_t hash;
    unsigned times; /* 0: an empty place */
};

static uint64_t word_hash(struct span word)
{
    char lower[64];
    if (word.n > sizeof lower)
        return XXH3_64bits(word.s, word.n);
    for (size_t i = 0; i < word.n; i++)
        lower[i] =
            (char)(word.s[i] >= 'A' && word.s[i] <= 'Z' ? word.s[i] + 32 : word.s[i]);
    return XXH3_64bits(lower, word.n);
}

/* Count the run; how often it has been seen, this time included. */
static unsigned see(struct run *table, size_t mask, uint64_t hash)
{
    size_t at = (size_t)hash & mask;
    while (table[at].times && table[at].hash != hash) at = (at + 1) & mask;
    table[at].hash = hash;
    return ++table[at].times;
}

int repetition_share(const struct words *words, double *share)
{
    size_t n = words->count, size = 16, covered = 0, covered_to = 0;
    *share = 0;
    if (n < RUN + 2) /* no run can come three times */
        return 0;
    while (size < 2 * n) size *= 2;
    struct run *table = calloc(size, sizeof *table);
    uint64_t *hash = calloc(n, sizeof *hash);
    if (!table || !hash) {
        free(table);
        free(hash);
        return fail_memory();
    }
    for (size_t i = 0; i < n; i++) hash[i] = word_hash(words->items[i].text);
    for (size_t i = 0; i + RUN <= n; i++) {
        if (see(table, size - 1, XXH3_64bits(&hash[i], RUN * sizeof *hash)) < 3)
            continue;
        covered += i + RUN - (i > covered_to ? i : covered_to);
        covered_to = i + RUN;
    }
    free(table);
    free(hash);
    *share = (double)covered / (double)n;
    return 0;
}
