/* drive.c: the net's thread: starts tries as endpoints and the limit on requests in
 * flight allow, looks at what they came to, and decides what is tried again.
 */
#include "net/backoff.h"
#include "net/net_own.h"

enum {
    SWEEP_MS = 100,  /* between two looks at deadlines of calls that wait */
    IDLE_MS = 60000, /* nothing to do: until somebody wakes us */
};

static struct job_list *list_of(struct net *n, enum job_state state)
{
    return state == JOB_READY ? &n->ready : state == JOB_PAUSED ? &n->paused : &n->flying;
}

/* To another state's list, at its end; retries go to the front of those that are ready:
 * the oldest row is the one that holds up the output. */
static void move(struct net *n, struct job *j, enum job_state state, bool front)
{
    TAILQ_REMOVE(list_of(n, j->state), j, link);
    j->state = state;
    if (front)
        TAILQ_INSERT_HEAD(list_of(n, state), j, link);
    else
        TAILQ_INSERT_TAIL(list_of(n, state), j, link);
}

/* -- Ending ----------------------------------------------------------------------------
 */

/* Take a flying job's try off the wire. */
static void land(struct net *n, struct job *j)
{
    if (j->try.easy)
        curl_multi_remove_handle(n->multi, j->try.easy);
    transfer_close(&j->try);
    n->in_flight--;
}

/* A job leaves; with the last one its batch is its caller's again, and gone. */
static void leave(struct net *n, struct job *j, enum job_state last)
{
    struct batch *b = j->batch;
    TAILQ_REMOVE(list_of(n, j->state), j, link);
    j->state = last;
    pthread_mutex_lock(&n->lock);
    if (--b->left == 0)
        pthread_cond_signal(&b->done);
    pthread_mutex_unlock(&n->lock);
}

/* Drop a job whatever it is doing: it says nothing any more. */
static void drop(struct net *n, struct job *j)
{
    if (j->state == JOB_FLYING) {
        endpoints_return(&n->endpoints, j->endpoint, j->probe);
        land(n, j);
    }
    leave(n, j, JOB_DROPPED);
}

/* Drop what is left of a batch, `last` at the end: the batch is gone with it. */
static void drop_rest(struct net *n, struct batch *b, struct job *last)
{
    struct job *jobs = b->jobs;
    int count = b->count;
    for (int i = 0; i < count; i++)
        if (&jobs[i] != last && jobs[i].state < JOB_DONE)
            drop(n, &jobs[i]);
    drop(n, last);
}

/* A job that is not flying has failed for good, and its batch with it. */
static void fail_job(struct net *n, struct job *j, const struct failure *why)
{
    j->batch->failed = true;
    j->batch->failure = *why;
    drop_rest(n, j->batch, j);
}

static void fail_timeout(struct net *n, struct job *j, const struct failure *why)
{
    struct failure late;
    if (why)
        fail(FAIL_TIMEOUT, "no time left after %d tries; the last: %.600s",
             j->call->attempts, why->text);
    else
        fail(FAIL_TIMEOUT, "no time left after %d tries", j->call->attempts);
    fail_save(&late);
    fail_job(n, j, &late);
}

/* Nobody is there any more: all calls fail, now and from now on. */
static void give_up(struct net *n, const struct failure *why)
{
    struct failure down;
    struct job *j;
    fail(FAIL_HTTP, NET_DOWN "; the last try: %.600s", why->text);
    fail_save(&down);
    pthread_mutex_lock(&n->lock);
    n->down = true;
    n->down_failure = down;
    pthread_mutex_unlock(&n->lock);
    while ((j = TAILQ_FIRST(&n->ready)) || (j = TAILQ_FIRST(&n->paused)))
        fail_job(n, j, &down);
}

/* -- What a try came to -------------------------------------------------------------- */

static bool out_of_time(const struct job *j, int64_t at_ms)
{
    return j->call->deadline_ms && at_ms >= j->call->deadline_ms;
}

