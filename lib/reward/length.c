/* length.c: the length term. See reward.h. */
#include "reward/reward.h"

double reward_length(double tokens, double full, double zero)
{
    if (tokens <= full)
        return 1;
    if (tokens >= zero)
        return 0;
    return (zero - tokens) / (zero - full);
}
