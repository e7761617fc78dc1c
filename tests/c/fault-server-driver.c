/* fault-server-driver: an OpenAI-compatible chat server on the loopback, for tests. It
 * answers by simple rules and misbehaves by plan.
 *
 *     fault-server-driver [option ...]      serves until it is killed
 *
 * - --port-file FILE: write the port there (whole, by rename); else to standard output
 * - --port N: listen there (0: any free port)
 * - --log FILE: append a line for each request when its answer begins (below)
 * - --bodies FILE: append the body of each chat request, a line each
 * - --mode MODE: auto, echo, judge, qa (auto)
 * - --reply TEXT: say this to everything
 * - --key KEY: 401 without "Authorization: Bearer KEY"
 * - --delay MS: wait before each answer
 * - --sure P: logprobs: probability of the letter picked (0.9); the other letters share
 *   the rest
 * - --no-logprobs: as a server that does not give them: "logprobs": null
 * - --fault NAME=WHEN: a fault and when it strikes; may be repeated. WHEN is 10%, always,
 *   first:K, every:K, start:K or after:K (server/plan.h)
 * - --only TEXT: faults only for requests whose body holds TEXT
 * - --seed N: of shares (0)
 * - --drip MS: between two bytes of a drip (50)
 * - --stall MS: that a stall lasts (60000)
 * - --refuse MS: that nobody listens, behind a refusal (300)
 * - --huge MB: size of "huge", and of "gzip-bomb" unpacked (200)
 * - --other URL: where "redirect-other" points to (with the key in it)
 *
 * Answers to POST .../chat/completions; n, max_tokens, stop, seed, logprobs and
 * top_logprobs are honoured; a token is a word:
 *
 * - judge: where the last user turn has lines "A) ...", "B) ..." ("- A) x", "A. x", "(A)
 *   x" too): the letter of the longest option that occurs in what stands before the line
 *   "Question..." (or before the options), or in the bytes of a picture; else of the
 *   option that says "cannot" or the like; else any, always the same.
 * - qa: where it says "multiple-choice questions": five of them. With a picture, the
 * right options are words that judge and echo see in the same picture.
 * - echo: else: "Reply HASH. [It shows WORD ...] You said: START", HASH of conversation,
 *   seed and sample.
 *
 * Faults: a status of three digits (its body {"error":{"message":"fault 503"}}), or a
 * name from the table in server/fault.c: 429-seconds, reset, stall, truncated, gzip-bomb
 * ... With "refuse" this connection is reset; for a while nobody listens, and open
 * connections are reset, too (that is not in the log). With "refuse=always" nobody ever
 * listens.
 *
 * GET: .../models; /bytes/N (N bytes), /to/URL (302 to URL), /status/NNN, /loop, /bomb,
 * /stall.
 *
 * Log lines, tab-separated: ms since start, requests in flight (this one too), hash of
 * the request's body, its try (from 0), fault ("-": none), status (200 also for faults
 * below it), marker: the word behind "marker:" in the body, or "-". With GET: the target
 * as marker.
 */
#include "server/answer.h"
#include "server/fault.h"
#include "server/http.h"
#include "server/plan.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct server {
    struct plan plan;
    struct answer_rules rules;
    struct fault_options faults;
    const char *key, *only, *port_file;
    int delay_ms, refuse_ms, log_fd, bodies_fd;
    int port;
    bool never; /* refuse=always */
    atomic_int in_flight;
    atomic_bool refuse; /* stop listening for a while */
    atomic_bool away;   /* nobody listens, and open connections are reset */
    int64_t start_ms;
};

struct session {
    struct server *server;
    struct client client;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_log(struct server *s, uint64_t hash, int try, const char *fault,
                      int status, const char *marker)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%lld\t%d\t%016llx\t%d\t%s\t%d\t%.200s\n",
                     (long long)(now_ms() - s->start_ms), s->in_flight,
                     (unsigned long long)hash, try, *fault ? fault : "-", status, marker);
    if (s->log_fd >= 0 &&
        write(s->log_fd, line, (size_t)n) != n) /* one write, one line */
        exit(1);
}

static void write_body(struct server *s, struct span body)
{
    struct iovec parts[] = {{(char *)body.s, body.n}, {"\n", 1}};
    if (s->bodies_fd >= 0 && writev(s->bodies_fd, parts, 2) != (ssize_t)body.n + 1)
        exit(1);
}

static bool authorized(const struct server *s, const struct http_request *r)
{
    char want[512];
    snprintf(want, sizeof want, "Bearer %s", s->key ? s->key : "");
    return !s->key || strcmp(r->authorization, want) == 0;
}

