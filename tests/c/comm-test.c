/* comm-test: ranks as processes: sums in one order, vectors in parts, and what each says
 * when another is wrong, gone or silent. */
#include "base/fail.h"
#include "check.h"
#include "comm/comm.h"
#include "comm/launch.h"
#include "ranks.h"
#include "train/rank_options.h"

#include <arpa/inet.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

/* What a rank returned, and what fail_text() was then. */
struct outcome {
    int status;
    char why[300];
};
typedef int rank_work(const struct comm_options *o, void *shared);

struct job {
    rank_work *work;
    void *shared; /* as it was before ranks began */
};

static void rank_run(const struct comm_options *o, void *context, void *out)
{
    const struct job *job = context;
    struct outcome *mine = out;
    mine->status = job->work(o, job->shared);
    snprintf(mine->why, sizeof mine->why, "%s", mine->status ? fail_text() : "");
}

static void run_ranks(int world, const char *rendezvous, double timeout, rank_work *work,
                      void *shared, struct outcome *outcomes)
{
    struct job job = {work, shared};
    for (int r = 0; r < world; r++) outcomes[r] = (struct outcome){.status = -99};
    ranks_run(world, rendezvous, timeout, rank_run, &job, outcomes, sizeof *outcomes);
}

static const char *socket_path(void)
{
    static char path[128];
    static int n;
    snprintf(path, sizeof path, "%s/meet%d", folder, n++);
    return path;
}

/* A port of the loopback that is free now. */
static const char *loopback_port(void)
{
    static char text[64];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &n) < 0)
        abort();
    close(fd);
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(at.sin_port));
    return text;
}

/* -- What ranks compute
 * ------------------------------------------------------------------
 */

/* A number of rank r that floats cannot add without rounding. */
static float value(int r, int64_t i)
{
    return (float)sin((double)(i * 7 + r * 13)) * powf(10, (float)((i + r) % 9 - 4));
}

static double number(int r, int i)
{
    return sin(r + 1) * pow(10, (r * 5 + i) % 17 - 8);
}

struct vector {
    float *x;
};

static void get(void *context, int64_t first, int64_t count, float *to)
{
    struct vector *v = context;
    memcpy(to, v->x + first, (size_t)count * sizeof *to);
}

static void put(void *context, int64_t first, int64_t count, const float *from)
{
    struct vector *v = context;
    memcpy(v->x + first, from, (size_t)count * sizeof *from);
}

/* Sums, votes, broadcasts and vectors against what one process computes. -1 with what is
 * wrong. */
static int small_things(struct comm *c)
{
    double x[3], want;
    int rank = comm_rank(c), world = comm_world(c), root = world - 1;
    char text[16] = "";
    for (int i = 0; i < 3; i++) x[i] = number(rank, i);
    if (comm_barrier(c) < 0 || comm_sum(c, x, 3) < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        want = number(0, i);
        for (int r = 1; r < world; r++) want += number(r, i);
        if (x[i] != want)
            return fail(FAIL_INTERNAL, "sum %d is %.17g, not %.17g", i, x[i], want);
    }
    if (rank == root)
        strcpy(text, "from the last");
    if (comm_broadcast(c, root, text, sizeof text) < 0 ||
        strcmp(text, "from the last") != 0)
        return fail(FAIL_INTERNAL, "broadcast: \"%s\"", text);
    if (comm_agree(c, "word", text, sizeof text) < 0)
        return -1;
    if (comm_agree(c, "rank", &rank, sizeof rank) == 0 ||
        strcmp(fail_text(), "rank 1 has another rank than rank 0") != 0)
        return fail(FAIL_INTERNAL, "agreed: %s", fail_text());
    if (comm_vote(c, 0) != 0)
        return -1;
    if (rank == 1)
        fail(FAIL_MEDIA, "no picture");
    else if (rank == 0)
        fail(FAIL_REFUSED, "interrupted");
    if (comm_vote(c, rank == 1   ? -1
                     : rank == 0 ? -2
                                 : 0) != -1 ||
        !strstr(fail_text(), "no picture") ||
        (rank != 1 && strcmp(fail_text(), "rank 1: no picture") != 0))
        return fail(FAIL_INTERNAL, "vote: %s", fail_text());
    return comm_lost(c) ? fail(FAIL_INTERNAL, "lost") : 0;
}

