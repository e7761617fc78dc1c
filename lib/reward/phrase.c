/* phrase.c: see phrase.h. */
#include "reward/phrase.h"

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Is word one of an item's choices, item[0..n)? */
static bool item_takes(const char *item, size_t n, struct span word)
{
    if (n == 1 && *item == '#')
        return word.n == 1 && *word.s >= 'A' && *word.s <= 'I';
    for (const char *end = item + n; item < end; item++) {
        size_t i = 0;
        while (item < end && *item != '|' && *item != '*' && i < word.n &&
               lower(word.s[i]) == *item)
            i++, item++;
        if (item < end && *item == '*')
            return true;
        if (i == word.n && (item == end || *item == '|'))
            return true;
        while (item < end && *item != '|') item++;
    }
    return false;
}

bool phrase_at(const char *pattern, const struct words *words, size_t at, size_t end)
{
    while (*pattern) {
        bool optional = *pattern == '?';
        const char *item = pattern + optional;
        size_t n = strcspn(item, " ");
        pattern = item + n + (item[n] == ' ');
        if (at < end && item_takes(item, n, words->items[at].text))
            at++;
        else if (!optional)
            return false;
    }
    return true;
}

bool phrase_in(const char *const *patterns, const struct words *words, size_t at,
               size_t end)
{
    for (; at < end; at++)
        for (const char *const *p = patterns; *p; p++)
            if (phrase_at(*p, words, at, end))
                return true;
    return false;
}