/* A job's try has failed in a way that may pass; the job is not flying any more. */
static void try_again(struct net *n, struct job *j, const struct verdict *v,
                      int64_t retry_after_ms, int64_t now)
{
    uint32_t draw = n->draws++;
    int k = j->failures < n->retries ? j->failures : n->retries;
    int64_t pause =
        backoff_pause(k, n->backoff_ms, retry_after_ms, random_unit(n->jitter, 0, draw));
    bool all_down = endpoints_all_down(&n->endpoints);
    j->failures += !j->probe;
    /* While all are down it waits: that is not its row's fault. */
    if (j->failures > n->retries && !(v->result >= ENDPOINT_STRUCK && all_down)) {
        fail_job(n, j, &v->failure);
    } else if (out_of_time(j, now + pause)) {
        fail_timeout(n, j, &v->failure);
    } else {
        j->due_ms = now + pause;
        move(n, j, JOB_PAUSED, false);
    }
}

/* Let the call look at a good reply. base: for messages. */
static void look(struct job *j, const char *base, struct verdict *v)
{
    struct net_call *call = j->call;
    struct span body = {j->try.reply.data ? j->try.reply.data : "", j->try.reply.len};
    if (call->accept && call->accept(call->context, j->endpoint, body) < 0) {
        fail_in("%s", base);
        v->good = false;
        v->retry = true;
        v->result = ENDPOINT_POOR;
        fail_save(&v->failure);
    }
}

/* The try's transfer has come to its end. */
static void finish(struct net *n, struct job *j, CURLcode code)
{
    struct verdict v;
    const char *base = n->endpoints.items[j->endpoint].base;
    transfer_judge(&j->try, code, base, &v);
    if (v.good)
        look(j, base, &v);
    int64_t now = net_now_ms(), retry_after_ms = j->try.retry_after_ms;
    endpoints_done(&n->endpoints, j->endpoint, j->probe, v.result, j->batch->number, now);
    land(n, j);
    if (v.good) {
        leave(n, j, JOB_DONE);
        return;
    }
    move(n, j, JOB_READY, true);
    if (!v.retry)
        fail_job(n, j, &v.failure);
    else if (out_of_time(j, now))
        fail_timeout(n, j, &v.failure);
    else
        try_again(n, j, &v, retry_after_ms, now);
    if (endpoints_lost(&n->endpoints, now))
        give_up(n, &v.failure);
}

/* -- Starting ------------------------------------------------------------------------ */

/* Send a ready job to the endpoint picked for it. 0, or -1: it cannot be sent. */
static int launch(struct net *n, struct job *j, int64_t now)
{
    struct net_call *call = j->call;
    const char *base = n->endpoints.items[j->endpoint].base;
    int64_t ms = n->timeout_ms;
    if (call->deadline_ms && call->deadline_ms - now < ms)
        ms = call->deadline_ms - now;
    j->try = (struct transfer){0};
    if (call->body(call->context, j->endpoint, call->attempts, &j->try.request) < 0 ||
        transfer_open(&j->try, &n->rules, base, call->path, ms, j) < 0)
        return -1;
    if (curl_multi_add_handle(n->multi, j->try.easy) != CURLM_OK)
        return fail(FAIL_INTERNAL, "libcurl: cannot start a request");
    call->attempts++;
    return 0;
}

static void start(struct net *n, int64_t now)
{
    struct job *j;
    struct failure why;
    while (n->in_flight < n->concurrency && (j = TAILQ_FIRST(&n->ready))) {
        if (out_of_time(j, now)) {
            fail_timeout(n, j, NULL);
            continue;
        }
        int which = endpoints_pick(&n->endpoints, j->endpoint, now, &j->probe);
        if (which < 0)
            return;
        j->endpoint = which;
        n->in_flight++;
        move(n, j, JOB_FLYING, false);
        if (launch(n, j, now) < 0) {
            fail_save(&why);
            fail_job(n, j, &why);
        }
    }
}

/* -- Looking around ------------------------------------------------------------------ */

