/* dataset-test.c: the order in which a run learns, and its learning rates. */
#include "base/fail.h"
#include "check.h"
#include "train/dataset.h"
#include "train/lr.h"
#include "train/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000 };

static struct dataset made(void)
{
    struct dataset d = {.count = ROWS};
    d.rows = calloc(ROWS, sizeof *d.rows);
    for (int i = 0; i < ROWS; i++) d.rows[i].tokens = 10 + i % 90;
    return d;
}

static void an_order_is_a_permutation_of_seed_and_epoch(void)
{
    struct dataset d = made();
    int64_t a[ROWS], b[ROWS], seen[ROWS] = {0};
    dataset_order(&d, 7, 3, true, a);
    dataset_order(&d, 7, 3, true, b);
    CHECK(memcmp(a, b, sizeof a) == 0, "not repeatable");
    for (int i = 0; i < ROWS; i++) seen[a[i]]++;
    for (int i = 0; i < ROWS; i++)
        CHECK(seen[i] == 1, "row %d %d times", i, (int)seen[i]);
    dataset_order(&d, 7, 4, true, b);
    CHECK(memcmp(a, b, sizeof a) != 0, "another epoch, the same order");
    dataset_order(&d, 8, 3, true, b);
    CHECK(memcmp(a, b, sizeof a) != 0, "another seed, the same order");
    dataset_order(&d, 8, 3, false, b);
    for (int i = 0; i < ROWS; i++) CHECK(b[i] == i, "not as it comes");
    /* a fair shuffle: the first place's mean over many epochs is near the middle */
    double sum = 0;
    for (int e = 0; e < 400; e++) {
        dataset_order(&d, 1, e, true, a);
        sum += (double)a[0];
    }
    CHECK(fabs(sum / 400 - 499.5) < 60, "mean %g", sum / 400);
    dataset_free(&d);
}

static void batches_fill_the_budget_and_no_more(void)
{
    struct dataset d = made();
    int64_t order[ROWS], n;
    d.rows[500].tokens = 5000;
    dataset_order(&d, 1, 1, true, order);
    for (int64_t at = 0; at < ROWS; at += n) {
        int64_t sum = 0;
        n = dataset_batch(&d, order, at, 1000);
        CHECK(n >= 1, "an empty batch");
        for (int64_t i = at; i < at + n; i++) sum += d.rows[order[i]].tokens;
        CHECK(sum <= 1000 || n == 1, "%d rows of %d tokens", (int)n, (int)sum);
        if (at + n < ROWS)
            CHECK(sum + d.rows[order[at + n]].tokens > 1000, "one more would fit");
    }
    dataset_free(&d);
}

static void rates_follow_their_formulas(void)
{
    static const struct {
        enum lr_kind kind;
        int64_t step;
        double rate;
    } table[] = {
        {LR_CONSTANT, 1, 0.25},
        {LR_CONSTANT, 4, 1},
        {LR_CONSTANT, 12, 1},
        {LR_COSINE, 2, 0.5},
        {LR_COSINE, 5, 1},
        {LR_COSINE, 9, 0.55},
        {LR_COSINE, 7, 0.1 + 0.9 * (1 + 0.70710678118654752) / 2},
        {LR_LINEAR, 5, 1},
        {LR_LINEAR, 9, 0.55},
        {LR_LINEAR, 12, 0.2125},
        {LR_LINEAR, 13, 0.1},
        {LR_LINEAR, 99, 0.1},
    };
    struct lr lr = {.peak = 1, .least = 0.1, .warmup = 4, .steps = 12};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        lr.kind = table[i].kind;
        double rate = lr_at(&lr, table[i].step);
        CHECK(fabs(rate - table[i].rate) < 1e-12, "kind %d, step %d: %.12g, not %.12g",
              (int)lr.kind, (int)table[i].step, rate, table[i].rate);
    }
    CHECK(lr_kind(&lr.kind, "linear") == 0 && lr.kind == LR_LINEAR, "linear");
    CHECK(lr_kind(&lr.kind, "step") < 0, "an unknown schedule");
}

/* Every sequence is in a bin, no bin of several is over its length, and there are fewer
 * bins than in order. */
static void packs_are_full_and_never_over(void)
{
    int tokens[ROWS], bin[ROWS], order[ROWS], sum[ROWS] = {0}, in[ROWS] = {0};
    int all = 0;
    for (int i = 0; i < ROWS; i++) tokens[i] = 10 + i * 7919 % 390;
    tokens[17] = 900;
    for (int i = 0; i < ROWS; i++) all += tokens[i];
    int bins = pack_fit(tokens, ROWS, 512, bin);
    CHECK(bins > 0 && bins < pack_in_order(tokens, ROWS, 512, order), "%d bins", bins);
    for (int i = 0; i < ROWS; i++) {
        CHECK(bin[i] >= 0 && bin[i] < bins, "row %d in bin %d", i, bin[i]);
        sum[bin[i]] += tokens[i];
        in[bin[i]]++;
    }
    for (int i = 0; i < bins; i++)
        CHECK(sum[i] <= 512 || in[i] == 1, "bin %d: %d tokens", i, sum[i]);
    CHECK(bins <= (all + 511) / 512 * 102 / 100 + 1, "%d bins for %d tokens", bins, all);
    for (int i = 1; i < ROWS; i++)
        CHECK(order[i] == order[i - 1] || order[i] == order[i - 1] + 1, "out of order");
    CHECK(pack_fit(tokens, 0, 512, bin) == 0, "nothing");
    CHECK(pack_fit(tokens, 1, 1, bin) == 1 && bin[0] == 0, "one that is too long");
}

int main(void)
{
    CASE(an_order_is_a_permutation_of_seed_and_epoch);
    CASE(batches_fill_the_budget_and_no_more);
    CASE(packs_are_full_and_never_over);
    CASE(rates_follow_their_formulas);
    return check_end();
}
