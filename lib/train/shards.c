/* shards.c: see shards.h. */
#include "train/shards.h"
#include "backward.h"
#include "base/fail.h"
#include "comm/comm.h"

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

int shards_make(struct params *p)
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
    return 0;
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

int shards_reduce(const struct params *p, const struct kernels *k, struct dev *dev)
{
    struct whole w = {p, k, dev, false, 0};
    const struct comm_vector v = {p->cut, &w, get, put};
    return comm_reduce_scatter(p->comm, &v);
}

int shards_gather(const struct params *p, const struct kernels *k, struct dev *dev)
{
    struct whole w = {p, k, dev, true, 0};
    const struct comm_vector v = {p->cut, &w, get, put};
    return comm_all_gather(p->comm, &v);
}
