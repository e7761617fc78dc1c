/* http.h: the fault server's side of HTTP/1.1: requests in, bytes out. Loopback only. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>

/* One client's connection and what was read of it but not yet used. */
struct client {
    int fd;
    struct buf in;
};

struct http_request {
    char method[16], target[4096], authorization[512];
    struct buf body; /* owned */
};

/* The next request. 0, or -1: the client is gone or speaks no HTTP. */
int http_read(struct client *c, struct http_request *r);
void http_request_free(struct http_request *r);

/* All bytes out. 0, or -1: the client is gone. */
int http_send(struct client *c, const void *bytes, size_t n);
int http_send_text(struct client *c, const char *text);
/* Status line, Content-Type, Content-Length, more header lines (each with CRLF; or "")
 * and the body. */
int http_answer(struct client *c, int status, const char *type, const char *more,
                const char *body, size_t n);

/* Close so that the client gets a reset, not an end. The descriptor stays open. */
void http_reset(struct client *c);
void http_sleep(int ms);
#endif
