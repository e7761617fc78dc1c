/* generate.c: samples of a request: each a lane that draws a token and feeds it back. */
#include "engine/schedule.h"

#include <stdlib.h>

static bool is_stop(const struct model_config *mc, int32_t id)
{
    for (int i = 0; i < mc->stop_count; i++)
        if (mc->stop[i] == id)
            return true;
    return false;
}

/* Make room for one more token (and an end token's logprob) in a sample. 0 or -1. */
static int sample_room(struct sample *s, const struct sampling *p)
{
    size_t n = s->ids.n + 2;
    if (n & (n - 1)) /* there is: the lists double whenever n is a power of two */
        return 0;
    if (p->logprobs) {
        float *list = realloc(s->logprobs, 2 * n * sizeof *list);
        if (!list)
            return fail_memory();
        s->logprobs = list;
    }
    if (p->top > 0) {
        struct token_chance *list =
            realloc(s->top, 2 * n * (size_t)p->top * sizeof *list);
        if (!list)
            return fail_memory();
        s->top = list;
    }
    return 0;
}

/* After a token was kept: is the sample at its end? */
static void check_end(struct schedule *s, struct lane *l, int32_t id)
{
    const struct engine_generation *g = l->request->generation;
    struct sample *sample = &l->request->samples[l->index];
    bool loops = g->sampling->loop_stop && loop_add(&l->loop, id);
    int count = (int)sample->ids.n;
    l->finished = true;
    if (g->stop && g->stop(g->stop_context, l->index, sample->ids.id, count))
        sample->finish = FINISH_STOP_TEXT;
    else if (loops)
        sample->finish = FINISH_REPETITION;
    else if (count >= request_limit(l->request, s->ctx))
        sample->finish = FINISH_LENGTH;
    else
        l->finished = false;
}

/* Draw a lane's next token from logits on the host; lse is theirs where it is asked for.
 */
static int draw(struct schedule *s, struct lane *l, const float *logits, float lse)
{
    const struct sampling *p = l->request->generation->sampling;
    struct sample *sample = &l->request->samples[l->index];
    int at = (int)sample->ids.n, vocab = s->m->config.text.vocab;
    float scale = sampler_scale(p);
    if (sample_room(sample, p) < 0)
        return -1;
    int32_t id = sampler_next(&l->sampler, logits, l->index, at);
    if (p->logprobs)
        sample->logprobs[at] = logits[id] * scale - lse;
    if (p->top > 0)
        sampler_top(logits, vocab, scale, lse, p->top,
                    sample->top + (size_t)at * (size_t)p->top);
    if (!p->ignore_eos && is_stop(&s->m->config, id)) {
        sample->finish = FINISH_STOP;
        sample->end_id = id;
        l->finished = true;
        return 0;
    }
    if (ids_add(&sample->ids, id) < 0)
        return fail_memory();
    l->token = id;
    check_end(s, l, id);
    return 0;
}

/* Close a lane whose sample is finished. */
static void end_if_finished(struct schedule *s, struct lane *l)
{
    struct request *r = l->request;
    if (!l->finished)
        return;
    schedule_lane_end(s, l);
    r->finished++;
}

int generate_start(struct schedule *s, struct request *r)
{
    const struct engine_generation *g = r->generation;
    while (r->started < g->n) {
        bool failed;
        struct lane *l = schedule_lane(s, r, r->started, NULL, 0, &failed);
        if (!l)
            return failed ? -1 : 0;
        struct sample *sample = &r->samples[r->started++];
        sample->end_id = -1;
        sample->finish = FINISH_LENGTH;
        if (sampler_open(&l->sampler, &s->work, g->sampling, r->prompt->ids,
                         r->prompt->len) < 0)
            return -1;
        if (request_limit(r, s->ctx) == 0)
            l->finished = true;
        else if (draw(s, l, r->logits, r->lse) < 0)
            return -1;
        end_if_finished(s, l);
    }
    return 0;
}

int generate_rows(struct schedule *s, struct request *r)
{
    for (struct lane *l = r->lanes; l; l = l->next) {
        int sequence = schedule_lane_pages(s, l, l->fed + 1);
        if (sequence < 0 || schedule_lane_row(s, l, sequence, l->token, l->fed++) < 0 ||
            schedule_want(s, r, l, 0) < 0)
            return -1;
    }
    return 0;
}

int generate_logits(struct schedule *s, struct lane *l, struct arr logits, int row)
{
    const struct sampling *p = l->request->generation->sampling;
    float lse = 0;
    s->m->k->download(s->m->dev, s->row, arr_rows(logits, row, 1));
    if (schedule_finite(s->row, s->m->config.text.vocab) < 0)
        return -1;
    if (p->logprobs || p->top > 0)
        lse = text_logsumexp(&s->text, logits, row, sampler_scale(p));
    if (draw(s, l, s->row, lse) < 0)
        return -1;
    end_if_finished(s, l);
    return 0;
}
