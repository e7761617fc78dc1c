/* table.h: a row's rewards for the eye. */
#ifndef REWARD_TABLE_H
#define REWARD_TABLE_H
#include "reward/score.h"

/* Put lines in the row's place (row_replace()): each caption with its reward, and below
 * it the questions that it answers and those that it misses. 0 or -1 (memory). */
int reward_table_set(const struct reward_scores *s, struct row *row);
#endif
