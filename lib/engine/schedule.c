/* schedule.c: see schedule.h. */
#include "engine/schedule.h"
#include "engine/vision.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Patches of a large picture (16 megapixels at 14 pixels a side are twice as many). */
enum { PICTURE_PATCHES = 1 << 15 };

/* What keys and values may take. */
static int64_t pool_room(const struct model_config *mc, enum arr_type act, int ctx,
                         int max_batch, const struct dev_memory *memory)
{
    if (memory->bound == 0)
        return memory->room;
    int chunk = text_chunk(&mc->text, act, memory->bound);
    int64_t most =
        text_scratch(&mc->text, act, chunk + max_batch, max_batch + 1, kv_pages_for(ctx));
    int64_t left = memory->room - most, pictures = 0;
    if (mc->vision.depth > 0)
        pictures = vision_scratch(&mc->vision, act, PICTURE_PATCHES);
    return left - (pictures < left / 4 ? pictures : left / 4);
}

int64_t schedule_pages(const struct model_config *mc, enum arr_type act, int ctx,
                       int max_batch, const struct dev_memory *memory)
{
    int64_t want = ((int64_t)kv_pages_for(ctx) + 1) * max_batch;
    int64_t room = pool_room(mc, act, ctx, max_batch, memory) /
                   (kv_position_bytes(&mc->text, act) * KV_PAGE);
    int64_t limit = INT32_MAX / KV_PAGE; /* slots are int32 */
    room = room < limit ? room : limit;
    return want < room ? want : room;
}

static int kv_open_some(struct schedule *s, int64_t pages)
{
    const struct text_config *tc = &s->m->config.text;
    pages = pages < KV_LEAST ? KV_LEAST : pages;
    while (kv_open(&s->kv, s->m->k, s->m->dev, s->m->act, tc, (int)pages) < 0)
        if ((pages /= 2) < KV_LEAST)
            return -1;
    /* a prompt's last page is copied for a lane: one page more than its positions fill */
    if (s->ctx > (s->kv.pages - 1) * (int64_t)KV_PAGE)
        s->ctx = (s->kv.pages - 1) * KV_PAGE;
    return 0;
}

int schedule_open(struct schedule *s, const struct vlm *m, int ctx, int max_batch)
{
    const struct text_config *tc = &m->config.text;
    *s =
        (struct schedule){.m = m, .ctx = ctx ? ctx : tc->context, .max_batch = max_batch};
    struct dev_memory memory;
    m->k->memory(m->dev, &memory);
    if (kv_open_some(s, schedule_pages(&m->config, m->act, s->ctx, max_batch, &memory)) <
        0)
        return -1;
    s->chunk = text_chunk(tc, m->act, memory.bound);
    s->wanted = calloc((size_t)(s->chunk + max_batch), sizeof *s->wanted);
    s->row = malloc((size_t)tc->vocab * sizeof *s->row);
    if (!s->wanted || !s->row) {
        schedule_close(s);
        return fail_memory();
    }
    if (text_open(&s->text, m, &s->kv) < 0 ||
        sampler_work_open(&s->work, tc->vocab) < 0) {
        schedule_close(s);
        return -1;
    }
    return 0;
}

void schedule_close(struct schedule *s)
{
    if (s->text.m)
        text_close(&s->text);
    sampler_work_close(&s->work);
    pass_free(&s->pass);
    free(s->picks.items);
    prefix_close(&s->kv);
    kv_close(&s->kv);
    free(s->wanted);
    free(s->row);
    *s = (struct schedule){0};
}

int schedule_share(struct schedule *s)
{
    return prefix_open(&s->kv);
}

int schedule_finite(const float *logits, int n)
{
    bool bad = false;
    for (int i = 0; i < n; i++) bad |= !(fabsf(logits[i]) <= FLT_MAX);
    return bad ? fail(FAIL_MODEL, "the model's logits are not finite") : 0;
}

/* -- Lanes ----------------------------------------------------------------------------
 */

