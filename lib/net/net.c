/* net.c: see net.h. The callers' side: handing calls in, and waiting for them. */
#include "net/net.h"
#include "net/backoff.h"
#include "net/net_own.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum {
    CONCURRENCY = 32,
    CONCURRENCY_MAX = 4096,
    TIMEOUT_S = 600,
    TIMEOUT_MAX_S = 7 * 24 * 3600,
    RETRIES = 5,
    RETRIES_MAX = 1000,
    BACKOFF_MS = 500,
    REPLY_MAX = 64 << 20,
    ABANDON_MS = 200, /* between two looks at abandon() */
};

int64_t net_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -- Opening ----------------------------------------------------------------------------
 */

static int64_t ms_of(double seconds, double standard, double most)
{
    if (!(seconds > 0))
        seconds = standard;
    if (seconds > most)
        seconds = most;
    return seconds < 0.001 ? 1 : (int64_t)(seconds * 1000);
}

static int within(int value, int standard, int most)
{
    return value <= 0 ? standard : value < most ? value : most;
}

static int start_thread(struct net *n)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are other threads' business */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&n->thread, NULL, net_drive, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return fail(FAIL_INTERNAL, "cannot start a thread: %s", strerror(error));
    return 0;
}

static int open_parts(struct net *n, const struct net_options *o)
{
    int64_t most = o->max_reply > 0 ? o->max_reply : REPLY_MAX;
    if (endpoints_open(&n->endpoints, o->urls, o->count) < 0 ||
        transfer_rules_open(&n->rules, o->key, most) < 0)
        return -1;
    n->endpoints.pause_ms = 2 * n->backoff_ms;
    n->endpoints.linger_ms = backoff_total(n->retries, n->backoff_ms);
    n->multi = curl_multi_init();
    if (!n->multi)
        return fail_memory();
    if (curl_multi_setopt(n->multi, CURLMOPT_MAXCONNECTS, (long)n->concurrency) !=
        CURLM_OK)
        return fail(FAIL_INTERNAL, "libcurl: cannot keep %d connections", n->concurrency);
    return start_thread(n);
}

static void close_parts(struct net *n)
{
    if (n->multi)
        curl_multi_cleanup(n->multi);
    endpoints_close(&n->endpoints);
    transfer_rules_close(&n->rules);
    pthread_mutex_destroy(&n->lock);
    curl_global_cleanup();
    free(n);
}

struct net *net_open(const struct net_options *o)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fail(FAIL_INTERNAL, "libcurl cannot start");
        return NULL;
    }
    struct net *n = calloc(1, sizeof *n);
    if (!n) {
        curl_global_cleanup();
        fail_memory();
        return NULL;
    }
    n->concurrency = within(o->concurrency, CONCURRENCY, CONCURRENCY_MAX);
    n->retries = o->retries < 0             ? RETRIES
                 : o->retries > RETRIES_MAX ? RETRIES_MAX
                                            : o->retries;
    n->timeout_ms = ms_of(o->timeout, TIMEOUT_S, TIMEOUT_MAX_S);
    n->backoff_ms = ms_of(o->backoff, BACKOFF_MS / 1000.0, BACKOFF_CAP_MS / 1000.0);
    n->inbox_end = &n->inbox;
    TAILQ_INIT(&n->ready);
    TAILQ_INIT(&n->paused);
    TAILQ_INIT(&n->flying);
    pthread_mutex_init(&n->lock, NULL);
    /* Pauses are no part of any result: they need not be the same in two runs. Without
     * entropy they are, which is no harm either. */
    if (getrandom(&n->jitter, sizeof n->jitter, GRND_NONBLOCK) < 0)
        n->jitter.lo = (uint64_t)net_now_ms();
    if (open_parts(n, o) < 0) {
        close_parts(n);
        return NULL;
    }
    return n;
}

void net_close(struct net *n)
{
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->end = true;
    pthread_mutex_unlock(&n->lock);
    curl_multi_wakeup(n->multi);
    pthread_join(n->thread, NULL);
    close_parts(n);
}

bool net_down(struct net *n)
{
    pthread_mutex_lock(&n->lock);
    bool down = n->down;
    pthread_mutex_unlock(&n->lock);
    return down;
}

/* -- Calling ----------------------------------------------------------------------------
 */

static void set_jobs(struct batch *b, struct net_call *calls)
{
    for (int i = 0; i < b->count; i++) {
        calls[i].attempts = 0;
        b->jobs[i] = (struct job){.batch = b, .call = &calls[i], .endpoint = -1};
    }
}

/* Does any of the calls' owners want to give up? Neighbours mostly have one owner. */
static bool wants_out(const struct net_call *calls, int count)
{
    for (int i = 0; i < count; i++) {
        const struct net_call *c = &calls[i];
        if (!c->abandon || (i > 0 && c->abandon == c[-1].abandon &&
                            c->abandon_context == c[-1].abandon_context))
            continue;
        if (c->abandon(c->abandon_context))
            return true;
    }
    return false;
}

static struct timespec soon(void)
{
    int64_t ms = net_now_ms() + ABANDON_MS;
    return (struct timespec){ms / 1000, ms % 1000 * 1000000};
}

/* Wait until all jobs of the batch are done. Called and returns with the lock held. */
static void wait_done(struct net *n, struct batch *b, const struct net_call *calls)
{
    while (b->left > 0) {
        struct timespec until = soon();
        if (pthread_cond_timedwait(&b->done, &n->lock, &until) != ETIMEDOUT ||
            b->given_up || b->left == 0)
            continue;
        pthread_mutex_unlock(&n->lock);
        bool out = wants_out(calls, b->count);
        pthread_mutex_lock(&n->lock);
        if (out && b->left > 0) {
            b->given_up = n->stirred = true;
            curl_multi_wakeup(n->multi);
        }
    }
}

static void hand_in(struct net *n, struct batch *b)
{
    *n->inbox_end = b;
    n->inbox_end = &b->next;
    curl_multi_wakeup(n->multi);
}

static void init_done(pthread_cond_t *done)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(done, &attr);
    pthread_condattr_destroy(&attr);
}

int net_post_all(struct net *n, struct net_call *calls, int count)
{
    struct batch b = {.count = count, .left = count};
    bool given_up = false;
    if (count < 1)
        return 0;
    b.jobs = calloc((size_t)count, sizeof *b.jobs);
    if (!b.jobs)
        return fail_memory();
    set_jobs(&b, calls);
    init_done(&b.done);
    pthread_mutex_lock(&n->lock);
    if (n->down) {
        b.failed = true;
        b.failure = n->down_failure;
    } else {
        hand_in(n, &b);
        wait_done(n, &b, calls);
        given_up = b.given_up;
    }
    pthread_mutex_unlock(&n->lock);
    bool all = true;
    for (int i = 0; i < count; i++) all = all && b.jobs[i].state == JOB_DONE;
    pthread_cond_destroy(&b.done);
    free(b.jobs);
    if (b.failed)
        return fail_again(&b.failure);
    return given_up && !all ? fail(FAIL_REFUSED, "given up") : 0;
}
