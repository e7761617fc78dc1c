/* http.c: see http.h. */
#include "server/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 512 << 20, HEAD_MAX = 1 << 20 };

void http_sleep(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}

/* More bytes from the client behind those in c->in. 0, or -1 at its end. */
static int read_more(struct client *c)
{
    char *to = buf_room(&c->in, 1 << 16);
    ssize_t n = to ? recv(c->fd, to, 1 << 16, 0) : -1;
    if (n <= 0)
        return -1;
    c->in.len += (size_t)n;
    return 0;
}

/* Forget the first n bytes. */
static void used(struct client *c, size_t n)
{
    memmove(c->in.data, c->in.data + n, c->in.len - n);
    c->in.len -= n;
}

/* The length of the head, blank line included; 0 if it cannot be had. */
static size_t read_head(struct client *c)
{
    for (;;) {
        char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
        if (end)
            return (size_t)(end - c->in.data) + 4;
        if (c->in.len > HEAD_MAX || read_more(c) < 0)
            return 0;
    }
}

/* The value of a header line in a NUL-ended head, "" if there is none. */
static void header(const char *head, const char *name, char *value, size_t size)
{
    size_t n = strlen(name);
    *value = '\0';
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) != 0 || line[2 + n] != ':')
            continue;
        const char *from = line + 3 + n;
        from += strspn(from, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(from, "\r\n"), from);
        return;
    }
}

static int read_body(struct client *c, struct http_request *r, size_t length)
{
    if (length > BODY_MAX)
        return -1;
    while (c->in.len < length)
        if (read_more(c) < 0)
            return -1;
    buf_add(&r->body, c->in.data, length);
    used(c, length);
    return r->body.bad ? -1 : 0;
}

int http_read(struct client *c, struct http_request *r)
{
    char text[512];
    *r = (struct http_request){0};
    size_t n = read_head(c);
    char *head = n ? strndup(c->in.data, n) : NULL;
    if (!head)
        return -1;
    used(c, n);
    int rc = sscanf(head, "%15s %4095s HTTP/1.", r->method, r->target) == 2 ? 0 : -1;
    header(head, "Authorization", r->authorization, sizeof r->authorization);
    header(head, "Expect", text, sizeof text);
    if (rc == 0 && strcasecmp(text, "100-continue") == 0)
        rc = http_send_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
    header(head, "Content-Length", text, sizeof text);
    free(head);
    if (rc == 0 && *text)
        rc = read_body(c, r, strtoull(text, NULL, 10));
    if (rc < 0)
        http_request_free(r);
    return rc;
}

void http_request_free(struct http_request *r)
{
    buf_free(&r->body);
}

int http_send(struct client *c, const void *bytes, size_t n)
{
    for (const char *s = bytes; n > 0;) {
        ssize_t sent = send(c->fd, s, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        s += sent;
        n -= (size_t)sent;
    }
    return 0;
}

int http_send_text(struct client *c, const char *text)
{
    return http_send(c, text, strlen(text));
}

int http_answer(struct client *c, int status, const char *type, const char *more,
                const char *body, size_t n)
{
    struct buf out = {0};
    buf_print(&out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
              status, status == 200 ? "OK" : "Told So", type, n, more);
    buf_add(&out, body, n);
    int rc = out.bad ? -1 : http_send(c, out.data, out.len);
    buf_free(&out);
    return rc;
}

void http_reset(struct client *c)
{
    struct linger now = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}
