/* The network client over time: several servers, breakers, limits, giving up, the key;
 * and random plans of faults. */
#include "net-run.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MAX = 16, ASKS_MAX = 20000 };

/* Many calls from several threads. */
struct crowd {
    struct net *net;
    struct ask *asks; /* [count], owned */
    char (*texts)[40];
    int count, deadline_ms;
    atomic_int next;
};

static void *crowd_work(void *context)
{
    struct crowd *c = context;
    for (int i; (i = c->next++) < c->count;)
        ask_once(c->net, &c->asks[i], c->deadline_ms);
    return NULL;
}

/* Ask count questions with markers PREFIX0, PREFIX1 ... on so many threads. */
static void crowd_run(struct crowd *c, struct net *n, const char *prefix, int count,
                      int threads)
{
    pthread_t ids[THREADS_MAX];
    c->net = n;
    c->count = count;
    c->next = 0;
    c->asks = calloc((size_t)count, sizeof *c->asks);
    c->texts = calloc((size_t)count, sizeof *c->texts);
    if (!c->asks || !c->texts)
        exit(1);
    for (int i = 0; i < count; i++) {
        snprintf(c->texts[i], sizeof *c->texts, "marker:%s%d.", prefix, i);
        c->asks[i] = (struct ask){.text = c->texts[i], .want = c->texts[i]};
    }
    for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, crowd_work, c);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
}

static int crowd_good(const struct crowd *c)
{
    int good = 0;
    for (int i = 0; i < c->count; i++)
        good += c->asks[i].rc == 0 && c->asks[i].accepted == 1;
    return good;
}

static void crowd_free(struct crowd *c)
{
    free(c->asks);
    free(c->texts);
    *c = (struct crowd){0};
}

static struct net *net_to_two(const struct server_run *a, const struct server_run *b,
                              int concurrency)
{
    const char *urls[] = {a->url, b->url};
    struct net_options o = {.urls = urls,
                            .count = 2,
                            .concurrency = concurrency,
                            .timeout = 20,
                            .retries = 5,
                            .backoff = 0.02};
    struct net *n = net_open(&o);
    if (!n)
        exit(1);
    return n;
}

/* -- Several servers ----------------------------------------------------------------- */

