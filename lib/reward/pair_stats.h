/* pair_stats.h: what became of rows that pairs were made of. */
#ifndef PAIR_STATS_H
#define PAIR_STATS_H
#include "reward/pairs.h"

/* Sums over one side of all pairs. */
struct pair_side {
    double reward, tokens; /* sums */
    int64_t counted;       /* captions whose tokens are known */
};

/* A zeroed struct is empty. */
struct pair_stats {
    int64_t rows[PAIRS_VERDICTS]; /* good rows, by verdict */
    int64_t pairs, captions, failed;
    struct pair_side chosen, rejected;
    double least, most; /* margins */
};

void pair_stats_add(struct pair_stats *s, const struct pairs *p,
                    enum pairs_verdict verdict);

/* Append members of a JSON object, ',' between them and none at the end: "dropped",
 * "pairs", "captions", "margin", "chosen", "rejected". See rl-pairs(1). */
void pair_stats_put(const struct pair_stats *s, struct buf *out);
#endif
