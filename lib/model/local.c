/* local.c: see local.h. Prompts are made on the caller's thread, so that pictures of
 * several rows are decoded side by side; the engine computes on its own. */
#include "base/fail.h"
#include "base/processors.h"
#include "model/local_own.h"
#include "model/stop.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- Seats ----------------------------------------------------------------------------
 */

static bool has_pictures(const struct request *r)
{
    for (int t = 0; t < r->count; t++)
        for (int i = 0; i < r->turns[t].count; i++)
            if (r->turns[t].parts[i].picture)
                return true;
    return false;
}

static void seat_take(struct local *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->seats == 0) pthread_cond_wait(&l->freed, &l->lock);
    l->seats--;
    pthread_mutex_unlock(&l->lock);
}

static void seat_give(struct local *l)
{
    pthread_mutex_lock(&l->lock);
    l->seats++;
    pthread_cond_signal(&l->freed);
    pthread_mutex_unlock(&l->lock);
}

int seated_make(struct seated *s, struct local *l, const struct request *r)
{
    *s = (struct seated){.l = l, .seat = has_pictures(r)};
    if (s->seat)
        seat_take(l);
    return prompt_make(&s->prompt, &l->format, r, false);
}

void seated_stand_up(void *context)
{
    struct seated *s = context;
    prompt_release_pictures(&s->prompt);
    if (s->seat)
        seat_give(s->l);
    s->seat = false;
}

void seated_free(struct seated *s)
{
    seated_stand_up(s);
    prompt_free(&s->prompt);
}

/* -- Opening --------------------------------------------------------------------------
 */

static int limit_pixels(struct patch_config *pc, const struct model_options *options)
{
    if (options->min_pixels)
        pc->min_pixels = options->min_pixels;
    if (options->max_pixels)
        pc->max_pixels = options->max_pixels;
    /* one limit alone moves the other along, so that --max-pixels 50000 just works */
    if (pc->min_pixels > pc->max_pixels) {
        if (options->min_pixels && options->max_pixels)
            return fail(FAIL_MODEL, "--min-pixels is above --max-pixels");
        if (options->max_pixels)
            pc->min_pixels = pc->max_pixels;
        else
            pc->max_pixels = pc->min_pixels;
    }
    return 0;
}

/* The tokenizer, the vocabulary and the picture settings must belong together. */
static int check_parts(const struct local *l, const char *dir)
{
    const struct model_config *mc = engine_config(l->engine);
    const struct vision_tower *v = &mc->vision;
    if (tokenizer_size(l->tokenizer) > mc->text.vocab)
        return fail(FAIL_MODEL,
                    "%s: the tokenizer has ids up to %d, the model's vocabulary "
                    "is %d",
                    dir, tokenizer_size(l->tokenizer) - 1, mc->text.vocab);
    if (v->depth && (l->patches.patch != v->patch || l->patches.merge != v->merge ||
                     l->patches.frames != v->frames))
        return fail(FAIL_MODEL,
                    "%s: the picture settings (patch %d, merge %d, frames %d) do not "
                    "fit config.json (%d, %d, %d)",
                    dir, l->patches.patch, l->patches.merge, l->patches.frames, v->patch,
                    v->merge, v->frames);
    return 0;
}

static void add_notes(struct local *l, const char *dir)
{
    struct buf path = {0};
    buf_print(&path, "%s/generation_config.json", dir);
    buf_print(&l->notes, "chat format %s%s; %s, context %d", chat_name(l->chat),
              chat_guessed(l->chat) ? " (by marks in an unknown template)" : "",
              engine_kernels(l->engine), engine_ctx(l->engine));
    if (engine_lacks(l->engine))
        buf_print(&l->notes, "; %s", engine_lacks(l->engine));
    if (buf_string(&path) && access(path.data, F_OK) == 0)
        buf_text(&l->notes,
                 "; generation_config.json's sampling settings are not applied");
    buf_free(&path);
}

static int open_parts(struct local *l, const char *dir,
                      const struct model_options *options)
{
    const struct engine_options eo = {.device = options->device,
                                      .threads = options->threads,
                                      .compute = options->compute,
                                      .ctx = options->ctx,
                                      .max_batch = options->max_batch,
                                      .unshared = options->unshared};
    l->engine = engine_open(dir, &eo);
    l->tokenizer = l->engine ? tokenizer_open(dir) : NULL;
    l->chat = l->tokenizer ? chat_open(dir, options->chat) : NULL;
    if (!l->chat)
        return -1;
    const struct model_config *mc = engine_config(l->engine);
    if (mc->vision.depth && patch_config_read(&l->patches, dir) < 0)
        return -1;
    if ((mc->vision.depth && limit_pixels(&l->patches, options) < 0) ||
        check_parts(l, dir) < 0)
        return -1;
    static const enum chat_think thinks[] = {CHAT_THINK_OFF, CHAT_THINK_DEFAULT,
                                             CHAT_THINK_ON};
    l->format =
        (struct prompt_format){l->tokenizer,
                               l->chat,
                               mc,
                               &l->patches,
                               {true, thinks[options->think + 1], options->vision_id}};
    l->workers = options->max_batch ? options->max_batch : ENGINE_BATCH;
    add_notes(l, dir);
    return buf_string(&l->notes) ? 0 : buf_ok(&l->notes);
}

