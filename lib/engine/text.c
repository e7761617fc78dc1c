/* text.c: see text.h. Rows do not see each other but through the pages, so a row's
 * numbers do not depend on what else is in its pass. */
#include "engine/text.h"
#include "base/fail.h"
#include "engine/vision.h"
#include "engine/weights_gguf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void layout(struct text *t, struct scratch *s, const struct text_config *tc,
                   enum arr_type act, int rows, int sequences, int pages, int wants)
{
    int64_t q = (int64_t)tc->heads * tc->head_dim,
            kv = (int64_t)tc->kv_heads * tc->head_dim;
    int logits = wants < TEXT_LOGITS ? wants : TEXT_LOGITS;
    t->x = scratch_matrix(s, rows, tc->hidden);
    t->h = scratch_act(s, act, rows, tc->hidden);
    t->q = scratch_act(s, act, rows, q);
    t->y = scratch_act(s, act, rows, q);
    t->k = scratch_act(s, act, rows, kv);
    t->v = scratch_act(s, act, rows, kv);
    t->gate = scratch_act(s, act, rows, tc->mlp);
    t->up = scratch_act(s, act, rows, tc->mlp);
    size_t sent = s->used;
    t->cos = scratch_matrix(s, rows, tc->head_dim / 2);
    t->sin = scratch_matrix(s, rows, tc->head_dim / 2);
    t->ids = scratch_vector(s, ARR_I32, rows);
    t->slot = scratch_vector(s, ARR_I32, rows);
    t->iota = scratch_vector(s, ARR_I32, rows);
    t->view.seq = scratch_vector(s, ARR_I32, rows);
    t->view.len = scratch_vector(s, ARR_I32, rows);
    t->view.table = scratch_take(s, ARR_I32, 2, (int64_t[]){sequences, pages});
    t->want = scratch_vector(s, ARR_I32, wants);
    t->sent = scratch_since(s, sent);
    t->last = scratch_matrix(s, logits, tc->hidden);
    t->normed = act == ARR_F32 ? t->last : scratch_act(s, act, logits, tc->hidden);
    t->logits = scratch_matrix(s, logits, tc->vocab);
    t->pick = scratch_vector(s, ARR_I32, TEXT_PICKS);
    t->picked = scratch_matrix(s, TEXT_PICKS, 1);
    t->lse = scratch_vector(s, ARR_F32, logits);
}

int64_t text_scratch(const struct text_config *tc, enum arr_type act, int rows,
                     int sequences, int pages)
{
    struct text t;
    struct scratch s = {0};
    pages = (pages + TEXT_TABLE_STEP - 1) / TEXT_TABLE_STEP * TEXT_TABLE_STEP;
    layout(&t, &s, tc, act, rows, sequences, pages, sequences);
    return (int64_t)s.used;
}

int text_chunk(const struct text_config *tc, enum arr_type act, int64_t bound)
{
    enum { LEAST = 512, GPU = 4096 };
    int rows = bound ? GPU : LEAST;
    while (rows > LEAST && text_scratch(tc, act, rows, 1, 1) > bound / 8) rows /= 2;
    return rows;
}

/* Divide the rotary frequencies by the factors that the weights may have. 0 or -1. */
static int rope_factors(struct text *t)
{
    const struct tensor *f = weights_find(t->m->weights, WEIGHTS_ROPE_FACTORS);
    float factor;
    if (!f)
        return 0;
    if (f->type != ARR_F32 || !f->usable || f->rank != 1 || f->shape[0] != t->rope.half)
        return fail(FAIL_MODEL, "%s: tensor \"%s\" is not F32 [%d]", f->file, f->name,
                    t->rope.half);
    for (int i = 0; i < t->rope.half; i++) {
        memcpy(&factor, (const char *)f->data + (size_t)i * sizeof factor, sizeof factor);
        if (!(factor > 0) || !isfinite(factor))
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is not of positive numbers",
                        f->file, f->name);
        t->rope.frequency[i] /= factor;
    }
    return 0;
}

