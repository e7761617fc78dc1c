/* similar.c: see similar.h. */
#include "qa/similar.h"
#include "base/fail.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

static bool is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int shingles_make(struct shingles *s, struct span text)
{
    *s = (struct shingles){0};
    /* At most one trigram a byte, and one for the space at the end. */
    s->items = malloc((text.n + 1) * sizeof *s->items);
    if (!s->items)
        return fail_memory();
    const uint64_t three = ((uint64_t)1 << 63) - 1; /* the last three code points */
    uint64_t window = ' ';
    size_t seen = 1, n = 0;
    int cut;
    while (text.n > 0) {
        uint32_t c;
        size_t used = utf8_next(text.s, text.n, &c, &cut);
        text.s += used;
        text.n -= used;
        c = is_word(c) ? (uint32_t)utf8proc_tolower((utf8proc_int32_t)c) : ' ';
        if (c == ' ' && (window & 0x1FFFFF) == ' ')
            continue;
        window = (window << 21 | c) & three;
        if (++seen >= 3)
            s->items[n++] = window;
    }
    if ((window & 0x1FFFFF) != ' ' && ++seen >= 3)
        s->items[n++] = (window << 21 | ' ') & three;
    qsort(s->items, n, sizeof *s->items, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || s->items[i] != s->items[i - 1])
            s->items[s->count++] = s->items[i];
    return 0;
}

void shingles_free(struct shingles *s)
{
    free(s->items);
    *s = (struct shingles){0};
}

double shingles_similarity(const struct shingles *a, const struct shingles *b)
{
    size_t both = 0, i = 0, j = 0;
    while (i < a->count && j < b->count) {
        uint64_t x = a->items[i], y = b->items[j];
        both += x == y;
        i += x <= y;
        j += y <= x;
    }
    size_t either = a->count + b->count - both;
    return either ? (double)both / (double)either : 1;
}
