/* nccl.cu: arrays between GPUs of several processes (peers.h), by NCCL. */
#include "nccl.h"
extern "C" {
#include "peers.h"
}

#include <dlfcn.h>
#include <time.h>

struct peers {
    struct nccl n;
    struct ncclComm *comm; /* NULL: aborted */
    struct dev *d;
    int rank, error; /* the first one */
    char why[200];
};

#ifndef CUDA_ON_HOST
int nccl_load(struct nccl *n, const char **why)
{
    static const char *const names[] = {
        "ncclGetUniqueId",       "ncclCommInitRank",  "ncclCommDestroy", "ncclCommAbort",
        "ncclCommGetAsyncError", "ncclReduce",        "ncclBroadcast",   "ncclGroupStart",
        "ncclGroupEnd",          "ncclGetErrorString"};
    void *functions[sizeof names / sizeof *names];
    static_assert(sizeof functions == sizeof *n, "a name for each function");
    /* never closed: NCCL's threads live as long as the process */
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        *why = "no libnccl.so.2";
        return -1;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(functions[i] = dlsym(library, names[i]))) {
            *why = "libnccl.so.2 lacks a function";
            return -1;
        }
    memcpy(n, functions, sizeof functions);
    return 0;
}
#endif

static thread_local char reason[200];

static void checked(struct peers *p, int result, const char *what)
{
    if (result == NCCL_SUCCESS || result == NCCL_IN_PROGRESS || p->error != NCCL_SUCCESS)
        return;
    p->error = result;
    snprintf(p->why, sizeof p->why, "nccl: %s: %s", what, p->n.get_error_string(result));
}

static int peers_ready(const char **why)
{
    struct nccl n;
    return nccl_load(&n, why);
}

static int peers_id(char id[PEERS_ID_BYTES], const char **why)
{
    struct nccl n;
    struct nccl_id own;
    if (nccl_load(&n, why) < 0)
        return -1;
    int result = n.get_unique_id(&own);
    if (result != NCCL_SUCCESS) {
        snprintf(reason, sizeof reason, "nccl: %s", n.get_error_string(result));
        *why = reason;
        return -1;
    }
    memcpy(id, own.internal, PEERS_ID_BYTES);
    return 0;
}

static struct peers *peers_open(struct dev *d, const char id[PEERS_ID_BYTES], int rank,
                                int world, const char **why)
{
    struct peers *p = (struct peers *)calloc(1, sizeof *p);
    struct nccl_id group;
    *why = "out of memory";
    if (!p || nccl_load(&p->n, why) < 0) {
        free(p);
        return NULL;
    }
    memcpy(group.internal, id, PEERS_ID_BYTES);
    p->d = d;
    p->rank = rank;
    dev_use(d);
    checked(p, p->n.comm_init_rank(&p->comm, world, group, rank), "joining");
    if (p->error == NCCL_SUCCESS)
        return p;
    cudaGetLastError(); /* what the library was refused is not the device's failure */
    snprintf(reason, sizeof reason, "%s", p->why);
    *why = reason;
    free(p);
    return NULL;
}

static void peers_close(struct peers *p)
{
    if (!p)
        return;
    dev_use(p->d);
    if (p->comm)
        p->error == NCCL_SUCCESS ? p->n.comm_destroy(p->comm) : p->n.comm_abort(p->comm);
    free(p);
}

static void peers_begin(struct peers *p)
{
    dev_use(p->d);
    checked(p, p->n.group_start(), "a group");
}

static void peers_reduce(struct peers *p, struct arr a, int root)
{
    assert(a.type == ARR_F32 && arr_contiguous(a));
    checked(p,
            p->n.reduce(a.data, a.data, (size_t)arr_size(a), NCCL_FLOAT32, NCCL_SUM, root,
                        p->comm, p->d->stream),
            "a sum");
}

static void peers_broadcast(struct peers *p, struct arr a, int root)
{
    assert(arr_contiguous(a));
    checked(p,
            p->n.broadcast(a.data, a.data, arr_type_bytes(a.type, arr_size(a)),
                           NCCL_UINT8, root, p->comm, p->d->stream),
            "a broadcast");
}

/* A rank that is gone is noticed by NCCL itself, or by whoever else has a connection to
 * it; without either its kernel would wait for ever, and only an abort ends that. */
static int peers_end(struct peers *p, bool (*gone)(void *context), void *context,
                     const char **why)
{
    int error = NCCL_SUCCESS, rounds = 0;
    const struct timespec moment = {0, 50000}; /* 50 us */
    checked(p, p->n.group_end(), "a group");
    while (p->error == NCCL_SUCCESS) {
        cudaError_t state = cudaStreamQuery(p->d->stream);
        checked(p, p->n.comm_get_async_error(p->comm, &error), "its state");
        checked(p, error, "a peer");
        if (state == cudaSuccess)
            break;
        if (state != cudaErrorNotReady) {
            dev_checked(p->d, state, "nccl");
            p->error = NCCL_SYSTEM_ERROR;
            snprintf(p->why, sizeof p->why, "%s", p->d->why);
            break;
        }
        cudaGetLastError(); /* not ready: no failure, but remembered as one */
        if (++rounds % 2000 == 0 && gone(context)) {
            p->error = NCCL_SYSTEM_ERROR;
            snprintf(p->why, sizeof p->why, "nccl: a peer is gone");
        }
        nanosleep(&moment, NULL);
    }
    *why = p->why;
    if (p->error == NCCL_SUCCESS)
        return 0;
    p->n.comm_abort(p->comm);
    p->comm = NULL;
    return -1;
}

extern "C" {
extern const struct peer_ops nccl_peers;
}
const struct peer_ops nccl_peers = {
    .name = "nccl",
    .ready = peers_ready,
    .id = peers_id,
    .open = peers_open,
    .close = peers_close,
    .begin = peers_begin,
    .reduce = peers_reduce,
    .broadcast = peers_broadcast,
    .end = peers_end,
};