static int vectors(struct comm *c, const int64_t *cut)
{
    int rank = comm_rank(c), world = comm_world(c);
    int64_t n = cut[world];
    struct vector v = {.x = malloc((size_t)(n + 1) * sizeof(float))};
    float *sum = malloc((size_t)(n + 1) * sizeof *sum);
    const struct comm_vector how = {cut, &v, get, put};
    for (int64_t i = 0; i < n; i++) {
        v.x[i] = value(rank, i);
        sum[i] = value(0, i);
        for (int r = 1; r < world; r++) sum[i] += value(r, i);
    }
    int status = comm_reduce_scatter(c, &how);
    for (int64_t i = 0; status == 0 && i < n; i++) {
        float want = i >= cut[rank] && i < cut[rank + 1] ? sum[i] : value(rank, i);
        if (v.x[i] != want)
            status = fail(FAIL_INTERNAL, "element %lld is %g, not %g", (long long)i,
                          (double)v.x[i], (double)want);
    }
    if (status == 0)
        status = comm_all_gather(c, &how);
    for (int64_t i = 0; status == 0 && i < n; i++)
        if (v.x[i] != sum[i])
            status = fail(FAIL_INTERNAL, "gathered element %lld is %g, not %g",
                          (long long)i, (double)v.x[i], (double)sum[i]);
    free(v.x);
    free(sum);
    return status;
}

static int compute(const struct comm_options *o, void *out)
{
    (void)out;
    struct comm *c = comm_open(o);
    if (!c)
        return -1;
    int64_t even[RANKS_MOST + 1] = {0}, uneven[RANKS_MOST + 1] = {0},
                              one[RANKS_MOST + 1] = {0};
    for (int r = 0; r < o->world; r++) {
        even[r + 1] = even[r] + 1000;
        uneven[r + 1] = uneven[r] + (r % 2 ? 0 : 300001 * (r + 1));
        one[r + 1] = r + 1 == o->world ? 700000 : 0;
    }
    int status = small_things(c);
    for (int i = 0; status == 0 && i < 3; i++)
        status = vectors(c, (const int64_t *const[]){even, uneven, one}[i]);
    uint64_t sent, received;
    comm_traffic(c, &sent, &received);
    if (status == 0 && (sent < 4000 || received < 4000))
        status = fail(FAIL_INTERNAL, "traffic %llu, %llu", (unsigned long long)sent,
                      (unsigned long long)received);
    comm_close(c);
    return status;
}

static void expect_all(int world, const struct outcome *got)
{
    for (int r = 0; r < world; r++)
        CHECK(got[r].status == 0, "rank %d: %d, %s", r, got[r].status, got[r].why);
}

static void sums_and_vectors_are_those_of_one_process_in_the_order_of_ranks(void)
{
    struct outcome got[RANKS_MOST];
    for (int world = 2; world <= 5; world++) {
        run_ranks(world, socket_path(), 30, compute, NULL, got);
        expect_all(world, got);
    }
    run_ranks(4, loopback_port(), 30, compute, NULL, got);
    expect_all(4, got);
}

/* Where a machine's own name is said, all its addresses are listened at, and ranks beside
 * rank 0 are reached as it is. */
static void a_machines_name_is_a_rendezvous_too(void)
{
    struct outcome got[RANKS_MOST];
    char host[200], text[256];
    struct addrinfo *found;
    if (gethostname(host, sizeof host) < 0 || getaddrinfo(host, "1", NULL, &found) != 0)
        return; /* it has no name that leads anywhere */
    freeaddrinfo(found);
    snprintf(text, sizeof text, "%s%s", host, strchr(loopback_port(), ':'));
    run_ranks(3, text, 30, compute, NULL, got);
    expect_all(3, got);
}

