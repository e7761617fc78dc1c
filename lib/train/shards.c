/* shards.c: see shards.h. */
#include "train/shards.h"
#include "backward.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>

/* Where a part may end: the nearest place before `at`. */
static int64_t cut_at(const struct params *p, int64_t at)
{
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        int64_t within = at - one->at;
        if (one->trained && within >= 0 && within < arr_size(one->w))
            return one->at + within / MOMENT_BLOCK * MOMENT_BLOCK;
    }
    return at;
}

int64_t shards_part(const struct params *p, int i, int r, int64_t *first)
{
    const struct param *one = &p->list[i];
    int64_t n = one->trained ? arr_size(one->w) : 0;
    int64_t from = p->cut[r] - one->at, to = p->cut[r + 1] - one->at;
    from = from < 0 ? 0 : from;
    to = to > n ? n : to;
    *first = from;
    return to > from ? to - from : 0;
}

/* The way between devices, if all ranks have one. What one lacks is no failure, but that
 * a rank is gone is. */
static int peers_make(struct params *p, const struct kernels *k, struct dev *dev)
{
    char id[PEERS_ID_BYTES] = "";
    const char *why = "this device has no way of its own";
    struct comm *c = p->comm;
    int status = k->peers ? k->peers->ready(&why) : -1;
    if (status == 0 && comm_rank(c) == 0)
        status = k->peers->id(id, &why);
    if (status < 0)
        fail(FAIL_REFUSED, "%s", why);
    status = comm_vote(c, status);
    if (status == 0)
        status = comm_broadcast(c, 0, id, sizeof id);
    if (status == 0) {
        p->peers = k->peers->open(dev, id, comm_rank(c), comm_world(c), &why);
        status = comm_vote(c, p->peers ? 0 : fail(FAIL_REFUSED, "%s", why));
    }
    if (status < 0 && p->peers) {
        k->peers->close(p->peers);
        p->peers = NULL;
    }
    snprintf(p->transport, sizeof p->transport, status < 0 ? "sockets: %.140s" : "%.140s",
             status < 0 ? fail_text() : k->peers->name);
    return comm_lost(c) ? -1 : 0;
}

void shards_free(struct params *p, const struct kernels *k)
{
    if (p->peers)
        k->peers->close(p->peers);
    free(p->cut);
    p->peers = NULL;
    p->cut = NULL;
}

int shards_make(struct params *p, const struct kernels *k, struct dev *dev)
{
    int world = comm_world(p->comm);
    int64_t all = 0;
    free(p->cut);
    if (!(p->cut = calloc((size_t)world + 1, sizeof *p->cut)))
        return fail_memory();
    for (int i = 0; i < p->count; i++) {
        p->list[i].at = all;
        all += p->list[i].trained ? arr_size(p->list[i].w) : 0;
    }
    for (int r = 1; r < world; r++)
        p->cut[r] = cut_at(p, (int64_t)((double)all / world * r));
    p->cut[world] = all;
    for (int i = 0; i < p->count; i++)
        p->list[i].kept = shards_part(p, i, comm_rank(p->comm), &p->list[i].first);
    return p->comm ? peers_make(p, k, dev) : 0;
}

/* -- All trained elements as one vector -------------------------------------------------
 */

struct whole {
    const struct params *p;
    const struct kernels *k;
    struct dev *dev;
    bool weights; /* or gradients */
    int at;       /* parameter of the last piece: the next begins there or behind */
};

/* The piece of a parameter with which [first, first + count) begins. Its elements. */
static struct arr piece(struct whole *w, int64_t first, int64_t count)
{
    const struct param *list = w->p->list;
    if (list[w->at].at > first)
        w->at = 0;
    while (!list[w->at].trained || first >= list[w->at].at + arr_size(list[w->at].w))
        w->at++;
    const struct param *one = &list[w->at];
    int64_t within = first - one->at, left = arr_size(one->w) - within;
    return arr_rows(w->weights ? one->w : one->grad, within, count < left ? count : left);
}

static void get(void *context, int64_t first, int64_t count, float *to)
{
    struct whole *w = context;
    for (int64_t n; count > 0; first += n, count -= n, to += n) {
        struct arr a = piece(w, first, count);
        n = arr_size(a);
        w->k->download(w->dev, to, a);
    }
}

static void put(void *context, int64_t first, int64_t count, const float *from)
{
    struct whole *w = context;
    for (int64_t n; count > 0; first += n, count -= n, from += n) {
        struct arr a = piece(w, first, count);
        n = arr_size(a);
        w->k->upload(w->dev, a, from);
    }
}

/* -- From device to device --------------------------------------------------------------
 */

static bool gone(void *comm)
{
    return comm_look(comm);
}

/* Each rank's part of each parameter: gradients to it, or weights from it. */
static int directly(const struct params *p, const struct kernels *k, bool weights)
{
    const char *why;
    int64_t first, n;
    k->peers->begin(p->peers);
    for (int i = 0; i < p->count; i++)
        for (int r = 0; r < comm_world(p->comm); r++) {
            const struct param *one = &p->list[i];
            if (!(n = shards_part(p, i, r, &first)))
                continue;
            if (weights)
                k->peers->broadcast(p->peers, arr_rows(one->w, first, n), r);
            else
                k->peers->reduce(p->peers, arr_rows(one->grad, first, n), r);
        }
    if (k->peers->end(p->peers, gone, p->comm, &why) == 0)
        return 0;
    if (!comm_lost(p->comm)) {
        fail(FAIL_REFUSED, "%s", why);
        comm_leave(p->comm, why);
    }
    return -1;
}

int shards_reduce(const struct params *p, const struct kernels *k, struct dev *dev)
{
    struct whole w = {p, k, dev, false, 0};
    const struct comm_vector v = {p->cut, &w, get, put};
    if (p->peers)
        return directly(p, k, false);
    return comm_reduce_scatter(p->comm, &v);
}

int shards_gather(const struct params *p, const struct kernels *k, struct dev *dev)
{
    struct whole w = {p, k, dev, true, 0};
    const struct comm_vector v = {p->cut, &w, get, put};
    if (p->peers)
        return directly(p, k, true);
    return comm_all_gather(p->comm, &v);
}
