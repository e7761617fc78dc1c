/* ask_orders.c: which questions are put, with their options in which order. */
#include "base/fail.h"
#include "qa/ask_own.h"
#include "qa/match.h"

#include <stdlib.h>

/* More judgements of one caption than this are nobody's wish. */
enum { JUDGEMENTS_MAX = 1 << 16, LETTERS = 9 };

/* Is cannot to be shown: there is one, and the question does not bring its own. */
static bool shows_cannot(const struct asking *a, const struct question *q)
{
    if (!a->rules->cannot)
        return false;
    for (int i = 0; i < q->count; i++)
        if (match_same(q->options[i], span_of(a->rules->cannot)))
            return false;
    return true;
}

/* A judgement with the options as they stand, cannot behind them. */
static struct judgement plain(const struct asking *a, int question, int order)
{
    const struct question *q = &a->questions[question];
    struct judgement j = {.question = question, .order = order, .shown = q->count};
    for (int i = 0; i < q->count; i++) j.options[i] = (unsigned char)i;
    if (shows_cannot(a, q))
        j.options[j.shown++] = (unsigned char)q->count;
    return j;
}

static struct judgement shifted(const struct asking *a, int question, int order)
{
    int n = a->questions[question].count;
    struct judgement j = plain(a, question, order);
    for (int p = 0; p < n; p++) j.options[p] = (unsigned char)ask_shift(p, order, n);
    return j;
}

/* A whole number below n from one draw. */
static int draw(const struct asking *a, int round, int position, int n)
{
    return (int)(random_unit(a->key, (uint32_t)round, (uint32_t)position) * n);
}

/* A question drawn with replacement, its options shuffled (Fisher and Yates). */
static struct judgement drawn(const struct asking *a, int round)
{
    int question = draw(a, round, 0, a->question_count);
    struct judgement j = plain(a, question, round);
    for (int i = a->questions[question].count - 1; i > 0; i--) {
        int other = draw(a, round, i, i + 1);
        unsigned char kept = j.options[i];
        j.options[i] = j.options[other];
        j.options[other] = kept;
    }
    return j;
}

static bool has_rounds(const struct ask_rules *r)
{
    return r->score == ASK_SAMPLED && !r->all_qa && r->rounds > 0;
}

/* In how many orders a question is put. Answered in words the options have none. */
static int orders_of(const struct ask_rules *r, const struct question *q)
{
    if (r->form == ASK_TEXT || (r->score == ASK_SAMPLED && r->all_qa))
        return 1;
    return r->orders > 0 && r->orders < q->count ? r->orders : q->count;
}

int64_t ask_judgements(const struct ask_rules *rules, const struct question *questions,
                       int count)
{
    int64_t total = 0;
    if (has_rounds(rules))
        return rules->rounds;
    for (int i = 0; i < count; i++) total += orders_of(rules, &questions[i]);
    return total;
}

static int check(const struct asking *a)
{
    for (int i = 0; i < a->question_count; i++) {
        const struct question *q = &a->questions[i];
        int shown = q->count + shows_cannot(a, q);
        if (a->rules->form == ASK_LETTER && shown > LETTERS)
            return fail(FAIL_REFUSED, "qa[%d]: %d options, and letters for %d", i, shown,
                        LETTERS);
    }
    return 0;
}

int ask_plan(struct asking *a)
{
    const struct ask_rules *r = a->rules;
    int64_t total = ask_judgements(r, a->questions, a->question_count);
    if (check(a) < 0)
        return -1;
    if (total > JUDGEMENTS_MAX)
        return fail(FAIL_TOO_LARGE, "more than %d judgements of one row", JUDGEMENTS_MAX);
    if (!(a->judgements = calloc((size_t)total + 1, sizeof *a->judgements)))
        return fail_memory();
    if (has_rounds(r)) {
        for (; a->count < r->rounds; a->count++)
            a->judgements[a->count] = drawn(a, a->count);
        return 0;
    }
    for (int i = 0; i < a->question_count; i++)
        for (int order = 0; order < orders_of(r, &a->questions[i]); order++)
            a->judgements[a->count++] = shifted(a, i, order);
    return 0;
}
