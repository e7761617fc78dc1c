/* comm.c: see comm.h: what ranks do together, made of exchanges. */
#include "comm/comm.h"
#include "base/fail.h"
#include "comm/comm_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Numbers of a vector that one rank sends to one other at once: together at most ROOM, so
 * that many ranks take no more memory than few. */
enum { ROOM = 4 << 20, PIECE_LEAST = 4096, PIECE_MOST = 256 << 10 };

struct comm *comm_open(const struct comm_options *o)
{
    struct comm *c = calloc(1, sizeof *c);
    size_t world = (size_t)o->world;
    if (!c)
        return fail_memory(), NULL;
    *c = (struct comm){.rank = o->rank, .world = o->world, .timeout = o->timeout};
    c->piece = ROOM / o->world;
    c->piece = c->piece < PIECE_LEAST ? PIECE_LEAST : c->piece;
    c->piece = c->piece > PIECE_MOST ? PIECE_MOST : c->piece;
    c->peers = calloc(world, sizeof *c->peers);
    c->out = calloc(world, sizeof *c->out);
    c->in = calloc(world, sizeof *c->in);
    c->send_room = malloc(world * (size_t)c->piece * sizeof(float));
    c->receive_room = malloc(world * (size_t)c->piece * sizeof(float));
    for (int r = 0; c->peers && r < o->world; r++) c->peers[r].fd = -1;
    int status = c->peers && c->out && c->in && c->send_room && c->receive_room
                     ? meet(c, o)
                     : fail_memory();
    if (status == 0)
        return c;
    comm_close(c);
    return NULL;
}

void comm_close(struct comm *c)
{
    if (!c)
        return;
    if (c->lost)
        comm_leave(c, c->why);
    for (int r = 0; c->peers && r < c->world; r++)
        if (c->peers[r].fd >= 0)
            close(c->peers[r].fd);
    free(c->peers);
    free(c->out);
    free(c->in);
    free(c->send_room);
    free(c->receive_room);
    free(c);
}

int comm_rank(const struct comm *c)
{
    return c ? c->rank : 0;
}

int comm_world(const struct comm *c)
{
    return c ? c->world : 1;
}

bool comm_lost(const struct comm *c)
{
    return c && c->lost;
}

void comm_traffic(const struct comm *c, uint64_t *sent, uint64_t *received)
{
    *sent = c ? c->sent : 0;
    *received = c ? c->received : 0;
}

/* -- Small things
 * ------------------------------------------------------------------------
 */

/* all [world][n] = each rank's n bytes; its own are there. 0 or -1. */
static int gather_all(struct comm *c, void *all, size_t n)
{
    char *bytes = all;
    for (int r = 0; r < c->world; r++)
        if (r != c->rank) {
            exchange_send(c, r, bytes + (size_t)c->rank * n, n);
            exchange_receive(c, r, bytes + (size_t)r * n, n);
        }
    return exchange(c);
}

int comm_barrier(struct comm *c)
{
    char all[COMM_RANKS_MOST];
    if (!c)
        return 0;
    all[c->rank] = 0;
    return gather_all(c, all, 1);
}

int comm_agree(struct comm *c, const char *what, const void *bytes, size_t n)
{
    uint64_t all[COMM_RANKS_MOST];
    if (!c)
        return 0;
    all[c->rank] = XXH3_64bits(bytes, n);
    if (gather_all(c, all, sizeof *all) < 0)
        return -1;
    for (int r = 1; r < c->world; r++)
        if (all[r] != all[0])
            return fail(FAIL_REFUSED, "rank %d has another %s than rank 0", r, what);
    return 0;
}

/* all: room for [world][count]. */
static int sum_piece(struct comm *c, double *x, size_t count, double *all)
{
    memcpy(all + (size_t)c->rank * count, x, count * sizeof *x);
    if (gather_all(c, all, count * sizeof *x) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        x[i] = all[i];
        for (size_t r = 1; r < (size_t)c->world; r++) x[i] += all[r * count + i];
    }
    return 0;
}

int comm_sum(struct comm *c, double *x, int64_t count)
{
    enum { TOGETHER = 4096 };
    int status = 0;
    if (!c || count == 0)
        return 0;
    size_t most = count < TOGETHER ? (size_t)count : TOGETHER;
    double *all = malloc((size_t)c->world * most * sizeof *all);
    if (!all)
        return fail_memory();
    for (int64_t at = 0; status == 0 && at < count; at += TOGETHER)
        status = sum_piece(c, x + at,
                           count - at < TOGETHER ? (size_t)(count - at) : TOGETHER, all);
    free(all);
    return status;
}

int comm_broadcast(struct comm *c, int root, void *bytes, size_t n)
{
    if (!c)
        return 0;
    if (c->rank != root)
        return comm_receive(c, root, bytes, n);
    for (int r = 0; r < c->world; r++)
        if (r != root)
            exchange_send(c, r, bytes, n);
    return exchange(c);
}

int comm_send(struct comm *c, int to, const void *bytes, size_t n)
{
    exchange_send(c, to, bytes, n);
    return exchange(c);
}