static void sockets_of_a_path_are_gone_once_all_have_met(void)
{
    struct outcome got[RANKS_MOST];
    char path[160];
    const char *meet = socket_path();
    run_ranks(3, meet, 30, compute, NULL, got);
    expect_all(3, got);
    CHECK(access(meet, F_OK) < 0, "%s", meet);
    for (int r = 1; r < 3; r++) {
        snprintf(path, sizeof path, "%s.%d", meet, r);
        CHECK(access(path, F_OK) < 0, "%s", path);
    }
}

/* Rank 0 opens, and rank 1 does not come. */
static int alone(const struct comm_options *o, void *shared)
{
    (void)shared;
    struct comm *c = o->rank == 0 ? comm_open(o) : NULL;
    comm_close(c);
    return c || o->rank ? 0 : -1;
}

static void listen_there(const char *path, int *fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(*fd, 5) < 0)
        abort();
}

static void only_a_socket_that_nobody_has_any_more_makes_way(void)
{
    struct outcome got[RANKS_MOST];
    const char *meet = socket_path();
    int fd;
    listen_there(meet, &fd);
    run_ranks(2, meet, 1, alone, NULL, got);
    CHECK(got[0].status == -1 && strstr(got[0].why, "somebody listens there already"),
          "%s", got[0].why);
    close(fd); /* as if it had been killed */
    run_ranks(2, meet, 30, compute, NULL, got);
    expect_all(2, got);
    fclose(fopen(meet, "w"));
    run_ranks(2, meet, 1, alone, NULL, got);
    CHECK(got[0].status == -1 && strstr(got[0].why, "is there, and no socket"), "%s",
          got[0].why);
    CHECK(access(meet, F_OK) == 0, "the file is gone");
}

/* -- What goes wrong
 * ---------------------------------------------------------------------
 */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Sum until it fails; rank 1 does something else in the third round. */
static int until_it_fails(const struct comm_options *o, void (*other)(struct comm *c))
{
    struct comm *c = comm_open(o);
    double x = 1;
    if (!c)
        return -1;
    for (int i = 0; i < 5; i++) {
        if (o->rank == 1 && i == 2)
            other(c);
        if (comm_sum(c, &x, 1) < 0)
            break;
    }
    struct failure why;
    fail_save(&why);
    int status = comm_lost(c) ? -2 : 0;
    if (status < 0 && comm_sum(c, &x, 1) == 0)
        status = -3; /* it may not work again */
    fail_again(&why);
    comm_close(c);
    return status;
}

static void die(struct comm *c)
{
    (void)c;
    kill(getpid(), SIGKILL);
}

static void leave(struct comm *c)
{
    comm_leave(c, "the disk is full");
}

static void sleep_long(struct comm *c)
{
    (void)c;
    pause_ms(4000);
}

static void wander(struct comm *c)
{
    double x[2] = {0, 0};
    (void)comm_sum(c, x, 2);
}

static int killed(const struct comm_options *o, void *out)
{
    (void)out;
    return until_it_fails(o, die);
}
static int leaving(const struct comm_options *o, void *out)
{
    (void)out;
    return until_it_fails(o, leave);
}
static int silent(const struct comm_options *o, void *out)
{
    (void)out;
    return until_it_fails(o, sleep_long);
}
static int wandering(const struct comm_options *o, void *out)
{
    (void)out;
    return until_it_fails(o, wander);
}