int text_open(struct text *t, const struct vlm *m, struct kv *kv)
{
    *t = (struct text){.m = m, .kv = kv, .scratch = {.k = m->k, .dev = m->dev}};
    return rope_table_make(&t->rope, &m->config.text) < 0 ? -1 : rope_factors(t);
}

void text_close(struct text *t)
{
    text_forget(t);
    rope_table_free(&t->rope);
    free(t->host);
    scratch_free(&t->scratch);
}

int features_make(struct features *f, const struct vlm *m,
                  const struct engine_prompt *prompt, const struct probe *probe)
{
    const struct vision_tower *vt = &m->config.vision;
    int count = 1 + vt->deepstack_count, status = 0;
    int64_t at = 0;
    char name[32];
    *f = (struct features){.memory = {.k = m->k, .dev = m->dev}};
    for (int i = 0; i < prompt->picture_count; i++)
        f->tokens += vision_tokens(vt, &prompt->pictures[i]);
    if (f->tokens == 0)
        return 0;
    struct scratch measure = {0};
    for (int j = 0; j < count; j++)
        scratch_act(&measure, m->act, f->tokens, vt->out_hidden);
    if (scratch_room(&f->memory, measure.used) < 0)
        return -1;
    for (int j = 0; j < count; j++)
        f->rows[j] = scratch_act(&f->memory, m->act, f->tokens, vt->out_hidden);
    for (int i = 0; status == 0 && i < prompt->picture_count; i++) {
        struct arr out[1 + CONFIG_LIST_MAX];
        int64_t tokens = vision_tokens(vt, &prompt->pictures[i]);
        for (int j = 0; j < count; j++) out[j] = arr_rows(f->rows[j], at, tokens);
        status = vision_forward(m, &prompt->pictures[i], out, probe);
        at += tokens;
    }
    for (int j = 0; status == 0 && j < count; j++) {
        snprintf(name, sizeof name, j ? "img.deepstack_%d" : "img.merged", j - 1);
        status = vlm_probe(m, probe, name, f->rows[j]);
    }
    if (status < 0)
        features_free(f);
    return status;
}

int features_begin(struct features *f, const struct vlm *m,
                   const struct engine_prompt *prompt)
{
    bool can = m->k->beside_begin && prompt->picture_count > 0;
    struct beside *b = can ? m->k->beside_begin(m->dev) : NULL;
    int status = features_make(f, m, prompt, NULL);
    if (!b)
        return status;
    m->k->beside_end(m->dev, b);
    if (status == 0)
        f->beside = b;
    else
        m->k->beside_join(m->dev, b);
    return status;
}

bool features_done(const struct features *f)
{
    return !f->beside || f->memory.k->beside_done(f->memory.dev, f->beside);
}

void features_join(struct features *f)
{
    if (f->beside)
        f->memory.k->beside_join(f->memory.dev, f->beside);
    f->beside = NULL;
}

void features_free(struct features *f)
{
    features_join(f);
    if (f->memory.k)
        scratch_free(&f->memory);
    *f = (struct features){0};
}

/* The width of a pass's table: its longest page list, and some, so that a width lasts. */
static int table_width(const struct pass *p)
{
    const struct kv_pages *const *pages = p->sequences.items;
    int width = 1;
    for (int i = 0; i < p->sequences.count; i++)
        if (pages[i]->count > width)
            width = pages[i]->count;
    return (width + TEXT_TABLE_STEP - 1) / TEXT_TABLE_STEP * TEXT_TABLE_STEP;
}

/* Where what goes to an array of t->sent is put together. */
static void *host_of(const struct text *t, struct arr a)
{
    return t->host + ((char *)a.data - (char *)t->sent.data);
}

static void table_fill(const struct text *t, const struct pass *p)
{
    const struct kv_pages *const *pages = p->sequences.items;
    int width = (int)t->view.table.shape[1];
    int32_t *table = host_of(t, t->view.table);
    for (int s = 0; s < p->sequences.count; s++)
        for (int i = 0; i < width; i++)
            table[s * width + i] = i < pages[s]->count ? pages[s]->page[i] : 0;
}