int comm_receive(struct comm *c, int from, void *bytes, size_t n)
{
    exchange_receive(c, from, bytes, n);
    return exchange(c);
}

struct vote {
    int32_t status, kind;
    char text[256]; /* the reason, cut if need be */
};

/* Whose status decides: the highest of the negative ones. NULL: all are content. */
static const struct vote *decisive(const struct vote *all, int world, int *rank)
{
    const struct vote *found = NULL;
    for (int r = 0; r < world; r++)
        if (all[r].status < 0 && (!found || all[r].status > found->status)) {
            found = &all[r];
            *rank = r;
        }
    return found;
}

int comm_vote(struct comm *c, int status)
{
    if (!c)
        return status;
    if (c->lost)
        return -1; /* that reason is the one to tell */
    struct vote *all = calloc((size_t)c->world, sizeof *all);
    if (!all)
        return fail_memory();
    struct vote *mine = &all[c->rank];
    mine->status = status < 0 ? status : 0;
    mine->kind = (int32_t)fail_kind();
    if (status < 0)
        snprintf(mine->text, sizeof mine->text, "%s", fail_text());
    int rank = 0, result = gather_all(c, all, sizeof *all);
    const struct vote *found = result < 0 ? NULL : decisive(all, c->world, &rank);
    if (found) {
        result = found->status;
        if (found != mine)
            fail((enum fail_class)found->kind, "rank %d: %.255s", rank, found->text);
    }
    free(all);
    return result;
}

/* -- Vectors
 * -----------------------------------------------------------------------------
 */

static float *room_of(const struct comm *c, char *room, int rank)
{
    return (float *)(void *)room + (int64_t)rank * c->piece;
}

/* The piece number `round` of a rank's own part: how many numbers, from *first on. */
static int64_t piece_of(const struct comm *c, const struct comm_vector *v, int rank,
                        int64_t round, int64_t *first)
{
    *first = v->cut[rank] + round * c->piece;
    int64_t left = v->cut[rank + 1] - *first;
    return left < 0 ? 0 : left < c->piece ? left : c->piece;
}

static int64_t rounds_of(const struct comm *c, const struct comm_vector *v)
{
    int64_t most = 0;
    for (int r = 0; r < c->world; r++) {
        int64_t n = v->cut[r + 1] - v->cut[r];
        most = n > most ? n : most;
    }
    return (most + c->piece - 1) / c->piece;
}

/* sum = ((x0 + x1) + x2) + ..., own among them at its place. */
static void add_in_order(const struct comm *c, float *restrict sum, int64_t n)
{
    for (int r = 1; r < c->world; r++) {
        const float *x = room_of(c, c->receive_room, r);
        for (int64_t i = 0; i < n; i++) sum[i] += x[i];
    }
}

static int reduce_round(struct comm *c, const struct comm_vector *v, int64_t round)
{
    int64_t first, n, mine = piece_of(c, v, c->rank, round, &first), own = first;
    for (int r = 0; r < c->world; r++) {
        float *to = room_of(c, c->receive_room, r);
        if (r == c->rank) {
            if (mine)
                v->get(v->context, own, mine, to);
            continue;
        }
        if (mine)
            exchange_receive(c, r, to, (size_t)mine * sizeof *to);
        float *from = room_of(c, c->send_room, r);
        if (!(n = piece_of(c, v, r, round, &first)))
            continue;
        v->get(v->context, first, n, from);
        exchange_send(c, r, from, (size_t)n * sizeof *from);
    }
    if (exchange(c) < 0)
        return -1;
    float *sum = room_of(c, c->receive_room, 0);
    add_in_order(c, sum, mine);
    if (mine)
        v->put(v->context, own, mine, sum);
    return 0;
}

int comm_reduce_scatter(struct comm *c, const struct comm_vector *v)
{
    int64_t rounds = c ? rounds_of(c, v) : 0;
    for (int64_t i = 0; i < rounds; i++)
        if (reduce_round(c, v, i) < 0)
            return -1;
    return 0;
}

static int gather_round(struct comm *c, const struct comm_vector *v, int64_t round)
{
    int64_t first, n, mine = piece_of(c, v, c->rank, round, &first);
    float *own = room_of(c, c->send_room, c->rank);
    if (mine)
        v->get(v->context, first, mine, own);
    for (int r = 0; r < c->world; r++) {
        float *to = room_of(c, c->receive_room, r);
        if (r == c->rank)
            continue;
        if (mine)
            exchange_send(c, r, own, (size_t)mine * sizeof *own);
        if ((n = piece_of(c, v, r, round, &first)))
            exchange_receive(c, r, to, (size_t)n * sizeof *to);
    }
    if (exchange(c) < 0)
        return -1;
    for (int r = 0; r < c->world; r++)
        if (r != c->rank && (n = piece_of(c, v, r, round, &first)))
            v->put(v->context, first, n, room_of(c, c->receive_room, r));
    return 0;
}

int comm_all_gather(struct comm *c, const struct comm_vector *v)
{
    int64_t rounds = c ? rounds_of(c, v) : 0;
    for (int64_t i = 0; i < rounds; i++)
        if (gather_round(c, v, i) < 0)
            return -1;
    return 0;
}