static void a_lost_rank_is_named_by_all_others_at_once(void)
{
    struct outcome got[RANKS_MOST];
    for (int tcp = 0; tcp < 2; tcp++) {
        double from = now();
        run_ranks(3, tcp ? loopback_port() : socket_path(), 60, killed, NULL, got);
        CHECK(now() - from < 10, "%f s", now() - from);
        for (int r = 0; r < 3; r += 2)
            CHECK(got[r].status == -2 && (strstr(got[r].why, "rank 1 of 3 is gone") ||
                                          strstr(got[r].why, "of 3 is gone")),
                  "rank %d: %d, %s", r, got[r].status, got[r].why);
        CHECK(strstr(got[0].why, "rank 1 of 3 is gone") ||
                  strstr(got[2].why, "rank 1 of 3 is gone"),
              "%s; %s", got[0].why, got[2].why);
    }
}

static void a_rank_that_leaves_says_why(void)
{
    struct outcome got[RANKS_MOST];
    for (int tcp = 0; tcp < 2; tcp++) {
        run_ranks(3, tcp ? loopback_port() : socket_path(), 60, leaving, NULL, got);
        for (int r = 0; r < 3; r += 2)
            CHECK(got[r].status == -2, "rank %d: %d, %s", r, got[r].status, got[r].why);
        CHECK(strcmp(got[0].why, "rank 1 of 3 left: the disk is full") == 0 ||
                  strcmp(got[2].why, "rank 1 of 3 left: the disk is full") == 0,
              "%s; %s", got[0].why, got[2].why);
    }
}

static void a_silent_rank_is_named_after_the_time_limit(void)
{
    struct outcome got[RANKS_MOST];
    run_ranks(2, loopback_port(), 1, silent, NULL, got);
    CHECK(got[0].status == -2 &&
              strcmp(got[0].why, "rank 1 of 2 says nothing for 1 s") == 0,
          "%d, %s", got[0].status, got[0].why);
    CHECK(got[1].status == -2, "%d, %s", got[1].status, got[1].why);
}

static void a_rank_at_another_point_of_the_run_is_noticed(void)
{
    struct outcome got[RANKS_MOST];
    run_ranks(2, socket_path(), 10, wandering, NULL, got);
    for (int r = 0; r < 2; r++) /* whoever notices first tells the other */
        CHECK(got[r].status == -2 && strstr(got[r].why, "is at another point of the run"),
              "%d, %s", got[r].status, got[r].why);
}

/* Rank 1 comes as what `wrong` says. */
static int come_as(const struct comm_options *o, int rank, int world)
{
    struct comm_options mine = *o;
    if (o->rank == 1) {
        mine.rank = rank;
        mine.world = world;
    }
    if (o->rank == 2)
        pause_ms(300); /* it finds nobody */
    struct comm *c = comm_open(&mine);
    comm_close(c);
    return c ? 0 : -1;
}

static int of_another_world(const struct comm_options *o, void *out)
{
    (void)out;
    return come_as(o, 1, 4);
}
static int twice(const struct comm_options *o, void *out)
{
    (void)out;
    return come_as(o, o->rank == 1 ? 2 : o->rank, 3);
}
static int absent(const struct comm_options *o, void *out)
{
    (void)out;
    return o->rank == 1 ? 0 : come_as(o, 0, 0);
}

static void wrong_handshakes_are_refused_with_the_reason(void)
{
    struct outcome got[RANKS_MOST];
    run_ranks(2, socket_path(), 5, of_another_world, NULL, got);
    CHECK(got[0].status == -1 &&
              strcmp(got[0].why,
                     "rank 1 was begun as one of 4 ranks, rank 0 as one of 2") == 0,
          "%s", got[0].why);
    CHECK(got[1].status == -1 &&
              strcmp(got[1].why,
                     "rank 0: rank 1 was begun as one of 4 ranks, rank 0 as one of 2") ==
                  0,
          "%s", got[1].why);
    run_ranks(3, loopback_port(), 5, twice, NULL, got);
    CHECK(got[0].status == -1 && strcmp(got[0].why, "two processes are rank 2") == 0,
          "%s", got[0].why);
}

