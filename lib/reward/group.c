/* group.c: statistics of a row's captions. See reward.h.
 *
 * Mean and deviation are kept running (Welford, "Note on a method for calculating
 * corrected sums of squares and products", 1962): totals that are all equal have a
 * deviation of exactly 0, by which training tells a group that teaches nothing.
 */
#include "reward/reward.h"

#include <math.h>

void reward_group_add(struct reward_group *g, double total)
{
    g->n++;
    double off = total - g->mean;
    g->mean += off / g->n;
    g->std += off * (total - g->mean); /* the sum of squares, until reward_group_end() */
    if (g->n == 1 || total < g->min)
        g->min = total;
    if (g->n == 1 || total > g->max)
        g->max = total;
}

void reward_group_end(struct reward_group *g)
{
    if (g->n > 0)
        g->std = sqrt(g->std / g->n);
    else
        g->mean = g->std = g->min = g->max = NAN;
}
