/* net.h: HTTP to OpenAI-compatible endpoints: many requests in flight, several servers
 * side by side, tries repeated where that may help.
 *
 * One thread inside drives libcurl's multi interface; callers on any number of threads
 * hand calls in and block. An endpoint is chosen for each try: of those that are up, the
 * one with the fewest requests in flight. Only what may succeed is tried again: refused
 * and reset connections, time-outs, 408, 409, 425, 429, 5xx, and answers that accept()
 * turns down; after an exponential backoff with full jitter (Brooker, "Exponential
 * Backoff And Jitter", AWS 2015), or after Retry-After up to a cap (60 s); where several
 * endpoints are up, at another one. An endpoint that fails several times in a row is
 * down, and is probed again after a while (endpoints.h says what counts: one row's own
 * trouble never does). While all are down no call runs out of tries, it waits; when they
 * have been down for as long as a call's pauses may last together, all calls fail, and
 * net_down() says so from then on.
 *
 * No redirect is followed, to whatever host. TLS peers are verified; CURL_CA_BUNDLE,
 * SSL_CERT_DIR and SSL_CERT_FILE name other roots as they do for curl(1), and the usual
 * variables name a proxy.
 */
#ifndef NET_H
#define NET_H
#include "base/buf.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct net;

struct net_options {
    const char *const *urls; /* [count] bases: "http://host:8000/v1" */
    int count;
    int concurrency;   /* requests in flight at most, over all endpoints; 0: 32 */
    const char *key;   /* bearer token; NULL: none. Never in a message */
    double timeout;    /* seconds one try may take; 0: 600 */
    int retries;       /* tries after the first; -1: default (5) */
    double backoff;    /* seconds, the first pause at its longest; 0: 0.5. Each further
                          one is twice as long, up to 60 */
    int64_t max_reply; /* bytes of a reply, after decoding; 0: 64 MB */
};

/* NULL: class refused (a URL that is no http or https URL, or holds a password or a
 * query; a key that cannot stand in a header), internal. */
struct net *net_open(const struct net_options *options);
void net_close(struct net *n); /* no call may be under way */
bool net_down(struct net *n);  /* every endpoint is down: give the run up */
#define NET_DOWN                                                                         \
    "every endpoint is down" /* how the reason of calls begins that fail so */

/* One POST. Borrowed until net_post_all() returns. */
struct net_call {
    const char *path; /* behind the base: "/chat/completions" */
    /* Append the body for an endpoint (its number in urls: each may serve its own
     * model). Once for each try (attempt from 0), on the net's thread. 0, or -1: the
     * call has failed for good. */
    int (*body)(void *context, int endpoint, int attempt, struct buf *out);
    /* Look at a 200 reply's body (JSON by its checked content): 0 keeps it, -1 (with
     * fail_text(), which gets the endpoint's URL in front) is a failed try like any
     * other. On the net's thread. */
    int (*accept)(void *context, int endpoint, struct span body);
    void *context;
    bool (*abandon)(void *context); /* asked several times a second, on the caller's
                                       thread; true: give up (refused). May be NULL */
    void *abandon_context;
    int64_t deadline_ms; /* monotonic clock; no try goes on behind it. 0: none */
    int attempts;        /* out: tries spent */
};

/* Make all calls, side by side. 0 when each was accepted; else -1 with the reason of the
 * first (in order) that failed for good, the others given up: http (status and what the
 * server said, cut), timeout, too_large, refused (redirect to another host, abandoned),
 * internal. Calls already accepted stay accepted. */
int net_post_all(struct net *n, struct net_call *calls, int count);

int64_t net_now_ms(void); /* the monotonic clock of deadlines */

/* Append a picture's bytes, got by its URL. hosts[count] may be asked (names or
 * addresses, any port), no other (redirects too, which are followed), and no private,
 * loopback or link-local address unless the host is listed as that address itself.
 * Straight, through no proxy, which would hide the address. A try or two more where that
 * may help; 30 seconds in all. 0, or -1: refused, media (not found ...), timeout,
 * too_large; out is then as it was. */
int net_fetch(struct buf *out, const char *url, const char *const *hosts, int count,
              int64_t max_bytes);
#endif