static void rows_fill(const struct text *t, const struct pass *p)
{
    const struct kv_pages *const *pages = p->sequences.items;
    int32_t *ids = host_of(t, t->ids), *slot = host_of(t, t->slot),
            *iota = host_of(t, t->iota), *seq = host_of(t, t->view.seq),
            *len = host_of(t, t->view.len);
    float *cosine = host_of(t, t->cos), *sine = host_of(t, t->sin);
    int half = t->rope.half;
    for (int r = 0; r < p->rows.count; r++) {
        const struct pass_row *row = (const struct pass_row *)p->rows.items + r;
        int32_t page = pages[row->sequence]->page[row->place / KV_PAGE];
        ids[r] = row->id;
        slot[r] = page * KV_PAGE + row->place % KV_PAGE;
        iota[r] = r;
        seq[r] = row->sequence;
        len[r] = row->place + 1;
        rope_table_row(&t->rope, row->position, cosine + r * half, sine + r * half);
    }
    if (p->wants.count > 0)
        memcpy(host_of(t, t->want), p->wants.items,
               (size_t)p->wants.count * sizeof(int32_t));
}

/* Lay out the buffers for a pass and send everything that it says, at once. 0 or -1
 * (memory). */
static int prepare(struct text *t, const struct pass *p)
{
    const struct text_config *tc = &t->m->config.text;
    enum arr_type act = t->m->act;
    int rows = p->rows.count, width = table_width(p);
    struct scratch measure = {0};
    struct text unused;
    layout(&unused, &measure, tc, act, rows, p->sequences.count, width, p->wants.count);
    if (scratch_room(&t->scratch, measure.used) < 0)
        return -1;
    layout(t, &t->scratch, tc, act, rows, p->sequences.count, width, p->wants.count);
    size_t bytes = (size_t)t->sent.shape[0];
    if (bytes > t->host_size) {
        free(t->host);
        t->host_size = 0;
        if (!(t->host = calloc(1, bytes)))
            return fail_memory();
        t->host_size = bytes;
    }
    table_fill(t, p);
    rows_fill(t, p);
    t->m->k->upload(t->m->dev, t->sent, t->host);
    return 0;
}

/* x rows of image tokens = (or +=, for a deepstack feature) rows of their features. */
static void features_put(struct text *t, const struct pass *p, int which)
{
    const struct pass_picture *at = p->pictures.items;
    for (int i = 0; i < p->pictures.count; i++)
        t->m->k->scatter(t->m->dev, t->x,
                         arr_rows(at[i].features->rows[which], at[i].first, at[i].count),
                         arr_rows(t->iota, at[i].row, at[i].count), which > 0);
}

static struct arr by_heads(struct arr a, int heads, int dim)
{
    return arr_reshape(a, 3, (int64_t[]){a.shape[0], heads, dim});
}

/* Products of one x, in one where the device has that. */
static void products(const struct vlm *m, const struct matmul_part *parts, int count,
                     struct arr x)
{
    if (m->k->matmuls) {
        m->k->matmuls(m->dev, parts, count, x);
        return;
    }
    for (int i = 0; i < count; i++)
        m->k->matmul(m->dev, parts[i].y, x, parts[i].w, parts[i].bias, MATMUL_SET);
}

