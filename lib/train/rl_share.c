/* rl_share.c: see rl_share.h. */
#include "train/rl_share.h"
#include "base/buf.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "row/row_own.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Rows ------------------------------------------------------------------------------
 */

/* A row on its way; its text follows. */
struct parcel {
    uint64_t bytes;
    int32_t error;
    char where[256], why[256];
};

static void pack(struct buf *b, const struct rl_batch *batch)
{
    for (int64_t i = 0; i < batch->count; i++) {
        const struct rollout *r = &batch->rows[i];
        struct parcel p = {.bytes = r->text ? r->size : 0, .error = r->error};
        memcpy(p.where, r->where, sizeof p.where);
        memcpy(p.why, r->why, sizeof p.why);
        buf_add(b, &p, sizeof p);
        buf_add(b, r->text, (size_t)p.bytes);
    }
}

/* A row from its text, as rank 0 read it. 0 or -1. */
static int unpack_one(struct rollout *r, const struct parcel *p, const char *text,
                      const struct rollout_rules *rules)
{
    struct tokens tokens = {0};
    struct row row;
    *r = (struct rollout){.step = -1, .error = p->error};
    int status = 0;
    if (!p->error) {
        char *block = malloc((size_t)p->bytes + 1);
        if (!block)
            return fail_memory();
        memcpy(block, text, (size_t)p->bytes);
        status = row_begin(&row, "", "id", block, (struct span){block, (size_t)p->bytes},
                           &tokens);
        if (status == 0) {
            row.file = "rank 0";
            status = rollout_read(r, rules, &row);
            row_free(&row);
        }
        tokens_free(&tokens);
    }
    memcpy(r->where, p->where, sizeof r->where);
    memcpy(r->why, p->why, sizeof r->why);
    return status < 0 ? fail_in("%s", r->where) : 0;
}

static int unpack(struct rl_batch *batch, const char *bytes, size_t n, int64_t count,
                  const struct rollout_rules *rules)
{
    int status = 0;
    rl_batch_free(batch);
    if (!(batch->rows = calloc((size_t)count + 1, sizeof *batch->rows)))
        return fail_memory();
    batch->cap = count;
    for (size_t at = 0; status == 0 && batch->count < count; batch->count++) {
        struct parcel p;
        if (n - at < sizeof p)
            return fail(FAIL_INTERNAL, "a batch is cut");
        memcpy(&p, bytes + at, sizeof p);
        at += sizeof p;
        if (n - at < p.bytes)
            return fail(FAIL_INTERNAL, "a batch is cut");
        p.where[sizeof p.where - 1] = p.why[sizeof p.why - 1] = '\0';
        status = unpack_one(&batch->rows[batch->count], &p, bytes + at, rules);
        at += (size_t)p.bytes;
    }
    return status;
}

int rl_share_batch(struct comm *c, int got, struct rl_batch **b, struct rl_batch *room,
                   const struct rollout_rules *rules)
{
    bool first = comm_rank(c) == 0;
    int64_t head[4] = {got, 0, 0, 0};
    struct buf bytes = {0};
    if (!c)
        return got;
    if (first && got == 1) {
        pack(&bytes, *b);
        if (buf_ok(&bytes) < 0)
            got = -1;
        head[1] = (*b)->step;
        head[2] = (*b)->count;
        head[3] = (int64_t)bytes.len;
    }
    if (!first && comm_wait(c, 0) < 0)
        return -1;
    int status = comm_vote(c, first && got < 0 ? got : 0);
    if (status == 0)
        status = comm_broadcast(c, 0, head, sizeof head);
    if (status == 0 && head[0] == 1) {
        if (!first) {
            status = buf_room(&bytes, (size_t)head[3]) ? 0 : fail_memory();
            bytes.len = (size_t)head[3];
        }
        if (status == 0)
            status = comm_broadcast(c, 0, bytes.data, bytes.len);
        if (status == 0 && !first) {
            status = unpack(room, bytes.data, bytes.len, head[2], rules);
            room->step = head[1];
            *b = room;
        }
        status = comm_vote(c, status);
    }
    buf_free(&bytes);
    return status < 0 ? status : (int)head[0];
}

