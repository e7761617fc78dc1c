/* fetch.c: net_fetch(): a picture by its URL, with the checks that keep rows from making
 * us ask for what only we can reach (server-side request forgery).
 *
 * The host is checked before, by its name; the address when the socket is opened, behind
 * name resolution: that is the address that is used, so a name server that answers
 * differently the next time gains nothing. libcurl is given the very parse of the URL
 * that was checked.
 */
#include "base/fail.h"
#include "net/address.h"
#include "net/backoff.h"
#include "net/net.h"
#include "net/said.h"
#include "net/transfer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FETCH_MS = 30000,
    FETCH_CONNECT_MS = 10000,
    FETCH_TRIES = 3,
    FETCH_REDIRECTS = 5,
    FETCH_PAUSE_MS = 500,
};

struct fetch {
    const char *const *hosts; /* [count] */
    int count;
    size_t start; /* of the picture in out */
    int64_t max_bytes;
    int64_t end_ms;
    struct buf *out;
    /* Of the hop under way: */
    CURL *easy;
    bool listed_address; /* the host is an address that is listed */
    bool private;        /* an address was refused */
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

/* -- Checks -----------------------------------------------------------------------------
 */

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* An IPv6 address in a URL stands in brackets: take them off, in place. */
static void bare(char *host)
{
    size_t n = strlen(host);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = '\0';
    }
}

static bool is_listed(const struct fetch *f, const char *host)
{
    for (int i = 0; i < f->count; i++) {
        char listed[256];
        size_t n = strlen(f->hosts[i]);
        if (n >= sizeof listed)
            continue;
        memcpy(listed, f->hosts[i], n + 1);
        bare(listed);
        if (strcasecmp(listed, host) == 0)
            return true;
    }
    return false;
}

/* May this URL be asked? 0 or -1 (refused). */
static int check_host(struct fetch *f, CURLU *u, const char *url)
{
    char *scheme = NULL, *host = NULL, *user = NULL, shown[SAID_MAX];
    int rc = -1;
    said_clean(shown, span_of(url), NULL);
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        fail(FAIL_REFUSED, "%s: not an http or https URL", shown);
    } else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        fail(FAIL_REFUSED, "a picture's URL may hold no user or password");
    } else {
        bare(host);
        f->listed_address = is_address(host);
        rc = is_listed(f, host)
                 ? 0
                 : fail(FAIL_REFUSED, "%s: its host is not allowed", shown);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return rc;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *a)
{
    struct fetch *f = context;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        (a->family != AF_INET && a->family != AF_INET6) ||
        (!f->listed_address && !address_public(&a->addr))) {
        f->private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* -- One hop ----------------------------------------------------------------------------
 */

static size_t take_bytes(char *bytes, size_t one, size_t n, void *context)
{
    struct fetch *f = context;
    curl_off_t length = -1;
    n *= one;
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > f->max_bytes ||
        (int64_t)(f->out->len - f->start) + (int64_t)n > f->max_bytes) {
        f->too_large = true;
        return 0;
    }
    buf_add(f->out, bytes, n);
    return f->out->bad ? 0 : n;
}

static CURLcode set_options(struct fetch *f, CURLU *u, const struct transfer_rules *rules)
{
    CURL *easy = f->easy;
    int64_t ms = f->end_ms - net_now_ms();
    CURLcode rc = transfer_guard(easy, rules->ca_file, rules->ca_path);
#define SET(option, value)                                                               \
    if (rc == CURLE_OK)                                                                  \
    rc = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_CURLU, u);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, f);
    SET(CURLOPT_WRITEFUNCTION, take_bytes);
    SET(CURLOPT_WRITEDATA, f);
    SET(CURLOPT_ERRORBUFFER, f->error);
    SET(CURLOPT_TIMEOUT_MS, (long)(ms > 0 ? ms : 1));
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)FETCH_CONNECT_MS);
#undef SET
    return rc;
}

enum hop { HOP_GOOD, HOP_REDIRECT, HOP_AGAIN, HOP_FAILED };

