/* engine.c: see engine.h. Threads that ask queue their requests here; one thread
 * computes. */
#include "engine/engine.h"
#include "base/fail.h"
#include "base/processors.h"
#include "engine/handover.h"
#include "engine/prefix.h"
#include "engine/schedule.h"

#include <stdlib.h>
#include <string.h>

/* Other weights are wanted: answered on the engine's thread. */
struct reload {
    const char *dir; /* of weights, or (version >= 0) of a hand-over */
    int64_t version;
    bool done;
    int status;
    struct failure why;
    pthread_cond_t wake;
};

struct engine {
    struct vlm *m;
    struct schedule schedule;
    char hash[33];
    const char *lacks; /* of the device; NULL: nothing */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;    /* guards what follows, and done of every request */
    struct engine_rows rows; /* the schedule's, when a request last ended */
    pthread_cond_t work;     /* the queue has something, or closing */
    struct request *queue;
    struct reload *reload; /* asked for */
    bool closing;
};

static void end_request(void *context, struct request *r)
{
    struct engine *e = context;
    pthread_mutex_lock(&e->lock);
    e->rows = e->schedule.rows;
    r->done = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&e->lock);
}

/* Cut abandoned requests from the queue. The lock is held. */
static void drop_abandoned(struct engine *e)
{
    for (struct request **at = &e->queue; *at;) {
        struct request *r = *at;
        if (!r->abandon || !r->abandon(r->abandon_context)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        fail(FAIL_REFUSED, "interrupted");
        request_fail(r);
        r->done = true;
        pthread_cond_signal(&r->wake);
    }
}

/* Admit from the head of the queue while there is room. The lock is held, but not while a
 * request is taken in (its pictures are computed then). */
static void admit(struct engine *e)
{
    while (e->queue) {
        struct request *r = e->queue; /* stays the head: others only append */
        pthread_mutex_unlock(&e->lock);
        bool room = schedule_room(&e->schedule, r);
        pthread_mutex_lock(&e->lock);
        if (!room)
            return;
        e->queue = r->next;
        pthread_mutex_unlock(&e->lock);
        if (schedule_admit(&e->schedule, r) < 0)
            end_request(e, r);
        pthread_mutex_lock(&e->lock);
    }
}

static int reload_files(struct engine *e, const char *dir)
{
    char hash[33];
    struct weights *w = weights_open(dir);
    int status = w ? weights_hash(w, dir, hash) : -1;
    weights_close(w);
    if (status < 0)
        return -1;
    if (strcmp(hash, e->hash) != 0)
        return fail(FAIL_MODEL,
                    "%s: another config or other shapes of weights than those in use",
                    dir);
    prefix_forget(&e->schedule.kv); /* keys and values of the weights before */
    return vlm_reload(e->m, dir);
}

static int take(struct engine *e, const char *folder, int64_t version)
{
    int status = handover_take(folder, e->m, e->hash, version);
    if (status != 0)
        prefix_forget(&e->schedule.kv);
    return status;
}

/* The lock is held, and nothing is active. */
static void reload(struct engine *e)
{
    struct reload *r = e->reload;
    text_forget(&e->schedule.text); /* it says where the weights are */
    r->status = r->version < 0 ? reload_files(e, r->dir) : take(e, r->dir, r->version);
    if (r->status < 0)
        fail_save(&r->why);
    e->reload = NULL;
    r->done = true;
    pthread_cond_signal(&r->wake);
}

static void *serve(void *context)
{
    struct engine *e = context;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        while (!e->closing && !e->queue && !e->reload && !e->schedule.active)
            pthread_cond_wait(&e->work, &e->lock);
        if (e->closing)
            break;
        drop_abandoned(e);
        if (e->reload && !e->schedule.active) {
            reload(e);
            continue;
        }
        if (!e->reload) /* else what has begun comes to its end, and no more begins */
            admit(e);
        pthread_mutex_unlock(&e->lock);
        schedule_step(&e->schedule, end_request, e);
        pthread_mutex_lock(&e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* Queue a request and wait for its end. 0, or -1 with its failure as this thread's. */
static int ask(struct engine *e, struct request *r)
{
    pthread_cond_init(&r->wake, NULL);
    pthread_mutex_lock(&e->lock);
    struct request **end = &e->queue;
    while (*end) end = &(*end)->next;
    *end = r;
    pthread_cond_signal(&e->work);
    while (!r->done) pthread_cond_wait(&r->wake, &e->lock);
    pthread_mutex_unlock(&e->lock);
    pthread_cond_destroy(&r->wake);
    return r->failed ? fail_again(&r->failure) : 0;
}

/* Have it done by the engine's thread. Its status. */
static int reload_ask(struct engine *e, struct reload r)
{
    pthread_cond_init(&r.wake, NULL);
    pthread_mutex_lock(&e->lock);
    /* cppcheck-suppress autoVariables  # taken back before this returns */
    e->reload = &r;
    pthread_cond_signal(&e->work);
    while (!r.done) pthread_cond_wait(&r.wake, &e->lock);
    pthread_mutex_unlock(&e->lock);
    pthread_cond_destroy(&r.wake);
    if (r.status < 0)
        fail_again(&r.why);
    return r.status;
}

int engine_reload(struct engine *e, const char *dir)
{
    return reload_ask(e, (struct reload){.dir = dir, .version = -1});
}

int engine_take(struct engine *e, const char *folder, int64_t version)
{
    return reload_ask(e, (struct reload){.dir = folder, .version = version});
}

int engine_ctx_check(const struct model_config *mc, int ctx)
{
    if (ctx < 0 || ctx > mc->text.context)
        return fail(FAIL_REFUSED, "a context of %d is beyond the model's %d", ctx,
                    mc->text.context);
    return 0;
}

/* The options in force: defaults filled in. 0, or -1 (class refused). */
static int options_check(struct engine_options *o, const struct model_config *mc)
{
    if (o->threads < 0 || o->threads > ENGINE_THREADS_MAX)
        return fail(FAIL_REFUSED, "%d threads are not in 0 to %d", o->threads,
                    ENGINE_THREADS_MAX);
    if (o->max_batch < 0 || o->max_batch > ENGINE_BATCH_MAX)
        return fail(FAIL_REFUSED, "a batch of %d is not in 0 to %d", o->max_batch,
                    ENGINE_BATCH_MAX);
    if (engine_ctx_check(mc, o->ctx) < 0)
        return -1;
    if (o->threads == 0)
        o->threads = processors_usable();
    if (o->max_batch == 0)
        o->max_batch = ENGINE_BATCH;
    if (o->ctx == 0)
        o->ctx = mc->text.context;
    return 0;
}

static int start(struct engine *e, const char *dir, const struct engine_options *options)
{
    struct engine_options o = *options;
    struct model_config mc;
    if (config_read(&mc, dir) < 0 || options_check(&o, &mc) < 0)
        return -1;
    const struct vlm_device on = {
        .name = o.device, .threads = o.threads, .compute = o.compute};
    if (!(e->m = vlm_open(dir, &on)))
        return -1;
    if (weights_hash(e->m->weights, dir, e->hash) < 0 ||
        schedule_open(&e->schedule, e->m, o.ctx, o.max_batch) < 0 ||
        (!o.unshared && schedule_share(&e->schedule) < 0))
        return -1;
    e->lacks = vlm_lacks(e->m->k, e->m->dev);
    int error = pthread_create(&e->thread, NULL, serve, e);
    if (error)
        return fail(FAIL_INTERNAL, "no thread: %s", strerror(error));
    e->running = true;
    return 0;
}

struct engine *engine_open(const char *dir, const struct engine_options *options)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e) {
        fail_memory();
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    if (start(e, dir, options) < 0) {
        engine_close(e);
        return NULL;
    }
    return e;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    if (e->running) {
        pthread_mutex_lock(&e->lock);
        e->closing = true;
        pthread_cond_signal(&e->work);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    schedule_close(&e->schedule);
    vlm_close(e->m);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

const struct model_config *engine_config(const struct engine *e)
{
    return &e->m->config;
}

const char *engine_hash(const struct engine *e)
{
    return e->hash;
}

const char *engine_kernels(const struct engine *e)
{
    return e->m->k->name;
}

const char *engine_lacks(const struct engine *e)
{
    return e->lacks;
}

int engine_ctx(const struct engine *e)
{
    return e->schedule.ctx;
}

struct engine_rows engine_rows(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct engine_rows rows = e->rows;
    pthread_mutex_unlock(&e->lock);
    return rows;
}

/* Does a prompt fit model and context? 0 or -1. */
static int prompt_check(const struct engine *e, const struct engine_prompt *prompt)
{
    if (prompt->len > e->schedule.ctx)
        return fail(FAIL_TOO_LONG, "prompt of %d tokens does not fit the context of %d",
                    prompt->len, e->schedule.ctx);
    return positions_check(&e->m->config, prompt);
}

void sample_free(struct sample *s)
{
    ids_free(&s->ids);
    free(s->logprobs);
    free(s->top);
    *s = (struct sample){.end_id = -1};
}

int engine_generate(struct engine *e, const struct engine_generation *g,
                    struct sample *samples)
{
    struct request r = {.kind = REQUEST_GENERATE,
                        .prompt = g->prompt,
                        .generation = g,
                        .samples = samples,
                        .all = g->n,
                        .pictures_done = g->pictures_done,
                        .pictures_context = g->pictures_context,
                        .abandon = g->abandon,
                        .abandon_context = g->abandon_context};
    for (int i = 0; i < g->n; i++) samples[i] = (struct sample){.end_id = -1};
    if (g->n < 1)
        return fail(FAIL_TYPE, "n %d is below 1", g->n);
    if (sampler_check(g->sampling, e->m->config.text.vocab) < 0 ||
        prompt_check(e, g->prompt) < 0)
        return -1;
    if (g->prompt->len == e->schedule.ctx) /* an empty text would be an invented one */
        return fail(FAIL_TOO_LONG,
                    "prompt of %d tokens leaves no room in the context of %d",
                    g->prompt->len, e->schedule.ctx);
    if (ask(e, &r) == 0)
        return 0;
    for (int i = 0; i < g->n; i++) sample_free(&samples[i]);
    return -1;
}

static int ids_check(const struct engine *e, const int32_t *ids, int len)
{
    int vocab = e->m->config.text.vocab;
    for (int i = 0; i < len; i++)
        if (ids[i] < 0 || ids[i] >= vocab)
            return fail(FAIL_MODEL, "token id %d is not in the vocabulary of %d", ids[i],
                        vocab);
    return 0;
}

/* Does a branch fit behind its prompt, with each of its continuations? 0 or -1. */
static int branch_check(const struct engine *e, const struct engine_prompt *prompt,
                        const struct engine_branch *b)
{
    int ctx = e->schedule.ctx, room = ctx - prompt->len;
    if (b->len < 0 || b->len > room)
        return fail(FAIL_TOO_LONG,
                    "prompt of %d tokens with %d behind it does not fit the context of "
                    "%d",
                    prompt->len, b->len, ctx);
    if (ids_check(e, b->ids, b->len) < 0)
        return -1;
    for (int i = 0; i < b->count; i++) {
        const struct engine_continuation *c = &b->continuations[i];
        if (c->len < 0 || c->len > room - b->len)
            return fail(FAIL_TOO_LONG,
                        "prompt of %d tokens with a continuation of %d does not fit the "
                        "context of %d",
                        prompt->len + b->len, c->len, ctx);
        if (ids_check(e, c->ids, c->len) < 0)
            return -1;
    }
    return 0;
}

int engine_score_branches(struct engine *e, const struct engine_scoring *s)
{
    struct request r = {.kind = REQUEST_SCORE,
                        .prompt = s->prompt,
                        .branches = s->branches,
                        .count = s->count,
                        .pictures_done = s->pictures_done,
                        .pictures_context = s->pictures_context,
                        .abandon = s->abandon,
                        .abandon_context = s->abandon_context};
    if (prompt_check(e, s->prompt) < 0)
        return -1;
    for (int i = 0; i < s->count; i++) {
        if (branch_check(e, s->prompt, &s->branches[i]) < 0)
            return -1;
        r.all += s->branches[i].count;
    }
    return ask(e, &r);
}

int engine_score(struct engine *e, const struct engine_prompt *prompt,
                 const struct engine_continuation *continuations, int count,
                 float *const *logprobs)
{
    struct engine_branch branch = {
        .continuations = continuations, .count = count, .logprobs = logprobs};
    return engine_score_branches(
        e, &(struct engine_scoring){.prompt = prompt, .branches = &branch, .count = 1});
}

int engine_trace(struct engine *e, const struct engine_prompt *prompt,
                 engine_probe *probe, void *context)
{
    struct request r = {
        .kind = REQUEST_TRACE, .prompt = prompt, .probe = {probe, context}};
    return prompt_check(e, prompt) < 0 ? -1 : ask(e, &r);
}
