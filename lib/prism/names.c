/* names.c: see names.h. */
#include "prism/names.h"
#include "base/fail.h"
#include "row/keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int *slot_of(const struct names *n, struct span text)
{
    size_t i = (size_t)key_of(true, text.s, text.n).lo & (size_t)(n->size - 1);
    while (n->table[i] && !span_equal(n->list[n->table[i] - 1], text))
        i = (i + 1) & (size_t)(n->size - 1);
    return &n->table[i];
}

static int grow(struct names *n)
{
    int size = n->size ? 2 * n->size : 64;
    if (n->size > INT_MAX / 4)
        return fail_memory();
    struct span *list = realloc(n->list, (size_t)size / 2 * sizeof *list);
    if (!list)
        return fail_memory();
    n->list = list;
    int *table = calloc((size_t)size, sizeof *table);
    if (!table)
        return fail_memory();
    free(n->table);
    n->table = table;
    n->size = size;
    for (int i = 0; i < n->count; i++) *slot_of(n, n->list[i]) = i + 1;
    return 0;
}

int names_find(const struct names *n, struct span text)
{
    return n->size ? *slot_of(n, text) - 1 : -1;
}

int names_add(struct names *n, struct span text)
{
    int at = names_find(n, text);
    if (at >= 0)
        return at;
    if (2 * (n->count + 1) > n->size && grow(n) < 0)
        return -1;
    char *copy = malloc(text.n + 1);
    if (!copy)
        return fail_memory();
    if (text.n)
        memcpy(copy, text.s, text.n);
    copy[text.n] = '\0';
    n->list[n->count] = (struct span){copy, text.n};
    *slot_of(n, text) = n->count + 1;
    return n->count++; /* cppcheck-suppress memleak */
}

void names_free(struct names *n)
{
    for (int i = 0; i < n->count; i++) free((char *)n->list[i].s);
    free(n->list);
    free(n->table);
    *n = (struct names){0};
}
