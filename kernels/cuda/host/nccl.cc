/* nccl.cc: twins of NCCL's functions (../nccl.h) for processes of one machine. All ranks
 * are connected to rank 0 by Unix sockets; it adds up, in the order of ranks, and hands
 * on. What is asked for within a group is put into its stream at its end, in order. A rank
 * that is gone is an error of the system, which shows while one waits; with NCCL_ON_HOST
 * "deaf" it does not show, as between GPUs of one machine. Either way the stream does not
 * go on before the communicator is aborted. */
#include "../nccl.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RANKS_MOST = 16, CALLS_MOST = 1 << 16 };

struct ncclComm {
    int rank, world, error;
    cudaStream_t stuck; /* does not go on */
    int fd[RANKS_MOST]; /* on rank 0 of each other rank; else fd[0] */
};

/* One reduce or broadcast that waits for its group's end. */
struct call {
    struct ncclComm *comm;
    cudaStream_t stream;
    const void *from;
    void *to;
    size_t count;
    int root;
    bool sum;
};

static struct call calls[CALLS_MOST];
static int call_count, depth, listener = -1;

static struct sockaddr_un address(const struct nccl_id *id)
{
    struct sockaddr_un at = {};
    at.sun_family = AF_UNIX;
    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", id->internal);
    return at;
}

static int get_unique_id(struct nccl_id *id)
{
    static int number;
    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "/tmp/nccl-on-host-%d-%d", getpid(),
             number++);
    struct sockaddr_un at = address(id);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
                   listen(listener, RANKS_MOST) == 0
               ? NCCL_SUCCESS
               : NCCL_SYSTEM_ERROR;
}

static bool move_all(int fd, void *data, size_t bytes, bool out)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = out ? send(fd, (char *)data + done, bytes - done, MSG_NOSIGNAL)
                          : recv(fd, (char *)data + done, bytes - done, 0);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static int comm_destroy(struct ncclComm *comm)
{
    if (comm->stuck)
        stream_hold(comm->stuck, false);
    for (int r = 0; r < comm->world; r++)
        if (comm->fd[r] >= 0)
            close(comm->fd[r]);
    free(comm);
    return NCCL_SUCCESS;
}

/* All come, whatever the order. */
static bool receive_ranks(struct ncclComm *c)
{
    for (int there = 1; there < c->world; there++) {
        int rank, fd = accept(listener, NULL, NULL);
        if (fd < 0 || !move_all(fd, &rank, sizeof rank, false) || rank < 1 ||
            rank >= c->world || c->fd[rank] >= 0)
            return false;
        c->fd[rank] = fd;
    }
    return true;
}

static int comm_init_rank(struct ncclComm **comm, int world, struct nccl_id id, int rank)
{
    struct ncclComm *c = (struct ncclComm *)calloc(1, sizeof *c);
    struct sockaddr_un at = address(&id);
    bool good = c && world <= RANKS_MOST;
    if (!good)
        return free(c), NCCL_SYSTEM_ERROR;
    c->rank = rank;
    c->world = world;
    for (int r = 0; r < world; r++) c->fd[r] = -1;
    if (rank == 0) {
        good = receive_ranks(c);
        close(listener);
        unlink(at.sun_path);
    } else {
        c->fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        good = connect(c->fd[0], (struct sockaddr *)&at, sizeof at) == 0 &&
               move_all(c->fd[0], &rank, sizeof rank, true);
    }
    if (!good)
        return comm_destroy(c), NCCL_SYSTEM_ERROR;
    *comm = c;
    return NCCL_SUCCESS;
}

static int comm_get_async_error(struct ncclComm *comm, int *error)
{
    *error = comm->error;
    return NCCL_SUCCESS;
}

/* The sum arrives at rank 0, and from there at the root. */
static bool sum(const struct call *w)
{
    const struct ncclComm *c = w->comm;
    size_t bytes = w->count * sizeof(float);
    if (c->rank != 0)
        return move_all(c->fd[0], (void *)w->from, bytes, true) &&
               (c->rank != w->root || move_all(c->fd[0], w->to, bytes, false));
    float *total = (float *)malloc(2 * bytes + 1), *other = total + w->count;
    bool good = total != NULL;
    if (good)
        memcpy(total, w->from, bytes);
    for (int r = 1; good && r < c->world; r++) {
        good = move_all(c->fd[r], other, bytes, false);
        for (size_t i = 0; good && i < w->count; i++) total[i] += other[i];
    }
    if (good && w->root == 0)
        memcpy(w->to, total, bytes);
    else if (good)
        good = move_all(c->fd[w->root], total, bytes, true);
    free(total);
    return good;
}

static bool hand_on(const struct call *w)
{
    const struct ncclComm *c = w->comm;
    if (c->rank == w->root && w->to != w->from)
        memmove(w->to, w->from, w->count);
    if (c->rank != 0)
        return move_all(c->fd[0], w->to, w->count, c->rank == w->root);
    bool good = w->root == 0 || move_all(c->fd[w->root], w->to, w->count, false);
    for (int r = 1; good && r < c->world; r++)
        good = r == w->root || move_all(c->fd[r], w->to, w->count, true);
    return good;
}

static int group_start()
{
    depth++;
    return NCCL_SUCCESS;
}

/* What its stream has come to. */
static void call_run(const void *with)
{
    struct call w;
    memcpy(&w, with, sizeof w);
    if (w.comm->stuck || (w.sum ? sum(&w) : hand_on(&w)))
        return;
    const char *how = getenv("NCCL_ON_HOST");
    w.comm->error = how && strcmp(how, "deaf") == 0 ? NCCL_SUCCESS : NCCL_SYSTEM_ERROR;
    w.comm->stuck = w.stream;
    stream_hold(w.stream, true);
}

static int group_end()
{
    if (--depth > 0)
        return NCCL_SUCCESS;
    for (int i = 0; i < call_count; i++)
        stream_do(calls[i].stream, call_run, &calls[i], sizeof calls[i]);
    call_count = 0;
    return NCCL_SUCCESS;
}

static int add_call(const struct call &w)
{
    if (call_count == CALLS_MOST)
        return NCCL_SYSTEM_ERROR;
    calls[call_count++] = w;
    if (depth > 0)
        return NCCL_SUCCESS;
    depth++;
    return group_end();
}

static int reduce(const void *from, void *to, size_t count, int type, int op, int root,
                  struct ncclComm *comm, cudaStream_t stream)
{
    assert(type == NCCL_FLOAT32 && op == NCCL_SUM);
    return add_call({comm, stream, from, to, count, root, true});
}

static int broadcast(const void *from, void *to, size_t count, int type, int root,
                     struct ncclComm *comm, cudaStream_t stream)
{
    assert(type == NCCL_UINT8);
    return add_call({comm, stream, from, to, count, root, false});
}

static const char *get_error_string(int result)
{
    return result == NCCL_SUCCESS ? "no error" : "unhandled system error";
}

int nccl_load(struct nccl *n, const char **why)
{
    const char *off = getenv("NCCL_ON_HOST"); /* "0": as where there is no library */
    if (off && strcmp(off, "0") == 0) {
        *why = "no libnccl.so.2";
        return -1;
    }
    *n = {get_unique_id, comm_init_rank, comm_destroy, comm_destroy, comm_get_async_error,
          reduce,        broadcast,      group_start,  group_end,    get_error_string};
    return 0;
}
