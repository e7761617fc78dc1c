/* deal.c: see deal.h. */
#include "train/deal.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

struct card {
    int64_t place; /* in rows[] */
    int tokens;
};

static int longest_first(const void *a, const void *b)
{
    const struct card *x = a, *y = b;
    if (x->tokens != y->tokens)
        return x->tokens > y->tokens ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

int64_t deal_rows(const struct dataset *d, const int64_t *rows, int64_t n, int rank,
                  int world, int64_t *mine)
{
    if (world == 1) {
        memcpy(mine, rows, (size_t)n * sizeof *rows);
        return n;
    }
    struct card *cards = malloc(((size_t)n + 1) * sizeof *cards);
    int64_t *tokens = calloc((size_t)world, sizeof *tokens), count = 0;
    bool *taken = calloc((size_t)n + 1, sizeof *taken);
    if (cards && tokens && taken) {
        for (int64_t i = 0; i < n; i++)
            cards[i] = (struct card){i, d->rows[rows[i]].tokens};
        qsort(cards, (size_t)n, sizeof *cards, longest_first);
        for (int64_t i = 0; i < n; i++) {
            int to = 0;
            for (int r = 1; r < world; r++) to = tokens[r] < tokens[to] ? r : to;
            tokens[to] += cards[i].tokens;
            taken[cards[i].place] = to == rank;
        }
        for (int64_t i = 0; i < n; i++)
            if (taken[i])
                mine[count++] = rows[i];
    } else {
        count = fail_memory();
    }
    free(cards);
    free(tokens);
    free(taken);
    return count;
}