struct local *local_open(const char *dir, const struct model_options *options)
{
    struct local *l = calloc(1, sizeof *l);
    if (!l)
        return fail_memory(), NULL;
    int processors = processors_usable();
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->freed, NULL);
    l->seats = processors > 7 ? 8 : processors + 1;
    if (open_parts(l, dir, options) < 0)
        return local_close(l), NULL;
    return l;
}

void local_close(struct local *l)
{
    if (!l)
        return;
    if (l->engine)
        engine_close(l->engine);
    if (l->chat)
        chat_close(l->chat);
    if (l->tokenizer)
        tokenizer_close(l->tokenizer);
    buf_free(&l->notes);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->freed);
    free(l);
}

int local_reload(struct local *l, const char *dir)
{
    return engine_reload(l->engine, dir);
}

int local_take(struct local *l, const char *folder, int64_t version)
{
    return engine_take(l->engine, folder, version);
}

const char *local_hash(const struct local *l)
{
    return engine_hash(l->engine);
}

const char *local_chat_name(const struct local *l)
{
    return chat_name(l->chat);
}

void local_pixels(const struct local *l, int64_t *least, int64_t *most)
{
    *least = l->patches.min_pixels;
    *most = l->patches.max_pixels;
}

const char *local_notes(const struct local *l)
{
    return l->notes.data;
}

int local_workers(const struct local *l)
{
    return l->workers;
}

static struct sampling sampling_of(const struct request *r)
{
    return (struct sampling){
        .temperature = r->temperature,
        .top_p = r->top_p,
        .min_p = r->min_p,
        .top_k = r->top_k,
        .repetition_penalty = r->repetition_penalty,
        .presence_penalty = r->presence_penalty,
        .max_tokens = r->max_tokens,
        .ignore_eos = r->ignore_eos,
        .loop_stop = r->loop_stop,
        .logprobs = r->want_logprobs,
        .top = r->top_logprobs,
        .key = r->key,
    };
}

/* Turn an engine's sample into a completion; takes the sample's ids and logprobs over. */
static int complete(struct completion *c, struct sample *s, const struct local *l,
                    const struct request *r)
{
    static const char *const names[] = {
        [FINISH_STOP] = "stop",
        [FINISH_LENGTH] = "length",
        [FINISH_REPETITION] = "repetition",
        [FINISH_STOP_TEXT] = "stop",
    };
    struct decoder d = {.skip_special = true};
    c->finish = names[s->finish];
    for (size_t i = 0; i < s->ids.n; i++) {
        decoder_push(&d, l->tokenizer, s->ids.id[i], &c->text);
        c->tokens += !tokenizer_is_special(l->tokenizer, s->ids.id[i]);
    }
    decoder_end(&d, &c->text);
    if (s->finish == FINISH_STOP_TEXT)
        stop_cut(&c->text, r->stop, r->stop_count);
    if (buf_ok(&c->text) < 0)
        return -1;
    if (r->want_ids) {
        if (s->end_id >= 0 && ids_add(&s->ids, s->end_id) < 0)
            return -1;
        c->ids = s->ids;
        c->logprobs = s->logprobs;
        c->top = s->top;
        s->ids = (struct ids){0};
        s->logprobs = NULL;
        s->top = NULL;
    }
    return 0;
}

int local_generate(struct local *l, const struct request *r, struct reply *reply)
{
    struct seated s;
    struct stop_watch watch = {0};
    struct sample *samples = NULL;
    int status = -1, done = 0;
    *reply = (struct reply){0};
    if (seated_make(&s, l, r) < 0)
        goto out;
    if (stop_open(&watch, l->tokenizer, r->stop, r->stop_count, r->n) < 0)
        goto out;
    samples = calloc((size_t)r->n, sizeof *samples);
    reply->completions = calloc((size_t)r->n, sizeof *reply->completions);
    if (!samples || !reply->completions) {
        fail_memory();
        goto out;
    }
    struct engine_prompt ep = prompt_view(&s.prompt);
    struct sampling sampling = sampling_of(r);
    struct engine_generation g = {
        .prompt = &ep,
        .sampling = &sampling,
        .n = r->n,
        .stop = r->stop_count ? stop_seen : NULL,
        .stop_context = &watch,
        .pictures_done = seated_stand_up,
        .pictures_context = &s,
        .abandon = r->abandon,
        .abandon_context = r->abandon_context,
    };
    if (engine_generate(l->engine, &g, samples) < 0)
        goto out;
    reply->prompt_tokens = ep.len;
    reply->count = r->n;
    for (; done < r->n; done++)
        if (complete(&reply->completions[done], &samples[done], l, r) < 0)
            goto out;
    status = 0;
out:
    for (int i = 0; samples && i < r->n; i++) sample_free(&samples[i]);
    free(samples);
    stop_close(&watch);
    seated_free(&s);
    if (status < 0)
        reply_free(reply);
    return status;
}

int local_plan(struct local *l, const struct request *r, struct request_plan *plan)
{
    struct prompt p;
    *plan = (struct request_plan){0};
    if (prompt_make(&p, &l->format, r, true) < 0)
        return prompt_free(&p), -1;
    plan->prompt_tokens = (int)p.ids.n;
    plan->pictures = p.plans;
    plan->picture_count = p.count;
    p.plans = NULL;
    prompt_free(&p);
    return 0;
}
