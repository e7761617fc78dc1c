/* score.c: probabilities of given continuations. A lane computes a branch; the first
 * tokens of all its continuations are then read off the logits at its end, and those
 * that have more are fed one after the other in the same places of the same pages. Where
 * lanes are free, some of a branch's continuations go to lanes that are forked off its
 * end, so that they are fed side by side. */
#include "engine/schedule.h"

#include <math.h>

static const struct engine_branch *branch_of(const struct lane *l)
{
    return &l->request->branches[l->index];
}

static int longest(const struct engine_branch *b)
{
    int most = 0;
    for (int i = 0; i < b->count; i++)
        most = b->continuations[i].len > most ? b->continuations[i].len : most;
    return most;
}

int score_positions(const struct request *r)
{
    int most = 0;
    for (int i = 0; i < r->count; i++) {
        int last = longest(&r->branches[i]); /* the last token is not fed */
        int n = r->branches[i].len + (last > 1 ? last - 1 : 0);
        most = n > most ? n : most;
    }
    return most;
}

/* Continuations that are done once the logits at their branch's end are read. */
static int short_ones(const struct engine_branch *b)
{
    int n = 0;
    for (int i = 0; i < b->count; i++) n += b->continuations[i].len <= 1;
    return n;
}

/* Empty branches end where the prompt does, whose logits are on the host. */
int score_start(struct request *r)
{
    for (int i = 0; i < r->count; i++) {
        const struct engine_branch *b = &r->branches[i];
        if (b->len > 0)
            continue;
        for (int j = 0; j < b->count; j++)
            if (b->continuations[j].len > 0)
                b->logprobs[j][0] = r->logits[b->continuations[j].ids[0]] - r->lse;
        r->finished += short_ones(b);
    }
    return 0;
}

/* -- Which continuation next ----------------------------------------------------------
 */

/* Is there a continuation of a branch that needs rows and has no lane? It is then number
 * taken[index]. */
static bool waiting(struct request *r, int index)
{
    const struct engine_branch *b = &r->branches[index];
    int *at = &r->taken[index];
    while (*at < b->count && b->continuations[*at].len <= 1) ++*at;
    return *at < b->count;
}

/* Give a lane, which has come to its branch's end, the next one. false if none waits. */
static bool take(struct lane *l)
{
    if (!waiting(l->request, l->index))
        return false;
    l->continuation = l->request->taken[l->index]++;
    l->fed = branch_of(l)->len;
    return true;
}

/* -- Rows -----------------------------------------------------------------------------
 */

/* Rows of one lane, as far as this pass has room. Logits are asked for behind a branch's
 * last token and behind each of a continuation, whose last one is not fed. */
static int lane_rows(struct schedule *s, struct lane *l)
{
    const struct engine_branch *b = branch_of(l);
    const struct engine_continuation *c =
        l->continuation < 0 ? NULL : &b->continuations[l->continuation];
    int rows = b->len + (c ? c->len - 1 : 0) - l->fed;
    if (rows > s->rows_left)
        rows = s->rows_left;
    if (rows == 0)
        return 0;
    int sequence = schedule_lane_pages(s, l, l->fed + rows);
    if (sequence < 0)
        return -1;
    s->rows_left -= rows;
    for (; rows > 0; rows--, l->fed++) {
        int32_t id = c ? c->ids[l->fed - b->len] : b->ids[l->fed];
        if (schedule_lane_row(s, l, sequence, id, l->fed) < 0)
            return -1;
        int next = l->fed + 1 - b->len; /* the token asked for */
        if (next >= 0 && schedule_want(s, l->request, l, next) < 0)
            return -1;
    }
    return 0;
}

/* A lane for the next branch, if that needs one. 1, or 0: no lane is free; or -1. */
static int start_branch(struct schedule *s, struct request *r)
{
    const struct engine_branch *b = &r->branches[r->started];
    bool failed;
    if (b->len > 0 && longest(b) == 0) { /* nothing is asked behind it */
        r->finished += b->count;
    } else if (b->len > 0 || waiting(r, r->started)) {
        struct lane *l = schedule_lane(s, r, r->started, NULL, 0, &failed);
        if (!l)
            return failed ? -1 : 0;
        if (b->len == 0)
            take(l);
        if (lane_rows(s, l) < 0)
            return -1;
    }
    r->started++;
    return 1;
}

/* Lanes for continuations that wait behind the end of a lane's branch. 0 or -1. */
static int fork_lane(struct schedule *s, struct lane *l)
{
    struct request *r = l->request;
    while (l->continuation >= 0 && s->rows_left > 0 && waiting(r, l->index)) {
        bool failed;
        struct lane *fork = schedule_lane(s, r, l->index, l, branch_of(l)->len, &failed);
        if (!fork)
            return failed ? -1 : 0;
        take(fork);
        if (lane_rows(s, fork) < 0)
            return -1;
    }
    return 0;
}

int score_rows(struct schedule *s, struct request *r)
{
    int status = 1;
    for (struct lane *l = r->lanes; l; l = l->next)
        if (lane_rows(s, l) < 0)
            return -1;
    while (status == 1 && r->started < r->count && s->rows_left > 0)
        status = start_branch(s, r);
    for (struct lane *l = r->lanes; l && status == 1; l = l->next)
        status = fork_lane(s, l) < 0 ? -1 : 1;
    return status < 0 ? -1 : 0;
}

/* -- What comes back ------------------------------------------------------------------
 */

/* Continuations [*from, *to) of a lane's branch whose token is told by a row. */
static void asked(const struct lane *l, int *from, int *to)
{
    *from = l->continuation < 0 ? 0 : l->continuation;
    *to = l->continuation < 0 ? branch_of(l)->count : l->continuation + 1;
}

int score_picks(struct schedule *s, const struct wanted *w, int row)
{
    const struct engine_branch *b = branch_of(w->lane);
    int i, end;
    for (asked(w->lane, &i, &end); i < end; i++) {
        struct text_pick pick = {row, 0, b->logprobs[i] + w->token};
        if (b->continuations[i].len == 0)
            continue;
        pick.id = b->continuations[i].ids[w->token];
        if (pass_list_add(&s->picks, &pick, sizeof pick) < 0)
            return -1;
    }
    return 0;
}

int score_picked(struct schedule *s, const struct wanted *w)
{
    struct lane *l = w->lane;
    struct request *r = l->request;
    const struct engine_branch *b = branch_of(l);
    int i, end;
    for (asked(l, &i, &end); i < end; i++)
        if (b->continuations[i].len > 0 && !isfinite(b->logprobs[i][w->token]))
            return fail(FAIL_MODEL, "the model's logits are not finite");
    if (l->continuation < 0)
        r->finished += short_ones(b);
    else if (w->token == b->continuations[l->continuation].len - 1)
        r->finished++;
    else
        return 0;
    if (!take(l))
        schedule_lane_end(s, l);
    return 0;
}
