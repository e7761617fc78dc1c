/* phrase.h: short patterns of words. For lib/reward.
 *
 * A pattern is a list of items with one space between them. An item is one word or
 * several to choose from, "image|picture"; `?` before it: it may be left out; `*` behind
 * a word: it may go on, "accurate*"; `#`: one capital letter from A to I alone. ASCII
 * letters match in either case.
 */
#ifndef REWARD_PHRASE_H
#define REWARD_PHRASE_H
#include "reward/words.h"
#include <stdbool.h>

/* Does the pattern match the words from `at` on, before `end`? */
bool phrase_at(const char *pattern, const struct words *words, size_t at, size_t end);

/* Does one of patterns (NULL-ended) match somewhere in [at, end)? */
bool phrase_in(const char *const *patterns, const struct words *words, size_t at,
               size_t end);
#endif