static enum fault_end chat(struct server *s, struct client *c,
                           const struct http_request *r)
{
    struct span body = {r->body.data ? r->body.data : "", r->body.len};
    struct question_seen seen;
    const char *fault = "";
    int try = 0;
    answer_look(body, &seen);
    write_body(s, body);
    if (!authorized(s, r)) {
        char text[640]; /* some servers do repeat it */
        int n = snprintf(text, sizeof text,
                         "{\"error\":{\"message\":\"Incorrect API key: %s\"}}",
                         r->authorization);
        write_log(s, seen.hash, 0, "", 401, seen.marker);
        http_answer(c, 401, "application/json", "", text, (size_t)n);
        return FAULT_KEEP;
    }
    if (!s->only || (body.n && memmem(body.s, body.n, s->only, strlen(s->only))))
        fault = plan_choose(&s->plan, seen.hash, &try);
    if (s->delay_ms)
        http_sleep(s->delay_ms);
    if (strcmp(fault, "refuse") == 0)
        s->refuse = true;
    /* The line stands in the log before the client can have the answer. */
    int planned = *fault && strspn(fault, "0123456789") >= 3 ? atoi(fault) : 200;
    write_log(s, seen.hash, try, fault, planned, seen.marker);
    return fault_answer(fault, &s->faults, &s->rules, c, r);
}

static enum fault_end get(struct server *s, struct client *c,
                          const struct http_request *r)
{
    char more[4200];
    int number;
    write_log(s, 0, 0, "", 200, r->target);
    if (sscanf(r->target, "/bytes/%d", &number) == 1 && number >= 0) {
        char *bytes = calloc(1, (size_t)number + 1);
        http_answer(c, 200, "image/png", "", bytes, bytes ? (size_t)number : 0);
        free(bytes);
    } else if (strncmp(r->target, "/to/", 4) == 0) {
        snprintf(more, sizeof more, "Location: %s\r\n", r->target + 4);
        http_answer(c, 302, "text/plain", more, "", 0);
    } else if (sscanf(r->target, "/status/%d", &number) == 1) {
        http_answer(c, number, "text/plain", "", "told so", 7);
    } else if (strcmp(r->target, "/loop") == 0) {
        http_answer(c, 302, "text/plain", "Location: /loop\r\n", "", 0);
    } else if (strcmp(r->target, "/bomb") == 0) {
        fault_bomb(c, s->faults.huge_mb);
        return FAULT_CLOSE;
    } else if (strcmp(r->target, "/stall") == 0) {
        http_sleep(s->faults.stall_ms);
        return FAULT_CLOSE;
    } else {
        static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"any\"}]}";
        http_answer(c, 200, "application/json", "", models, sizeof models - 1);
    }
    return FAULT_KEEP;
}

static void *serve(void *context)
{
    struct session *session = context;
    struct server *s = session->server;
    struct client *c = &session->client;
    struct http_request r;
    enum fault_end end = FAULT_KEEP;
    while (end == FAULT_KEEP && http_read(c, &r) == 0) {
        s->in_flight++;
        if (s->away)
            end = FAULT_RESET;
        else
            end = strcmp(r.method, "GET") == 0 ? get(s, c, &r) : chat(s, c, &r);
        s->in_flight--;
        http_request_free(&r);
    }
    if (end == FAULT_RESET)
        http_reset(c);
    else
        shutdown(c->fd, SHUT_WR);
    if (end == FAULT_CLOSE) { /* else unread bytes would make a reset of the close */
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        char rest[4096];
        while (poll(&p, 1, 200) == 1 && recv(c->fd, rest, sizeof rest, 0) > 0) {
        }
    }
    close(c->fd);
    buf_free(&c->in);
    free(session);
    return NULL;
}

/* A listening socket at s->port, which is set where it was 0. */
static int listen_there(struct server *s)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        perror("fault-server-driver");
        exit(1);
    }
    s->port = ntohs(a.sin_port);
    return fd;
}

static void accept_one(struct server *s, int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct session *session = calloc(1, sizeof *session);
    pthread_attr_t attr;
    pthread_t thread;
    if (fd < 0 || !session) {
        free(session);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *session = (struct session){s, {fd, {0}}};
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 << 10);
    if (pthread_create(&thread, &attr, serve, session) != 0) {
        close(fd);
        free(session);
    }
    pthread_attr_destroy(&attr);
}

