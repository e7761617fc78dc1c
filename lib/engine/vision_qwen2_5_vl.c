/* vision_qwen2_5_vl.c: the tower of Qwen2.5-VL (Bai et al., arXiv 2502.13923): most
 * blocks attend inside windows, RMS norms, gated MLPs. The rows are put in window order
 * once, after the patch embedding, and moved back behind the merger. */
#include "base/fail.h"
#include "engine/vision.h"

#include <stdio.h>
#include <stdlib.h>

static int bind(struct vlm *m)
{
    const struct vision_tower *vt = &m->config.vision;
    struct vision_weights *v = &m->vision;
    const char *in = m->vision_prefix;
    int64_t hidden = vt->hidden, wide = hidden * vt->merge * vt->merge;
    int64_t input = 3 * (int64_t)vt->frames * vt->patch * vt->patch;
    struct vision_merger *merger = &v->merger;
    if (vlm_bind_linear(m, &v->patch, hidden, input, false, "%spatch_embed.proj", in) <
            0 ||
        vlm_bind_norm(m, &merger->norm, hidden, false, "%smerger.ln_q", in) < 0 ||
        vlm_bind_linear(m, &merger->in, wide, wide, true, "%smerger.mlp.0", in) < 0 ||
        vlm_bind_linear(m, &merger->out, vt->out_hidden, wide, true, "%smerger.mlp.2",
                        in) < 0)
        return -1;
    for (int i = 0; i < vt->depth; i++) {
        struct vision_block *b = &v->blocks[i];
        char at[64];
        snprintf(at, sizeof at, "%sblocks.%d.", in, i);
        if (vision_bind_attention(m, b, false, at) < 0 ||
            vlm_bind_linear(m, &b->gate, vt->mlp, hidden, true, "%smlp.gate_proj", at) <
                0 ||
            vlm_bind_linear(m, &b->up, vt->mlp, hidden, true, "%smlp.up_proj", at) < 0 ||
            vlm_bind_linear(m, &b->down, hidden, vt->mlp, true, "%smlp.down_proj", at) <
                0)
            return -1;
    }
    return 0;
}

/* Merged tokens by windows of side x side, row by row of windows, frame by frame; border
 * windows are smaller. token[i]: the token at place i; start[0..count]: where windows
 * begin, in patches. How many windows. */
static int64_t window_order(const struct vision_run *run, int32_t *token, int32_t *start)
{
    const struct vision_tower *vt = &run->m->config.vision;
    int side = vt->window / vt->merge / vt->patch;
    int high = run->picture->grid_h / vt->merge, wide = run->picture->grid_w / vt->merge;
    int64_t n = 0, count = 0;
    start[0] = 0;
    for (int t = 0; t < run->picture->grid_t; t++)
        for (int top = 0; top < high; top += side)
            for (int left = 0; left < wide; left += side) {
                for (int y = top; y < high && y < top + side; y++)
                    for (int x = left; x < wide && x < left + side; x++)
                        token[n++] = (int32_t)(((int64_t)t * high + y) * wide + x);
                start[++count] = (int32_t)(n * run->unit);
            }
    return count;
}

/* Upload the order of tokens and patches, the windows and the rotary tables. 0 or -1. */
static int order_upload(struct vision_run *run)
{
    const struct kernels *k = run->m->k;
    struct dev *d = run->m->dev;
    int32_t *token = malloc((size_t)run->tokens * sizeof *token);
    int32_t *start = malloc(((size_t)run->tokens + 1) * sizeof *start);
    int32_t *patch = malloc((size_t)run->patches * sizeof *patch);
    int status = -1;
    if (!token || !start || !patch) {
        fail_memory();
        goto out;
    }
    int64_t windows = window_order(run, token, start);
    for (int64_t i = 0; i < run->patches; i++)
        patch[i] = (int32_t)(token[i / run->unit] * run->unit + i % run->unit);
    run->windows = arr_rows(run->windows, 0, windows + 1);
    k->upload(d, run->windows, start);
    k->upload(d, run->token_order, token);
    k->upload(d, run->order, patch);
    status = vision_rope(run, patch);
out:
    free(token);
    free(start);
    free(patch);
    return status;
}

static bool sees_all(const struct vision_tower *vt, int block)
{
    for (int i = 0; i < vt->full_count; i++)
        if (vt->full[i] == block)
            return true;
    return false;
}

static int forward(struct vision_run *run)
{
    const struct vlm *m = run->m;
    const struct vision_tower *vt = &m->config.vision;
    char name[32];
    if (order_upload(run) < 0)
        return -1;
    if (vision_embed(run, run->h) < 0 ||
        vlm_probe(m, run->probe, "img.patch_embed", run->h) < 0)
        return -1;
    m->k->gather(m->dev, run->x, run->h, run->order);
    for (int i = 0; i < vt->depth; i++) {
        vision_block_forward(run, &m->vision.blocks[i],
                             sees_all(vt, i) ? run->frames : run->windows);
        snprintf(name, sizeof name, "img.block_%d", i);
        if (vlm_probe(m, run->probe, name, run->x) < 0)
            return -1;
    }
    vision_merge(run, &m->vision.merger, run->out[0], run->token_order);
    return 0;
}

const struct vision_kind vision_qwen2_5_vl = {bind, forward};