static enum hop judge_error(struct fetch *f, CURLcode code, const char *shown)
{
    if (f->private) {
        fail(FAIL_REFUSED, "%s: a private, loopback or reserved address", shown);
    } else if (f->too_large) {
        fail(FAIL_TOO_LARGE, "%s: more than %lld bytes", shown, (long long)f->max_bytes);
    } else if (code == CURLE_OUT_OF_MEMORY || f->out->bad) {
        fail_memory();
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        fail(FAIL_TIMEOUT, "%s: no whole answer in time", shown);
    } else {
        char said[SAID_MAX];
        said_clean(said, span_of(*f->error ? f->error : curl_easy_strerror(code)), NULL);
        fail(FAIL_MEDIA, "%s: %s", shown, said);
        return HOP_AGAIN;
    }
    return HOP_FAILED;
}

/* Ask for the URL once. HOP_REDIRECT: u is where it points to. */
static enum hop ask(struct fetch *f, CURLU *u, const struct transfer_rules *rules,
                    const char *shown)
{
    long status = 0;
    char *next = NULL;
    f->private = f->too_large = false;
    *f->error = '\0';
    f->out->len = f->start;
    CURLcode code = set_options(f, u, rules);
    if (code == CURLE_OK)
        code = curl_easy_perform(f->easy);
    if (code != CURLE_OK)
        return judge_error(f, code, shown);
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &next);
    if (status == 200)
        return HOP_GOOD;
    if (next && curl_url_set(u, CURLUPART_URL, next, 0) == CURLUE_OK)
        return HOP_REDIRECT;
    fail(FAIL_MEDIA, "%s: HTTP %ld%s", shown, status, status == 404 ? ", not found" : "");
    return backoff_worth((int)status) ? HOP_AGAIN : HOP_FAILED;
}

/* Follow redirects from u on, each checked like the first URL. */
static enum hop follow(struct fetch *f, CURLU *u, const struct transfer_rules *rules)
{
    for (int i = 0; i <= FETCH_REDIRECTS; i++) {
        char *url = NULL, shown[SAID_MAX];
        if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK) {
            fail(FAIL_REFUSED, "a redirect to what is no URL");
            return HOP_FAILED;
        }
        said_clean(shown, span_of(url), NULL);
        enum hop hop = check_host(f, u, url) < 0 ? HOP_FAILED : ask(f, u, rules, shown);
        curl_free(url);
        if (hop != HOP_REDIRECT)
            return hop;
    }
    fail(FAIL_REFUSED, "more than %d redirects", FETCH_REDIRECTS);
    return HOP_FAILED;
}

static void rest(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Try, and again where that may help and time is left. */
static int fetch(struct fetch *f, const char *url, const struct transfer_rules *rules)
{
    enum hop hop = HOP_AGAIN;
    for (int i = 0; i < FETCH_TRIES && hop == HOP_AGAIN; i++) {
        CURLU *u = curl_url();
        f->easy = curl_easy_init();
        if (!u || !f->easy) {
            fail_memory();
            hop = HOP_FAILED;
        } else if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
            char shown[SAID_MAX];
            said_clean(shown, span_of(url), NULL);
            fail(FAIL_REFUSED, "%s: not an http or https URL", shown);
            hop = HOP_FAILED;
        } else {
            if (i > 0)
                rest(backoff_ceiling(i - 1, FETCH_PAUSE_MS));
            hop = net_now_ms() < f->end_ms ? follow(f, u, rules) : HOP_FAILED;
        }
        curl_easy_cleanup(f->easy); /* before the URL that it borrows */
        curl_url_cleanup(u);
    }
    return hop == HOP_GOOD ? 0 : -1;
}

int net_fetch(struct buf *out, const char *url, const char *const *hosts, int count,
              int64_t max_bytes)
{
    struct transfer_rules rules;
    struct fetch f = {.hosts = hosts,
                      .count = count,
                      .start = out->len,
                      .max_bytes = max_bytes,
                      .end_ms = net_now_ms() + FETCH_MS,
                      .out = out};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fail(FAIL_INTERNAL, "libcurl cannot start");
    int rc = transfer_rules_open(&rules, NULL, max_bytes);
    if (rc == 0) {
        rc = fetch(&f, url, &rules);
        transfer_rules_close(&rules);
    }
    curl_global_cleanup();
    if (rc < 0)
        out->len = f.start;
    return rc;
}
