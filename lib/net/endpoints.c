/* endpoints.c: see endpoints.h. */
#include "net/endpoints.h"
#include "base/fail.h"
#include "net/backoff.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static bool is_http(CURLU *u)
{
    char *scheme = NULL;
    bool is = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return is;
}

/* 0 for a URL that paths can be put behind and that messages may show. */
static int check_url(const char *url)
{
    CURLU *u = curl_url();
    int rc = 0;
    if (!u)
        return fail_memory();
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK || !is_http(u))
        rc = strchr(url, '@') /* may hide a password */
                 ? fail(FAIL_REFUSED, "an endpoint is not an http or https URL")
                 : fail(FAIL_REFUSED, "%.200s: not an http or https URL", url);
    else if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        rc =
            fail(FAIL_REFUSED, "an endpoint's URL may hold no user or password: give the "
                               "key in OPENAI_API_KEY or a file");
    else if (has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
        rc = fail(FAIL_REFUSED, "%.200s: an endpoint's URL may hold no query", url);
    curl_url_cleanup(u);
    return rc;
}

int endpoints_open(struct endpoints *e, const char *const *urls, int count)
{
    *e = (struct endpoints){.pause_ms = 1000};
    if (count < 1)
        return fail(FAIL_REFUSED, "no endpoint");
    e->items = calloc((size_t)count, sizeof *e->items);
    if (!e->items)
        return fail_memory();
    for (; e->count < count; e->count++) {
        size_t n = strlen(urls[e->count]);
        while (n > 0 && urls[e->count][n - 1] == '/') n--;
        if (check_url(urls[e->count]) < 0) {
            endpoints_close(e);
            return -1;
        }
        if (!(e->items[e->count].base = strndup(urls[e->count], n))) {
            endpoints_close(e);
            return fail_memory();
        }
    }
    return 0;
}

void endpoints_close(struct endpoints *e)
{
    for (int i = 0; i < e->count; i++) free(e->items[i].base);
    free(e->items);
    *e = (struct endpoints){0};
}

/* What one more request to an endpoint would cost it: its queue, made longer in our eyes
 * by doubt. Else a server that answers nonsense at once would draw all requests. */
static int64_t cost(const struct endpoint *p)
{
    return ((int64_t)p->in_flight + 1) * (1 + p->doubt);
}

/* The cheapest that is up, not `avoid`; -1 if there is none. */
static int cheapest(const struct endpoints *e, int avoid)
{
    int best = -1;
    for (int k = 0; k < e->count; k++) {
        int i = (e->turn + k) % e->count;
        if (!e->items[i].down && i != avoid &&
            (best < 0 || cost(&e->items[i]) < cost(&e->items[best])))
            best = i;
    }
    return best;
}

static int due(const struct endpoints *e, int64_t now_ms)
{
    for (int i = 0; i < e->count; i++) {
        const struct endpoint *p = &e->items[i];
        if (p->down && !p->probing && p->probe_ms <= now_ms)
            return i;
    }
    return -1;
}

int endpoints_pick(struct endpoints *e, int avoid, int64_t now_ms, bool *probe)
{
    int which = due(e, now_ms);
    *probe = which >= 0;
    if (which < 0)
        which = cheapest(e, avoid);
    if (which < 0)
        which = cheapest(e, -1);
    if (which < 0)
        return -1;
    e->items[which].probing |= *probe;
    e->items[which].in_flight++;
    e->turn = (which + 1) % e->count;
    return which;
}

static void revive(struct endpoint *p)
{
    p->unreached = p->struck = 0;
    p->down = p->probing = false;
    p->pause_ms = 0;
}

/* Count a call that was broken off, once. */
static void strike(struct endpoint *p, uint64_t call)
{
    for (int i = 0; i < p->struck; i++)
        if (p->struck_by[i] == call)
            return;
    if (p->struck < ENDPOINT_STRIKES)
        p->struck_by[p->struck++] = call;
}

static void lay_down(const struct endpoints *e, struct endpoint *p, int64_t now_ms)
{
    if (!p->down)
        p->down_ms = now_ms;
    p->down = true;
    p->pause_ms = p->pause_ms ? 2 * p->pause_ms : e->pause_ms;
    if (p->pause_ms > BACKOFF_CAP_MS)
        p->pause_ms = BACKOFF_CAP_MS;
    p->probe_ms = now_ms + p->pause_ms;
}

void endpoints_done(struct endpoints *e, int which, bool probe,
                    enum endpoint_result result, uint64_t call, int64_t now_ms)
{
    struct endpoint *p = &e->items[which];
    endpoints_return(e, which, probe);
    if (result <= ENDPOINT_POOR) {
        revive(p);
        p->doubt =
            result == ENDPOINT_GOOD ? 0 : p->doubt + (p->doubt < ENDPOINT_DOUBT_MAX);
        return;
    }
    if (result == ENDPOINT_STRUCK)
        strike(p, call);
    else
        p->unreached += p->unreached < ENDPOINT_STRIKES;
    /* A failure of a try that began before the endpoint went down says nothing new. */
    if (p->down ? probe : p->unreached + p->struck >= ENDPOINT_STRIKES)
        lay_down(e, p, now_ms);
}

void endpoints_return(struct endpoints *e, int which, bool probe)
{
    e->items[which].in_flight--;
    if (probe)
        e->items[which].probing = false;
}

bool endpoints_all_down(const struct endpoints *e)
{
    for (int i = 0; i < e->count; i++)
        if (!e->items[i].down)
            return false;
    return true;
}

bool endpoints_lost(const struct endpoints *e, int64_t now_ms)
{
    for (int i = 0; i < e->count; i++) {
        const struct endpoint *p = &e->items[i];
        if (!p->down || p->in_flight > 0 || now_ms - p->down_ms < e->linger_ms)
            return false;
    }
    return true;
}

int64_t endpoints_next(const struct endpoints *e)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < e->count; i++) {
        const struct endpoint *p = &e->items[i];
        if (p->down && !p->probing && p->probe_ms < next)
            next = p->probe_ms;
    }
    return next;
}
