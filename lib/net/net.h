/* net.h: HTTP to OpenAI-compatible endpoints: many requests in flight, several servers
 * side by side, tries repeated where that may help.
 *
 * One thread inside drives libcurl's multi interface; callers on any number of threads
 * hand calls in and block. An endpoint is chosen for each try: of those that are up, the
 * one with the fewest requests in flight. Only what may succeed is tried again: refused
 * and reset connections, time-outs, 408, 409, 425, 429, 5xx, and answers that accept()
 * turns down; after an exponential backoff with full jitter (Brooker, "Exponential
 * Backoff And Jitter", AWS 2015), or after Retry-After up to a cap. An endpoint that
 * fails several times in a row is down, and is probed again after a while; when all are
 * down for good, calls fail and net_down() says so.
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
    int64_t max_reply; /* bytes of a reply, after decoding; 0: 64 MB */
};

/* NULL: class refused (a URL that is no http or https URL), internal. */
struct net *net_open(const struct net_options *options);
void net_close(struct net *n); /* no call may be under way */
bool net_down(struct net *n);  /* every endpoint is down: give the run up */

/* One POST. Borrowed until net_post_all() returns. */
struct net_call {
    const char *path; /* behind the base: "/chat/completions" */
    /* Append the body for an endpoint (its number in urls: each may serve its own
     * model). Once for each try, on the net's thread. 0 or -1. */
    int (*body)(void *context, int endpoint, int attempt, struct buf *out);
    /* Look at a 200 reply's body (JSON by its checked content): 0 keeps it, -1 (with
     * fail_text()) is a failed try like any other. On the net's thread. */
    int (*accept)(void *context, int endpoint, struct span body);
    void *context;
    bool (*abandon)(void *context); /* asked now and then; true: give up (refused) */
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

/* Fetch a picture by its URL. hosts[count] may be asked, no other (redirects too), and no
 * private, loopback or link-local address unless the host's name is listed as such an
 * address itself. 0, or -1: refused, media (not found ...), timeout, too_large. */
int net_fetch(struct buf *out, const char *url, const char *const *hosts, int count,
              int64_t max_bytes);
#endif
