/* fault.c: see fault.h. */
#include "server/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define JSON_TYPE "application/json"

/* -- A good answer, damaged on its way --------------------------------------------------
 */

enum damage {
    DAMAGE_RESET,         /* no byte, a reset */
    DAMAGE_CLOSE,         /* no byte, an orderly end */
    DAMAGE_RESET_HEADERS, /* inside the headers */
    DAMAGE_RESET_BODY,    /* inside the body */
    DAMAGE_CUT,           /* the body ends early, orderly */
    DAMAGE_LONG_LENGTH,   /* Content-Length says more than comes */
    DAMAGE_SHORT_LENGTH,  /* ... and less */
    DAMAGE_STALL,         /* no byte for a long while */
    DAMAGE_STALL_HEADERS,
    DAMAGE_STALL_BODY,
    DAMAGE_DRIP, /* byte by byte, slowly */
    DAMAGE_DRIP_HEADERS,
    DAMAGE_ENDLESS,    /* chunked, the last chunk never comes, the connection ends */
    DAMAGE_BAD_CHUNK,  /* a chunk size that is none */
    DAMAGE_TRUNCATED,  /* the JSON ends early, with a length that fits */
    DAMAGE_INVALID,    /* no JSON */
    DAMAGE_EMPTY_BODY, /* 200 and nothing */
    DAMAGE_TYPE,       /* good, as text/html */
    DAMAGE_IDLE_CLOSE, /* good, then the kept connection is closed */
    DAMAGE_IDLE_RESET,
    DAMAGE_NUL,         /* a NUL in the JSON */
    DAMAGE_DEEP,        /* nested JSON */
    DAMAGE_BAD_STATUS,  /* a status line that is none */
    DAMAGE_HTTP_09,     /* no head at all */
    DAMAGE_HEAD_FLOOD,  /* a head of 2 MB */
    DAMAGE_MANY_100,    /* a hundred "100 Continue" before the answer */
    DAMAGE_BAD_GZIP,    /* says gzip and is not */
    DAMAGE_TWO_LENGTHS, /* two lengths that differ */
};

static int send_head(struct client *c, size_t length)
{
    char head[128];
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: " JSON_TYPE
             "\r\nContent-Length: %zu\r\n\r\n",
             length);
    return http_send_text(c, head);
}

/* In one piece, so that the client has the rest before it can use the connection again.
 */
static void send_short(struct client *c, const char *body, size_t n)
{
    struct buf all = {0};
    buf_print(&all, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n / 2);
    buf_add(&all, body, n);
    http_send(c, all.data, all.len);
    buf_free(&all);
}

static void drip(struct client *c, const char *s, size_t n, int ms)
{
    for (size_t i = 0; i < n && http_send(c, s + i, 1) == 0; i++) http_sleep(ms);
}

static void flood_head(struct client *c)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    memcpy(line, "X-Flood: ", 9);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    http_send_text(c, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2048 && http_send(c, line, sizeof line) == 0; i++) {
    }
}

static void deep(struct client *c)
{
    enum { DEPTH = 100000 };
    char *s = malloc(DEPTH);
    if (s)
        memset(s, '[', DEPTH);
    http_answer(c, 200, JSON_TYPE, "", s, s ? DEPTH : 0);
    free(s);
}

