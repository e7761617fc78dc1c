/* meet.c: how ranks find each other. Rank 0 listens where all know; each other rank tells
 * it who it is and where it listens itself; once all have come, rank 0 gives everybody
 * the list, and each rank calls those below it. */
#include "base/fail.h"
#include "comm/comm_own.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
    struct sockaddr_storage at;
    socklen_t bytes;
};

/* What a rank says first. */
struct hello {
    uint32_t magic, protocol;
    int32_t rank, world;
    struct place listens; /* TCP: only its port is looked at */
    char version[32];
};

/* What rank 0 answers: come, or why not. Then, if all came, a place for each rank. */
struct answer {
    uint32_t magic, refused;
    uint64_t run; /* by which connections of one run know each other */
    char why[200];
};

/* What a rank says to one below it. */
struct call {
    uint32_t magic, rank;
    uint64_t run;
};

struct meeting {
    struct comm *c;
    const struct comm_options *o;
    double end;
    int listener;
    char
        own_path[sizeof((struct sockaddr_un *)0)->sun_path]; /* to be removed; "": none */
};

static bool is_path(const char *rendezvous)
{
    return strchr(rendezvous, '/') != NULL;
}

/* -- Waiting
 * -----------------------------------------------------------------------------
 */

static bool stopped(const struct meeting *m)
{
    return m->o->stop && m->o->stop(m->o->context);
}

/* Until fd is ready. 1, 0 (nothing for 100 ms), or -1: stopped. */
static int ready(const struct meeting *m, int fd, short events)
{
    struct pollfd one = {fd, events, 0};
    if (stopped(m))
        return fail(FAIL_REFUSED, "interrupted");
    return poll(&one, 1, 100) > 0;
}

static int too_late(const struct meeting *m, const char *whom)
{
    return fail(FAIL_TIMEOUT, "%s: %s within %.0f s", m->o->rendezvous, whom,
                m->o->timeout);
}

/* All of some bytes, sent (out) or received. 0 or -1 (errno 0: the other side closed). */
static int move_all(const struct meeting *m, int fd, void *bytes, size_t n, bool out,
                    double end)
{
    for (size_t done = 0; done < n;) {
        char *at = (char *)bytes + done;
        ssize_t got = out ? send(fd, at, n - done, MSG_NOSIGNAL | MSG_DONTWAIT)
                          : recv(fd, at, n - done, MSG_DONTWAIT);
        if (got > 0) {
            done += (size_t)got;
            continue;
        }
        if (got == 0) {
            errno = 0;
            return fail(FAIL_REFUSED, "the connection was closed");
        }
        if (errno != EAGAIN && errno != EINTR)
            return fail(FAIL_REFUSED, "%s", strerror(errno));
        if (comm_now() > end)
            return fail(FAIL_TIMEOUT, "no answer");
        if (ready(m, fd, out ? POLLOUT : POLLIN) < 0)
            return -1;
    }
    return 0;
}

/* -- Addresses
 * ---------------------------------------------------------------------------
 */

static int path_place(struct place *p, const char *path, int rank)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char ending[16] = "";
    if (rank > 0)
        snprintf(ending, sizeof ending, ".%d", rank);
    if (snprintf(un.sun_path, sizeof un.sun_path, "%s%s", path, ending) >=
        (int)sizeof un.sun_path)
        return fail(FAIL_REFUSED, "%s: too long for a socket's path", path);
    *p = (struct place){.bytes = sizeof un};
    memcpy(&p->at, &un, sizeof un);
    return 0;
}

/* HOST:PORT of a text, cut in two. 0 or -1. */
static int host_port(const char *text, char host[256], char port[16])
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        n = 0; /* an address of IPv6 without its brackets */
    }
    if (!n || n >= 256 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) < 1 ||
        atoi(colon + 1) > 65535)
        return fail(FAIL_REFUSED, "%s: not HOST:PORT, nor a path with a /", text);
    memcpy(host, text, n);
    host[n] = '\0';
    strcpy(port, colon + 1);
    return 0;
}