static void attention_forward(struct text *t, const struct text_layer *l, int layer)
{
    const struct text_config *tc = &t->m->config.text;
    const struct kernels *k = t->m->k;
    struct dev *d = t->m->dev;
    int dim = tc->head_dim;
    struct arr q = by_heads(t->q, tc->heads, dim), y = by_heads(t->y, tc->heads, dim);
    struct arr key = by_heads(t->k, tc->kv_heads, dim);
    struct arr value = by_heads(t->v, tc->kv_heads, dim);
    k->rmsnorm(d, t->h, t->x, l->before_attention.w, tc->norm_eps);
    const struct matmul_part qkv[] = {
        {t->q, l->q.w, l->q.b}, {t->k, l->k.w, l->k.b}, {t->v, l->v.w, l->v.b}};
    products(t->m, qkv, 3, t->h);
    const struct attention_input in = {q,
                                       key,
                                       value,
                                       l->q_norm.w,
                                       l->k_norm.w,
                                       tc->norm_eps,
                                       t->cos,
                                       t->sin,
                                       t->m->text.rope_pairs,
                                       t->kv->keys[layer],
                                       t->kv->values[layer],
                                       t->slot};
    k->attention_input(d, &in);
    for (int i = 0; i < t->pass->copies.count; i++) {
        const struct pass_copy *c = (const struct pass_copy *)t->pass->copies.items + i;
        k->kv_copy(d, t->kv->keys[layer], t->kv->values[layer], c->from, c->to,
                   c->places);
    }
    k->attention_paged(d, y, q, t->kv->keys[layer], t->kv->values[layer], t->view,
                       1 / sqrtf((float)dim), arr_none());
    k->matmul(d, t->x, t->y, l->o.w, l->o.b, MATMUL_ADD);
}

static void mlp_forward(struct text *t, const struct text_layer *l)
{
    const struct kernels *k = t->m->k;
    struct dev *d = t->m->dev;
    k->rmsnorm(d, t->h, t->x, l->before_mlp.w, t->m->config.text.norm_eps);
    const struct matmul_part both[] = {{t->gate, l->gate.w, l->gate.b},
                                       {t->up, l->up.w, l->up.b}};
    products(t->m, both, 2, t->h);
    k->swiglu(d, t->gate, t->gate, t->up);
    k->matmul(d, t->x, t->gate, l->down.w, l->down.b, MATMUL_ADD);
}

static int probe_hidden(struct text *t, const struct probe *probe, int layer)
{
    char name[32];
    snprintf(name, sizeof name, "lm.hidden_%d", layer);
    return vlm_probe(t->m, probe, name, t->x);
}

/* x = layer(x); context is the struct text. */
static void layer_forward(void *context, int layer)
{
    struct text *t = context;
    const struct text_layer *l = &t->m->text.layers[layer];
    attention_forward(t, l, layer);
    mlp_forward(t, l);
    if (layer < t->m->config.vision.deepstack_count)
        features_put(t, t->pass, 1 + layer);
}

/* All layers, without probes. */
static void layers_forward(void *context)
{
    struct text *t = context;
    const struct vlm *m = t->m;
    m->k->gather(m->dev, t->x, m->text.embed, t->ids);
    features_put(t, t->pass, 0);
    for (int i = 0; i < m->config.text.layers; i++)
        if (m->around)
            m->around(m->around_context, layer_forward, t, i, t->x);
        else
            layer_forward(t, i);
}

static int layers_probed(struct text *t, const struct probe *probe)
{
    const struct vlm *m = t->m;
    m->k->gather(m->dev, t->x, m->text.embed, t->ids);
    features_put(t, t->pass, 0);
    for (int i = 0; i < m->config.text.layers; i++) {
        if (probe_hidden(t, probe, i) < 0)
            return -1;
        layer_forward(t, i);
    }
    return probe_hidden(t, probe, m->config.text.layers);
}

/* Decoding: a row for each sequence, and nothing but numbers in arrays that tells a pass
 * from others of its shape. */
static bool comes_again(const struct text *t, const struct pass *p)
{
    return t->m->k->record && !t->m->around && p->rows.count == p->sequences.count &&
           p->pictures.count == 0 && p->copies.count == 0;
}

int text_forward(struct text *t, const struct pass *p, const struct probe *probe)
{
    const struct vlm *m = t->m;
    const char *why = "";
    if (prepare(t, p) < 0)
        return -1;
    t->pass = p;
    if (probe && probe->call) {
        if (layers_probed(t, probe) < 0)
            return -1;
    } else if (comes_again(t, p)) {
        const struct replay_shape shape = {t->scratch.base, p->rows.count,
                                           p->sequences.count,
                                           (int)t->view.table.shape[1], p->wants.count};
        replays_run(&t->replays, m->k, m->dev, &shape, layers_forward, t);
    } else {
        layers_forward(t);
    }
    return m->k->sync(m->dev, &why) < 0 ? fail(FAIL_INTERNAL, "%s", why) : 0;
}

