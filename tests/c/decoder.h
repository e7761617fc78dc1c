/* decoder.h: random text decoders of Qwen3's shape, for the C tests and benches. */
#ifndef DECODER_H
#define DECODER_H
#include "base/fail.h"
#include "engine/random_weights.h"

#include <stdio.h>
#include <unistd.h>

struct decoder_shape {
    int hidden, layers, heads, kv_heads, mlp, vocab;
};
static const struct decoder_shape decoder_8m = {256, 4, 4, 2, 1024, 8192};
static const struct decoder_shape decoder_107m = {768, 12, 12, 4, 2304, 16384};

/* config.json and weights into a folder that is there. 0 or -1. */
static inline int decoder_make(const char *dir, const struct decoder_shape *s)
{
    char path[512];
    struct random_weights how = {.seed = 1, .deviation = 0.02, .type = ARR_F32};
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        return fail(FAIL_INTERNAL, "%s cannot be written", path);
    fprintf(f,
            "{\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\","
            "\"head_dim\":64,\"hidden_size\":%d,\"intermediate_size\":%d,"
            "\"num_hidden_layers\":%d,\"num_attention_heads\":%d,"
            "\"num_key_value_heads\":%d,\"hidden_act\":\"silu\",\"rms_norm_eps\":1e-6,"
            "\"rope_theta\":10000,\"vocab_size\":%d,\"max_position_embeddings\":4096,"
            "\"tie_word_embeddings\":false,\"attention_bias\":false}",
            s->hidden, s->mlp, s->layers, s->heads, s->kv_heads, s->vocab);
    fclose(f);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    unlink(path);
    return random_weights_write(dir, &how);
}
#endif