/* This machine alone is meant. */
static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

/* All machines' addresses: dual (IPv6 and IPv4 at once), or IPv4 alone. */
static void anywhere(struct place *p, in_port_t port, bool dual)
{
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};
    *p = (struct place){.bytes = dual ? sizeof six : sizeof four};
    memcpy(&p->at, dual ? (void *)&six : (void *)&four, p->bytes);
}

enum { PLACES = 8 };

/* Rank 0's places, of which the first that works is taken. listens: where it listens,
 * which is at all addresses of the machine unless the loopback is named: a host's own
 * name may well lead there alone. How many, or -1. */
static int rendezvous_places(struct place list[PLACES], const char *text, bool listens)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int n = 0;
    if (is_path(text))
        return path_place(&list[0], text, 0) < 0 ? -1 : 1;
    if (host_port(text, host, port) < 0)
        return -1;
    if (listens && !is_loopback(host)) {
        in_port_t number = htons((in_port_t)atoi(port));
        anywhere(&list[0], number, true);
        anywhere(&list[1], number, false);
        return 2;
    }
    int status = getaddrinfo(host, port, &hints, &found);
    if (status != 0)
        return fail(FAIL_REFUSED, "%s: %s", host, gai_strerror(status));
    for (const struct addrinfo *one = found; one && n < PLACES; one = one->ai_next) {
        list[n] = (struct place){.bytes = one->ai_addrlen};
        memcpy(&list[n++].at, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    return n;
}

static in_port_t *port_of(struct place *p)
{
    return p->at.ss_family == AF_INET ? &((struct sockaddr_in *)&p->at)->sin_port
                                      : &((struct sockaddr_in6 *)&p->at)->sin6_port;
}

/* -- Sockets
 * -----------------------------------------------------------------------------
 */

/* Without delay; a machine that is switched off is noticed while nothing is sent, and
 * while something is. */
static void tune(const struct meeting *m, int fd)
{
    int on = 1, idle = 15, every = 5, times = 6, room = 4 << 20;
    unsigned most = (unsigned)(m->o->timeout < 60 ? m->o->timeout * 1000 : 60000);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (is_path(m->o->rendezvous))
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most);
}

