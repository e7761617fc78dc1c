/* info.h: what a model directory holds, without loading its weights. */
#ifndef INFO_H
#define INFO_H
#include "base/buf.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "media/patches.h"

struct model_info {
    char dir[4096];
    struct model_config config;
    struct patch_config patches; /* if config.vision.depth */
    struct engine_memory memory; /* bytes */
    int kv_tokens;               /* that keys and values are counted for */
    char hash[33];
    char types[128];          /* "bf16", "bf16 f32": types of the tensors */
    char tensors[384];        /* how many there are of each: {"f32":9,"q8_0":16} */
    int tokenizer_size;       /* largest id + 1; 0: none */
    char tokenizer_text[256]; /* for people: its size, or why there is none */
    char chat[64];            /* format's name; "" if unknown */
    char chat_text[1100];     /* for people: name, or why it is unknown */
};

/* Read SPEC's (model_find()) directory: config and weight headers must be good; a missing
 * tokenizer or unknown template is told in the texts. kv_tokens 0: 4096, or the model's
 * context if that is less; more than that is refused, as in opening it. 0, or -1. */
int model_info_read(struct model_info *info, const char *spec, int kv_tokens);

/* Append it as one JSON object. */
void model_info_json(const struct model_info *info, struct buf *out);
#endif