void text_forget(struct text *t)
{
    replays_forget(&t->replays, t->m->k, t->m->dev);
}

struct arr text_logits(struct text *t, int first, int count)
{
    const struct vlm *m = t->m;
    struct arr last = arr_rows(t->last, 0, count), logits = arr_rows(t->logits, 0, count);
    struct arr normed = arr_rows(t->normed, 0, count);
    m->k->gather(m->dev, last, t->x, arr_rows(t->want, first, count));
    m->k->rmsnorm(m->dev, normed, last, m->text.norm.w, m->config.text.norm_eps);
    m->k->matmul(m->dev, logits, normed, m->text.head, arr_none(), MATMUL_SET);
    return logits;
}

float text_logsumexp(struct text *t, struct arr logits, int row, float scale)
{
    struct arr lse = arr_rows(t->lse, 0, 1);
    float value;
    t->m->k->logsumexp(t->m->dev, lse, arr_rows(logits, row, 1), scale);
    t->m->k->download(t->m->dev, &value, lse);
    return value;
}

void text_logsumexps(struct text *t, struct arr logits, const float *scale, float *lse)
{
    const struct kernels *k = t->m->k;
    int rows = (int)logits.shape[0], n;
    bool any = false;
    for (int r = 0; r < rows; r += n) {
        n = 1;
        while (r + n < rows && scale[r + n] == scale[r]) n++;
        if (scale[r] == 0)
            continue;
        k->logsumexp(t->m->dev, arr_rows(t->lse, r, n), arr_rows(logits, r, n), scale[r]);
        any = true;
    }
    if (any)
        k->download(t->m->dev, lse, arr_rows(t->lse, 0, rows));
}

void text_logprobs(struct text *t, struct arr logits, const struct text_pick *picks,
                   int count)
{
    const struct kernels *k = t->m->k;
    struct dev *d = t->m->dev;
    int rows = (int)logits.shape[0], vocab = (int)logits.shape[1], n;
    float lse[TEXT_LOGITS], picked[TEXT_PICKS];
    int32_t index[TEXT_PICKS];
    /* the logits as a table of single numbers, of which those asked for are gathered */
    struct arr table = arr_reshape(logits, 2, (int64_t[]){(int64_t)rows * vocab, 1});
    k->logsumexp(d, arr_rows(t->lse, 0, rows), logits, 1);
    k->download(d, lse, arr_rows(t->lse, 0, rows));
    for (; count > 0; picks += n, count -= n) {
        n = count < TEXT_PICKS ? count : TEXT_PICKS;
        struct arr from = arr_rows(t->pick, 0, n), to = arr_rows(t->picked, 0, n);
        for (int i = 0; i < n; i++) index[i] = picks[i].row * vocab + picks[i].id;
        k->upload(d, from, index);
        k->gather(d, to, table, from);
        k->download(d, picked, to);
        for (int i = 0; i < n; i++) *picks[i].out = picked[i] - lse[picks[i].row];
    }
}

int text_probe_output(struct text *t, const struct pass *p, const struct probe *probe)
{
    const struct vlm *m = t->m;
    int rows = p->rows.count, vocab = m->config.text.vocab;
    m->k->rmsnorm(m->dev, t->h, t->x, m->text.norm.w, m->config.text.norm_eps);
    if (vlm_probe(m, probe, "lm.norm", t->h) < 0)
        return -1;
    float *all = malloc((size_t)rows * (size_t)vocab * sizeof *all);
    if (!all)
        return fail_memory();
    for (int at = 0; at < rows; at += TEXT_LOGITS) {
        int count = rows - at < TEXT_LOGITS ? rows - at : TEXT_LOGITS;
        m->k->download(m->dev, all + (size_t)at * (size_t)vocab,
                       text_logits(t, at, count));
    }
    probe->call(probe->context, "logits", all, rows, vocab);
    free(all);
    return 0;
}
