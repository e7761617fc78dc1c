/* distance.h: how many characters must be put in, left out or changed to make one text
 * of another (Levenshtein). */
#ifndef ANSWER_DISTANCE_H
#define ANSWER_DISTANCE_H
#include "answer/fuel.h"
#include <stddef.h>

/* 0; 1: out of fuel; -1: memory. What is at or over `most` may be told as `most`. Takes
 * n * m / 64 steps at worst, and memory in proportion to n + m. */
int distance_edit(const uint32_t *a, size_t n, const uint32_t *b, size_t m, size_t most,
                  struct fuel *fuel, size_t *distance);
#endif