/* A job that is not done and whose caller gave its batch up, or NULL. */
static struct job *find_given_up(struct net *n)
{
    for (enum job_state s = JOB_READY; s <= JOB_FLYING; s++) {
        struct job *j;
        TAILQ_FOREACH(j, list_of(n, s), link)
        if (j->batch->given_up)
            return j;
    }
    return NULL;
}

static void drop_given_up(struct net *n)
{
    for (;;) {
        pthread_mutex_lock(&n->lock);
        struct job *j = find_given_up(n);
        pthread_mutex_unlock(&n->lock);
        if (!j)
            return;
        drop_rest(n, j->batch, j);
    }
}

/* Take the batches that came in; drop those given up. false: the end. */
static bool take_in(struct net *n)
{
    pthread_mutex_lock(&n->lock);
    struct batch *b = n->inbox;
    bool stirred = n->stirred, end = n->end;
    n->inbox = NULL;
    n->inbox_end = &n->inbox;
    n->stirred = false;
    pthread_mutex_unlock(&n->lock);
    for (; b; b = b->next) {
        b->number = ++n->batches;
        for (int i = 0; i < b->count; i++)
            TAILQ_INSERT_TAIL(&n->ready, &b->jobs[i], link);
    }
    if (stirred)
        drop_given_up(n);
    while (n->down && !TAILQ_EMPTY(&n->ready)) /* came in just as we gave up */
        fail_job(n, TAILQ_FIRST(&n->ready), &n->down_failure);
    return !end;
}

/* Make ready what has paused long enough. */
static void resume(struct net *n, int64_t now)
{
    for (struct job *j = TAILQ_FIRST(&n->paused), *behind; j; j = behind) {
        behind = TAILQ_NEXT(j, link);
        if (j->due_ms <= now)
            move(n, j, JOB_READY, true);
    }
}

/* A job of the list that has no time left, or NULL. */
static struct job *find_late(struct job_list *list, int64_t now)
{
    struct job *j;
    TAILQ_FOREACH(j, list, link)
    if (out_of_time(j, now))
        return j;
    return NULL;
}

/* End what waits and has no time left; what flies has its own limit. */
static void sweep(struct net *n, int64_t now)
{
    struct job *j;
    if (now - n->swept_ms < SWEEP_MS)
        return;
    n->swept_ms = now;
    while ((j = find_late(&n->ready, now)) || (j = find_late(&n->paused, now)))
        fail_timeout(n, j, NULL);
}

static void finish_all(struct net *n)
{
    CURLMsg *m;
    for (int left; (m = curl_multi_info_read(n->multi, &left));) {
        char *owner = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result; /* *m goes with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
        finish(n, (struct job *)(void *)owner, code);
    }
}

/* How long to sleep, at most: until a pause is over, a probe or a sweep is due. */
static int nap(const struct net *n)
{
    int64_t now = net_now_ms(), until = now + IDLE_MS;
    const struct job *j;
    if (!TAILQ_EMPTY(&n->ready) || !TAILQ_EMPTY(&n->paused))
        until = now + SWEEP_MS;
    TAILQ_FOREACH(j, &n->paused, link)
    if (j->due_ms < until)
        until = j->due_ms;
    if (!TAILQ_EMPTY(&n->ready) && n->in_flight < n->concurrency &&
        endpoints_next(&n->endpoints) < until)
        until = endpoints_next(&n->endpoints);
    return until <= now ? 0 : (int)(until - now);
}

void *net_drive(void *context)
{
    struct net *n = context;
    while (take_in(n)) {
        int running;
        int64_t now = net_now_ms();
        resume(n, now);
        sweep(n, now);
        start(n, now);
        curl_multi_perform(n->multi, &running);
        finish_all(n);
        if (TAILQ_EMPTY(&n->ready) || n->in_flight >= n->concurrency ||
            endpoints_all_down(&n->endpoints))
            curl_multi_poll(n->multi, NULL, 0, nap(n), NULL);
    }
    return NULL;
}
