/* transfer.c: see transfer.h.
 *
 * No redirect is followed: a POST whose target moves is a URL to be corrected, and a
 * redirect to another host would carry pictures, prompts and the key there.
 */
#include "net/transfer.h"
#include "net/backoff.h"
#include "net/said.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    HEAD_MAX = 256 << 10,       /* bytes of headers */
    ERROR_BODY_MAX = 64 << 10,  /* bytes of an error's body */
    CONNECT_TIMEOUT_MS = 30000, /* no server that lives needs longer to say hello */
};

/* -- Rules ------------------------------------------------------------------------------
 */

static char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? strdup(value) : NULL;
}

static int add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return fail_memory();
    *list = longer;
    return 0;
}

static int add_key(struct transfer_rules *rules, const char *key)
{
    struct buf line = {0};
    for (const char *s = key; *s; s++)
        if ((unsigned char)*s <= 0x20 || *s == 0x7f)
            return fail(FAIL_REFUSED, "the API key holds a space or a control character");
    buf_print(&line, "Authorization: Bearer %s", key);
    rules->key = strdup(key);
    int rc = buf_string(&line) && rules->key ? add_header(&rules->headers, line.data)
                                             : fail_memory();
    buf_free(&line);
    return rc;
}

int transfer_rules_open(struct transfer_rules *rules, const char *key, int64_t max_reply)
{
    *rules = (struct transfer_rules){.max_reply = max_reply};
    rules->ca_file = environment("CURL_CA_BUNDLE"); /* in the curl program's order */
    if (!rules->ca_file)
        rules->ca_path = environment("SSL_CERT_DIR");
    if (!rules->ca_file)
        rules->ca_file = environment("SSL_CERT_FILE");
    if (add_header(&rules->headers, "Content-Type: application/json") < 0 ||
        add_header(&rules->headers, "Accept: application/json") < 0 ||
        add_header(&rules->headers, "Expect:") < 0 || /* no wait for "100 Continue" */
        (key && *key && add_key(rules, key) < 0)) {
        transfer_rules_close(rules);
        return -1;
    }
    return 0;
}

void transfer_rules_close(struct transfer_rules *rules)
{
    curl_slist_free_all(rules->headers);
    free(rules->key);
    free(rules->ca_file);
    free(rules->ca_path);
    *rules = (struct transfer_rules){0};
}

/* -- Bytes as they come -------------------------------------------------------------- */

static long status_of(const struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The value of a header line if it has this name: white space cut, into value. */
static bool header_is(const char *line, size_t n, const char *name, char *value,
                      size_t size)
{
    size_t k = strlen(name);
    if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
        return false;
    for (k++; k < n && (line[k] == ' ' || line[k] == '\t'); k++) {
    }
    while (n > k && strchr(" \t\r\n", line[n - 1])) n--;
    n = n - k < size ? n - k : size - 1;
    memcpy(value, line + k, n);
    value[n] = '\0';
    return true;
}

static size_t take_header(char *line, size_t one, size_t n, void *context)
{
    struct transfer *t = context;
    char value[64];
    n *= one;
    t->head += n;
    if (t->head > HEAD_MAX) {
        t->too_large = true;
        return 0;
    }
    if (header_is(line, n, "Retry-After", value, sizeof value))
        t->retry_after_ms = backoff_retry_after(value, time(NULL));
    header_is(line, n, "Location", t->location, sizeof t->location);
    return n;
}

static size_t take_body(char *bytes, size_t one, size_t n, void *context)
{
    struct transfer *t = context;
    curl_off_t length = -1;
    bool ok = status_of(t) == 200;
    size_t most = ok ? (size_t)t->rules->max_reply : ERROR_BODY_MAX;
    n *= one;
    if (t->reply.len == 0)
        curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (n > most - t->reply.len || (ok && length > t->rules->max_reply)) {
        t->too_large = ok;
        t->enough = !ok;
        return 0;
    }
    buf_add(&t->reply, bytes, n);
    return t->reply.bad ? 0 : n;
}

/* -- A try ------------------------------------------------------------------------------
 */

CURLcode transfer_guard(CURL *easy, const char *ca_file, const char *ca_path)
{
    CURLcode rc = CURLE_OK;
#define SET(option, value)                                                               \
    if (rc == CURLE_OK)                                                                  \
    rc = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, "capmill/" CAPMILL_VERSION);
    /* One connection a request: what befalls one does not befall its neighbours. */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's answer is not the server's */
    SET(CURLOPT_QUICK_EXIT, 1L);               /* closing waits for no name server */
    if (ca_file)
        SET(CURLOPT_CAINFO, ca_file);
    if (ca_path)
        SET(CURLOPT_CAPATH, ca_path);
    return rc;
}

