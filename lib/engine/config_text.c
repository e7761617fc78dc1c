/* config_text.c: the language model's part of config.json. */
#include "base/fail.h"
#include "engine/config_read.h"

#include <string.h>

int config_heads_check(const struct text_config *tc, const char *file,
                       const char *section)
{
    if (tc->heads % tc->kv_heads)
        return fail(FAIL_MODEL, "%s: %sheads: %d is no multiple of %d", file, section,
                    tc->heads, tc->kv_heads);
    if (tc->head_dim % 2)
        return fail(FAIL_MODEL, "%s: %shead_dim %d is odd", file, section, tc->head_dim);
    return 0;
}

static int sizes_read(struct text_config *tc, const struct keys *k)
{
    if (keys_int(k, "hidden_size", 1, CONFIG_HIDDEN_MAX, KEYS_REQUIRED, &tc->hidden) <
            0 ||
        keys_int(k, "num_hidden_layers", 1, CONFIG_LAYERS_MAX, KEYS_REQUIRED,
                 &tc->layers) < 0 ||
        keys_int(k, "num_attention_heads", 1, CONFIG_HEADS_MAX, KEYS_REQUIRED,
                 &tc->heads) < 0 ||
        keys_int(k, "num_key_value_heads", 1, tc->heads, tc->heads, &tc->kv_heads) < 0 ||
        keys_int(k, "intermediate_size", 1, CONFIG_MLP_MAX, KEYS_REQUIRED, &tc->mlp) <
            0 ||
        keys_int(k, "vocab_size", 1, CONFIG_VOCAB_MAX, KEYS_REQUIRED, &tc->vocab) < 0 ||
        keys_int(k, "max_position_embeddings", 1, CONFIG_CONTEXT_MAX, 32768,
                 &tc->context) < 0 ||
        keys_int(k, "head_dim", 2, CONFIG_HEAD_DIM_MAX, tc->hidden / tc->heads,
                 &tc->head_dim) < 0)
        return -1;
    return config_heads_check(tc, k->file, k->section);
}

/* Sections of M-RoPE, as published where they are absent. In blocks they share out the
 * head_dim / 2 frequencies; in turn they are limits, whatever they add up to. */
static int sections_read(struct text_config *tc, const struct keys *k)
{
    static const int published[][3] = {
        [ROPE_SECTIONS] = {16, 24, 24}, [ROPE_INTERLEAVED] = {24, 20, 20}};
    int half = tc->head_dim / 2, *section = tc->rope_section;
    int n = keys_list(k, "mrope_section", 0, CONFIG_HEAD_DIM_MAX, 3, section);
    if (n < 0)
        return -1;
    if (n == 0)
        memcpy(section, published[tc->rope], sizeof published[0]);
    if (n != 0 && n != 3)
        return fail(FAIL_MODEL, "%s: %smrope_section is not three numbers", k->file,
                    k->section);
    if (tc->rope == ROPE_SECTIONS && section[0] + section[1] + section[2] != half)
        return fail(FAIL_MODEL,
                    "%s: %smrope_section: %d, %d and %d do not add up to %d (half of "
                    "head_dim)",
                    k->file, k->section, section[0], section[1], section[2], half);
    return 0;
}

/* The rotary keys: rope_theta beside rope_scaling, or both inside rope_parameters. */
static int rope_read(struct text_config *tc, const struct keys *k)
{
    struct keys rope = {0};
    int found = keys_object(k, "rope_parameters", "rope_parameters.", &rope);
    if (found == 0)
        found = keys_object(k, "rope_scaling", "rope_scaling.", &rope);
    if (found < 0)
        return -1;
    double partial;
    if (keys_real(keys_get(&rope, "rope_theta") ? &rope : k, "rope_theta", 10000,
                  &tc->rope_theta) < 0 ||
        keys_real(keys_get(&rope, "partial_rotary_factor") ? &rope : k,
                  "partial_rotary_factor", 1, &partial) < 0)
        return -1;
    if (partial != 1)
        return fail(FAIL_MODEL, "%s: partial_rotary_factor %g is not supported", k->file,
                    partial);
    const char *key = keys_get(&rope, "rope_type") ? "rope_type" : "type";
    const char *type = json_string_value(keys_get(&rope, key));
    bool mrope = tc->rope != ROPE_PLAIN && type && strcmp(type, "mrope") == 0;
    if (!mrope && keys_must_be(&rope, key, "default") < 0)
        return -1;
    return tc->rope == ROPE_PLAIN ? 0 : sections_read(tc, found ? &rope : k);
}

int config_text_read(struct text_config *tc, const struct keys *k,
                     const struct keys *outer)
{
    bool sliding, biased, mlp_biased;
    double eps;
    if (sizes_read(tc, k) < 0 || rope_read(tc, k) < 0 ||
        keys_must_be(k, "hidden_act", "silu") < 0 ||
        keys_real(k, "rms_norm_eps", 1e-6, &eps) < 0 ||
        keys_bool(k, "use_sliding_window", false, &sliding) < 0 ||
        keys_bool(k, "attention_bias", false, &biased) < 0 ||
        keys_bool(k, "mlp_bias", false, &mlp_biased) < 0 ||
        keys_bool(k, "tie_word_embeddings", false, &tc->tied) < 0 ||
        keys_bool(outer, "tie_word_embeddings", tc->tied, &tc->tied) < 0)
        return -1;
    tc->norm_eps = (float)eps;
    if (sliding)
        return fail(FAIL_MODEL, "%s: %suse_sliding_window is not supported", k->file,
                    k->section);
    if (biased && !tc->qkv_bias) /* Qwen2 has no such key and always the biases */
        return fail(FAIL_MODEL, "%s: %sattention_bias is not supported", k->file,
                    k->section);
    if (mlp_biased)
        return fail(FAIL_MODEL, "%s: %smlp_bias is not supported", k->file, k->section);
    if (keys_get(outer, "quantization_config") || keys_get(k, "quantization_config"))
        return fail(FAIL_MODEL, "%s: quantization_config is not supported", k->file);
    return 0;
}
