/* pairs.c: see pairs.h. Names: capmill(7), "captions". */
#include "reward/pairs.h"

#include <stdlib.h>

/* reward.total of captions[i]. 0 or -1. */
static int read_total(struct value reward, int i, double *total)
{
    struct span value = value_get(reward, "total").json;
    if (!json_given(value))
        return fail(FAIL_MISSING, "captions[%d]: no number \"reward.total\"", i);
    if (json_type(value) != JSON_NUMBER || json_double(value, total) < 0)
        return fail(FAIL_TYPE, "captions[%d]: \"reward.total\" is no number", i);
    return 0;
}

/* captions[i]: 1, 0 if it came in with an error, or -1. */
static int read_caption(struct pairs_caption *c, struct value caption, int i)
{
    enum { ERROR, TEXT, TOKENS, REWARD, NAMES };
    static const struct span names[NAMES] = {
        {"error", 5}, {"text", 4}, {"tokens", 6}, {"reward", 6}};
    struct value found[NAMES];
    if (json_type(caption.json) != JSON_OBJECT)
        return fail(FAIL_TYPE, "captions[%d] is no object", i);
    value_pick(caption, names, found, NAMES);
    if (json_given(found[ERROR].json))
        return 0;
    *c = (struct pairs_caption){.json = caption.json, .text = found[TEXT].json};
    if (!json_given(c->text))
        return fail(FAIL_MISSING, "captions[%d]: no \"text\"", i);
    if (json_type(c->text) != JSON_STRING)
        return fail(FAIL_TYPE, "captions[%d]: \"text\" is no string", i);
    if (json_type(found[TOKENS].json) != JSON_NUMBER ||
        json_double(found[TOKENS].json, &c->tokens) < 0)
        c->tokens = -1;
    return read_total(found[REWARD], i, &c->total) < 0 ? -1 : 1;
}

/* Room for one caption more. */
static struct pairs_caption *caption_room(struct pairs *p)
{
    if (p->count == p->cap) {
        int cap = p->cap ? 2 * p->cap : 16;
        struct pairs_caption *more =
            realloc(p->captions, (size_t)cap * sizeof *p->captions);
        if (!more)
            return fail_memory(), NULL;
        p->captions = more;
        p->cap = cap;
    }
    return &p->captions[p->count];
}

int pairs_read(struct pairs *p, struct row *row)
{
    struct value list, caption;
    size_t at = 0;
    p->count = p->failed = p->made_count = 0;
    if (row_list(row, "captions", &list) < 0)
        return -1;
    for (int i = 0; value_each(list, &at, &caption); i++) {
        struct pairs_caption *c = caption_room(p);
        int got = c ? read_caption(c, caption, i) : -1;
        if (got < 0)
            return -1;
        p->count += got;
        p->failed += !got;
    }
    return p->count + p->failed ? 0 : fail(FAIL_MISSING, "\"captions\" is empty");
}

/* Best first; of equals the one that stands first in the line. */
static int by_reward(const void *a, const void *b)
{
    const struct pairs_caption *x = a, *y = b;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return (x->json.s > y->json.s) - (x->json.s < y->json.s);
}

/* Do two JSON strings mean the same text? */
static bool same_text(struct span a, struct span b)
{
    if (span_equal(a, b))
        return true;
    if (!memchr(a.s, '\\', a.n) && !memchr(b.s, '\\', b.n))
        return false;
    struct buf x = {0}, y = {0};
    bool same = json_text(a, &x) == 0 && json_text(b, &y) == 0 && !x.bad && !y.bad &&
                x.len == y.len && (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
    buf_free(&x);
    buf_free(&y);
    return same;
}

static enum pairs_verdict judge(const struct pairs_caption *chosen,
                                const struct pairs_caption *rejected,
                                const struct pairs_rules *rules)
{
    double margin = chosen->total - rejected->total;
    if (margin < PAIRS_TIE)
        return PAIRS_EQUAL;
    if (margin < rules->min_margin - PAIRS_TIE)
        return PAIRS_MARGIN;
    return same_text(chosen->text, rejected->text) ? PAIRS_SAME : PAIRS_MADE;
}

static int made_room(struct pairs *p, int most)
{
    if (p->made_cap >= most)
        return 0;
    struct pair *more = realloc(p->made, (size_t)most * sizeof *p->made);
    if (!more)
        return fail_memory();
    p->made = more;
    p->made_cap = most;
    return 0;
}

int pairs_make(struct pairs *p, const struct pairs_rules *rules)
{
    int half = p->count / 2, most = half < rules->most ? half : rules->most;
    enum pairs_verdict first = PAIRS_FEW;
    if (made_room(p, most) < 0)
        return -1;
    if (p->count > 1)
        qsort(p->captions, (size_t)p->count, sizeof *p->captions, by_reward);
    for (int i = 0; i < most; i++) {
        const struct pair pair = {p->captions[i], p->captions[p->count - 1 - i]};
        enum pairs_verdict verdict = judge(&pair.chosen, &pair.rejected, rules);
        if (i == 0)
            first = verdict;
        if (verdict == PAIRS_MADE)
            p->made[p->made_count++] = pair;
        if (verdict == PAIRS_EQUAL || verdict == PAIRS_MARGIN)
            break; /* those within are closer still */
    }
    return p->made_count ? (int)PAIRS_MADE : (int)first;
}

void pairs_free(struct pairs *p)
{
    free(p->captions);
    free(p->made);
    *p = (struct pairs){0};
}