static void what_is_no_place_is_refused_at_once(void)
{
    static const char *const places[] = {
        "localhost",       "localhost:", "localhost:x",   "localhost:0",
        "localhost:65536", "::1:4000",   "localhost:-80", ":4000"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int rank = 0; rank < 2; rank++) {
            const struct comm_options o = {
                .rank = rank, .world = 2, .rendezvous = places[i], .timeout = 1};
            struct comm *c = comm_open(&o);
            CHECK(!c && strstr(fail_text(), "not HOST:PORT"), "%s: %s", places[i],
                  fail_text());
            comm_close(c);
        }
}

static void who_does_not_come_is_named(void)
{
    struct outcome got[RANKS_MOST];
    const char *meet = socket_path();
    run_ranks(3, meet, 1, absent, NULL, got);
    CHECK(got[0].status == -1 && strstr(got[0].why, "of 3 ranks there did not come 1 "),
          "%s", got[0].why);
    CHECK(got[2].status == -1 && strstr(got[2].why, "rank 0"), "%s", got[2].why);
}

/* A stranger's bytes are no rank. */
static int with_a_stranger(const struct comm_options *o, void *out)
{
    int port = *(int *)out;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (o->rank != 1)
        return compute(o, NULL);
    char web[200] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int tries = 0; tries < 100; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) {
            (void)!send(fd, web, sizeof web, MSG_NOSIGNAL);
            close(fd);
            return compute(o, NULL);
        }
        close(fd);
        pause_ms(20);
    }
    return fail(FAIL_INTERNAL, "nobody listens");
}

static void strangers_are_passed_over(void)
{
    struct outcome got[RANKS_MOST];
    const char *at = loopback_port();
    int port = atoi(strchr(at, ':') + 1);
    run_ranks(2, at, 20, with_a_stranger, &port, got);
    expect_all(2, got);
}

static void alone_everything_is_a_no_op(void)
{
    double x = 3;
    CHECK(comm_rank(NULL) == 0 && comm_world(NULL) == 1, "not alone");
    CHECK(comm_sum(NULL, &x, 1) == 0 && x == 3, "%g", x);
    CHECK(comm_barrier(NULL) == 0 && comm_agree(NULL, "x", "", 0) == 0, "%s",
          fail_text());
    CHECK(comm_vote(NULL, -2) == -2 && comm_vote(NULL, 0) == 0, "vote");
    CHECK(!comm_lost(NULL), "lost");
    comm_leave(NULL, "x");
    comm_close(NULL);
}

/* -- Which rank one is
 * -------------------------------------------------------------------
 */

static void a_rank_has_the_gpu_of_its_number(void)
{
    struct rank_options o = {.launch = {.rank = 6, .world = 8, .local = 2}};
    unsetenv("CUDA_VISIBLE_DEVICES");
    CHECK(strcmp(rank_options_device(&o, "cuda"), "cuda:2") == 0, "not its own");
    CHECK(strcmp(rank_options_device(&o, "cuda:1"), "cuda:1") == 0, "not what is said");
    CHECK(strcmp(rank_options_device(&o, "cpu"), "cpu") == 0, "not the CPU");
    setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3", 1);
    CHECK(strcmp(rank_options_device(&o, "cuda"), "cuda:2") == 0, "one of four");
    setenv("CUDA_VISIBLE_DEVICES", "2", 1); /* as srun --gpus-per-task=1 has it */
    CHECK(strcmp(rank_options_device(&o, "cuda"), "cuda") == 0, "the one it sees");
    unsetenv("CUDA_VISIBLE_DEVICES");
    o.launch.local = -1;
    CHECK(strcmp(rank_options_device(&o, "cuda"), "cuda") == 0, "no number");
    o.launch = (struct launch){.world = 1};
    CHECK(strcmp(rank_options_device(&o, "cuda"), "cuda") == 0, "alone");
}

