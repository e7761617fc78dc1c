/* vision_qwen3_vl.c: the tower of Qwen3-VL: a learned position table, interpolated to the
 * picture's grid, beside rotary positions; layer norms, plain MLPs; "deepstack" mergers
 * (Meng et al., arXiv 2406.04334) take features after some blocks for the first text
 * layers. */
#include "base/fail.h"
#include "engine/vision.h"

#include <stdio.h>
#include <stdlib.h>

static int bind_merger(struct vlm *m, struct vision_merger *merger, int64_t norm,
                       const char *at)
{
    const struct vision_tower *vt = &m->config.vision;
    int64_t wide = (int64_t)vt->hidden * vt->merge * vt->merge;
    if (vlm_bind_norm(m, &merger->norm, norm, true, "%snorm", at) < 0 ||
        vlm_bind_linear(m, &merger->in, wide, wide, true, "%slinear_fc1", at) < 0 ||
        vlm_bind_linear(m, &merger->out, vt->out_hidden, wide, true, "%slinear_fc2", at) <
            0)
        return -1;
    return 0;
}

static int bind(struct vlm *m)
{
    const struct vision_tower *vt = &m->config.vision;
    struct vision_weights *v = &m->vision;
    const char *in = m->vision_prefix;
    int64_t hidden = vt->hidden, wide = hidden * vt->merge * vt->merge;
    int64_t input = 3 * (int64_t)vt->frames * vt->patch * vt->patch;
    int64_t table[] = {vt->positions, hidden};
    char at[64];
    snprintf(at, sizeof at, "%smerger.", in);
    if (vlm_bind_linear(m, &v->patch, hidden, input, true, "%spatch_embed.proj", in) <
            0 ||
        vlm_bind(m, &v->position, 2, table, "%spos_embed.weight", in) < 0 ||
        bind_merger(m, &v->merger, hidden, at) < 0)
        return -1;
    for (int i = 0; i < vt->depth; i++) {
        struct vision_block *b = &v->blocks[i];
        snprintf(at, sizeof at, "%sblocks.%d.", in, i);
        if (vision_bind_attention(m, b, true, at) < 0 ||
            vlm_bind_linear(m, &b->up, vt->mlp, hidden, true, "%smlp.linear_fc1", at) <
                0 ||
            vlm_bind_linear(m, &b->down, hidden, vt->mlp, true, "%smlp.linear_fc2", at) <
                0)
            return -1;
    }
    for (int i = 0; i < vt->deepstack_count; i++) {
        snprintf(at, sizeof at, "%sdeepstack_merger_list.%d.", in,
                 vt->deepstack_merger[i]);
        if (bind_merger(m, &v->deepstack[i], wide, at) < 0)
            return -1;
    }
    return 0;
}

/* Where step i of n falls on a line of side points, ends on ends; float32 from both ends
 * inwards, as torch.linspace computes it. */
static float line_place(int i, int n, int side)
{
    float end = (float)(side - 1);
    if (n == 1)
        return 0;
    float step = end / (float)(n - 1);
    return i < n / 2 ? step * (float)i : end - step * (float)(n - 1 - i);
}

/* The four table rows around a patch and their weights (bilinear; an upper neighbour
 * outside is the last row). */
static void taps_of(const struct vision_run *run, int64_t patch, int32_t tap[4],
                    float weight[4])
{
    int side = run->m->config.vision.position_side, row, column;
    vision_place(run, patch, &row, &column);
    float y = line_place(row, run->picture->grid_h, side);
    float x = line_place(column, run->picture->grid_w, side);
    int top = (int)y, left = (int)x;
    int below = top + 1 < side ? top + 1 : side - 1;
    int right = left + 1 < side ? left + 1 : side - 1;
    float dy = y - (float)top, dx = x - (float)left;
    tap[0] = top * side + left;
    tap[1] = top * side + right;
    tap[2] = below * side + left;
    tap[3] = below * side + right;
    weight[0] = (1 - dy) * (1 - dx);
    weight[1] = (1 - dy) * dx;
    weight[2] = dy * (1 - dx);
    weight[3] = dy * dx;
}

static int taps_upload(struct vision_run *run)
{
    size_t n = (size_t)run->patches * 4;
    int32_t *tap = malloc(n * sizeof *tap);
    float *weight = malloc(n * sizeof *weight);
    int status = 0;
    if (tap && weight) {
        for (int64_t i = 0; i < run->patches; i++)
            taps_of(run, i, tap + i * 4, weight + i * 4);
        run->m->k->upload(run->m->dev, run->taps, tap);
        run->m->k->upload(run->m->dev, run->tap_weights, weight);
    } else {
        status = fail_memory();
    }
    free(tap);
    free(weight);
    return status;
}

static int forward(struct vision_run *run)
{
    const struct vlm *m = run->m;
    const struct vision_tower *vt = &m->config.vision;
    const struct vision_weights *v = &m->vision;
    char name[32];
    int next = 0; /* deepstack feature */
    if (taps_upload(run) < 0 || vision_rope(run, NULL) < 0)
        return -1;
    if (vision_embed(run, run->x) < 0 ||
        vlm_probe(m, run->probe, "img.patch_embed", run->x) < 0)
        return -1;
    m->k->gather_mix(m->dev, run->x, v->position, run->taps, run->tap_weights);
    for (int i = 0; i < vt->depth; i++) {
        vision_block_forward(run, &v->blocks[i], run->frames);
        snprintf(name, sizeof name, "img.block_%d", i);
        if (vlm_probe(m, run->probe, name, run->x) < 0)
            return -1;
        if (next < vt->deepstack_count && vt->deepstack[next] == i) {
            vision_merge(run, &v->deepstack[next], run->out[1 + next], arr_none());
            next++;
        }
    }
    vision_merge(run, &v->merger, run->out[0], arr_none());
    return 0;
}

const struct vision_kind vision_qwen3_vl = {bind, forward};
