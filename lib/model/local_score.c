/* local_score.c: log-probabilities of replies to prompts that begin alike. The pictures
 * of all are those of the first, which alone are decoded; what the prompts have in common
 * becomes the engine's prompt, and the rest of each a branch. Equal prompts are one
 * branch, and equal replies behind it one continuation. */
#include "base/fail.h"
#include "model/local_own.h"

#include <stdlib.h>
#include <string.h>

/* A reply's ids and their log-probabilities. */
struct scored {
    struct ids ids; /* owned */
    float
        *logprobs; /* [ids.n], in scoring.numbers; equal replies to equal prompts: one */
};

struct scoring {
    struct local *l;
    const struct score_item *items;
    int count;
    struct seated first;   /* the first item's prompt */
    struct ids *prompts;   /* [count]; that of the first item is borrowed */
    int *same;             /* [count]: the first item with the same prompt */
    int shared;            /* ids that all prompts begin with */
    struct scored *scored; /* replies of all items, one item after the other */
    size_t total;
    float *numbers;
    struct engine_branch *branches; /* [branch_count] */
    int branch_count;
    struct engine_continuation *continuations; /* of the branches, in their order */
    float **logprobs;                          /* as continuations */
};

/* -- Prompts --------------------------------------------------------------------------
 */

/* The next picture of an item's turns: *turn and *part move past it. NULL: no more. */
static const struct turn_part *next_picture(const struct score_item *item, int *turn,
                                            int *part)
{
    for (; *turn < item->count; ++*turn, *part = 0)
        while (*part < item->turns[*turn].count) {
            const struct turn_part *p = &item->turns[*turn].parts[(*part)++];
            if (p->picture)
                return p;
        }
    return NULL;
}

static bool same_pictures(const struct score_item *a, const struct score_item *b)
{
    int turn_a = 0, part_a = 0, turn_b = 0, part_b = 0;
    for (;;) {
        const struct turn_part *p = next_picture(a, &turn_a, &part_a);
        const struct turn_part *q = next_picture(b, &turn_b, &part_b);
        if (!p || !q)
            return !p && !q;
        if (p->text.n != q->text.n ||
            (p->text.s != q->text.s && memcmp(p->text.s, q->text.s, p->text.n) != 0))
            return false;
    }
}

static bool same_ids(const struct ids *a, const struct ids *b)
{
    return a->n == b->n && (a->n == 0 || !memcmp(a->id, b->id, a->n * sizeof *a->id));
}

/* The ids of item i's prompt. 0 or -1. */
static int make_prompt(struct scoring *s, int i, const struct request *request)
{
    struct request r = *request;
    struct prompt p;
    int status;
    r.turns = s->items[i].turns;
    r.count = s->items[i].count;
    if (i == 0) {
        status = seated_make(&s->first, s->l, &r);
        s->prompts[0] = s->first.prompt.ids;
        return status;
    }
    if (!same_pictures(&s->items[0], &s->items[i]))
        return fail(FAIL_REFUSED, "the prompts do not have the same pictures");
    status = prompt_make_like(&p, &s->l->format, &r, &s->first.prompt);
    s->prompts[i] = p.ids;
    p.ids = (struct ids){0};
    prompt_free(&p);
    return status;
}

/* Which prompts are equal, and how many ids all of them begin with. 0, or -1 if that
 * leaves a picture out, or is nothing. */
static int compare_prompts(struct scoring *s)
{
    const struct ids *first = &s->prompts[0];
    const int32_t image = s->l->format.config->image_id;
    size_t shared = first->n;
    for (int i = 0; i < s->count; i++) {
        const struct ids *p = &s->prompts[i];
        size_t n = 0;
        while (n < shared && n < p->n && p->id[n] == first->id[n]) n++;
        shared = n;
        while (s->same[i] < i && !same_ids(p, &s->prompts[s->same[i]])) s->same[i]++;
    }
    if (shared == 0)
        return fail(FAIL_REFUSED, "the prompts do not begin alike");
    for (size_t i = shared; s->first.prompt.count > 0 && i < first->n; i++)
        if (first->id[i] == image)
            return fail(FAIL_REFUSED, "the prompts differ before their last picture");
    s->shared = (int)shared;
    return 0;
}

static int make_prompts(struct scoring *s, const struct request *request)
{
    s->prompts = calloc((size_t)s->count, sizeof *s->prompts);
    s->same = calloc((size_t)s->count, sizeof *s->same);
    if (!s->prompts || !s->same)
        return fail_memory();
    for (int i = 0; i < s->count; i++)
        if (make_prompt(s, i, request) < 0)
            return -1;
    return compare_prompts(s);
}

/* -- Replies --------------------------------------------------------------------------
 */

