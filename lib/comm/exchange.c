/* exchange.c: messages to and from all ranks at once, so that nobody waits for somebody
 * who waits for him. */
#include "base/fail.h"
#include "comm/comm_own.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

double comm_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void exchange_send(struct comm *c, int rank, const void *bytes, size_t n)
{
    c->out[rank] =
        (struct flow){.frame = {COMM_MAGIC, FRAME_DATA, c->peers[rank].sent, n},
                      .data = (char *)(uintptr_t)bytes,
                      .bytes = n,
                      .on = true};
}

void exchange_receive(struct comm *c, int rank, void *bytes, size_t n)
{
    c->in[rank] = (struct flow){.data = bytes, .bytes = n, .on = true};
}

/* -- Who is gone
 * -------------------------------------------------------------------------
 */

int comm_broken(struct comm *c)
{
    c->lost = true;
    snprintf(c->why, sizeof c->why, "%.500s", fail_text());
    return -1;
}

static int gone(struct comm *c, int rank, const char *how)
{
    fail(FAIL_REFUSED, "rank %d of %d is gone (%s)", rank, c->world, how);
    return comm_broken(c);
}

/* A rank says why it leaves. */
static int left(struct comm *c, int rank, size_t bytes)
{
    char why[FAIL_TEXT_MAX - 64] = "";
    size_t room = bytes < sizeof why - 1 ? bytes : sizeof why - 1, n = 0;
    struct pollfd one = {c->peers[rank].fd, POLLIN, 0};
    ssize_t got;
    while (n < room && poll(&one, 1, 200) > 0 &&
           (got = recv(one.fd, why + n, room - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    why[n] = '\0';
    if (strncmp(why, "rank ", 5) == 0) /* it leaves because of another one */
        fail(FAIL_REFUSED, "%s", why);
    else
        fail(FAIL_REFUSED, "rank %d of %d left: %s", rank, c->world, why);
    return comm_broken(c);
}

/* A connection broke: what it still has may say why. */
static int broke(struct comm *c, int rank, int error)
{
    struct frame f;
    int fd = c->peers[rank].fd;
    const struct flow *in = &c->in[rank];
    bool between = !in->on || in->frame_done == 0;
    if (between && recv(fd, &f, sizeof f, MSG_DONTWAIT) == sizeof f &&
        f.magic == COMM_MAGIC && f.kind == FRAME_LEAVE)
        return left(c, rank, f.bytes);
    return gone(c, rank, error ? strerror(error) : "its connection is closed");
}

static int silent(struct comm *c)
{
    int rank = 0;
    while (rank < c->world && !c->in[rank].on) rank++;
    for (int r = 0; rank == c->world && r < c->world; r++) rank = c->out[r].on ? r : rank;
    fail(FAIL_TIMEOUT, "rank %d of %d says nothing for %.0f s", rank, c->world,
         c->timeout);
    return comm_broken(c);
}

/* -- Moving bytes
 * ------------------------------------------------------------------------
 */

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* What a connection takes now. 1 something moved, 0 nothing, -1. */
static int push(struct comm *c, int rank)
{
    struct flow *f = &c->out[rank];
    struct peer *p = &c->peers[rank];
    int moved = 0;
    while (f->on) {
        bool head = f->frame_done < sizeof f->frame;
        const char *from =
            head ? (const char *)&f->frame + f->frame_done : f->data + f->done;
        size_t n = head ? sizeof f->frame - f->frame_done : f->bytes - f->done;
        ssize_t put =
            n ? send(p->fd, from, n,
                     MSG_NOSIGNAL | MSG_DONTWAIT | (head && f->bytes ? MSG_MORE : 0))
              : 0;
        if (put < 0)
            return again() ? moved : broke(c, rank, errno);
        *(head ? &f->frame_done : &f->done) += (size_t)put;
        moved = 1;
        if (f->frame_done == sizeof f->frame && f->done == f->bytes) {
            f->on = false;
            p->sent++;
            c->sent += f->bytes;
        }
    }
    return moved;
}

/* Is it the message that is waited for? 0 or -1. */
static int frame_check(struct comm *c, int rank)
{
    const struct flow *f = &c->in[rank];
    if (f->frame.magic == COMM_MAGIC && f->frame.kind == FRAME_LEAVE)
        return left(c, rank, f->frame.bytes);
    if (f->frame.magic == COMM_MAGIC && f->frame.kind == FRAME_DATA &&
        f->frame.number == c->peers[rank].received && f->frame.bytes == f->bytes)
        return 0;
    fail(FAIL_REFUSED, "rank %d of %d is at another point of the run", rank, c->world);
    return comm_broken(c);
}

static int pull(struct comm *c, int rank)
{
    struct flow *f = &c->in[rank];
    struct peer *p = &c->peers[rank];
    int moved = 0;
    while (f->on) {
        bool head = f->frame_done < sizeof f->frame;
        char *to = head ? (char *)&f->frame + f->frame_done : f->data + f->done;
        size_t n = head ? sizeof f->frame - f->frame_done : f->bytes - f->done;
        ssize_t got = n ? recv(p->fd, to, n, MSG_DONTWAIT) : 0;
        if (n && got == 0)
            return broke(c, rank, 0);
        if (got < 0)
            return again() ? moved : broke(c, rank, errno);
        *(head ? &f->frame_done : &f->done) += (size_t)got;
        moved = 1;
        if (head && f->frame_done == sizeof f->frame && frame_check(c, rank) < 0)
            return -1;
        if (f->frame_done == sizeof f->frame && f->done == f->bytes) {
            f->on = false;
            p->received++;
            c->received += f->bytes;
        }
    }
    return moved;
}

/* Wait until some connection is ready. Their number; `at` says whose they are. */
static int wait_ready(const struct comm *c, struct pollfd *list, int *at, int timeout_ms)
{
    int n = 0;
    for (int r = 0; r < c->world; r++)
        if (c->out[r].on || c->in[r].on) {
            short events =
                (short)((c->out[r].on ? POLLOUT : 0) | (c->in[r].on ? POLLIN : 0));
            at[n] = r;
            list[n++] = (struct pollfd){c->peers[r].fd, events, 0};
        }
    return n && poll(list, (nfds_t)n, timeout_ms) < 0 && errno != EINTR ? -1 : n;
}

int exchange(struct comm *c)
{
    struct pollfd list[COMM_RANKS_MOST];
    int at[COMM_RANKS_MOST], n;
    double moved = comm_now();
    if (c->lost)
        return -1;
    for (;;) {
        bool some = false;
        if ((n = wait_ready(c, list, at, 500)) <= 0)
            break;
        for (int i = 0; i < n; i++) {
            int r = at[i], out = list[i].revents & (POLLOUT | POLLERR | POLLHUP);
            int in = list[i].revents & (POLLIN | POLLERR | POLLHUP);
            int got = in && c->in[r].on ? pull(c, r) : 0;
            int put = got >= 0 && out && c->out[r].on ? push(c, r) : 0;
            if (got < 0 || put < 0)
                return -1;
            some = some || got || put;
        }
        double now = comm_now();
        if (some)
            moved = now;
        else if (now - moved > c->timeout)
            return silent(c);
    }
    return n < 0 ? gone(c, at[0], strerror(errno)) : 0;
}

bool comm_look(struct comm *c)
{
    for (int r = 0; !c->lost && r < c->world; r++) {
        struct frame f;
        int fd = c->peers[r].fd;
        ssize_t got = fd < 0 ? -1 : recv(fd, &f, sizeof f, MSG_PEEK | MSG_DONTWAIT);
        bool leaves = got == sizeof f && f.magic == COMM_MAGIC && f.kind == FRAME_LEAVE;
        if (fd >= 0 && (leaves || got == 0 || (got < 0 && !again())))
            (void)broke(c, r, got < 0 ? errno : 0);
    }
    return c->lost;
}

int comm_wait(struct comm *c, int from)
{
    struct pollfd one = {c->peers[from].fd, POLLIN, 0};
    while (!c->lost && poll(&one, 1, -1) < 0 && errno == EINTR) {
    }
    return c->lost ? -1 : 0; /* if it is gone, whoever receives will see */
}

void comm_leave(struct comm *c, const char *why)
{
    if (!c || c->said)
        return;
    if (c->lost)
        why = c->why; /* the first reason */
    c->lost = c->said = true;
    size_t bytes = strlen(why);
    for (int r = 0; r < c->world; r++) {
        const struct peer *p = &c->peers[r];
        const struct flow *out = &c->out[r];
        struct frame f = {COMM_MAGIC, FRAME_LEAVE, p->sent, bytes};
        if (p->fd < 0 || (out->on && out->frame_done > 0))
            continue; /* in the middle of a message nothing else can be said */
        if (send(p->fd, &f, sizeof f, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE) == sizeof f)
            (void)!send(p->fd, why, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(p->fd, SHUT_WR);
    }
    /* Closing while there is something to be read would take the reason away again. */
    double end = comm_now() + 0.5;
    for (int r = 0; r < c->world; r++) {
        char rest[4096];
        struct pollfd one = {c->peers[r].fd, POLLIN, 0};
        int left_ms;
        while (one.fd >= 0 && (left_ms = (int)((end - comm_now()) * 1000)) > 0 &&
               poll(&one, 1, left_ms) > 0 &&
               recv(one.fd, rest, sizeof rest, MSG_DONTWAIT) > 0) {
        }
    }
}