/* -- Groups
 * ------------------------------------------------------------------------------
 */

bool rl_share_mine(const struct comm *c, const struct rl_groups *g,
                   const struct rl_group *one)
{
    return (one - g->list) % comm_world(c) == comm_rank(c);
}

int rl_share_groups(struct comm *c, struct rl_groups *g,
                    void (*gone)(void *context, struct rl_group *g), void *context)
{
    enum { NUMBERS = 2 };
    if (!c)
        return 0;
    double *x = calloc((size_t)g->count * NUMBERS + 1, sizeof *x);
    if (!x)
        return fail_memory();
    for (int64_t i = 0; i < g->count; i++) {
        const struct rl_group *one = &g->list[i];
        if (!rl_share_mine(c, g, one))
            continue;
        x[NUMBERS * i] = one->usable;
        x[NUMBERS * i + 1] = one->teaches;
    }
    int status = comm_sum(c, x, g->count * NUMBERS);
    for (int64_t i = 0; status == 0 && i < g->count; i++) {
        struct rl_group *one = &g->list[i];
        if (rl_share_mine(c, g, one))
            continue;
        if (one->usable && x[NUMBERS * i] == 0)
            gone(context, one);
        one->teaches = x[NUMBERS * i + 1] > 0;
    }
    free(x);
    return status;
}

/* -- Numbers
 * -----------------------------------------------------------------------------
 */

int rl_share_sums(struct comm *c, struct rl_sums *s)
{
    double *const all[] = {
        &s->loss,          &s->policy,  &s->kl,          &s->entropy,      &s->token_kl,
        &s->token_entropy, &s->clipped, &s->clipped_low, &s->clipped_high, &s->tokens};
    enum { SUMS = sizeof all / sizeof *all };
    double x[SUMS];
    for (int i = 0; i < SUMS; i++) x[i] = *all[i];
    if (comm_sum(c, x, SUMS) < 0)
        return -1;
    for (int i = 0; i < SUMS; i++) *all[i] = x[i];
    return 0;
}

/* The largest over ranks; NaN: none has one. */
static int largest(struct comm *c, double *x)
{
    int world = comm_world(c), rank = comm_rank(c);
    double *all = calloc(2 * (size_t)world, sizeof *all); /* value, is there one? */
    if (!all)
        return fail_memory();
    all[2 * rank] = isnan(*x) ? 0 : *x;
    all[2 * rank + 1] = !isnan(*x);
    int status = comm_sum(c, all, 2 * world);
    *x = NAN;
    for (int r = 0; status == 0 && r < world; r++)
        if (all[2 * r + 1] > 0 && !(*x >= all[2 * r]))
            *x = all[2 * r];
    free(all);
    return status;
}

static int spread_share(struct comm *c, struct rl_spread *s)
{
    double x[] = {s->sum, s->squares, (double)s->count};
    double most = s->count ? s->most : NAN, least = s->count ? -s->least : NAN;
    if (comm_sum(c, x, sizeof x / sizeof *x) < 0 || largest(c, &most) < 0 ||
        largest(c, &least) < 0)
        return -1;
    *s = (struct rl_spread){x[0], x[1], -least, most, (int64_t)x[2]};
    return 0;
}

int rl_share_metrics(struct comm *c, struct rl_metrics *m)
{
    double tokens = (double)m->tokens;
    if (!c)
        return 0;
    if (comm_sum(c, &tokens, 1) < 0 || largest(c, &m->gap) < 0 ||
        spread_share(c, &m->entropy) < 0 || spread_share(c, &m->kl) < 0)
        return -1;
    m->tokens = (int64_t)tokens;
    return 0;
}