/* Ids of a reply's text, with the end of the turn behind it where asked. */
static int reply_ids(struct ids *ids, const struct local *l, struct span text, bool end)
{
    const struct token_part part = {text, TOKEN_TEXT};
    if (tokenizer_encode(l->tokenizer, &part, 1, ids) < 0)
        return -1;
    if (!end)
        return 0;
    int32_t id = tokenizer_find(l->tokenizer, chat_end(l->chat));
    return id < 0 ? fail(FAIL_MODEL, "the tokenizer has no %s", chat_end(l->chat))
                  : ids_add(ids, id);
}

static int make_replies(struct scoring *s)
{
    size_t tokens = 0, at = 0;
    for (int i = 0; i < s->count; i++) s->total += (size_t)s->items[i].text_count;
    if (!(s->scored = calloc(s->total + 1, sizeof *s->scored)))
        return fail_memory();
    for (int i = 0; i < s->count; i++)
        for (int j = 0; j < s->items[i].text_count; j++, at++) {
            if (reply_ids(&s->scored[at].ids, s->l, s->items[i].texts[j],
                          s->items[i].end[j]) < 0)
                return -1;
            tokens += s->scored[at].ids.n;
        }
    if (!(s->numbers = malloc((tokens + 1) * sizeof *s->numbers)))
        return fail_memory();
    tokens = 0;
    for (size_t i = 0; i < s->total; i++) {
        s->scored[i].logprobs = s->numbers + tokens;
        tokens += s->scored[i].ids.n;
    }
    return 0;
}

/* -- Branches -------------------------------------------------------------------------
 */

/* Add a reply to a branch's continuations, unless an equal one is there. */
static void add_reply(const struct scoring *s, struct engine_branch *b, size_t used,
                      struct scored *reply)
{
    for (int i = 0; i < b->count; i++) {
        const struct engine_continuation *c = &b->continuations[i];
        if (same_ids(&reply->ids, &(struct ids){(int32_t *)c->ids, (size_t)c->len, 0})) {
            reply->logprobs = b->logprobs[i];
            return;
        }
    }
    s->continuations[used] =
        (struct engine_continuation){reply->ids.id, (int)reply->ids.n};
    s->logprobs[used] = reply->logprobs;
    b->count++;
}

static int make_branches(struct scoring *s)
{
    size_t used = 0, at;
    s->branches = calloc((size_t)s->count, sizeof *s->branches);
    s->continuations = calloc(s->total + 1, sizeof *s->continuations);
    s->logprobs = calloc(s->total + 1, sizeof *s->logprobs);
    if (!s->branches || !s->continuations || !s->logprobs)
        return fail_memory();
    for (int i = 0; i < s->count; i++) {
        if (s->same[i] != i)
            continue;
        struct engine_branch *b = &s->branches[s->branch_count++];
        *b = (struct engine_branch){.ids = s->prompts[i].id + s->shared,
                                    .len = (int)s->prompts[i].n - s->shared,
                                    .continuations = s->continuations + used,
                                    .logprobs = s->logprobs + used};
        at = 0;
        for (int j = 0; j < s->count; at += (size_t)s->items[j++].text_count)
            for (int k = 0; s->same[j] == i && k < s->items[j].text_count; k++)
                add_reply(s, b, used + (size_t)b->count, &s->scored[at + (size_t)k]);
        used += (size_t)b->count;
    }
    return 0;
}

static int compute(struct scoring *s, const struct request *request)
{
    struct engine_prompt prompt = prompt_view(&s->first.prompt);
    prompt.len = s->shared;
    return engine_score_branches(
        s->l->engine,
        &(struct engine_scoring){.prompt = &prompt,
                                 .branches = s->branches,
                                 .count = s->branch_count,
                                 .pictures_done = seated_stand_up,
                                 .pictures_context = &s->first,
                                 .abandon = request->abandon,
                                 .abandon_context = request->abandon_context});
}

/* Each item's sums. */
static void add_up(const struct scoring *s)
{
    const struct scored *r = s->scored;
    for (int i = 0; i < s->count; i++)
        for (int j = 0; j < s->items[i].text_count; j++, r++) {
            double sum = 0;
            for (size_t t = 0; t < r->ids.n; t++) sum += (double)r->logprobs[t];
            s->items[i].logprob[j] = sum;
        }
}

static void scoring_free(struct scoring *s)
{
    for (size_t i = 0; s->scored && i < s->total; i++) ids_free(&s->scored[i].ids);
    for (int i = 1; s->prompts && i < s->count; i++) ids_free(&s->prompts[i]);
    seated_free(&s->first);
    free(s->prompts);
    free(s->same);
    free(s->scored);
    free(s->numbers);
    free(s->branches);
    free(s->continuations);
    free(s->logprobs);
}

int local_score_all(struct local *l, const struct request *request,
                    const struct score_item *items, int count)
{
    struct scoring s = {.l = l, .items = items, .count = count, .first = {.l = l}};
    int status = -1;
    if (count == 0)
        return 0;
    if (make_prompts(&s, request) < 0 || make_replies(&s) < 0 || make_branches(&s) < 0)
        goto out;
    if ((status = compute(&s, request)) == 0)
        add_up(&s);
out:
    scoring_free(&s);
    return status;
}
