/* ring-order-test.c: which rows a step has: permutations, epochs, rows on top. */
#include "check.h"
#include "train/ring_order.h"

#include <stdlib.h>
#include <string.h>

static struct random_key key_of(int n)
{
    return random_key_of((uint64_t)n, &n, sizeof n);
}

static void every_number_below_n_is_met_once(void)
{
    char seen[2000];
    const int sizes[] = {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 255, 256, 257, 1000, 1999};
    for (int s = 0; s < 16; s++)
        for (int seed = 0; seed < 20; seed++) {
            int n = sizes[s], met = 0;
            memset(seen, 0, sizeof seen);
            for (int i = 0; i < n; i++) {
                int64_t to = order_permuted(key_of(seed), n, i);
                NEED(to >= 0 && to < n, "%lld of %d", (long long)to, n);
                met += !seen[to]++;
            }
            CHECK(met == n, "%d of %d", met, n);
        }
}

static void large_n_stays_below_and_does_not_collide(void)
{
    int64_t n = 3000000019, was = -1;
    for (int i = 0; i < 1000; i++) {
        int64_t to = order_permuted(key_of(1), n, n - 1 - i);
        CHECK(to >= 0 && to < n && to != was, "%lld", (long long)to);
        was = to;
    }
}

/* Each of 7 rows should come first in 1 of 7 orders: chi-square with 6 degrees of freedom
 * is below 22.5 in 999 of 1000. */
static void every_row_comes_first_equally_often(void)
{
    int first[7] = {0}, pairs = 0, orders = 7000;
    double chi = 0;
    for (int seed = 0; seed < orders; seed++) {
        first[order_permuted(key_of(seed), 7, 0)]++;
        pairs += order_permuted(key_of(seed), 7, 1) > order_permuted(key_of(seed), 7, 0);
    }
    for (int i = 0; i < 7; i++) chi += (first[i] - 1000.0) * (first[i] - 1000.0) / 1000;
    CHECK(chi < 22.5, "chi-square %g", chi);
    CHECK(abs(pairs - orders / 2) < 150, "%d of %d", pairs, orders);
}

static void an_epoch_has_every_row_once_across_batches(void)
{
    enum { ROWS = 10, BATCH = 4, EPOCHS = 3 };
    int seen[EPOCHS][ROWS] = {{0}}, same = 0;
    for (int at = 0; at + BATCH <= ROWS * EPOCHS; at += BATCH)
        for (int i = 0; i < BATCH; i++)
            seen[(at + i) / ROWS][order_row(5, ROWS, BATCH, at / BATCH + 1, i)]++;
    for (int e = 0; e < EPOCHS - 1; e++)
        for (int i = 0; i < ROWS; i++) CHECK(seen[e][i] == 1, "%d %d", e, i);
    for (int i = 0; i < BATCH; i++)
        same += order_row(5, ROWS, BATCH, 1, i) == order_row(6, ROWS, BATCH, 1, i);
    CHECK(same < BATCH, "two seeds, one order");
}

static void more_rows_are_those_not_in_the_batch(void)
{
    enum { ROWS = 10, BATCH = 4 };
    int seen[ROWS] = {0};
    struct order_more m = {3, ROWS, BATCH, 2, 0}, again = m;
    for (int i = 0; i < BATCH; i++) seen[order_row(3, ROWS, BATCH, 2, i)] = 1;
    for (int i = 0; i < ROWS - BATCH; i++) {
        int64_t row = order_more(&m);
        CHECK(seen[row]++ == 0, "%lld was there", (long long)row);
    }
    for (int i = 0; i < 3 * ROWS; i++) {
        int64_t row = order_more(&m);
        CHECK(row >= 0 && row < ROWS, "%lld", (long long)row);
    }
    order_more(&again);
    struct order_more other = {3, ROWS, BATCH, 3, 0};
    CHECK(m.at > ROWS && other.at == 0, "?");
}

int main(void)
{
    CASE(every_number_below_n_is_met_once);
    CASE(large_n_stays_below_and_does_not_collide);
    CASE(every_row_comes_first_equally_often);
    CASE(an_epoch_has_every_row_once_across_batches);
    CASE(more_rows_are_those_not_in_the_batch);
    return check_end();
}
