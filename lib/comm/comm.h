/* comm.h: several processes that compute one thing: who they are, and what they tell each
 * other.
 *
 * Ranks 0 .. world - 1 call the same functions in the same order. Each has a connection
 * to each other one. Sums are taken in the order of ranks, whatever comes first, so that
 * all ranks get the same bits, and so does the next run.
 *
 *     struct comm *c = comm_open(&options);       all have come, same program, same world
 *     comm_agree(c, "model", hash, strlen(hash))  ... and the same of what decides
 * results comm_sum(c, numbers, 3) comm_close(c)
 *
 * Failures. A rank that is gone, that says nothing for longer than the time limit, or
 * that left, is named in fail_text(), with its reason where it could say one. From then
 * on every call fails, and comm_lost() is true: a rank that cannot go on calls
 * comm_leave(), and the others end too. No call but comm_wait() waits for longer than the
 * time limit.
 *
 * Connections are TCP or, on one machine, Unix sockets. They are neither encrypted nor do
 * they ask who is there: they are for a network, or a folder, that one trusts.
 */
#ifndef COMM_H
#define COMM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm;

enum { COMM_RANKS_MOST = 1024 };

struct comm_options {
    int rank, world;        /* 0 .. world - 1 of 1 .. COMM_RANKS_MOST */
    const char *rendezvous; /* HOST:PORT or [ADDRESS]:PORT of rank 0; or the path of a
                               Unix socket, which has a '/': PATH of rank 0, PATH.1,
                               PATH.2, ... of others, gone once all have met */
    double timeout;         /* seconds: for all to come; then without a byte */
    bool (*stop)(
        void *context); /* while others are waited for: true ends it. May be NULL */
    void *context;
};

/* Meet the others. NULL: refused (other options of a rank, an address that cannot be
 * used), timeout (which ranks did not come), or stopped. The options are copied. */
struct comm *comm_open(const struct comm_options *o);
/* NULL is fine. If a rank was lost, the others are told. */
void comm_close(struct comm *c);

/* Where there is no comm, one is alone: rank 0 of 1. */
int comm_rank(const struct comm *c);
int comm_world(const struct comm *c);

/* Tell all others why one leaves, as far as they listen; every call fails from now on. */
void comm_leave(struct comm *c, const char *why);
/* Has a rank gone, or left? NULL: no. */
bool comm_lost(const struct comm *c);

/* Has a rank gone, or left, while one waited for something else? Waits for nothing. */
bool comm_look(struct comm *c);

/* Bytes sent and received so far, without headers. */
void comm_traffic(const struct comm *c, uint64_t *sent, uint64_t *received);

/* -- Small things: all are no-ops that succeed where c is NULL
 * ---------------------------
 */

/* Nobody goes on before all are here. 0 or -1. */
int comm_barrier(struct comm *c);

/* Do all ranks have the same bytes? 0, or -1 on every rank (refused: "rank 2 has another
 * WHAT than rank 0"; the connections are fine). */
int comm_agree(struct comm *c, const char *what, const void *bytes, size_t n);

/* x[count] = the sums over ranks, x0 + x1 + ... 0 or -1. */
int comm_sum(struct comm *c, double *x, int64_t count);

/* All ranks get root's bytes. 0 or -1. */
int comm_broadcast(struct comm *c, int root, void *bytes, size_t n);

/* How did it go? status is 0, or negative with the reason in fail_text(). All ranks
 * return the same: 0 if all have 0, else the status of the lowest rank with the highest
 * number among the negative ones (-1 before -2), with its reason, "rank 2: ..." on the
 * others. If a rank is gone: -1, and comm_lost(). */
int comm_vote(struct comm *c, int status);

/* From one rank to another: both know n. 0 or -1. c is there. */
int comm_send(struct comm *c, int to, const void *bytes, size_t n);
int comm_receive(struct comm *c, int from, void *bytes, size_t n);

/* Until a message from a rank is there, however long that takes: for a rank that waits
 * for somebody outside. Not longer than that rank lives. 0 or -1. c is there. */
int comm_wait(struct comm *c, int from);

/* -- Vectors
 * -----------------------------------------------------------------------------
 */

/* A vector of f32 that lies wherever it does: pieces of it are read and written. Rank r
 * owns [cut[r], cut[r + 1]). */
struct comm_vector {
    const int64_t *cut; /* [world + 1], ascending from 0; the same on all ranks */
    void *context;
    void (*get)(void *context, int64_t first, int64_t count, float *to);
    void (*put)(void *context, int64_t first, int64_t count, const float *from);
};

/* Each rank's own part = the sum of that part over all ranks: ((x0 + x1) + x2) + ...; the
 * other parts stay. 0 or -1. */
int comm_reduce_scatter(struct comm *c, const struct comm_vector *v);

/* All ranks get each rank's own part. 0 or -1. */
int comm_all_gather(struct comm *c, const struct comm_vector *v);
#endif