static enum fault_end damage(enum damage how, const struct fault_options *o,
                             struct client *c, const char *body, size_t n)
{
    size_t half = n / 2;
    switch (how) {
    case DAMAGE_RESET: return FAULT_RESET;
    case DAMAGE_CLOSE: return FAULT_CLOSE;
    case DAMAGE_RESET_HEADERS:
        http_send_text(c, "HTTP/1.1 200 OK\r\nContent-Type: appl");
        http_sleep(5); /* a reset may overtake what was sent */
        return FAULT_RESET;
    case DAMAGE_RESET_BODY:
        send_head(c, n);
        http_send(c, body, half);
        http_sleep(5);
        return FAULT_RESET;
    case DAMAGE_CUT:
        http_send_text(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        http_send(c, body, half);
        return FAULT_CLOSE;
    case DAMAGE_LONG_LENGTH:
        send_head(c, n + 1000);
        http_send(c, body, n);
        return FAULT_CLOSE;
    case DAMAGE_SHORT_LENGTH: send_short(c, body, n); return FAULT_CLOSE;
    case DAMAGE_STALL: http_sleep(o->stall_ms); return FAULT_CLOSE;
    case DAMAGE_STALL_HEADERS:
        http_send_text(c, "HTTP/1.1 200 OK\r\nContent-");
        http_sleep(o->stall_ms);
        return FAULT_CLOSE;
    case DAMAGE_STALL_BODY:
        send_head(c, n);
        http_send(c, body, half);
        http_sleep(o->stall_ms);
        return FAULT_CLOSE;
    case DAMAGE_DRIP:
        send_head(c, n);
        drip(c, body, n, o->drip_ms);
        return FAULT_KEEP;
    case DAMAGE_DRIP_HEADERS: {
        static const char head[] =
            "HTTP/1.1 200 OK\r\nContent-Type: " JSON_TYPE "\r\nConnection: close\r\n\r\n";
        drip(c, head, sizeof head - 1, o->drip_ms);
        http_send(c, body, n);
        return FAULT_CLOSE;
    }
    case DAMAGE_ENDLESS:
    case DAMAGE_BAD_CHUNK: {
        char size[32];
        snprintf(size, sizeof size, "%zx\r\n", n);
        http_send_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        http_send_text(c, how == DAMAGE_BAD_CHUNK ? "zz\r\n" : size);
        http_send(c, body, n);
        http_send_text(c, "\r\n");
        return FAULT_CLOSE;
    }
    case DAMAGE_TRUNCATED:
        http_answer(c, 200, JSON_TYPE, "", body, half);
        return FAULT_KEEP;
    case DAMAGE_INVALID:
        http_answer(c, 200, JSON_TYPE, "", "{choices: nan}", 14);
        return FAULT_KEEP;
    case DAMAGE_EMPTY_BODY: http_answer(c, 200, JSON_TYPE, "", "", 0); return FAULT_KEEP;
    case DAMAGE_TYPE: http_answer(c, 200, "text/html", "", body, n); return FAULT_KEEP;
    case DAMAGE_IDLE_CLOSE:
    case DAMAGE_IDLE_RESET:
        http_answer(c, 200, JSON_TYPE, "", body, n);
        http_sleep(5);
        return how == DAMAGE_IDLE_CLOSE ? FAULT_CLOSE : FAULT_RESET;
    case DAMAGE_NUL:
        http_answer(c, 200, JSON_TYPE, "", "{\"choices\":\0[]}", 15);
        return FAULT_KEEP;
    case DAMAGE_DEEP: deep(c); return FAULT_KEEP;
    case DAMAGE_BAD_STATUS:
        http_send_text(c, "HTTP/1.1 abc OK\r\n\r\n{}");
        return FAULT_CLOSE;
    case DAMAGE_HTTP_09: http_send(c, body, n); return FAULT_CLOSE;
    case DAMAGE_HEAD_FLOOD: flood_head(c); return FAULT_CLOSE;
    case DAMAGE_MANY_100:
        for (int i = 0; i < 100; i++) http_send_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
        http_answer(c, 200, JSON_TYPE, "", body, n);
        return FAULT_KEEP;
    case DAMAGE_BAD_GZIP:
        http_answer(c, 200, JSON_TYPE, "Content-Encoding: gzip\r\n", body, n);
        return FAULT_CLOSE;
    case DAMAGE_TWO_LENGTHS:
        http_answer(c, 200, JSON_TYPE, "Content-Length: 1\r\n", body, n);
        return FAULT_CLOSE;
    }
    return FAULT_CLOSE;
}

/* -- Answers of their own ------------------------------------------------------------ */

static void send_error(struct client *c, int status, const char *more)
{
    char body[128];
    int n =
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"fault %d\",\"code\":%d}}",
                 status, status);
    http_answer(c, status, JSON_TYPE, more, body, (size_t)n);
}

