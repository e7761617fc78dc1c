/* config_vision.c: the vision tower's part of config.json, a reader for each family.
 * Keys that may be absent have the values of the published model class. */
#include "base/fail.h"
#include "engine/config_read.h"

#include <math.h>

enum {
    MAX_HIDDEN = 1 << 16,
    MAX_HEADS = 256,
    MAX_MLP = 1 << 18,
    MAX_PATCH = 256,
    MAX_MERGE = 16,
    MAX_FRAMES = 16,
    MAX_POSITIONS = 1 << 24,
};

/* Sizes that both towers have, and how they must fit. */
static int sizes_read(struct vision_tower *vt, const struct keys *k, int patch,
                      const struct text_config *tc)
{
    int channels;
    const char *in = keys_get(k, "in_chans") ? "in_chans" : "in_channels";
    if (keys_int(k, "hidden_size", 1, MAX_HIDDEN, KEYS_REQUIRED, &vt->hidden) < 0 ||
        keys_int(k, "depth", 1, CONFIG_LIST_MAX, KEYS_REQUIRED, &vt->depth) < 0 ||
        keys_int(k, "num_heads", 1, MAX_HEADS, 16, &vt->heads) < 0 ||
        keys_int(k, "intermediate_size", 1, MAX_MLP, KEYS_REQUIRED, &vt->mlp) < 0 ||
        keys_int(k, "out_hidden_size", 1, MAX_HIDDEN * 2, tc->hidden, &vt->out_hidden) <
            0 ||
        keys_int(k, "patch_size", 1, MAX_PATCH, patch, &vt->patch) < 0 ||
        keys_int(k, "spatial_merge_size", 1, MAX_MERGE, 2, &vt->merge) < 0 ||
        keys_int(k, "temporal_patch_size", 1, MAX_FRAMES, 2, &vt->frames) < 0 ||
        keys_int(k, in, 3, 3, 3, &channels) < 0)
        return -1;
    if (vt->hidden % vt->heads || vt->hidden / vt->heads % 4)
        return fail(FAIL_MODEL,
                    "%s: %shidden_size %d is not num_heads %d times a multiple "
                    "of 4",
                    k->file, k->section, vt->hidden, vt->heads);
    if (vt->out_hidden != tc->hidden)
        return fail(FAIL_MODEL,
                    "%s: %sout_hidden_size %d is not the text's hidden_size %d", k->file,
                    k->section, vt->out_hidden, tc->hidden);
    return 0;
}

int config_vision_qwen2_5_vl(struct vision_tower *vt, const struct keys *k,
                             const struct text_config *tc)
{
    if (sizes_read(vt, k, 14, tc) < 0 || keys_must_be(k, "hidden_act", "silu") < 0 ||
        keys_int(k, "window_size", 1, 1 << 20, 112, &vt->window) < 0)
        return -1;
    if (vt->window / vt->merge / vt->patch < 1)
        return fail(FAIL_MODEL, "%s: %swindow_size %d is below one merged patch", k->file,
                    k->section, vt->window);
    vt->full_count = keys_list(k, "fullatt_block_indexes", 0, vt->depth - 1,
                               CONFIG_LIST_MAX, vt->full);
    return vt->full_count < 0 ? -1 : 0;
}

int config_vision_qwen3_vl(struct vision_tower *vt, const struct keys *k,
                           const struct text_config *tc)
{
    int positions;
    if (sizes_read(vt, k, 16, tc) < 0 ||
        keys_must_be(k, "hidden_act", "gelu_pytorch_tanh") < 0 ||
        keys_int(k, "num_position_embeddings", 1, MAX_POSITIONS, KEYS_REQUIRED,
                 &positions) < 0)
        return -1;
    vt->position_side = (int)lround(sqrt(positions));
    if (vt->position_side * vt->position_side != positions)
        return fail(FAIL_MODEL, "%s: %snum_position_embeddings %d is no square", k->file,
                    k->section, positions);
    vt->deepstack_count = keys_list(k, "deepstack_visual_indexes", 0, vt->depth - 1,
                                    CONFIG_LIST_MAX, vt->deepstack);
    if (vt->deepstack_count < 0)
        return -1;
    for (int i = 1; i < vt->deepstack_count; i++)
        if (vt->deepstack[i] <= vt->deepstack[i - 1])
            return fail(FAIL_MODEL, "%s: %sdeepstack_visual_indexes do not ascend",
                        k->file, k->section);
    if (vt->deepstack_count > tc->layers)
        return fail(FAIL_MODEL,
                    "%s: %sdeepstack_visual_indexes are more than the text's "
                    "%d layers",
                    k->file, k->section, tc->layers);
    return 0;
}
