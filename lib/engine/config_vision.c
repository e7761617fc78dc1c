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
    MAX_INDEX = 1 << 20, /* of a block */
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

/* The rotary positions' base; version 5 files have it. */
static int rope_read(struct vision_tower *vt, const struct keys *k)
{
    struct keys rope = {0};
    if (keys_object(k, "rope_parameters", "vision_config.rope_parameters.", &rope) < 0 ||
        keys_must_be(&rope, "rope_type", "axial") < 0)
        return -1;
    return keys_real(&rope, "rope_theta", 10000, &vt->rope_theta);
}

int config_vision_qwen2_5_vl(struct vision_tower *vt, const struct keys *k,
                             const struct text_config *tc)
{
    if (sizes_read(vt, k, 14, tc) < 0 || rope_read(vt, k) < 0 ||
        keys_must_be(k, "hidden_act", "silu") < 0 ||
        keys_int(k, "window_size", 1, 1 << 20, 112, &vt->window) < 0)
        return -1;
    if (vt->window / vt->merge / vt->patch < 1)
        return fail(FAIL_MODEL, "%s: %swindow_size %d is below one merged patch", k->file,
                    k->section, vt->window);
    vt->full_count =
        keys_list(k, "fullatt_block_indexes", 0, MAX_INDEX, CONFIG_LIST_MAX, vt->full);
    return vt->full_count < 0 ? -1 : 0;
}

/* The published list may be longer than a small model: what is behind the tower's last
 * block never happens, what is behind the text's last layer goes nowhere. */
static int deepstack_read(struct vision_tower *vt, const struct keys *k, int layers)
{
    int listed[CONFIG_LIST_MAX];
    int count =
        keys_list(k, "deepstack_visual_indexes", 0, MAX_INDEX, CONFIG_LIST_MAX, listed);
    if (count < 0)
        return -1;
    vt->deepstack_count = 0;
    for (int block = 0; block < vt->depth && vt->deepstack_count < layers; block++)
        for (int i = 0; i < count; i++)
            if (listed[i] == block) {
                vt->deepstack[vt->deepstack_count] = block;
                vt->deepstack_merger[vt->deepstack_count++] = i;
                break;
            }
    return 0;
}

int config_vision_qwen3_vl(struct vision_tower *vt, const struct keys *k,
                           const struct text_config *tc)
{
    if (sizes_read(vt, k, 16, tc) < 0 || rope_read(vt, k) < 0 ||
        keys_must_be(k, "hidden_act", "gelu_pytorch_tanh") < 0 ||
        keys_int(k, "num_position_embeddings", 1, MAX_POSITIONS, KEYS_REQUIRED,
                 &vt->positions) < 0)
        return -1;
    vt->position_side = (int)sqrt(vt->positions);
    return deepstack_read(vt, k, tc->layers);
}
