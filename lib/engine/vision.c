/* vision.c: see vision.h. The buffers that grow with the MLP's width are cut to a chunk
 * of rows: all that they hold is done row by row. */
#include "engine/vision.h"
#include "base/fail.h"
#include "engine/families.h"
#include "engine/floats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024 }; /* rows of a picture that go through embedding or MLP at once */

static const float norm_eps = 1e-6f; /* all towers; no config key */

int vision_bind_attention(struct vlm *m, struct vision_block *b, bool norm_biases,
                          const char *at)
{
    int64_t hidden = m->config.vision.hidden;
    if (vlm_bind_norm(m, &b->norm1, hidden, norm_biases, "%snorm1", at) < 0 ||
        vlm_bind_norm(m, &b->norm2, hidden, norm_biases, "%snorm2", at) < 0 ||
        vlm_bind_linear(m, &b->qkv, 3 * hidden, hidden, true, "%sattn.qkv", at) < 0 ||
        vlm_bind_linear(m, &b->proj, hidden, hidden, true, "%sattn.proj", at) < 0)
        return -1;
    return 0;
}

int64_t vision_tokens(const struct vision_tower *vt, const struct engine_picture *p)
{
    int64_t h = p->grid_h, w = p->grid_w;
    if (p->grid_t != 1 || h < 1 || w < 1 || h % vt->merge || w % vt->merge ||
        h > INT32_MAX / 8 / w)
        return fail(FAIL_MODEL, "a picture's grid %d x %d x %d does not fit the model",
                    p->grid_t, p->grid_h, p->grid_w);
    return h * w / vt->merge / vt->merge;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void layout(struct vision_run *run, struct scratch *s,
                   const struct vision_tower *vt, enum arr_type act, int64_t patches,
                   int64_t frames)
{
    int64_t unit = (int64_t)vt->merge * vt->merge, tokens = patches / unit;
    int64_t chunk = min(patches, CHUNK), joint = (min(tokens, CHUNK) + unit - 1) / unit;
    int64_t input = 3 * (int64_t)vt->frames * vt->patch * vt->patch;
    run->patches = patches;
    run->tokens = tokens;
    run->unit = unit;
    run->x = scratch_matrix(s, patches, vt->hidden);
    run->h = scratch_act(s, act, patches, vt->hidden);
    run->qkv = scratch_act(s, act, patches, 3 * (int64_t)vt->hidden);
    run->input = scratch_act(s, act, chunk, input);
    run->gate = scratch_act(s, act, chunk, vt->mlp);
    run->up = scratch_act(s, act, chunk, vt->mlp);
    run->joined = scratch_act(s, act, joint, unit * vt->hidden);
    run->merged = scratch_act(s, act, joint, vt->out_hidden);
    run->cos = scratch_matrix(s, patches, vt->hidden / vt->heads / 2);
    run->sin = scratch_matrix(s, patches, vt->hidden / vt->heads / 2);
    run->order = scratch_vector(s, ARR_I32, patches);
    run->token_order = scratch_vector(s, ARR_I32, tokens);
    run->frames = scratch_vector(s, ARR_I32, frames + 1);
    run->windows = scratch_vector(s, ARR_I32, tokens + 1);
    run->taps = scratch_take(s, ARR_I32, 2, (int64_t[]){patches, 4});
    run->tap_weights = scratch_matrix(s, patches, 4);
}

int64_t vision_scratch(const struct vision_tower *vt, enum arr_type act, int64_t patches)
{
    struct vision_run run = {0};
    struct scratch s = {0};
    layout(&run, &s, vt, act, patches, 1);
    return (int64_t)s.used;
}

/* run->frames: attention never crosses frames. */
static int frames_upload(struct vision_run *run)
{
    int frames = run->picture->grid_t;
    int32_t *start = malloc(((size_t)frames + 1) * sizeof *start);
    if (!start)
        return fail_memory();
    for (int t = 0; t <= frames; t++) start[t] = (int32_t)(run->patches / frames * t);
    run->m->k->upload(run->m->dev, run->frames, start);
    free(start);
    return 0;
}

int vision_forward(const struct vlm *m, const struct engine_picture *p, struct arr *out,
                   const struct probe *probe)
{
    const struct vision_tower *vt = &m->config.vision;
    struct vision_run run = {.m = m, .probe = probe, .picture = p, .out = out};
    struct scratch s = {.dev = m->dev};
    int64_t patches = (int64_t)p->grid_t * p->grid_h * p->grid_w;
    layout(&run, &s, vt, m->act, patches, p->grid_t);
    s.k = m->k;
    if (scratch_room(&s, s.used) < 0)
        return -1;
    layout(&run, &s, vt, m->act, patches, p->grid_t);
    int status = frames_upload(&run);
    if (status == 0)
        status = m->family->vision->forward(&run);
    scratch_free(&s); /* not kept: a large picture's would be */
    return status;
}

/* Rows of patches to the device, in the type of activations; half has room for them, and
 * is NULL where that is f32. */
static void patches_upload(struct vision_run *run, struct arr to, const float *from,
                           float *half)
{
    if (half) {
        memcpy(half, from, (size_t)arr_size(to) * sizeof *half);
        floats_to_bf16(half, arr_size(to));
    }
    run->m->k->upload(run->m->dev, to, half ? half : from);
}

int vision_embed(struct vision_run *run, struct arr y)
{
    const struct kernels *k = run->m->k;
    struct dev *d = run->m->dev;
    const struct linear *patch = &run->m->vision.patch;
    int64_t columns = run->input.shape[1];
    float *half = NULL;
    if (run->m->act == ARR_BF16 &&
        !(half = malloc((size_t)arr_size(run->input) * sizeof *half)))
        return fail_memory();
    for (int64_t at = 0; at < run->patches; at += CHUNK) {
        int64_t rows = min(run->patches - at, CHUNK);
        struct arr input = arr_rows(run->input, 0, rows);
        patches_upload(run, input, run->picture->patches + at * columns, half);
        k->matmul(d, arr_rows(y, at, rows), input, patch->w, patch->b, MATMUL_SET);
    }
    free(half);
    return 0;
}

void vision_place(const struct vision_run *run, int64_t i, int *row, int *column)
{
    int64_t merge = run->m->config.vision.merge;
    int64_t across = run->picture->grid_w / merge;
    int64_t in_frame = i % ((int64_t)run->picture->grid_h * run->picture->grid_w);
    int64_t block = in_frame / run->unit, in_block = in_frame % run->unit;
    *row = (int)(block / across * merge + in_block / merge);
    *column = (int)(block % across * merge + in_block % merge);
}

/* Two-dimensional rotary angles: the first half of the frequencies turn with the row, the
 * second with the column, both in patches. Frequencies and angles in float32 as in the
 * reference. */
int vision_rope(struct vision_run *run, const int32_t *order)
{
    int64_t half = run->cos.shape[1], quarter = half / 2;
    double theta = run->m->config.vision.rope_theta;
    size_t size = (size_t)(run->patches * half);
    float *cosine = malloc(size * sizeof *cosine), *sine = malloc(size * sizeof *sine);
    float *frequency = malloc((size_t)quarter * sizeof *frequency);
    int status = 0;
    if (!cosine || !sine || !frequency) {
        status = fail_memory();
        goto out;
    }
    for (int64_t i = 0; i < quarter; i++)
        frequency[i] = 1 / (float)pow(theta, (double)((float)(2 * i) / (float)half));
    for (int64_t p = 0; p < run->patches; p++) {
        int place[2];
        vision_place(run, order ? order[p] : p, &place[0], &place[1]);
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)place[i / quarter] * frequency[i % quarter];
            cosine[p * half + i] = (float)cos((double)angle);
            sine[p * half + i] = (float)sin((double)angle);
        }
    }
    run->m->k->upload(run->m->dev, run->cos, cosine);
    run->m->k->upload(run->m->dev, run->sin, sine);
