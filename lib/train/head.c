/* head.c: see head.h. */
#include "train/head.h"
#include "base/fail.h"

#include <stdlib.h>

/* Floats from one row of logits to the next: an odd number of cache lines. Vocabularies
 * like powers of two, and rows such a distance apart would share few places in the
 * caches. */
static int64_t logits_stride(int vocab)
{
    enum { LINE = 16 };
    return ((vocab + LINE - 1) / LINE | 1) * LINE;
}

/* Gradients in f32 take the place of what they are of. */
static void layout(struct head *h, struct scratch *s, const struct text_config *tc,
                   enum arr_type act, int chunk)
{
    int64_t stride = logits_stride(tc->vocab);
    h->last = scratch_matrix(s, chunk, tc->hidden);
    h->normed = scratch_act(s, act, chunk, tc->hidden);
    h->dlast = scratch_matrix(s, chunk, tc->hidden);
    h->dnormed = act == ARR_F32 ? h->dlast : scratch_act(s, act, chunk, tc->hidden);
    h->logits = arr_columns(scratch_matrix(s, chunk, stride), 0, tc->vocab);
    h->dlogits = act == ARR_F32
                     ? h->logits
                     : arr_columns(scratch_act(s, act, chunk, stride), 0, tc->vocab);
    h->lse = scratch_vector(s, ARR_F32, chunk);
    h->weight = scratch_vector(s, ARR_F32, chunk);
    h->entropy = scratch_vector(s, ARR_F32, chunk);
    h->rows = scratch_vector(s, ARR_I32, chunk);
    h->ids = scratch_vector(s, ARR_I32, chunk);
    h->flat = scratch_vector(s, ARR_I32, chunk);
    h->picked = scratch_matrix(s, chunk, 1);
}

static int room(struct head *h, const struct vlm *m, int chunk)
{
    const struct text_config *tc = &m->config.text;
    struct head unused;
    struct scratch measure = {0};
    h->scratch.k = h->k;
    h->scratch.dev = h->dev;
    layout(&unused, &measure, tc, m->act, chunk);
    if (scratch_room(&h->scratch, measure.used) < 0)
        return -1;
    layout(h, &h->scratch, tc, m->act, chunk);
    return 0;
}

/* The chunk cut to its first n rows. */
static struct head first_rows(const struct head *h, int n)
{
    struct head c = *h;
    struct arr *const all[] = {&c.last,    &c.normed, &c.dlast,  &c.dnormed, &c.logits,
                               &c.dlogits, &c.lse,    &c.weight, &c.entropy, &c.rows,
                               &c.ids,     &c.flat,   &c.picked};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = arr_rows(*all[i], 0, n);
    return c;
}

/* logits and lse of these targets, in the order of text_logits(). */
static void forward(const struct head *c, const struct vlm *m, struct arr x, float scale)
{
    const struct kernels *k = c->k;
    k->gather(c->dev, c->last, x, c->rows);
    k->rmsnorm(c->dev, c->normed, c->last, m->text.norm.w, m->config.text.norm_eps);
    k->matmul(c->dev, c->logits, c->normed, m->text.head, arr_none(), MATMUL_SET);
    k->logsumexp(c->dev, c->lse, c->logits, scale);
}

/* By the sampler's own expression: its log-probabilities are these to the bit. */
static void logprobs(const struct head *c, float *out, float *lse, int n, float scale)
{
    const struct kernels *k = c->k;
    struct arr table = c->logits;
    table.shape[0] *= table.stride;
    table.shape[1] = table.stride = 1;
    k->gather(c->dev, c->picked, table, c->flat);
    k->download(c->dev, out, c->picked);
    k->download(c->dev, lse, c->lse);
    for (int i = 0; i < n; i++) out[i] = out[i] * scale - lse[i];
}