int transfer_open(struct transfer *t, const struct transfer_rules *rules,
                  const char *base, const char *path, int64_t timeout_ms, void *owner)
{
    CURLcode rc = CURLE_OK;
    long connect_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS;
    t->rules = rules;
    t->retry_after_ms = -1;
    t->easy = curl_easy_init();
    buf_print(&t->url, "%s%s", base, path);
    if (!t->easy || !buf_string(&t->url) || t->request.bad)
        return fail_memory();
    CURL *easy = t->easy;
    rc = transfer_guard(easy, rules->ca_file, rules->ca_path);
    SET(CURLOPT_URL, t->url.data);
    SET(CURLOPT_HTTPHEADER, rules->headers);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, t->request.data ? t->request.data : "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request.len);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_PRIVATE, owner);
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
#undef SET
    if (rc != CURLE_OK)
        return fail(FAIL_INTERNAL, "libcurl: %s", curl_easy_strerror(rc));
    return 0;
}

void transfer_close(struct transfer *t)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    buf_free(&t->url);
    buf_free(&t->request);
    buf_free(&t->reply);
    *t = (struct transfer){0};
}

/* -- What became of it ------------------------------------------------------------------
 */

static struct span reply_span(const struct transfer *t)
{
    return (struct span){t->reply.data ? t->reply.data : "", t->reply.len};
}

/* A whole answer with a status other than 200, or enough of one. */
static void judge_status(const struct transfer *t, int status, const char *base,
                         struct verdict *v)
{
    char said[SAID_MAX];
    if (status >= 300 && status < 400 && *t->location) {
        said_clean(said, span_of(t->location), t->rules->key);
        v->result = ENDPOINT_POOR;
        fail(FAIL_REFUSED, "%s: HTTP %d, a redirect to %s, not followed", base, status,
             said);
        return;
    }
    said_read(said, reply_span(t), t->rules->key);
    v->retry = backoff_worth(status);
    v->result = status >= 500 ? ENDPOINT_STRUCK : ENDPOINT_POOR;
    fail(FAIL_HTTP, "%s: HTTP %d%s%s", base, status, *said ? ": " : "", said);
}

/* libcurl gave up. */
static void judge_error(const struct transfer *t, CURLcode code, const char *base,
                        struct verdict *v)
{
    char said[SAID_MAX];
    curl_off_t sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    said_clean(said, span_of(*t->error ? t->error : curl_easy_strerror(code)),
               t->rules->key);
    v->retry = true;
    /* No request went out before the connection stood: not the row's fault. */
    v->result = sent == 0 ? ENDPOINT_UNREACHED : ENDPOINT_STRUCK;
    if (code == CURLE_OUT_OF_MEMORY || t->reply.bad) {
        v->retry = false;
        v->result = ENDPOINT_POOR;
        fail_memory();
    } else if (t->too_large) {
        v->retry = false;
        v->result = ENDPOINT_POOR;
        fail(FAIL_TOO_LARGE, "%s: a reply of more than %lld bytes%s", base,
             t->head > HEAD_MAX ? (long long)HEAD_MAX : (long long)t->rules->max_reply,
             t->head > HEAD_MAX ? " of headers" : "");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        fail(FAIL_TIMEOUT, "%s: %s", base, said);
    } else {
        fail(FAIL_HTTP, "%s: %s", base, said);
    }
}

void transfer_judge(struct transfer *t, CURLcode code, const char *base,
                    struct verdict *v)
{
    int status = (int)status_of(t);
    *v = (struct verdict){.result = ENDPOINT_GOOD};
    if (code == CURLE_OK && status == 200) {
        v->good = true;
        return;
    }
    if (code == CURLE_OK || (t->enough && !t->reply.bad))
        judge_status(t, status, base, v);
    else
        judge_error(t, code, base, v);
    fail_save(&v->failure);
}