static void ranks_are_read_from_options_and_launchers(void)
{
    struct launch l;
    static const char *const names[] = {"RANK",
                                        "WORLD_SIZE",
                                        "LOCAL_RANK",
                                        "MASTER_ADDR",
                                        "MASTER_PORT",
                                        "SLURM_PROCID",
                                        "SLURM_NTASKS",
                                        "OMPI_COMM_WORLD_RANK",
                                        "OMPI_COMM_WORLD_SIZE",
                                        "PMI_RANK",
                                        "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
    CHECK(launch_read(&l, NULL, -1, NULL) == 0 && l.world == 1 && l.rank == 0, "alone");
    CHECK(launch_read(&l, NULL, 1, NULL) < 0, "--rank alone");
    CHECK(launch_read(&l, "4", 3, "h:1") == 0 && l.world == 4 && l.rank == 3, "%s",
          fail_text());
    CHECK(launch_read(&l, "4", 4, "h:1") < 0, "rank 4 of 4");
    CHECK(launch_read(&l, "4", -1, "h:1") < 0, "no rank");
    CHECK(launch_read(&l, "4", 1, NULL) < 0, "no rendezvous");
    CHECK(launch_read(&l, "x", 1, "h:1") < 0 && launch_read(&l, "0", 0, "h:1") < 0,
          "world");
    CHECK(launch_read(&l, "env", -1, "h:1") < 0, "no launcher");
    setenv("SLURM_PROCID", "5", 1);
    setenv("SLURM_NTASKS", "8", 1);
    CHECK(launch_read(&l, NULL, -1, NULL) == 0 && l.world == 1, "joined by surprise");
    CHECK(launch_read(&l, "env", -1, "h:1") == 0 && l.rank == 5 && l.world == 8, "slurm");
    CHECK(launch_read(&l, "env", 2, "h:1") < 0, "env and --rank");
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    CHECK(launch_read(&l, "env", -1, "h:1") == 0 && l.rank == 1 && l.world == 2,
          "mpirun");
    setenv("RANK", "2", 1);
    setenv("WORLD_SIZE", "3", 1);
    setenv("LOCAL_RANK", "0", 1);
    setenv("MASTER_ADDR", "10.1.2.3", 1);
    CHECK(launch_read(&l, "env", -1, NULL) == 0 && l.rank == 2 && l.world == 3 &&
              l.local == 0 && strcmp(l.rendezvous, "10.1.2.3:29500") == 0,
          "torchrun: %d %d %d %s", l.rank, l.world, l.local, l.rendezvous);
    setenv("MASTER_PORT", "4000", 1);
    setenv("TORCHELASTIC_USE_AGENT_STORE", "True", 1); /* its own store has that port */
    CHECK(launch_read(&l, "env", -1, NULL) == 0 &&
              strcmp(l.rendezvous, "10.1.2.3:4001") == 0,
          "%s", l.rendezvous);
    unsetenv("TORCHELASTIC_USE_AGENT_STORE");
    setenv("MASTER_PORT", "x", 1);
    CHECK(launch_read(&l, "env", -1, NULL) < 0, "MASTER_PORT=x");
    setenv("WORLD_SIZE", "two", 1);
    CHECK(launch_read(&l, "env", -1, NULL) < 0, "WORLD_SIZE=two");
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/comm-test-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    CASE(sums_and_vectors_are_those_of_one_process_in_the_order_of_ranks);
    CASE(a_machines_name_is_a_rendezvous_too);
    CASE(sockets_of_a_path_are_gone_once_all_have_met);
    CASE(only_a_socket_that_nobody_has_any_more_makes_way);
    CASE(a_lost_rank_is_named_by_all_others_at_once);
    CASE(a_rank_that_leaves_says_why);
    CASE(a_silent_rank_is_named_after_the_time_limit);
    CASE(a_rank_at_another_point_of_the_run_is_noticed);
    CASE(wrong_handshakes_are_refused_with_the_reason);
    CASE(what_is_no_place_is_refused_at_once);
    CASE(who_does_not_come_is_named);
    CASE(strangers_are_passed_over);
    CASE(alone_everything_is_a_no_op);
    CASE(a_rank_has_the_gpu_of_its_number);
    CASE(ranks_are_read_from_options_and_launchers);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    return check_end();
}