struct lane *schedule_lane(struct schedule *s, struct request *r, int index,
                           const struct lane *from, int fed, bool *failed)
{
    const struct kv_pages *pages = from ? &from->pages : &r->pages;
    int reserved = -1;
    *failed = false;
    if (!r->lane_free) {
        if (s->slots >= s->max_batch || !kv_reserve(&s->kv, r->lane_pages))
            return NULL;
        s->slots++;
        reserved = r->lane_pages;
    }
    struct lane *l = calloc(1, sizeof *l);
    if (l) {
        struct lane **end = &r->lanes;
        *l = (struct lane){.request = r,
                           .index = index,
                           .continuation = -1,
                           .reserved = reserved,
                           .fed = fed};
        while (*end) end = &(*end)->next;
        *end = l;
        if (reserved < 0)
            r->lane_free = false;
        *failed = kv_fork(&s->kv, &l->pages, pages, r->prompt->len + fed) < 0;
        return *failed ? NULL : l; /* a failed request ends its lanes itself */
    }
    if (reserved >= 0) {
        s->slots--;
        kv_release(&s->kv, reserved);
    }
    *failed = true;
    fail_memory();
    return NULL;
}

void schedule_lane_end(struct schedule *s, struct lane *l)
{
    struct lane **at = &l->request->lanes;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    kv_drop(&s->kv, &l->pages);
    sampler_close(&l->sampler);
    if (l->seen)
        s->m->k->release(s->m->dev, l->seen, (size_t)s->m->config.text.vocab);
    if (l->reserved >= 0) {
        s->slots--;
        kv_release(&s->kv, l->reserved);
    } else {
        l->request->lane_free = true;
    }
    free(l);
}

int schedule_lane_pages(struct schedule *s, struct lane *l, int fed)
{
    if (kv_grow(&s->kv, &l->pages, l->request->prompt->len + fed) < 0)
        return -1;
    return pass_sequence(&s->pass, &l->pages);
}

int schedule_lane_row(struct schedule *s, struct lane *l, int sequence, int32_t id,
                      int fed)
{
    int place = l->request->prompt->len + fed, position = place + l->request->rope_delta;
    struct pass_row row = {id, sequence, place, {position, position, position}};
    return pass_row(&s->pass, &row);
}

int schedule_want(struct schedule *s, struct request *r, struct lane *l, int token)
{
    s->wanted[s->pass.wants.count] = (struct wanted){r, l, token};
    return pass_want(&s->pass);
}

/* -- Admission ------------------------------------------------------------------------
 */

int request_limit(const struct request *r, int ctx)
{
    int room = ctx - r->prompt->len, most = r->generation->sampling->max_tokens;
    return most < room ? most : room;
}

void request_fail(struct request *r)
{
    r->failed = true;
    fail_save(&r->failure);
}

/* Positions behind the prompt that a lane's keys and values take at most. */
static int lane_positions(const struct request *r, int ctx)
{
    int most = 0;
    if (r->kind == REQUEST_SCORE)
        return score_positions(r);
    if (r->kind == REQUEST_GENERATE)
        most = request_limit(r, ctx);
    return most > 1 ? most - 1 : 0; /* the last token is not fed */
}

/* Give back all that a request holds. */
static void give_back(struct schedule *s, struct request *r)
{
    while (r->lanes) schedule_lane_end(s, r->lanes);
    kv_drop(&s->kv, &r->pages);
    kv_release(&s->kv, r->prompt_pages + r->lane_pages);
    s->slots--;
    features_free(&r->features);
    free(r->positions);
    free(r->logits);
    free(r->taken);
    r->positions = NULL;
    r->logits = NULL;
    r->taken = NULL;
}

/* What a request needs before its first pass. */
static int begin(struct schedule *s, struct request *r)
{
    const struct model_config *mc = &s->m->config;
    r->positions = malloc((size_t)r->prompt->len * 3 * sizeof *r->positions);
    r->logits = malloc((size_t)mc->text.vocab * sizeof *r->logits);
    r->taken = calloc((size_t)r->count + 1, sizeof *r->taken);
    if (!r->positions || !r->logits || !r->taken)
        return fail_memory();
    if (engine_positions(mc, r->prompt, r->positions, &r->rope_delta) < 0)
        return -1;
    if (r->kind == REQUEST_TRACE)
        return trace_run(s, r);
    if (features_begin(&r->features, s->m, r->prompt) < 0)
        return -1;
    if (r->pictures_done)
        r->pictures_done(r->pictures_context);
    return 0;
}