static void equals_share_the_work_and_the_bound_holds(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    server_start(&a, "--delay 10");
    server_start(&b, "--delay 10");
    struct net *n = net_to_two(&a, &b, 6);
    crowd_run(&c, n, "e", 120, 12);
    net_close(n);
    struct server_seen sa = server_seen(&a, NULL), sb = server_seen(&b, NULL);
    CHECK(crowd_good(&c) == 120, "%d good", crowd_good(&c));
    CHECK(sa.requests + sb.requests == 120, "%d + %d", sa.requests, sb.requests);
    CHECK(sa.requests >= 40 && sb.requests >= 40, "%d and %d", sa.requests, sb.requests);
    CHECK(sa.in_flight <= 4 && sb.in_flight <= 4, "%d, %d in flight", sa.in_flight,
          sb.in_flight);
    CHECK(sa.in_flight + sb.in_flight >= 5, "%d + %d in flight", sa.in_flight,
          sb.in_flight);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

static void the_quicker_server_gets_more(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    server_start(&a, "--delay 150");
    server_start(&b, "--delay 5");
    struct net *n = net_to_two(&a, &b, 8);
    crowd_run(&c, n, "q", 150, 12);
    net_close(n);
    struct server_seen sa = server_seen(&a, NULL), sb = server_seen(&b, NULL);
    CHECK(crowd_good(&c) == 150, "%d good", crowd_good(&c));
    CHECK(sb.requests > 2 * sa.requests && sa.requests > 0, "%d and %d", sa.requests,
          sb.requests);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

static void one_bound_holds_for_one_server(void)
{
    struct server_run a;
    struct crowd c = {0};
    server_start(&a, "--delay 20");
    struct net *n = net_to(a.url, 0, 20);
    crowd_run(&c, n, "b", 64, 16);
    net_close(n);
    struct server_seen seen = server_seen(&a, NULL);
    CHECK(crowd_good(&c) == 64 && seen.requests == 64, "%d", seen.requests);
    CHECK(seen.in_flight <= 8 && seen.in_flight >= 6, "%d in flight", seen.in_flight);
    crowd_free(&c);
    server_stop(&a);
}

static void a_dead_server_is_left_alone_and_no_row_is_lost(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    server_start(&a, "--fault refuse=always");
    server_start(&b, "--delay 2");
    struct net *n = net_to_two(&a, &b, 8);
    int tries = 0;
    crowd_run(&c, n, "d", 200, 8);
    CHECK(!net_down(n), "one is up");
    net_close(n);
    for (int i = 0; i < c.count; i++) tries += c.asks[i].attempts;
    CHECK(crowd_good(&c) == 200, "%d good", crowd_good(&c));
    CHECK(server_seen(&b, NULL).requests == 200, "each once");
    CHECK(tries > 200 && tries < 230, "%d tries", tries);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

static void a_server_that_comes_back_is_used_again(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    server_start(&a, "--fault 503=start:7");
    server_start(&b, "--delay 5");
    struct net *n = net_to_two(&a, &b, 4);
    crowd_run(&c, n, "r", 600, 8);
    net_close(n);
    struct server_seen sa = server_seen(&a, NULL);
    CHECK(crowd_good(&c) == 600, "%d good", crowd_good(&c));
    CHECK(sa.faults == 7 && sa.requests > 30, "%d faults of %d", sa.faults, sa.requests);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

/* A server that answers nonsense at once must not draw all tries to itself. */
static void a_server_of_nonsense_costs_tries_but_no_rows(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    server_start(&a, "--fault html=always");
    server_start(&b, "--delay 5");
    struct net *n = net_to_two(&a, &b, 8);
    crowd_run(&c, n, "n", 200, 8);
    CHECK(!net_down(n), "not down");
    net_close(n);
    CHECK(crowd_good(&c) == 200, "%d good", crowd_good(&c));
    CHECK(server_seen(&a, NULL).requests < 100, "%d", server_seen(&a, NULL).requests);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

static void a_restart_burns_no_row(void)
{
    struct server_run a;
    struct crowd c = {0};
    /* Eight requests are cut off, and then nobody listens for longer than one call's
     * tries would take; rows wait. */
    server_start(&a, "--fault refuse=start:8 --refuse 500 --delay 30");
    const char *url = a.url;
    struct net_options o = {
        .urls = &url, .count = 1, .concurrency = 8, .retries = 6, .backoff = 0.02};
    struct net *n = net_open(&o);
    NEED(n, "%s", fail_text());
    int64_t start = net_now_ms();
    crowd_run(&c, n, "s", 60, 16);
    CHECK(!net_down(n), "it came back");
    CHECK(net_now_ms() - start > 400, "it was never away");
    net_close(n);
    for (int i = 0; i < c.count; i++)
        CHECK(c.asks[i].rc == 0, "%d: %s", i, c.asks[i].failure.text);
    crowd_free(&c);
    server_stop(&a);
}

static void all_down_ends_all_calls_and_says_so(void)
{
    struct server_run a, b;
    struct crowd c = {0};
    struct ask late = {.text = "late"};
    server_start(&a, "--fault refuse=always");
    server_start(&b, "--fault reset=always");
    struct net *n = net_to_two(&a, &b, 8);
    int64_t start = net_now_ms();
    crowd_run(&c, n, "x", 200, 16);
    int64_t took = net_now_ms() - start;
    CHECK(net_down(n), "it must say so");
    CHECK(took < 10000, "%lld ms", (long long)took);
    CHECK(crowd_good(&c) == 0, "%d good", crowd_good(&c));
    for (int i = 0; i < c.count; i++)
        CHECK(c.asks[i].failure.kind == FAIL_HTTP &&
                  has(c.asks[i].failure.text, "every endpoint is down"),
              "%d: %s", i, c.asks[i].failure.text);
    CHECK(server_seen(&b, NULL).requests < 60, "%d", server_seen(&b, NULL).requests);
    ask_once(n, &late, 0);
    CHECK(late.rc == -1 && late.attempts == 0 && late.ms < 500, "at once");
    net_close(n);
    crowd_free(&c);
    server_stop(&a);
    server_stop(&b);
}

/* One row's trouble, over and over, is its own. */
static void one_rows_fault_is_no_reason_to_give_up(const char *fault)
{
    struct server_run a;
    struct ask bad[12], good = {.text = "marker:good"};
    struct net_call calls[12];
    char options[96], name[96];
    snprintf(options, sizeof options, "--only BAD --stall 300 --fault %s=always", fault);
    server_start(&a, options);
    struct net *n = net_to(a.url, 4, 0.2);
    for (int i = 0; i < 12; i++) {
        bad[i] = (struct ask){.text = "marker:bad BAD"};
        calls[i] = ask_call(&bad[i]);
    }
    CHECK(net_post_all(n, calls, 12) == -1, "accepted");
    CHECK(!net_down(n), "down");
    ask_once(n, &good, 0);
    CHECK(good.rc == 0 && good.attempts == 1, "%s", fail_text());
    for (int i = 0; i < 4; i++) { /* a bad row and a good one in turn */
        ask_once(n, &bad[0], 0);
        CHECK(bad[0].rc == -1, "accepted");
        ask_once(n, &good, 0);
        CHECK(good.rc == 0 && good.attempts == 1, "%s", fail_text());
    }
    CHECK(!net_down(n), "down");
    net_close(n);
    server_stop(&a);
    snprintf(name, sizeof name, "one row's %s is its own", fault);
    check_report(name);
}

static void many_bad_requests_in_a_row_are_no_reason_either(void)
{
    struct server_run a;
    struct crowd c = {0};
    server_start(&a, "--fault 400=every:2 --fault truncated=always");
    struct net *n = net_to(a.url, 1, 20);
    crowd_run(&c, n, "y", 100, 8);
    CHECK(crowd_good(&c) == 0 && !net_down(n), "down");
    net_close(n);
    crowd_free(&c);
    server_stop(&a);
}

/* -- Limits, giving up --------------------------------------------------------------- */

static void a_deadline_ends_what_flies_waits_or_pauses(void)
{
    static const char *const faults[] = {"stall",    "drip", "stall-body",
                                         "429-huge", "503",  "refuse"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct server_run a;
        struct crowd c = {.deadline_ms = 600};
        char options[96];
        snprintf(options, sizeof options, "--fault %s=always", faults[i]);
        server_start(&a, options);
        const char *url = a.url;
        struct net_options o = {
            .urls = &url, .count = 1, .concurrency = 2, .retries = 50, .backoff = 0.2};
        struct net *n = net_open(&o);
        NEED(n, "%s", fail_text());
        crowd_run(&c, n, "t", 8, 8); /* two fly, six wait */
        for (int k = 0; k < c.count; k++) {
            struct ask *ask = &c.asks[k];
            CHECK(ask->rc == -1 && ask->failure.kind == FAIL_TIMEOUT, "%s: %s", faults[i],
                  ask->failure.text);
            CHECK(ask->ms < 2500, "%s: %lld ms", faults[i], (long long)ask->ms);
        }
        net_close(n);
        crowd_free(&c);
        server_stop(&a);
    }
}

static bool after(void *context)
{
    return net_now_ms() >= *(int64_t *)context;
}

static void giving_up_ends_what_flies_waits_or_pauses(void)
{
    static const char *const faults[] = {"stall", "drip", "429-huge", "503", "refuse"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct server_run a;
        struct ask asks[8];
        struct net_call calls[8];
        char options[96];
        snprintf(options, sizeof options, "--fault %s=always", faults[i]);
        server_start(&a, options);
        const char *url = a.url;
        struct net_options o = {
            .urls = &url, .count = 1, .concurrency = 2, .retries = 50, .backoff = 0.2};
        struct net *n = net_open(&o);
        NEED(n, "%s", fail_text());
        int64_t start = net_now_ms(), when = start + 300;
        for (int k = 0; k < 8; k++) {
            asks[k] = (struct ask){.text = "x"};
            calls[k] = ask_call(&asks[k]);
            calls[k].abandon = after;
            calls[k].abandon_context = &when;
        }
        CHECK(net_post_all(n, calls, 8) == -1 && fail_kind() == FAIL_REFUSED, "%s: %s",
              faults[i], fail_text());
        CHECK(net_now_ms() - start < 1500, "%s: %lld ms", faults[i],
              (long long)(net_now_ms() - start));
        CHECK(calls[0].attempts > 0, "%d", calls[0].attempts);
        start = net_now_ms();
        net_close(n);
        CHECK(net_now_ms() - start < 1500, "closing: %lld ms",
              (long long)(net_now_ms() - start));
        server_stop(&a);
    }
}

static void the_first_failure_ends_its_batch_and_no_other(void)
{
    struct server_run a;
    struct ask asks[6], other = {.text = "marker:other"};
    struct net_call calls[6];
    server_start(&a, "--only BAD --fault 400=always --delay 5");
    struct net *n = net_to(a.url, 2, 20);
    for (int i = 0; i < 6; i++) {
        asks[i] = (struct ask){.text = i == 3 ? "BAD" : "fine"};
        calls[i] = ask_call(&asks[i]);
    }
    CHECK(net_post_all(n, calls, 6) == -1 && fail_kind() == FAIL_HTTP &&
              has(fail_text(), "HTTP 400: fault 400"),
          "%s", fail_text());
    CHECK(calls[3].attempts == 1 && asks[3].accepted == 0, "%d", calls[3].attempts);
    for (int i = 0; i < 6; i++) CHECK(asks[i].accepted <= 1, "%d", asks[i].accepted);
    ask_once(n, &other, 0);
    CHECK(other.rc == 0, "%s", fail_text());
    calls[3].context = &other;
    CHECK(net_post_all(n, calls, 6) == 0, "%s", fail_text());
    CHECK(net_post_all(n, calls, 0) == 0, "nothing to do");
    net_close(n);
    server_stop(&a);
}

static int bad_body(void *context, int endpoint, int attempt, struct buf *out)
{
    (void)context, (void)endpoint, (void)attempt, (void)out;
    return fail(FAIL_MEDIA, "no picture");
}

static void a_body_that_cannot_be_made_fails_its_call(void)
{
    struct server_run a;
    struct ask ask = {.text = "x"};
    struct net_call call = ask_call(&ask);
    server_start(&a, "--delay 0");
    struct net *n = net_to(a.url, 3, 20);
    call.body = bad_body;
    CHECK(net_post_all(n, &call, 1) == -1 && fail_kind() == FAIL_MEDIA &&
              strcmp(fail_text(), "no picture") == 0 && call.attempts == 0,
          "%s", fail_text());
    ask_once(n, &ask, 0);
    CHECK(ask.rc == 0, "%s", fail_text());
    net_close(n);
    CHECK(server_seen(&a, NULL).requests == 1, "sent");
    server_stop(&a);
}

/* -- The key, TLS, names ------------------------------------------------------------- */

static void the_key_goes_to_its_host_and_into_no_message(void)
{
    static const char key[] = "sk-very-secret-0123456789";
    struct server_run a;
    char options[128];
    struct ask ask = {.text = "marker:k"};
    snprintf(options, sizeof options, "--key %s", key);
    server_start(&a, options);
    const char *url = a.url, *keys[] = {key, "sk-wrong-secret-999", NULL};
    for (int i = 0; i < 3; i++) {
        struct net_options o = {.urls = &url, .count = 1, .key = keys[i], .retries = 2};
        struct net *n = net_open(&o);
        NEED(n, "%s", fail_text());
        ask_once(n, &ask, 0);
        CHECK(ask.rc == (i == 0 ? 0 : -1), "%d: %s", i, fail_text());
        if (ask.rc < 0) {
            CHECK(ask.failure.kind == FAIL_HTTP && ask.attempts == 1 &&
                      has(ask.failure.text, "HTTP 401: Incorrect API key"),
                  "%s", ask.failure.text);
            CHECK(!has(ask.failure.text, "secret"), "%s", ask.failure.text);
            CHECK(i == 2 || has(ask.failure.text, "Bearer [key]"), "%s",
                  ask.failure.text);
        }
        net_close(n);
    }
    server_stop(&a);
}

static void a_redirect_takes_nothing_to_another_host(void)
{
    struct server_run a, b;
    struct ask ask = {.text = "x"};
    char options[160];
    server_start(&b, "--delay 0");
    snprintf(options, sizeof options, "--fault redirect-other=always --other %s", b.url);
    server_start(&a, options);
    const char *url = a.url;
    struct net_options o = {.urls = &url, .count = 1, .key = "sk-secret", .retries = 2};
    struct net *n = net_open(&o);
    NEED(n, "%s", fail_text());
    ask_once(n, &ask, 0);
    CHECK(ask.rc == -1 && ask.failure.kind == FAIL_REFUSED, "%s", fail_text());
    CHECK(!has(ask.failure.text, "sk-secret") && has(ask.failure.text, "[key]"), "%s",
          ask.failure.text);
    CHECK(server_seen(&b, NULL).requests == 0, "it was asked");
    net_close(n);
    server_stop(&a);
    server_stop(&b);
}

static void keys_and_urls_that_will_not_do_are_refused(void)
{
    static const char *const keys[] = {"a\nX-Evil: 1", "a b", "\x01", "a\r"};
    const char *url = "http://127.0.0.1:9/v1";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct net_options o = {.urls = &url, .count = 1, .key = keys[i]};
        CHECK(!net_open(&o) && fail_kind() == FAIL_REFUSED, "%zu", i);
    }
    url = "ftp://127.0.0.1/v1";
    struct net_options o = {.urls = &url, .count = 1};
    CHECK(!net_open(&o) && fail_kind() == FAIL_REFUSED, "%s", fail_text());
}

static void what_is_no_tls_and_no_name_fails_as_http(void)
{
    struct server_run a;
    char https[96];
    server_start(&a, "--delay 0");
    snprintf(https, sizeof https, "https://127.0.0.1:%d/v1", a.port);
    const char *urls[] = {https, "http://nowhere.invalid:1/v1"};
    for (int i = 0; i < 2; i++) {
        struct ask ask = {.text = "x"};
        struct net *n = net_to(urls[i], 1, 3);
        ask_once(n, &ask, 0);
        CHECK(ask.rc == -1 &&
                  (ask.failure.kind == FAIL_HTTP || ask.failure.kind == FAIL_TIMEOUT),
              "%s", fail_text());
        CHECK(ask.attempts == 2, "%d", ask.attempts);
        net_close(n);
    }
    CHECK(server_seen(&a, NULL).requests == 0, "asked in the clear");
    server_stop(&a);
}

/* -- Random plans -------------------------------------------------------------------- */

static void under_mixed_faults_each_call_ends_once_and_with_its_own_answer(void)
{
    static const char *const shares[] = {
        "reset",        "close",      "reset-headers", "reset-body",   "cut",
        "length-large", "endless",    "bad-chunk",     "truncated",    "invalid",
        "fewer",        "no-choices", "503",           "500",          "429-zero",
        "408",          "html",       "idle-close",    "idle-reset",   "gzip-bomb",
        "utf8",         "bad-gzip",   "refuse",        "length-small", "400",
        "redirect-host"};
    enum { KINDS = sizeof shares / sizeof *shares };
    int plans = getenv("LONG") ? 12 : 2, count = getenv("LONG") ? 5000 : 1000;
    for (int plan = 0; plan < plans; plan++) {
        struct server_run a;
        struct crowd c = {0};
        char options[1500];
        int at = snprintf(options, sizeof options, "--seed %d --huge 4 --refuse 5", plan);
        for (int i = 0; i < KINDS; i++)
            at += snprintf(options + at, sizeof options - (size_t)at, " --fault %s=%g%%",
                           shares[i], plan % 2 ? 20.0 / KINDS : 10.0 / KINDS);
        server_start(&a, options);
        struct net *n = net_to(a.url, 8, 20);
        int64_t start = net_now_ms();
        int bad = 0;
        crowd_run(&c, n, "p", count, 16);
        CHECK(!net_down(n), "down");
        net_close(n);
        for (int i = 0; i < count; i++) {
            const struct ask *ask = &c.asks[i];
            const char *why = ask->failure.text;
            bad += ask->rc < 0;
            CHECK(ask->accepted == (ask->rc == 0), "%d times", ask->accepted);
            CHECK(ask->rc == 0 || has(why, "HTTP 400") || has(why, "redirect") ||
                      has(why, "more than 1048576 bytes"),
                  "%s", why);
        }
        CHECK(bad > 0 && bad < count / 20, "%d of %d fail", bad, count);
        CHECK(net_now_ms() - start < 60000, "%lld ms", (long long)(net_now_ms() - start));
        crowd_free(&c);
        server_stop(&a);
    }
}

int main(void)
{
    CASE(equals_share_the_work_and_the_bound_holds);
    CASE(the_quicker_server_gets_more);
    CASE(one_bound_holds_for_one_server);
    CASE(a_dead_server_is_left_alone_and_no_row_is_lost);
    CASE(a_server_that_comes_back_is_used_again);
    CASE(a_server_of_nonsense_costs_tries_but_no_rows);
    CASE(a_restart_burns_no_row);
    CASE(all_down_ends_all_calls_and_says_so);
    one_rows_fault_is_no_reason_to_give_up("400");
    one_rows_fault_is_no_reason_to_give_up("500");
    one_rows_fault_is_no_reason_to_give_up("truncated");
    one_rows_fault_is_no_reason_to_give_up("reset");
    one_rows_fault_is_no_reason_to_give_up("stall");
    CASE(many_bad_requests_in_a_row_are_no_reason_either);
    CASE(a_deadline_ends_what_flies_waits_or_pauses);
    CASE(giving_up_ends_what_flies_waits_or_pauses);
    CASE(the_first_failure_ends_its_batch_and_no_other);
    CASE(a_body_that_cannot_be_made_fails_its_call);
    CASE(the_key_goes_to_its_host_and_into_no_message);
    CASE(a_redirect_takes_nothing_to_another_host);
    CASE(keys_and_urls_that_will_not_do_are_refused);
    CASE(what_is_no_tls_and_no_name_fails_as_http);
    CASE(under_mixed_faults_each_call_ends_once_and_with_its_own_answer);
    return check_end();
}
