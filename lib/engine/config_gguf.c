/* config_gguf.c: a text model's configuration from a GGUF file's metadata. Keys are those
 * of ggml's docs/gguf.md, "qwen2.block_count" and so on; what would change a result and
 * is not done here is refused by name. */
#include "base/fail.h"
#include "engine/config_read.h"
#include "engine/families.h"
#include "gguf/gguf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Keys of one architecture in one file. */
struct source {
    const struct gguf *g;
    const char *architecture;
    char key[128]; /* the last one that was asked for, in full */
};

static const char *key_of(struct source *s, const char *name)
{
    snprintf(s->key, sizeof s->key, "%s.%s", s->architecture, name);
    return s->key;
}

static int bad(const struct source *s, const char *why)
{
    return fail(FAIL_MODEL, "%s: %s %s", gguf_name(s->g), s->key, why);
}

static bool has(struct source *s, const char *name)
{
    return gguf_has(s->g, key_of(s, name));
}

/* As keys_int(). */
static int read_int(struct source *s, const char *name, int high, int otherwise,
                    int *value)
{
    int64_t n;
    if (!has(s, name)) {
        *value = otherwise;
        return otherwise == KEYS_REQUIRED ? bad(s, "is missing") : 0;
    }
    if (!gguf_int(s->g, s->key, &n))
        return bad(s, "is no integer");
    if (n < 1 || n > high)
        return fail(FAIL_MODEL, "%s: %s is %lld, not in 1 to %d", gguf_name(s->g), s->key,
                    (long long)n, high);
    *value = (int)n;
    return 0;
}

/* As keys_real(). */
static int read_real(struct source *s, const char *name, double otherwise, double *value)
{
    *value = otherwise;
    if (!has(s, name) && otherwise <= 0)
        return bad(s, "is missing");
    if (has(s, name) && !gguf_real(s->g, s->key, value))
        return bad(s, "is no number");
    return isfinite(*value) && *value > 0 ? 0 : bad(s, "is not above 0");
}

static int sizes_read(struct text_config *tc, struct source *s)
{
    const struct gguf_tensor *embed = gguf_find(s->g, "token_embd.weight");
    int value_dim;
    if (!embed || embed->rank != 2 || embed->shape[0] < 1 ||
        embed->shape[0] > CONFIG_VOCAB_MAX)
        return fail(FAIL_MODEL, "%s: no matrix \"token_embd.weight\"", gguf_name(s->g));
    tc->vocab = (int)embed->shape[0];
    if (read_int(s, "embedding_length", CONFIG_HIDDEN_MAX, KEYS_REQUIRED, &tc->hidden) <
            0 ||
        read_int(s, "block_count", CONFIG_LAYERS_MAX, KEYS_REQUIRED, &tc->layers) < 0 ||
        read_int(s, "feed_forward_length", CONFIG_MLP_MAX, KEYS_REQUIRED, &tc->mlp) < 0 ||
        read_int(s, "context_length", CONFIG_CONTEXT_MAX, KEYS_REQUIRED, &tc->context) <
            0 ||
        read_int(s, "attention.head_count", CONFIG_HEADS_MAX, KEYS_REQUIRED, &tc->heads) <
            0 ||
        read_int(s, "attention.head_count_kv", tc->heads, tc->heads, &tc->kv_heads) < 0 ||
        read_int(s, "attention.key_length", CONFIG_HEAD_DIM_MAX, tc->hidden / tc->heads,
                 &tc->head_dim) < 0 ||
        read_int(s, "attention.value_length", CONFIG_HEAD_DIM_MAX, tc->head_dim,
                 &value_dim) < 0)
        return -1;
    if (value_dim != tc->head_dim)
        return bad(s, "is not that of the keys");
    if (tc->head_dim < 2 || tc->head_dim > CONFIG_HEAD_DIM_MAX)
        return fail(FAIL_MODEL, "%s: heads of %d", gguf_name(s->g), tc->head_dim);
    return config_heads_check(tc, gguf_name(s->g), "");
}

/* Scaled rotation. A factor without a type is a linear one (llama.cpp). */
static int scaling_check(struct source *s)
{
    static const char *const factors[] = {"rope.scaling.factor", "rope.scale_linear"};
    struct span type;
    bool none = false;
    if (has(s, "rope.scaling.type")) {
        if (!gguf_text(s->g, s->key, &type))
            return bad(s, "is no text");
        none = span_is(type, "none");
        if (!none)
            return fail(FAIL_MODEL, "%s: %s \"%.*s\" is not supported", gguf_name(s->g),
                        s->key, type.n < 40 ? (int)type.n : 40, type.s);
    }
    for (size_t i = 0; i < 2; i++) {
        double factor;
        if (read_real(s, factors[i], 1, &factor) < 0)
            return -1;
        if (factor != 1 && !none)
            return bad(s, "is not supported");
    }
    return 0;
}

static int rope_read(struct text_config *tc, struct source *s)
{
    int turned;
    if (read_real(s, "rope.freq_base", 10000, &tc->rope_theta) < 0 ||
        read_int(s, "rope.dimension_count", CONFIG_HEAD_DIM_MAX, tc->head_dim, &turned) <
            0)
        return -1;
    if (turned != tc->head_dim)
        return bad(s, "is not the size of a head: partial rotation is not supported");
    return scaling_check(s);
}