out:
    free(cosine);
    free(sine);
    free(frequency);
    return status;
}

static void norm_forward(struct vision_run *run, struct arr y, struct arr x,
                         const struct norm *n)
{
    const struct kernels *k = run->m->k;
    if (n->b.data)
        k->layernorm(run->m->dev, y, x, n->w, n->b, norm_eps);
    else
        k->rmsnorm(run->m->dev, y, x, n->w, norm_eps);
}

/* Columns [first * hidden, (first + count) * hidden) of qkv as [patches, heads,
 * head_dim], queries, keys and values having as many heads each. */
static struct arr parts(struct vision_run *run, int64_t first, int64_t count)
{
    const struct vision_tower *vt = &run->m->config.vision;
    int64_t hidden = vt->hidden;
    int64_t shape[] = {run->patches, count * vt->heads, hidden / vt->heads};
    return arr_reshape(arr_columns(run->qkv, first * hidden, count * hidden), 3, shape);
}

static void attention_forward(struct vision_run *run, const struct vision_block *b,
                              struct arr start)
{
    const struct kernels *k = run->m->k;
    struct dev *d = run->m->dev;
    struct arr q = parts(run, 0, 1), key = parts(run, 1, 1), v = parts(run, 2, 1);
    int64_t shape[] = {q.shape[0], q.shape[1], q.shape[2]};
    norm_forward(run, run->h, run->x, &b->norm1);
    k->matmul(d, run->qkv, run->h, b->qkv.w, b->qkv.b, MATMUL_SET);
    k->rope(d, parts(run, 0, 2), run->cos, run->sin); /* of queries and keys */
    k->attention(d, arr_reshape(run->h, 3, shape), q, key, v, start,
                 1 / sqrtf((float)shape[2]), arr_none());
    k->matmul(d, run->x, run->h, b->proj.w, b->proj.b, MATMUL_ADD);
}

