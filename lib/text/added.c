/* added.c: see added.h. The sorted list is walked as a trie: at each depth the tokens
 * that agree with the text so far are one range of it. */
#include "text/added.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *x, const void *y)
{
    struct span a = ((const struct added_token *)x)->content;
    struct span b = ((const struct added_token *)y)->content;
    int order = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

int added_prepare(struct added *a)
{
    a->only_first = -1;
    if (a->count == 0)
        return 0;
    qsort(a->token, a->count, sizeof *a->token, compare);
    for (size_t i = 0; i < a->count; i++) {
        if (i > 0 && compare(&a->token[i - 1], &a->token[i]) == 0)
            return fail(FAIL_MODEL, "added tokens %ld and %ld are the same",
                        (long)a->token[i - 1].id, (long)a->token[i].id);
        a->first[(unsigned char)a->token[i].content.s[0]] = true;
    }
    unsigned char first = (unsigned char)a->token[0].content.s[0];
    if ((unsigned char)a->token[a->count - 1].content.s[0] == first)
        a->only_first = first;
    return 0;
}

void added_free(struct added *a)
{
    free(a->token);
    *a = (struct added){0};
}

size_t added_next(const struct added *a, const char *text, size_t from, size_t to)
{
    if (a->count == 0 || from >= to)
        return to;
    if (a->only_first >= 0) {
        const char *found = memchr(text + from, a->only_first, to - from);
        return found ? (size_t)(found - text) : to;
    }
    while (from < to && !a->first[(unsigned char)text[from]]) from++;
    return from;
}

/* First token in [low, high) whose byte at depth is at least `byte`; all are longer than
 * depth and equal before it. */
static size_t bound(const struct added *a, size_t low, size_t high, size_t depth,
                    int byte)
{
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((unsigned char)a->token[mid].content.s[depth] < byte)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct added_token *added_match(const struct added *a, struct span text,
                                      struct added_cursor *at)
{
    if (!at->begun)
        *at = (struct added_cursor){0, a->count, 0, true};
    while (at->low < at->high && at->depth < text.n) {
        int byte = (unsigned char)text.s[at->depth];
        at->low = bound(a, at->low, at->high, at->depth, byte);
        at->high = bound(a, at->low, at->high, at->depth, byte + 1);
        at->depth++;
        if (at->low < at->high && a->token[at->low].content.n == at->depth)
            return &a->token[at->low++]; /* the others of the range are longer */
    }
    return NULL;
}