static void send_later_date(struct client *c)
{
    char more[96];
    time_t t = time(NULL) + 2;
    struct tm tm;
    gmtime_r(&t, &tm); /* the C locale's names: setlocale() is never called here */
    strftime(more, sizeof more, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    send_error(c, 429, more);
}

static void send_huge(struct client *c, int mb)
{
    char *block = malloc(1 << 20);
    if (!block)
        return;
    memset(block, ' ', 1 << 20); /* white space in front of a JSON value is JSON */
    send_head(c, ((size_t)mb << 20) + 2);
    for (int i = 0; i < mb && http_send(c, block, 1 << 20) == 0; i++) {
    }
    http_send_text(c, "{}");
    free(block);
}

void fault_bomb(struct client *c, int mb)
{
    unsigned char *out = malloc(1 << 16), *zeros = calloc(1, 1 << 20);
    z_stream z = {0};
    if (!out || !zeros ||
        deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        free(zeros);
        return;
    }
    int rc = http_send_text(c, "HTTP/1.1 200 OK\r\nContent-Type: " JSON_TYPE
                               "\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n");
    for (int i = 0; i <= mb && rc == 0; i++) {
        z.next_in = zeros;
        z.avail_in = i < mb ? 1 << 20 : 0;
        do {
            z.next_out = out;
            z.avail_out = 1 << 16;
            deflate(&z, i < mb ? Z_NO_FLUSH : Z_FINISH);
            rc = http_send(c, out, (1 << 16) - z.avail_out);
        } while (rc == 0 && z.avail_out == 0);
    }
    deflateEnd(&z);
    free(out);
    free(zeros);
}

static void send_chunk(struct client *c, const char *text)
{
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", strlen(text));
    http_send_text(c, size);
    http_send_text(c, text);
    http_send_text(c, "\r\n");
}

/* A stream of events that nobody asked for. */
static void send_events(struct client *c, const char *event)
{
    http_send_text(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n");
    send_chunk(c, event);
    http_send_text(c, "0\r\n\r\n");
}

/* -- The table ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum { KIND_FLAW, KIND_DAMAGE, KIND_OTHER } kind;
    int which; /* enum answer_flaw, enum damage, or a status */
    const char *text;
} faults[] = {
    {"", KIND_FLAW, FLAW_NONE, NULL},
    {"no-choices", KIND_FLAW, FLAW_NO_CHOICES, NULL},
    {"empty-choices", KIND_FLAW, FLAW_EMPTY_CHOICES, NULL},
    {"null-content", KIND_FLAW, FLAW_NULL_CONTENT, NULL},
    {"fewer", KIND_FLAW, FLAW_FEWER, NULL},
    {"shuffled", KIND_FLAW, FLAW_SHUFFLED, NULL},
    {"twice", KIND_FLAW, FLAW_TWICE, NULL},
    {"utf8", KIND_FLAW, FLAW_CUT_UTF8, NULL},
    {"error-200", KIND_FLAW, FLAW_ERROR, NULL},
    {"reset", KIND_DAMAGE, DAMAGE_RESET, NULL},
    {"close", KIND_DAMAGE, DAMAGE_CLOSE, NULL},
    {"reset-headers", KIND_DAMAGE, DAMAGE_RESET_HEADERS, NULL},
    {"reset-body", KIND_DAMAGE, DAMAGE_RESET_BODY, NULL},
    {"cut", KIND_DAMAGE, DAMAGE_CUT, NULL},
    {"length-large", KIND_DAMAGE, DAMAGE_LONG_LENGTH, NULL},
    {"length-small", KIND_DAMAGE, DAMAGE_SHORT_LENGTH, NULL},
    {"stall", KIND_DAMAGE, DAMAGE_STALL, NULL},
    {"stall-headers", KIND_DAMAGE, DAMAGE_STALL_HEADERS, NULL},
    {"stall-body", KIND_DAMAGE, DAMAGE_STALL_BODY, NULL},
    {"drip", KIND_DAMAGE, DAMAGE_DRIP, NULL},
    {"drip-headers", KIND_DAMAGE, DAMAGE_DRIP_HEADERS, NULL},
    {"endless", KIND_DAMAGE, DAMAGE_ENDLESS, NULL},
    {"bad-chunk", KIND_DAMAGE, DAMAGE_BAD_CHUNK, NULL},
    {"truncated", KIND_DAMAGE, DAMAGE_TRUNCATED, NULL},
    {"invalid", KIND_DAMAGE, DAMAGE_INVALID, NULL},
    {"empty-body", KIND_DAMAGE, DAMAGE_EMPTY_BODY, NULL},
    {"type", KIND_DAMAGE, DAMAGE_TYPE, NULL},
    {"idle-close", KIND_DAMAGE, DAMAGE_IDLE_CLOSE, NULL},
    {"idle-reset", KIND_DAMAGE, DAMAGE_IDLE_RESET, NULL},
    {"nul", KIND_DAMAGE, DAMAGE_NUL, NULL},
    {"deep", KIND_DAMAGE, DAMAGE_DEEP, NULL},
    {"bad-status", KIND_DAMAGE, DAMAGE_BAD_STATUS, NULL},
    {"http-0.9", KIND_DAMAGE, DAMAGE_HTTP_09, NULL},
    {"head-flood", KIND_DAMAGE, DAMAGE_HEAD_FLOOD, NULL},
    {"many-100", KIND_DAMAGE, DAMAGE_MANY_100, NULL},
    {"bad-gzip", KIND_DAMAGE, DAMAGE_BAD_GZIP, NULL},
    {"two-lengths", KIND_DAMAGE, DAMAGE_TWO_LENGTHS, NULL},
    {"429-seconds", KIND_OTHER, 429, "Retry-After: 1\r\n"},
    {"429-zero", KIND_OTHER, 429, "Retry-After: 0\r\n"},
    {"429-huge", KIND_OTHER, 429, "Retry-After: 1000000000\r\n"},
    {"429-overflow", KIND_OTHER, 429, "Retry-After: 99999999999999999999999\r\n"},
    {"429-negative", KIND_OTHER, 429, "Retry-After: -5\r\n"},
    {"429-junk", KIND_OTHER, 429, "Retry-After: soon\r\n"},
    {"429-past", KIND_OTHER, 429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
    {"429-date", KIND_OTHER, 0, NULL},
    {"html", KIND_OTHER, 0, NULL},
    {"html-502", KIND_OTHER, 0, NULL},
    {"huge", KIND_OTHER, 0, NULL},
    {"gzip-bomb", KIND_OTHER, 0, NULL},
    {"sse", KIND_OTHER, 0, NULL},
    {"sse-error", KIND_OTHER, 0, NULL},
    {"secret", KIND_OTHER, 0, NULL}, /* an error text with control bytes in it */
    {"redirect-host", KIND_OTHER, 302, "Location: http://127.0.0.2:9/v1\r\n"},
    {"redirect-file", KIND_OTHER, 302, "Location: file:///etc/passwd\r\n"},
    {"redirect-meta", KIND_OTHER, 307, "Location: http://169.254.169.254/latest\r\n"},
    {"redirect-same", KIND_OTHER, 307, "Location: /v1/chat/completions\r\n"},
    {"redirect-other", KIND_OTHER, 0, NULL}, /* with the key in the URL */
    {"refuse", KIND_OTHER, 0, NULL},
};

static int find(const char *name)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool is_status(const char *name)
{
    return strlen(name) == 3 && strspn(name, "0123456789") == 3;
}

bool fault_known(const char *name)
{
    return find(name) >= 0 || is_status(name);
}

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

static void send_other(struct client *c, const struct fault_options *o,
                       const struct http_request *r)
{
    char more[1024];
    snprintf(more, sizeof more, "Location: %.200s?%.400s\r\n", o->other ? o->other : "",
             r->authorization);
    send_error(c, 307, more);
}

static enum fault_end other(const char *name, const struct fault_options *o,
                            struct client *c, const struct http_request *r)
{
    static const char html[] = "<!doctype html><title>Sign in</title>";
    static const char secret[] = "{\"error\":{\"message\":\"a\\u001b[31mb\\nc\"}}";
    if (is(name, "refuse"))
        return FAULT_RESET;
    if (is(name, "429-date"))
        send_later_date(c);
    else if (is(name, "html"))
        http_answer(c, 200, "text/html", "", html, sizeof html - 1);
    else if (is(name, "html-502"))
        http_answer(c, 502, "text/html", "", html, sizeof html - 1);
    else if (is(name, "huge"))
        send_huge(c, o->huge_mb);
    else if (is(name, "sse"))
        send_events(c, "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n");
    else if (is(name, "sse-error"))
        send_events(c, "event: error\ndata: {\"error\":{\"message\":\"dead\"}}\n\n");
    else if (is(name, "secret"))
        http_answer(c, 400, JSON_TYPE, "", secret, sizeof secret - 1);
    else if (is(name, "redirect-other"))
        send_other(c, o, r);
    if (!is(name, "gzip-bomb"))
        return FAULT_KEEP;
    fault_bomb(c, o->huge_mb);
    return FAULT_CLOSE;
}

enum fault_end fault_answer(const char *name, const struct fault_options *options,
                            const struct answer_rules *rules, struct client *c,
                            const struct http_request *r)
{
    int i = find(name);
    if (i < 0 || (faults[i].kind == KIND_OTHER && faults[i].which)) {
        send_error(c, i < 0 ? atoi(name) : faults[i].which, i < 0 ? "" : faults[i].text);
        return FAULT_KEEP;
    }
    if (faults[i].kind == KIND_OTHER)
        return other(name, options, c, r);
    struct buf reply = {0};
    struct span body = {r->body.data ? r->body.data : "", r->body.len};
    bool flaw = faults[i].kind == KIND_FLAW;
    int status = answer_chat(rules, body, flaw ? faults[i].which : FLAW_NONE, &reply);
    enum fault_end end = FAULT_KEEP;
    if (flaw)
        http_answer(c, status, JSON_TYPE, "", reply.data, reply.len);
    else
        end = damage(faults[i].which, options, c, reply.data, reply.len);
    buf_free(&reply);
    return end;
}