/* Is a key there, and not 0, which stands for none? */
static bool counts(struct source *s, const char *name)
{
    int64_t n;
    return has(s, name) && !(gguf_int(s->g, s->key, &n) && n == 0);
}

/* What changes the pass, and is in no file of the shapes that are known. */
static int features_check(const struct text_config *tc, struct source *s)
{
    static const char *const refused[] = {"expert_count",    "logit_scale",
                                          "embedding_scale", "residual_scale",
                                          "attention.scale", "attention.clamp_kqv"};
    int window = tc->context;
    bool causal;
    if (counts(s, "attention.sliding_window") &&
        read_int(s, "attention.sliding_window", INT32_MAX, KEYS_REQUIRED, &window) < 0)
        return -1;
    if (window < tc->context)
        return bad(s, "is not supported");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (counts(s, refused[i]))
            return bad(s, "is not supported");
    if (has(s, "attention.causal") && !(gguf_bool(s->g, s->key, &causal) && causal))
        return bad(s, "is not supported");
    return 0;
}

static void stop_add(struct model_config *mc, int64_t id)
{
    if (id < 0 || id >= mc->text.vocab || mc->stop_count == CONFIG_STOP_MAX)
        return;
    for (int i = 0; i < mc->stop_count; i++)
        if (mc->stop[i] == id)
            return;
    mc->stop[mc->stop_count++] = (int32_t)id;
}

/* Ids that the file names as ends, and control tokens known to end a turn or a text:
 * files name one of them, and models of these families end with either. */
static int stops_read(struct model_config *mc, const struct gguf *g)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    static const char *const texts[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",
                                        "<|eom_id|>", "<|end_of_text|>"};
    enum { CONTROL = 3 }; /* in token_type */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int64_t id;
        if (!gguf_has(g, keys[i]))
            continue;
        if (!gguf_int(g, keys[i], &id))
            return fail(FAIL_MODEL, "%s: %s is no integer", gguf_name(g), keys[i]);
        if (id < 0 || id >= mc->text.vocab)
            return fail(FAIL_MODEL, "%s: %s %lld is no id", gguf_name(g), keys[i],
                        (long long)id);
        stop_add(mc, id);
    }
    struct gguf_walk tokens, types;
    struct span token;
    int64_t type;
    if (!gguf_walk_begin(&tokens, g, "tokenizer.ggml.tokens") ||
        !gguf_walk_begin(&types, g, "tokenizer.ggml.token_type"))
        return 0; /* the tokenizer will say so */
    for (int64_t id = 0; gguf_walk_text(&tokens, &token) && gguf_walk_int(&types, &type);
         id++)
        for (size_t i = 0; type == CONTROL && i < sizeof texts / sizeof *texts; i++)
            if (span_is(token, texts[i]))
                stop_add(mc, id);
    return 0;
}

/* A file of several has a share of the tensors. */
static int parts_check(const struct gguf *g)
{
    int64_t n;
    return gguf_int(g, "split.count", &n) && n > 1
               ? fail(FAIL_MODEL,
                      "%s: one of %lld parts of a model (split.count): join them first, "
                      "as llama-gguf-split --merge does",
                      gguf_name(g), (long long)n)
               : 0;
}

static int read(struct model_config *mc, const struct gguf *g)
{
    char architecture[64];
    struct span text;
    double eps;
    if (parts_check(g) < 0)
        return -1;
    if (!gguf_text(g, "general.architecture", &text))
        return fail(FAIL_MODEL, "%s: general.architecture is missing", gguf_name(g));
    snprintf(architecture, sizeof architecture, "%.*s", text.n < 63 ? (int)text.n : 63,
             text.s);
    const struct family *f = family_find(architecture, NULL, gguf_name(g));
    if (!f)
        return -1;
    if (f->vision)
        return fail(FAIL_MODEL, "%s: general.architecture %s: only text models are read",
                    gguf_name(g), architecture);
    snprintf(mc->family, sizeof mc->family, "%s", f->name);
    snprintf(mc->architecture, sizeof mc->architecture, "%s", f->architecture);
    mc->text.rope = f->rope;
    mc->text.qkv_bias = f->qkv_bias;
    mc->text.qk_norm = f->qk_norm;
    struct source s = {.g = g, .architecture = architecture};
    if (sizes_read(&mc->text, &s) < 0 || rope_read(&mc->text, &s) < 0 ||
        features_check(&mc->text, &s) < 0 ||
        read_real(&s, "attention.layer_norm_rms_epsilon", 0, &eps) < 0)
        return -1;
    mc->text.norm_eps = (float)eps;
    mc->text.tied = !gguf_find(g, "output.weight");
    return stops_read(mc, g);
}

int config_gguf_read(struct model_config *mc, const char *path)
{
    struct gguf *g = gguf_open(path);
    int status = g ? read(mc, g) : -1;
    gguf_close(g);
    return status;
}
