/* weights_gguf.c: see weights_gguf.h. Names are those of llama.cpp's gguf-py
 * (constants.py, tensor_mapping.py) for the architectures qwen2, qwen3 and llama. */
#include "engine/weights_gguf.h"
#include "base/fail.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    uint32_t stored;
    enum arr_type type;
} types[] = {
    {GGUF_F32, ARR_F32},   {GGUF_F16, ARR_F16},       {GGUF_BF16, ARR_BF16},
    {GGUF_Q4_0, ARR_Q4_0}, {GGUF_Q4_1, ARR_Q4_1},     {GGUF_Q5_0, ARR_Q5_0},
    {GGUF_Q5_1, ARR_Q5_1}, {GGUF_Q8_0, ARR_Q8_0},     {GGUF_Q2_K, ARR_Q2_K},
    {GGUF_Q3_K, ARR_Q3_K}, {GGUF_Q4_K, ARR_Q4_K},     {GGUF_Q5_K, ARR_Q5_K},
    {GGUF_Q6_K, ARR_Q6_K}, {GGUF_IQ4_NL, ARR_IQ4_NL}, {GGUF_IQ4_XS, ARR_IQ4_XS},
};

struct pair {
    const char *stored, *published;
};

static const struct pair outside[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
};

/* What comes behind "blk.N." and before ".weight" or ".bias". */
static const struct pair inside[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* "blk.N.WHAT.weight": the published name, or false. */
static bool name_inside(char *to, size_t room, const char *stored)
{
    const char *at = stored + 4, *dot;
    if (strncmp(stored, "blk.", 4) != 0)
        return false;
    int digits = (int)strspn(at, "0123456789");
    const char *what = at + digits + 1;
    if (digits < 1 || at[digits] != '.' || !(dot = strrchr(what, '.')))
        return false;
    for (size_t i = 0; i < COUNT(inside); i++)
        if (strlen(inside[i].stored) == (size_t)(dot - what) &&
            memcmp(inside[i].stored, what, (size_t)(dot - what)) == 0) {
            snprintf(to, room, "model.layers.%.*s.%s%s", digits, at, inside[i].published,
                     dot);
            return true;
        }
    return false;
}

static void name_publish(char *to, size_t room, const char *stored)
{
    for (size_t i = 0; i < COUNT(outside); i++)
        if (strcmp(stored, outside[i].stored) == 0) {
            snprintf(to, room, "%s", outside[i].published);
            return;
        }
    if (!name_inside(to, room, stored))
        snprintf(to, room, "%s", stored);
}

static void weight_fill(struct gguf_weight *w, const struct gguf *g,
                        const struct gguf_tensor *t)
{
    name_publish(w->name, sizeof w->name, t->name);
    w->tensor = (struct tensor){.name = w->name,
                                .file = gguf_name(g),
                                .dtype = gguf_type_name(t->type),
                                .rank = t->rank,
                                .data = t->data,
                                .bytes = t->bytes};
    for (int i = 0; i < t->rank; i++) w->tensor.shape[i] = t->shape[i];
    for (size_t i = 0; i < COUNT(types); i++)
        if (types[i].stored == t->type) {
            w->tensor.usable = true;
            w->tensor.type = types[i].type;
        }
}

struct gguf_weight *gguf_weights(const struct gguf *g)
{
    struct gguf_weight *list = calloc((size_t)gguf_count(g) + 1, sizeof *list);
    if (!list) {
        fail_memory();
        return NULL;
    }
    for (int i = 0; i < gguf_count(g); i++) weight_fill(&list[i], g, gguf_at(g, i));
    return list;
}

bool gguf_rope_pairs(const struct gguf *g)
{
    struct span architecture;
    return gguf_text(g, "general.architecture", &architecture) &&
           span_is(architecture, "llama");
}
