/* repetition.h: how much of a text is said for the third time or more. For lib/reward. */
#ifndef REWARD_REPETITION_H
#define REWARD_REPETITION_H
#include "reward/words.h"

/* The share of words that stand in a run of six words which came at least twice before, 0
 * to 1; upper and lower case of ASCII are alike. 0, or -1 (memory). Linear. */
int repetition_share(const struct words *words, double *share);
#endif
