/* captions.c: see captions.h. */
#include "reward/captions.h"

#include <limits.h>
#include <stdlib.h>
#include <xxhash.h>

/* A string's decoded text, as long as the row lives. 0 or -1. */
static int decode(struct row *row, struct span value, struct span *text)
{
    *text = (struct span){value.s + 1, value.n - 2};
    if (!memchr(text->s, '\\', text->n))
        return 0;
    struct buf decoded = {0};
    char *kept = NULL;
    if (json_text(value, &decoded) == 0 && buf_ok(&decoded) == 0 &&
        (kept = row_alloc(row, decoded.len + 1))) {
        if (decoded.len)
            memcpy(kept, decoded.data, decoded.len);
        *text = (struct span){kept, decoded.len};
    }
    buf_free(&decoded);
    return kept ? 0 : -1;
}

static int read_caption(struct row *row, struct span element, int i,
                        struct reward_caption *c)
{
    if (json_type(element) != JSON_OBJECT)
        return fail(FAIL_TYPE, "\"captions[%d]\": not an object", i);
    *c = (struct reward_caption){.json = element, .tokens = -1, .first = i};
    c->failed = json_given(json_get(element, "error"));
    if (c->failed)
        return 0;
    c->raw = json_get(element, "text");
    if (!json_given(c->raw))
        return fail(FAIL_MISSING, "no \"captions[%d].text\"", i);
    if (json_type(c->raw) != JSON_STRING)
        return fail(FAIL_TYPE, "\"captions[%d].text\": not a string", i);
    struct span tokens = json_get(element, "tokens");
    if (json_given(tokens)) {
        int64_t n;
        if (json_int(tokens, &n) < 0 || n < 0)
            return fail(FAIL_TYPE, "\"captions[%d].tokens\": not a count", i);
        c->tokens = (double)n;
    }
    return decode(row, c->raw, &c->text);
}

/* Find for each caption the first of equal text. Linear: a table of their hashes. */
static int find_equals(struct reward_captions *c)
{
    size_t size = 16;
    while (size < 2 * (size_t)c->count) size *= 2;
    int *table = calloc(size, sizeof *table); /* number + 1; 0: empty */
    if (!table)
        return fail_memory();
    for (int i = 0; i < c->count; i++) {
        struct span text = c->items[i].text;
        if (c->items[i].failed)
            continue;
        size_t at = (size_t)XXH3_64bits(text.s, text.n) & (size - 1);
        for (; table[at]; at = (at + 1) & (size - 1)) {
            struct span other = c->items[table[at] - 1].text;
            if (other.n == text.n && (text.n == 0 || !memcmp(other.s, text.s, text.n)))
                break;
        }
        if (table[at])
            c->items[i].first = table[at] - 1;
        else
            table[at] = i + 1;
    }
    free(table);
    return 0;
}

static int read_list(struct reward_captions *c, struct row *row, struct span list)
{
    struct span element;
    int64_t count = 0;
    for (size_t at = 0; json_each(list, &at, &element);) count++;
    if (count == 0)
        return fail(FAIL_MISSING, "\"captions\" is empty");
    if (count > INT_MAX / 4)
        return fail(FAIL_TOO_LARGE, "too many captions");
    c->items = row_alloc(row, (size_t)count * sizeof *c->items);
    if (!c->items)
        return -1;
    for (size_t at = 0; json_each(list, &at, &element); c->count++)
        if (read_caption(row, element, c->count, &c->items[c->count]) < 0)
            return -1;
    return find_equals(c);
}

int reward_captions_read(struct reward_captions *c, struct row *row)
{
    struct span list;
    *c = (struct reward_captions){0};
    if (row_has(row, "captions"))
        return row_array(row, "captions", &list) < 0 ? -1 : read_list(c, row, list);
    if (!row_has(row, "caption"))
        return fail(FAIL_MISSING, "no \"captions\"");
    if (!(c->items = row_alloc(row, sizeof *c->items)))
        return -1;
    c->items[0] = (struct reward_caption){.raw = row_value(row, "caption"), .tokens = -1};
    c->count = 1;
    return row_text(row, "caption", &c->items[0].text);
}
