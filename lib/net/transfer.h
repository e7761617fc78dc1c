/* transfer.h: one try: a request on its way to one endpoint, and what became of it. */
#ifndef TRANSFER_H
#define TRANSFER_H
#include "base/buf.h"
#include "base/fail.h"
#include "base/span.h"
#include "net/endpoints.h"

#include <curl/curl.h>

/* What all tries have in common. */
struct transfer_rules {
    struct curl_slist *headers; /* owned */
    char *key;                  /* owned; kept out of messages; NULL: none */
    char *ca_file, *ca_path;    /* owned; NULL: libcurl's own */
    int64_t max_reply;          /* bytes */
};

struct transfer {
    CURL *easy;                         /* owned */
    struct buf url;                     /* owned */
    struct buf request;                 /* owned: the body sent */
    struct buf reply;                   /* owned: the body that came, decoded */
    const struct transfer_rules *rules; /* borrowed */
    size_t head;                        /* bytes of headers that came */
    int64_t retry_after_ms;             /* -1: not said */
    char location[256];                 /* of a redirect, cut; "" */
    bool too_large;                     /* reply or headers */
    bool enough;                        /* of an error's body: stopped reading */
    char error[CURL_ERROR_SIZE];
};

/* What a try came to. */
struct verdict {
    bool good;                   /* status 200, body whole */
    bool retry;                  /* it may go better another time */
    enum endpoint_result result; /* what it says about the endpoint */
    struct failure failure;      /* where it is not good */
};

/* 0, or -1: refused (a key that cannot stand in a header), internal. */
int transfer_rules_open(struct transfer_rules *rules, const char *key, int64_t max_reply);
void transfer_rules_close(struct transfer_rules *rules);

/* Get *t ready: it is to send t->request, which the caller has filled, to base + path
 * within timeout_ms, and give back `owner` as its CURLOPT_PRIVATE. 0 or -1 (internal).
 * *t stays where it is until transfer_close(). */
int transfer_open(struct transfer *t, const struct transfer_rules *rules,
                  const char *base, const char *path, int64_t timeout_ms, void *owner);
void transfer_close(struct transfer *t); /* also one that is only zeroed */

/* Look at what libcurl says the transfer came to. base: for messages. */
void transfer_judge(struct transfer *t, CURLcode code, const char *base,
                    struct verdict *v);

/* TLS and protocol settings that every request of ours has. */
CURLcode transfer_guard(CURL *easy, const char *ca_file, const char *ca_path);
#endif