/* Gated (silu) where there is a gate, else plain (tanh gelu). */
static void mlp_forward(struct vision_run *run, const struct vision_block *b)
{
    const struct kernels *k = run->m->k;
    struct dev *d = run->m->dev;
    for (int64_t at = 0; at < run->patches; at += CHUNK) {
        int64_t rows = min(run->patches - at, CHUNK);
        struct arr x = arr_rows(run->x, at, rows), h = arr_rows(run->h, at, rows);
        struct arr gate = arr_rows(run->gate, 0, rows), up = arr_rows(run->up, 0, rows);
        norm_forward(run, h, x, &b->norm2);
        k->matmul(d, up, h, b->up.w, b->up.b, MATMUL_SET);
        if (b->gate.w.data) {
            k->matmul(d, gate, h, b->gate.w, b->gate.b, MATMUL_SET);
            k->swiglu(d, up, gate, up);
        } else {
            k->gelu(d, up, up, GELU_TANH);
        }
        k->matmul(d, x, up, b->down.w, b->down.b, MATMUL_ADD);
    }
}

void vision_block_forward(struct vision_run *run, const struct vision_block *b,
                          struct arr start)
{
    attention_forward(run, b, start);
    mlp_forward(run, b);
}

void vision_merge(struct vision_run *run, const struct vision_merger *merger,
                  struct arr out, struct arr token_order)
{
    const struct kernels *k = run->m->k;
    struct dev *d = run->m->dev;
    int64_t hidden = run->x.shape[1], wide = run->unit * hidden;
    int64_t chunk = run->joined.shape[0];
    for (int64_t at = 0; at < run->tokens; at += chunk) {
        int64_t rows = min(run->tokens - at, chunk), shape[] = {rows, wide};
        struct arr x = arr_rows(run->x, at * run->unit, rows * run->unit);
        struct arr h = arr_rows(run->h, at * run->unit, rows * run->unit);
        struct arr joined = arr_rows(run->joined, 0, rows);
        struct arr y =
            token_order.data ? arr_rows(run->merged, 0, rows) : arr_rows(out, at, rows);
        if (merger->norm.w.shape[0] == hidden)
            norm_forward(run, h, x, &merger->norm);
        else
            norm_forward(run, arr_reshape(h, 2, shape), arr_reshape(x, 2, shape),
                         &merger->norm);
        k->matmul(d, joined, arr_reshape(h, 2, shape), merger->in.w, merger->in.b,
                  MATMUL_SET);
        k->gelu(d, joined, joined, GELU_ERF);
        k->matmul(d, y, joined, merger->out.w, merger->out.b, MATMUL_SET);
        if (token_order.data)
            k->scatter(d, out, y, arr_rows(token_order, at, rows), false);
    }
}