static void run(struct server *s, int listener)
{
    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        if (s->never || atomic_exchange(&s->refuse, false)) {
            s->away = true;
            close(listener); /* what waits in its queue is reset */
            if (s->never)
                for (;;) pause();
            http_sleep(s->refuse_ms);
            listener = listen_there(s);
            s->away = false;
        } else if (poll(&p, 1, 20) == 1) {
            accept_one(s, listener);
        }
    }
}

static void say_port(const struct server *s)
{
    char part[4096];
    if (!s->port_file) {
        printf("%d\n", s->port);
        fflush(stdout);
        return;
    }
    snprintf(part, sizeof part, "%s.part", s->port_file);
    FILE *f = fopen(part, "w");
    if (!f || fprintf(f, "%d\n", s->port) < 0 || fclose(f) != 0 ||
        rename(part, s->port_file) < 0) {
        perror(part);
        exit(1);
    }
}

enum {
    PORT_FILE,
    PORT,
    LOG,
    BODIES,
    MODE,
    REPLY,
    KEY,
    DELAY,
    SURE,
    NO_LOGPROBS,
    FAULT,
    ONLY,
    SEED,
    DRIP,
    STALL,
    REFUSE,
    HUGE,
    OTHER
};
static const struct option options[] = {{"port-file", 1, NULL, PORT_FILE},
                                        {"port", 1, NULL, PORT},
                                        {"log", 1, NULL, LOG},
                                        {"bodies", 1, NULL, BODIES},
                                        {"mode", 1, NULL, MODE},
                                        {"reply", 1, NULL, REPLY},
                                        {"key", 1, NULL, KEY},
                                        {"delay", 1, NULL, DELAY},
                                        {"sure", 1, NULL, SURE},
                                        {"no-logprobs", 0, NULL, NO_LOGPROBS},
                                        {"fault", 1, NULL, FAULT},
                                        {"only", 1, NULL, ONLY},
                                        {"seed", 1, NULL, SEED},
                                        {"drip", 1, NULL, DRIP},
                                        {"stall", 1, NULL, STALL},
                                        {"refuse", 1, NULL, REFUSE},
                                        {"huge", 1, NULL, HUGE},
                                        {"other", 1, NULL, OTHER},
                                        {0}};

static void bad_usage(const char *what)
{
    fprintf(stderr, "fault-server-driver: %s\n", what);
    exit(2);
}

static enum answer_mode mode_named(const char *name)
{
    static const char *const names[] = {"auto", "echo", "judge", "qa"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum answer_mode)i;
    bad_usage(name);
    return ANSWER_AUTO;
}

static void add_fault(struct server *s, const char *rule)
{
    if (!plan_add(&s->plan, rule) || !fault_known(s->plan.rules[s->plan.count - 1].name))
        bad_usage(rule);
    s->never |= strcmp(rule, "refuse=always") == 0;
}

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        bad_usage(path);
    return fd;
}

static void read_options(struct server *s, int argc, char *argv[])
{
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (c) {
        case PORT_FILE: s->port_file = optarg; break;
        case PORT: s->port = atoi(optarg); break;
        case LOG: s->log_fd = open_log(optarg); break;
        case BODIES: s->bodies_fd = open_log(optarg); break;
        case MODE: s->rules.mode = mode_named(optarg); break;
        case REPLY: s->rules.reply = optarg; break;
        case KEY: s->key = optarg; break;
        case DELAY: s->delay_ms = atoi(optarg); break;
        case SURE: s->rules.sure = atof(optarg); break;
        case NO_LOGPROBS: s->rules.no_logprobs = true; break;
        case FAULT: add_fault(s, optarg); break;
        case ONLY: s->only = optarg; break;
        case SEED: s->plan.seed = strtoull(optarg, NULL, 10); break;
        case DRIP: s->faults.drip_ms = atoi(optarg); break;
        case STALL: s->faults.stall_ms = atoi(optarg); break;
        case REFUSE: s->refuse_ms = atoi(optarg); break;
        case HUGE: s->faults.huge_mb = atoi(optarg); break;
        case OTHER: s->faults.other = optarg; break;
        default: exit(2);
        }
    if (optind < argc)
        bad_usage(argv[optind]);
}

int main(int argc, char *argv[])
{
    struct server s = {.rules.sure = 0.9,
                       .faults = {50, 60000, 200, NULL},
                       .refuse_ms = 300,
                       .log_fd = -1,
                       .bodies_fd = -1,
                       .start_ms = now_ms()};
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&s.plan.lock, NULL);
    read_options(&s, argc, argv);
    int listener = listen_there(&s);
    say_port(&s);
    run(&s, listener);
}