static int socket_of(const struct place *p)
{
    int fd = socket(p->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? fail(FAIL_REFUSED, "no socket: %s", strerror(errno)) : fd;
}

/* One try. A descriptor, or -1 with errno. */
static int connect_once(const struct meeting *m, const struct place *p)
{
    int error = 0, fd = socket_of(p);
    socklen_t n = sizeof error;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&p->at, p->bytes) == 0)
        return fd;
    error = errno;
    if (error == EINPROGRESS) {
        int got;
        while ((got = ready(m, fd, POLLOUT)) == 0 && comm_now() < m->end) {
        }
        if (got == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
            error == 0)
            return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

/* A socket that a killed run has left at a path goes; what else is there stays. 0 or -1.
 */
static int path_clear(const struct meeting *m, const struct place *p)
{
    const char *path = ((const struct sockaddr_un *)&p->at)->sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0; /* nothing, or bind() says why not */
    if (!S_ISSOCK(st.st_mode))
        return fail(FAIL_REFUSED, "%s: is there, and no socket", path);
    int fd = connect_once(m, p);
    if (fd >= 0 || errno == EAGAIN) {
        if (fd >= 0)
            close(fd);
        return fail(FAIL_REFUSED, "%s: somebody listens there already", path);
    }
    unlink(path);
    return 0;
}

/* Listen at p, whose port 0 becomes the one taken. 0 or -1. */
static int listen_at(struct meeting *m, struct place *p)
{
    int on = 1, off = 0;
    if (p->at.ss_family == AF_UNIX && path_clear(m, p) < 0)
        return -1;
    if (m->listener >= 0)
        close(m->listener); /* of a place before, which did not work */
    if ((m->listener = socket_of(p)) < 0)
        return -1;
    if (p->at.ss_family == AF_INET6)
        setsockopt(m->listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (p->at.ss_family != AF_UNIX)
        setsockopt(m->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(m->listener, (struct sockaddr *)&p->at, p->bytes) < 0 ||
        listen(m->listener, COMM_RANKS_MOST) < 0)
        return fail(FAIL_REFUSED, "%s: %s", m->o->rendezvous, strerror(errno));
    if (p->at.ss_family == AF_UNIX)
        strcpy(m->own_path, ((struct sockaddr_un *)&p->at)->sun_path);
    else if (getsockname(m->listener, (struct sockaddr *)&p->at, &p->bytes) < 0)
        return fail(FAIL_REFUSED, "%s: %s", m->o->rendezvous, strerror(errno));
    return 0;
}

/* The next connection. A descriptor, or -1: too late, stopped. whom: for what is said. */
static int accept_one(const struct meeting *m, const char *whom)
{
    for (;;) {
        int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            return fd;
        if (comm_now() > m->end)
            return too_late(m, whom);
        if (ready(m, m->listener, POLLIN) < 0)
            return -1;
    }
}

/* Call several places in turn, until one succeeds: who is called may not be there yet.
 */
static int connect_to(const struct meeting *m, const struct place *list, int count,
                      int rank)
{
    char whom[64];
    for (;;) {
        for (int i = 0; i < count; i++) {
            int fd = connect_once(m, &list[i]);
            if (fd >= 0)
                return fd;
        }
        if (stopped(m))
            return fail(FAIL_REFUSED, "interrupted");
        if (comm_now() > m->end) {
            snprintf(whom, sizeof whom, "rank %d did not come (%s)", rank,
                     strerror(errno));
            return too_late(m, whom);
        }
        poll(NULL, 0, 50);
    }
}

/* -- Rank 0
 * ------------------------------------------------------------------------------
 */

static const char *missing(const struct comm *c, char text[200])
{
    int n = snprintf(text, 200, "of %d ranks there did not come", c->world);
    for (int r = 1; r < c->world; r++)
        if (c->peers[r].fd < 0 && n < 180)
            n += snprintf(text + n, 200 - (size_t)n, " %d", r);
    return text;
}

/* May this rank come in? 0, or -1: why not. */
static int hello_check(const struct comm *c, const struct hello *h)
{
    if (h->protocol != COMM_PROTOCOL ||
        strncmp(h->version, CAPMILL_VERSION, sizeof h->version) != 0)
        return fail(FAIL_REFUSED,
                    "rank %d is of capmill %.32s, rank 0 of " CAPMILL_VERSION, h->rank,
                    h->version);
    if (h->world != c->world)
        return fail(FAIL_REFUSED,
                    "rank %d was begun as one of %d ranks, rank 0 as one of %d", h->rank,
                    h->world, c->world);
    if (h->rank < 1 || h->rank >= c->world)
        return fail(FAIL_REFUSED, "there is no rank %d of %d", h->rank, c->world);
    if (c->peers[h->rank].fd >= 0)
        return fail(FAIL_REFUSED, "two processes are rank %d", h->rank);
    return 0;
}

/* A caller's address becomes the one at which it can be called: what IPv6 says of IPv4 is
 * IPv4, for others may know nothing else. */
static void reached_at(struct place *p, in_port_t port)
{
    struct sockaddr_in6 six;
    memcpy(&six, &p->at, sizeof six);
    if (p->at.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        struct sockaddr_in four = {.sin_family = AF_INET};
        memcpy(&four.sin_addr, six.sin6_addr.s6_addr + 12, 4);
        *p = (struct place){.bytes = sizeof four};
        memcpy(&p->at, &four, sizeof four);
    }
    *port_of(p) = port;
}

/* Hear who calls. 1: a rank came; 0: it was nobody of ours; -1: the run cannot be. */
static int welcome(struct meeting *m, int fd, struct place *places)
{
    struct hello h;
    struct comm *c = m->c;
    struct answer no = {.magic = COMM_MAGIC, .refused = 1};
    double end = comm_now() + 5;
    if (move_all(m, fd, &h, sizeof h, false, end < m->end ? end : m->end) < 0 ||
        h.magic != COMM_MAGIC) {
        close(fd);
        return stopped(m) ? fail(FAIL_REFUSED, "interrupted") : 0;
    }
    h.version[sizeof h.version - 1] = '\0';
    if (hello_check(c, &h) < 0) {
        snprintf(no.why, sizeof no.why, "%.190s", fail_text());
        struct failure why;
        fail_save(&why);
        (void)move_all(m, fd, &no, sizeof no, true, end);
        close(fd);
        return fail_again(&why);
    }
    struct place *p = &places[h.rank];
    *p = (struct place){.bytes = sizeof p->at};
    if (h.listens.at.ss_family == AF_UNIX)
        *p = h.listens;
    else if (getpeername(fd, (struct sockaddr *)&p->at, &p->bytes) == 0)
        reached_at(p, *port_of(&h.listens));
    c->peers[h.rank].fd = fd;
    return 1;
}

/* The run cannot be: those who came are told why. */
static int dismiss(struct meeting *m)
{
    struct failure why;
    struct answer no = {.magic = COMM_MAGIC, .refused = 1};
    fail_save(&why);
    snprintf(no.why, sizeof no.why, "%.190s", fail_text());
    for (int r = 1; r < m->c->world; r++)
        if (m->c->peers[r].fd >= 0)
            (void)move_all(m, m->c->peers[r].fd, &no, sizeof no, true, comm_now() + 1);
    return fail_again(&why);
}

static int receive_all(struct meeting *m, struct place *places)
{
    struct comm *c = m->c;
    struct place own[PLACES];
    struct answer yes = {.magic = COMM_MAGIC};
    char text[200];
    int count = rendezvous_places(own, m->o->rendezvous, true), status = -1;
    for (int i = 0; status < 0 && i < count; i++) status = listen_at(m, &own[i]);
    for (int there = 1; status == 0 && there < c->world;) {
        int fd = accept_one(m, missing(c, text));
        int came = fd < 0 ? -1 : welcome(m, fd, places);
        there += came > 0;
        if (came < 0)
            return dismiss(m);
    }
    if (status == 0 && getrandom(&yes.run, sizeof yes.run, 0) != sizeof yes.run)
        status = fail(FAIL_INTERNAL, "no random numbers: %s", strerror(errno));
    for (int r = 1; status == 0 && r < c->world; r++) {
        int fd = c->peers[r].fd;
        if (move_all(m, fd, &yes, sizeof yes, true, m->end) < 0 ||
            move_all(m, fd, places, (size_t)c->world * sizeof *places, true, m->end) < 0)
            status = fail_in("rank %d", r);
    }
    return status;
}

/* -- Other ranks
 * -------------------------------------------------------------------------
 */

/* Where to listen: as rank 0 does, at a port that is free. */
static int own_listen(struct meeting *m, struct place *own)
{
    char host[256], port[16];
    if (is_path(m->o->rendezvous))
        return path_place(own, m->o->rendezvous, m->c->rank) < 0 ? -1 : listen_at(m, own);
    if (host_port(m->o->rendezvous, host, port) < 0)
        return -1;
    if (is_loopback(host)) {
        *own = (struct place){.bytes = sizeof own->at};
        if (getsockname(m->c->peers[0].fd, (struct sockaddr *)&own->at, &own->bytes) < 0)
            return fail(FAIL_REFUSED, "%s: %s", m->o->rendezvous, strerror(errno));
        *port_of(own) = 0;
        return listen_at(m, own);
    }
    anywhere(own, 0, true);
    if (listen_at(m, own) == 0)
        return 0;
    anywhere(own, 0, false);
    return listen_at(m, own);
}

static int introduce(struct meeting *m, struct place *places, uint64_t *run)
{
    struct comm *c = m->c;
    struct place first[PLACES];
    struct answer a;
    struct hello h = {.magic = COMM_MAGIC,
                      .protocol = COMM_PROTOCOL,
                      .rank = c->rank,
                      .world = c->world,
                      .version = CAPMILL_VERSION};
    int fd, count = rendezvous_places(first, m->o->rendezvous, false);
    if (count < 0 || (fd = connect_to(m, first, count, 0)) < 0)
        return -1;
    c->peers[0].fd = fd;
    if (own_listen(m, &h.listens) < 0)
        return -1;
    if (move_all(m, fd, &h, sizeof h, true, m->end) < 0 ||
        move_all(m, fd, &a, sizeof a, false, m->end + 5) < 0)
        return fail_in("%s: rank 0", m->o->rendezvous);
    a.why[sizeof a.why - 1] = '\0';
    if (a.magic != COMM_MAGIC)
        return fail(FAIL_REFUSED, "%s: who listens there is no rank 0", m->o->rendezvous);
    if (a.refused)
        return fail(FAIL_REFUSED, "rank 0: %s", a.why);
    *run = a.run;
    if (move_all(m, fd, places, (size_t)c->world * sizeof *places, false, m->end) < 0)
        return fail_in("%s: rank 0", m->o->rendezvous);
    return 0;
}

/* Does an address lead to the machine itself, whichever it is? */
static bool is_local(const struct place *p)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    memcpy(&four, &p->at, sizeof four);
    memcpy(&six, &p->at, sizeof six);
    return (p->at.ss_family == AF_INET && ntohl(four.sin_addr.s_addr) >> 24 == 127) ||
           (p->at.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six.sin6_addr));
}

