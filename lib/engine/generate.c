/* generate.c: samples of a request: each a lane that draws a token and feeds it back. */
#include "engine/device_memory.h"
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

/* Let a token be a sample's next one; lse is its logits' where it is asked for. */
static int keep(struct schedule *s, struct lane *l, struct drawn token, float lse)
{
    const struct sampling *p = l->request->generation->sampling;
    struct sample *sample = &l->request->samples[l->index];
    int32_t id = token.id;
    if (p->logprobs)
        sample->logprobs[sample->ids.n] = token.logit * sampler_scale(p) - lse;
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

/* Draw a lane's next token from logits on the host. */
static int draw(struct schedule *s, struct lane *l, const float *logits, float lse)
{
    const struct sampling *p = l->request->generation->sampling;
    struct sample *sample = &l->request->samples[l->index];
    size_t at = sample->ids.n;
    if (sample_room(sample, p) < 0)
        return -1;
    int32_t id = sampler_next(&l->sampler, logits, l->index, (int)at);
    if (p->top > 0)
        sampler_top(logits, s->m->config.text.vocab, sampler_scale(p), lse, p->top,
                    sample->top + at * (size_t)p->top);
    return keep(s, l, (struct drawn){id, logits[id]}, lse);
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

/* -- On the device ---------------------------------------------------------------------
 */

/* What a lane's ids were, on the device, if that matters. 0 or -1. */
static int seen_there(struct schedule *s, struct lane *l)
{
    const struct vlm *m = s->m;
    int vocab = m->config.text.vocab;
    struct arr seen = {.dev = m->dev, .type = ARR_U8, .rank = 1, .stride = 1};
    if (l->seen || !sampler_penalises(l->sampler.sampling))
        return 0;
    seen.shape[0] = vocab;
    seen.data = l->seen = m->k->alloc(m->dev, (size_t)vocab);
    if (!l->seen)
        return device_memory_fail(m->k, m->dev);
    m->k->upload(m->dev, seen, l->sampler.seen);
    return 0;
}

/* Is a row's token to be drawn on the device? */
static bool is_drawn(const struct wanted *w)
{
    return w->lane && w->request->kind == REQUEST_GENERATE && !w->request->failed &&
           w->request->generation->sampling->top <= DRAWING_TOP;
}

/* How the rows of wants are drawn from; number of these. */
static int list_draws(struct schedule *s, const struct wanted *wants, int count)
{
    struct drawing *g = &s->drawing;
    int n = 0;
    g->top = 0;
    for (int i = 0; i < count; i++) {
        const struct wanted *w = &wants[i];
        g->at[i] = -1;
        g->scale[i] = 0;
        if (!is_drawn(w))
            continue;
        const struct sampling *p = w->request->generation->sampling;
        if (seen_there(s, w->lane) < 0) {
            request_fail(w->request);
            continue;
        }
        g->how[n] = sampler_draw(p, w->lane->index,
                                 (int)w->request->samples[w->lane->index].ids.n);
        g->how[n].row = i;
        g->how[n].seen = w->lane->seen;
        g->at[i] = n++;
        g->top = p->top > g->top ? p->top : g->top;
        if (p->logprobs || p->top > 0)
            g->scale[i] = sampler_scale(p);
    }
    return n;
}

int generate_draw(struct schedule *s, struct arr logits, const struct wanted *wants,
                  int count)
{
    const struct vlm *m = s->m;
    struct drawing *g = &s->drawing;
    const char *why = "";
    int n = m->k->draw ? list_draws(s, wants, count) : 0;
    if (n == 0) {
        for (int i = 0; i < count; i++) g->at[i] = -1;
        return 0;
    }
    text_logsumexps(&s->text, logits, g->scale, g->lse);
    m->k->draw(m->dev, g->drawn, logits, g->how, n, g->top);
    return m->k->sync(m->dev, &why) < 0 ? fail(FAIL_INTERNAL, "%s", why) : 0;
}

int generate_drawn(struct schedule *s, struct lane *l, int row)
{
    const struct sampling *p = l->request->generation->sampling;
    struct sample *sample = &l->request->samples[l->index];
    const struct drawing *g = &s->drawing;
    const struct drawn *d = g->drawn + g->at[row] * (1 + g->top);
    size_t at = sample->ids.n;
    if (d->id < 0)
        return fail(FAIL_MODEL, "the model's logits are not finite");
    if (sample_room(sample, p) < 0)
        return -1;
    sampler_took(&l->sampler, d->id);
    for (int i = 0; i < p->top; i++)
        sample->top[at * (size_t)p->top + (size_t)i] = (struct token_chance){
            d[1 + i].id, d[1 + i].logit * g->scale[row] - g->lse[row]};
    if (keep(s, l, *d, g->lse[row]) < 0)
        return -1;
    end_if_finished(s, l);
    return 0;
}
