/* info.c: see info.h. */
#include "model/info.h"
#include "base/fail.h"
#include "engine/weights.h"
#include "model/model.h"
#include "row/json.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

static void read_types(struct model_info *info, const struct weights *w)
{
    struct buf b = {0};
    int count[ARR_TYPES] = {0};
    for (int i = 0; i < weights_count(w); i++)
        count[weights_at(w, i)->type] += weights_at(w, i)->usable;
    for (int t = 0; t < ARR_TYPES; t++) {
        const char *name = arr_type_name((enum arr_type)t);
        if (count[t] == 0)
            continue;
        size_t n = strlen(info->types);
        snprintf(info->types + n, sizeof info->types - n, "%s%s", n ? " " : "", name);
        buf_print(&b, "%s\"%s\":%d", b.len ? "," : "", name, count[t]);
    }
    snprintf(info->tensors, sizeof info->tensors, "{%s}",
             buf_string(&b) ? buf_string(&b) : "");
    buf_free(&b);
}

/* What goes wrong with tokenizer or template is part of the answer; a want of memory is
 * not. 0 or -1. */
static int read_text(struct model_info *info)
{
    struct tokenizer *t = tokenizer_open(info->dir);
    if (t) {
        info->tokenizer_size = tokenizer_size(t);
        snprintf(info->tokenizer_text, sizeof info->tokenizer_text,
                 "byte-level BPE, %d tokens", info->tokenizer_size);
        tokenizer_close(t);
    } else if (fail_kind() == FAIL_INTERNAL) {
        return -1;
    } else {
        snprintf(info->tokenizer_text, sizeof info->tokenizer_text, "%.250s",
                 fail_text());
    }
    struct chat *chat = chat_open(info->dir, NULL);
    if (chat) {
        snprintf(info->chat, sizeof info->chat, "%s", chat_name(chat));
        snprintf(info->chat_text, sizeof info->chat_text, "%s%s", chat_name(chat),
                 chat_guessed(chat) ? " (by marks in an unknown template)" : "");
        chat_close(chat);
    } else if (fail_kind() == FAIL_INTERNAL) {
        return -1;
    } else {
        snprintf(info->chat_text, sizeof info->chat_text, "%s", fail_text());
    }
    return 0;
}

int model_info_read(struct model_info *info, const char *spec, int kv_tokens)
{
    const struct engine_options options = {.device = "cpu", .threads = 1};
    memset(info, 0, sizeof *info);
    if (model_find(info->dir, sizeof info->dir, spec) < 0 ||
        config_read(&info->config, info->dir) < 0)
        return -1;
    if (engine_ctx_check(&info->config, kv_tokens) < 0)
        return fail_in("%s", info->dir);
    if (engine_plan(info->dir, &options, &info->memory) < 0)
        return -1;
    struct weights *w = weights_open(info->dir);
    if (!w)
        return -1;
    int status = weights_hash(w, info->dir, info->hash);
    read_types(info, w);
    weights_close(w);
    if (status < 0 ||
        (info->config.vision.depth && patch_config_read(&info->patches, info->dir) < 0))
        return -1;
    int context = info->config.text.context;
    info->kv_tokens = kv_tokens ? kv_tokens : context < 4096 ? context : 4096;
    return read_text(info);
}

static void put_int(struct buf *b, const char *key, int64_t x)
{
    buf_print(b, ",\"%s\":%lld", key, (long long)x);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    buf_print(b, ",\"%s\":", key);
    if (*text)
        json_put_text(b, span_of(text));
    else
        buf_text(b, "null");
}

void model_info_json(const struct model_info *info, struct buf *b)
{
    const struct text_config *t = &info->config.text;
    const struct vision_tower *v = &info->config.vision;
    buf_text(b, "{\"path\":");
    json_put_text(b, span_of(info->dir));
    put_text(b, "family", info->config.family);
    put_text(b, "architecture", info->config.architecture);
    put_int(b, "parameters", info->memory.parameters);
    put_text(b, "types", info->types);
    buf_print(b, ",\"tensors\":%s", info->tensors);
    buf_print(b,
              ",\"text\":{\"layers\":%d,\"hidden\":%d,\"heads\":%d,\"kv_heads\":%d,"
              "\"head_dim\":%d,\"mlp\":%d,\"vocab\":%d,\"context\":%d,\"tied\":%s}",
              t->layers, t->hidden, t->heads, t->kv_heads, t->head_dim, t->mlp, t->vocab,
              t->context, t->tied ? "true" : "false");
    if (v->depth)
        buf_print(b,
                  ",\"vision\":{\"layers\":%d,\"hidden\":%d,\"heads\":%d,\"mlp\":%d,"
                  "\"patch\":%d,\"merge\":%d,\"min_pixels\":%lld,\"max_pixels\":%lld}",
                  v->depth, v->hidden, v->heads, v->mlp, v->patch, v->merge,
                  (long long)info->patches.min_pixels,
                  (long long)info->patches.max_pixels);
    put_int(b, "tokenizer_size", info->tokenizer_size);
    put_text(b, "chat", info->chat);
    buf_print(
        b, ",\"memory\":{\"weights\":%lld,\"kv\":%lld,\"kv_tokens\":%d,\"scratch\":%lld}",
        (long long)info->memory.weights,
        (long long)(info->memory.kv_per_token * info->kv_tokens), info->kv_tokens,
        (long long)info->memory.scratch);
    put_text(b, "model", info->hash);
    buf_char(b, '}');
}