static void backward(const struct head *c, const struct vlm *m, struct tape *tape,
                     struct arr x, bool entropy)
{
    const struct backward *b = c->k->back;
    struct token_grad g = {c->ids, c->lse, c->weight, entropy ? c->entropy : arr_none()};
    struct arr dhead = tape_grad(tape, m->text.head);
    struct arr dnorm = tape_grad(tape, m->text.norm.w);
    bool below = tape_active(tape, x);
    b->logits(c->dev, c->logits, g);
    if (c->dlogits.data != c->logits.data)
        b->copy(c->dev, c->dlogits, c->logits);
    if (dhead.data)
        b->matmul_w(c->dev, dhead, arr_none(), c->dlogits, c->normed);
    if (!below && !dnorm.data)
        return;
    b->matmul_x(c->dev, c->dnormed, c->dlogits, m->text.head, GRAD_SET);
    b->rmsnorm(c->dev, c->dlast, dnorm, c->dnormed, c->last, m->text.norm.w,
               m->config.text.norm_eps, GRAD_SET);
    if (below)
        b->gather(c->dev, tape_grad(tape, x), c->dlast, c->rows);
}

/* n numbers times scale, by way of host. */
static void upload_scaled(const struct head *c, struct arr to, const float *from, int n,
                          float scale, float *host)
{
    for (int i = 0; i < n; i++) host[i] = from[i] * scale;
    c->k->upload(c->dev, to, host);
}

/* One chunk of targets; host has room for a number of each. */
static void chunk(const struct head *h, const struct vlm *m, struct tape *tape,
                  struct arr x, const struct target *targets, int at, int n,
                  const struct head_work *work, float *host)
{
    struct head c = first_rows(h, n);
    const struct kernels *k = c.k;
    int32_t *integers = (int32_t *)(void *)host;
    for (int i = 0; i < n; i++) integers[i] = targets[at + i].row;
    k->upload(c.dev, c.rows, integers);
    for (int i = 0; i < n; i++) integers[i] = targets[at + i].id;
    k->upload(c.dev, c.ids, integers);
    for (int i = 0; i < n; i++)
        integers[i] = (int32_t)(i * c.logits.stride) + targets[at + i].id;
    k->upload(c.dev, c.flat, integers);
    float scale = work->scale > 0 ? work->scale : 1;
    forward(&c, m, x, scale);
    if (work->logprob)
        logprobs(&c, work->logprob + at, host, n, scale);
    if (scale != 1) /* from here on what counts are the scaled logits */
        k->back->add_scaled(c.dev, c.logits, c.logits, scale - 1);
    if (work->entropy) {
        k->back->entropy(c.dev, c.entropy, c.logits, c.lse);
        k->download(c.dev, work->entropy + at, c.entropy);
    }
    if (!work->weight)
        return;
    upload_scaled(&c, c.weight, work->weight + at, n, scale, host);
    if (work->entropy_weight)
        upload_scaled(&c, c.entropy, work->entropy_weight + at, n, scale, host);
    backward(&c, m, tape, x, work->entropy_weight != NULL);
}

int head_run(struct head *h, const struct vlm *m, struct tape *tape, struct arr x,
             const struct target *targets, int count, const struct head_work *work)
{
    int most = count < HEAD_CHUNK ? count : HEAD_CHUNK;
    if (count == 0)
        return 0;
    if (room(h, m, most) < 0)
        return -1;
    float *host = malloc((size_t)most * sizeof *host);
    if (!host)
        return fail_memory();
    for (int at = 0; at < count; at += most) {
        int n = count - at < most ? count - at : most;
        chunk(h, m, tape, x, targets, at, n, work, host);
    }
    free(host);
    const char *why;
    bool looked = work->logprob || work->entropy; /* at what may be anything */
    return looked && h->k->sync(h->dev, &why) < 0 ? fail(FAIL_INTERNAL, "%s", why) : 0;
}

void head_free(struct head *h)
{
    if (h->scratch.k)
        scratch_free(&h->scratch);
    *h = (struct head){0};
}