static int pages_of_lane(const struct schedule *s, const struct request *r)
{
    int len = r->prompt->len;
    return kv_pages_for(len + lane_positions(r, s->ctx)) - len / KV_PAGE;
}

/* Lanes that a request's samples are still to get, beside what it holds. */
static int lanes_owed(const struct request *r)
{
    int owed = r->all - r->started - r->lane_free;
    return r->kind == REQUEST_GENERATE && !r->failed && owed > 0 ? owed : 0;
}

bool schedule_room(const struct schedule *s, const struct request *r)
{
    int64_t slots = s->slots, pages = s->kv.reserved;
    for (const struct request *a = s->active; a; a = a->next) {
        /* the tower takes one after the other, so that the first is soon done */
        if (r->prompt->picture_count > 0 && !features_done(&a->features))
            return false;
        slots += lanes_owed(a);
        pages += (int64_t)lanes_owed(a) * a->lane_pages;
    }
    pages += kv_pages_for(r->prompt->len) + pages_of_lane(s, r);
    return slots < s->max_batch && pages <= s->kv.pages;
}

int schedule_admit(struct schedule *s, struct request *r)
{
    bool room = schedule_room(s, r);
    assert(room);
    (void)room;
    r->prompt_pages = kv_pages_for(r->prompt->len);
    r->lane_pages = pages_of_lane(s, r);
    kv_reserve(&s->kv, r->prompt_pages + r->lane_pages);
    s->slots++;
    r->lane_free = true;
    r->next = NULL;
    if (begin(s, r) < 0) {
        request_fail(r);
        give_back(s, r);
        return -1;
    }
    struct request **end = &s->active;
    while (*end) end = &(*end)->next;
    *end = r;
    return 0;
}

/* -- A step ---------------------------------------------------------------------------
 */

int schedule_prompt_row(struct schedule *s, struct request *r, int sequence)
{
    const struct model_config *mc = &s->m->config;
    int at = r->fed++, len = r->prompt->len;
    const int32_t *position = r->positions + at;
    struct pass_row row = {r->prompt->ids[at],
                           sequence,
                           at,
                           {position[0], position[len], position[2 * len]}};
    if (pass_row(&s->pass, &row) < 0)
        return -1;
    if (mc->vision.depth > 0 && row.id == mc->image_id)
        return pass_feature(&s->pass, &r->features, r->pictured++);
    return 0;
}

/* Tokens in front of a prompt's pictures: what other prompts may have in common. */
static int words_first(const struct schedule *s, const struct request *r)
{
    const struct model_config *mc = &s->m->config;
    int n = 0;
    if (mc->vision.depth == 0)
        return r->prompt->len;
    while (n < r->prompt->len && r->prompt->ids[n] != mc->image_id) n++;
    return n;
}

/* Begin a prompt with what is there of it. Its last row is computed in any case: its
 * logits are asked for. 0 or -1. */
static int take_over(struct schedule *s, struct request *r)
{
    int limit = words_first(s, r), most = r->prompt->len - 1;
    int taken = prefix_take(&s->kv, &r->pages, r->prompt->ids,
                            limit < most ? limit : most, &s->pass);
    if (taken < 0)
        return -1;
    r->fed = taken;
    s->rows.shared += taken;
    return 0;
}

static int prompt_rows(struct schedule *s, struct request *r)
{
    if (s->rows_left == 0)
        return 0;
    if (r->fed == 0 && take_over(s, r) < 0)
        return -1;
    features_join(&r->features);
    int rows = r->prompt->len - r->fed;
    if (rows > s->rows_left)
        rows = s->rows_left;
    if (kv_grow(&s->kv, &r->pages, r->fed + rows) < 0)
        return -1;
    int sequence = pass_sequence(&s->pass, &r->pages);
    if (sequence < 0)
        return -1;
    for (int i = 0; i < rows; i++)
        if (schedule_prompt_row(s, r, sequence) < 0)
            return -1;
    s->rows_left -= rows;
    if (r->fed < r->prompt->len)
        return 0;
    prefix_learn(&s->kv, &r->pages, r->prompt->ids, words_first(s, r));
    return schedule_want(s, r, NULL, 0);
}