/* Where a rank is called: one that reached rank 0 by its machine's own loopback is where
 * rank 0 is. */
static struct place called_at(const struct comm *c, const struct place *listed)
{
    struct place p = *listed, first = {.bytes = sizeof first.at};
    if (is_local(&p) &&
        getpeername(c->peers[0].fd, (struct sockaddr *)&first.at, &first.bytes) == 0) {
        reached_at(&first, *port_of(&p));
        return first;
    }
    return p;
}

/* Ranks below are called, those above call. */
static int join(struct meeting *m, const struct place *places, uint64_t run)
{
    struct comm *c = m->c;
    struct call call = {COMM_MAGIC, (uint32_t)c->rank, run};
    for (int r = 1; r < c->rank; r++) {
        struct place at = called_at(c, &places[r]);
        if ((c->peers[r].fd = connect_to(m, &at, 1, r)) < 0 ||
            move_all(m, c->peers[r].fd, &call, sizeof call, true, m->end) < 0)
            return fail_in("rank %d", r);
    }
    for (int there = c->rank + 1; there < c->world;) {
        int fd = accept_one(m, "a rank did not call");
        if (fd < 0)
            return -1;
        bool ours = move_all(m, fd, &call, sizeof call, false, m->end) == 0 &&
                    call.magic == COMM_MAGIC && call.run == run &&
                    call.rank > (uint32_t)c->rank && call.rank < (uint32_t)c->world &&
                    c->peers[call.rank].fd < 0;
        if (ours)
            c->peers[call.rank].fd = fd;
        else
            close(fd);
        there += ours;
    }
    return 0;
}

int meet(struct comm *c, const struct comm_options *o)
{
    struct meeting m = {c, o, comm_now() + o->timeout, -1, ""};
    struct place *places = calloc((size_t)c->world, sizeof *places);
    uint64_t run = 0;
    int status = places ? 0 : fail_memory();
    if (status == 0 && c->world > 1)
        status = c->rank == 0                      ? receive_all(&m, places)
                 : introduce(&m, places, &run) < 0 ? -1
                                                   : join(&m, places, run);
    for (int r = 0; status == 0 && r < c->world; r++)
        if (r != c->rank)
            tune(&m, c->peers[r].fd);
    if (m.listener >= 0)
        close(m.listener);
    if (m.own_path[0])
        unlink(m.own_path);
    free(places);
    return status;
}
