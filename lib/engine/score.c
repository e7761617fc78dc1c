/* score.c: probabilities of given continuations, each a lane that is fed its own tokens.
 */
#include "engine/schedule.h"

#include <math.h>

/* The first tokens need no lane: their logits are those behind the prompt. A continuation
 * of one token is done with that. */
int score_start(struct schedule *s, struct request *r)
{
    (void)s;
    for (int i = 0; i < r->count; i++) {
        const struct engine_continuation *c = &r->continuations[i];
        if (c->len > 0)
            r->logprobs[i][0] = r->logits[c->ids[0]] - r->lse;
    }
    return 0;
}

/* Rows of one lane, as far as this pass has room. The last token of a continuation is not
 * fed: nothing is asked behind it. */
static int lane_rows(struct schedule *s, struct lane *l)
{
    struct request *r = l->request;
    const struct engine_continuation *c = &r->continuations[l->index];
    int rows = c->len - 1 - l->fed;
    if (rows > s->rows_left)
        rows = s->rows_left;
    if (rows == 0)
        return 0;
    int sequence = schedule_lane_pages(s, l, l->fed + rows);
    if (sequence < 0)
        return -1;
    for (int i = 0; i < rows; i++, l->fed++)
        if (schedule_lane_row(s, l, sequence, c->ids[l->fed], l->fed) < 0 ||
            schedule_want(s, r, l, l->fed + 1) < 0)
            return -1;
    s->rows_left -= rows;
    return 0;
}

int score_rows(struct schedule *s, struct request *r)
{
    for (struct lane *l = r->lanes; l; l = l->next)
        if (lane_rows(s, l) < 0)
            return -1;
    while (r->started < r->count && s->rows_left > 0) {
        bool failed;
        if (r->continuations[r->started].len <= 1) { /* done in score_start() */
            r->started++;
            r->finished++;
            continue;
        }
        struct lane *l = schedule_lane(s, r, r->started, &failed);
        if (!l)
            return failed ? -1 : 0;
        r->started++;
        if (lane_rows(s, l) < 0)
            return -1;
    }
    return 0;
}

int score_logprob(struct schedule *s, const struct wanted *w, float logprob)
{
    struct request *r = w->request;
    if (!isfinite(logprob))
        return fail(FAIL_MODEL, "the model's logits are not finite");
    r->logprobs[w->lane->index][w->token] = logprob;
    if (w->token == r->continuations[w->lane->index].len - 1) {
        schedule_lane_end(s, w->lane);
        r->finished++;
    }
    return 0;
}