static int request_rows(struct schedule *s, struct request *r)
{
    if (r->fed < r->prompt->len)
        return prompt_rows(s, r);
    if (r->kind == REQUEST_SCORE)
        return score_rows(s, r);
    return generate_start(s, r) < 0 ? -1 : generate_rows(s, r);
}

/* The prompt is computed: keep its logits, which all lanes begin with. */
static int prompt_logits(struct schedule *s, struct request *r, struct arr logits,
                         int row)
{
    const struct sampling *p =
        r->kind == REQUEST_GENERATE ? r->generation->sampling : NULL;
    s->m->k->download(s->m->dev, r->logits, arr_rows(logits, row, 1));
    if (schedule_finite(r->logits, s->m->config.text.vocab) < 0)
        return -1;
    r->lse = text_logsumexp(&s->text, logits, row, p ? sampler_scale(p) : 1);
    features_free(&r->features);
    return r->kind == REQUEST_SCORE ? score_start(r) : 0;
}

/* The logits of up to TEXT_LOGITS wants, to those who want them. */
static void deliver(struct schedule *s, int first, int count)
{
    struct arr logits = text_logits(&s->text, first, count);
    s->picks.count = 0;
    for (int i = 0; i < count; i++) {
        const struct wanted *w = &s->wanted[first + i];
        if (w->request->kind == REQUEST_SCORE && w->lane && !w->request->failed &&
            score_picks(s, w, i) < 0)
            request_fail(w->request);
    }
    if (s->picks.count > 0)
        text_logprobs(&s->text, logits, s->picks.items, s->picks.count);
    int drawn = generate_draw(s, logits, s->wanted + first, count);
    for (int i = 0; i < count; i++) {
        const struct wanted *w = &s->wanted[first + i];
        int status = 0;
        if (w->request->failed)
            continue;
        if (!w->lane)
            status = prompt_logits(s, w->request, logits, i);
        else if (w->request->kind == REQUEST_SCORE)
            status = score_picked(s, w);
        else if (s->drawing.at[i] < 0)
            status = generate_logits(s, w->lane, logits, i);
        else
            status = drawn < 0 ? -1 : generate_drawn(s, w->lane, i);
        if (status < 0)
            request_fail(w->request);
    }
}

static void compute(struct schedule *s)
{
    if (text_forward(&s->text, &s->pass, NULL) < 0) {
        for (struct request *r = s->active; r; r = r->next)
            if (!r->failed)
                request_fail(r);
        prefix_forget(&s->kv); /* the pages that it should have filled */
        return;
    }
    s->rows.computed += s->pass.rows.count;
    s->rows.replayed = s->text.replays.replayed;
    int wants = s->pass.wants.count;
    for (int at = 0; at < wants; at += TEXT_LOGITS)
        deliver(s, at, wants - at < TEXT_LOGITS ? wants - at : TEXT_LOGITS);
}

static bool ended_now(const struct request *r)
{
    return r->failed || (r->fed == r->prompt->len && r->finished == r->all);
}

void schedule_step(struct schedule *s, void (*ended)(void *context, struct request *r),
                   void *context)
{
    pass_clear(&s->pass);
    s->rows_left = s->chunk;
    struct request *waits = NULL; /* the first whose pictures are with the tower */
    for (struct request *r = s->active; r; r = r->next) {
        if (ended_now(r)) /* a trace */
            continue;
        if (r->abandon && r->abandon(r->abandon_context)) {
            fail(FAIL_REFUSED, "interrupted");
            request_fail(r);
        } else if (!features_done(&r->features)) {
            waits = waits ? waits : r;
        } else if (request_rows(s, r) < 0) {
            request_fail(r);
        }
    }
    if (waits && s->pass.rows.count == 0 && request_rows(s, waits) < 0)
        request_fail(waits);
    if (s->pass.rows.count > 0)
        compute(s);
    for (struct request **at = &s->active; *at;) {
        struct request *r = *at;
        if (!ended_now(r)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        give_back(s, r);
        ended(context, r);
    }
}
