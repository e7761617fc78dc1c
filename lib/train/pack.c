/* pack.c: see pack.h. */
#include "train/pack.h"
#include "base/fail.h"

#include <stdlib.h>

struct item {
    int tokens, place;
};

/* The longest first; those of a length in their order. */
static int longest(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->tokens != y->tokens ? (x->tokens < y->tokens) - (x->tokens > y->tokens)
                                  : (x->place > y->place) - (x->place < y->place);
}

int pack_fit(const int *tokens, int n, int64_t len, int *bin)
{
    struct item *items = malloc(((size_t)n + 1) * sizeof *items);
    int64_t *full = malloc(((size_t)n + 1) * sizeof *full);
    int bins = 0;
    if (items && full) {
        for (int i = 0; i < n; i++) items[i] = (struct item){tokens[i], i};
        qsort(items, (size_t)n, sizeof *items, longest);
    } else {
        bins = fail_memory();
    }
    for (int i = 0; bins >= 0 && i < n; i++) {
        int to = 0;
        while (to < bins && full[to] + items[i].tokens > len) to++;
        if (to == bins)
            full[bins++] = 0;
        full[to] += items[i].tokens;
        bin[items[i].place] = to;
    }
    free(items);
    free(full);
    return bins;
}

int pack_in_order(const int *tokens, int n, int64_t len, int *bin)
{
    int bins = 0;
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        sum += tokens[i];
        if (bins == 0 || sum > len) {
            bins++;
            sum = tokens[i];
        }
        bin[i] = bins - 1;
    }
    return bins;
}
