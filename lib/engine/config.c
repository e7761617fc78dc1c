/* config.c: see config.h. */
#include "engine/config.h"
#include "base/fail.h"
#include "engine/document.h"
#include "engine/families.h"
#include "gguf/gguf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A special token's id; -1 where absent. */
static int id_read(const struct keys *k, const char *key, int vocab, int32_t *id)
{
    int value;
    *id = -1;
    if (!keys_get(k, key))
        return 0;
    if (keys_int(k, key, 0, vocab - 1, KEYS_REQUIRED, &value) < 0)
        return -1;
    *id = value;
    return 0;
}

/* eos_token_id, one or a list. How many; 0 if absent; -1 on error. */
static int stop_read(struct model_config *mc, const struct keys *k)
{
    json_t *eos = keys_get(k, "eos_token_id");
    int ids[CONFIG_STOP_MAX], count;
    if (json_is_array(eos)) {
        count = keys_list(k, "eos_token_id", 0, INT32_MAX, CONFIG_STOP_MAX, ids);
    } else {
        count = eos ? 1 : 0;
        if (eos && keys_int(k, "eos_token_id", 0, INT32_MAX, KEYS_REQUIRED, ids) < 0)
            return -1;
    }
    for (int i = 0; i < count; i++) mc->stop[i] = ids[i];
    return mc->stop_count = count;
}

/* End-of-turn ids: generation_config.json decides, else config.json. */
static int stops_read(struct model_config *mc, const char *dir, const struct keys *text,
                      const struct keys *top)
{
    struct buf path = {0};
    int n = document_path(&path, dir, "generation_config.json") ? 0 : -1;
    if (n == 0 && document_exists(path.data)) {
        json_t *doc = document_read(path.data);
        struct keys k = {doc, path.data, ""};
        n = doc ? stop_read(mc, &k) : -1;
        json_decref(doc);
    }
    if (n == 0 && (n = stop_read(mc, text)) == 0)
        n = stop_read(mc, top);
    buf_free(&path);
    return n < 0 ? -1 : 0;
}

static int vision_read(struct model_config *mc, const struct family *f,
                       const struct keys *top)
{
    struct keys k;
    int found = keys_object(top, "vision_config", "vision_config.", &k);
    int vocab = mc->text.vocab;
    if (found < 0)
        return -1;
    if (!found)
        return fail(FAIL_MODEL, "%s: vision_config is missing", top->file);
    if (f->vision_config(&mc->vision, &k, &mc->text) < 0 ||
        id_read(top, "image_token_id", vocab, &mc->image_id) < 0 ||
        id_read(top, "video_token_id", vocab, &mc->video_id) < 0 ||
        id_read(top, "vision_start_token_id", vocab, &mc->vision_start_id) < 0 ||
        id_read(top, "vision_end_token_id", vocab, &mc->vision_end_id) < 0)
        return -1;
    if (mc->image_id < 0)
        return fail(FAIL_MODEL, "%s: image_token_id is missing", top->file);
    return 0;
}

static int read_document(struct model_config *mc, const char *dir, const struct keys *top)
{
    json_t *architectures = keys_get(top, "architectures");
    const char *type = json_string_value(keys_get(top, "model_type"));
    const char *form = json_string_value(json_array_get(architectures, 0));
    if (!type && keys_get(top, "model_type"))
        return fail(FAIL_MODEL, "%s: model_type is no text", top->file);
    const struct family *f = family_find(type, form, top->file);
    if (!f)
        return -1;
    snprintf(mc->family, sizeof mc->family, "%s", f->name);
    snprintf(mc->architecture, sizeof mc->architecture, "%s", f->architecture);
    mc->text.rope = f->rope;
    mc->text.qkv_bias = f->qkv_bias;
    mc->text.qk_norm = f->qk_norm;

    struct keys text = *top; /* the published flat form */
    if (f->vision && keys_object(top, "text_config", "text_config.", &text) < 0)
        return -1;
    if (config_text_read(&mc->text, &text, top) < 0 ||
        stops_read(mc, dir, &text, top) < 0)
        return -1;
    return f->vision ? vision_read(mc, f, top) : 0;
}

int config_read(struct model_config *mc, const char *dir)
{
    struct buf path = {0};
    int status = -1;
    *mc = (struct model_config){
        .image_id = -1, .video_id = -1, .vision_start_id = -1, .vision_end_id = -1};
    if (gguf_is(dir))
        return config_gguf_read(mc, dir);
    struct stat st;
    if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
        return fail(FAIL_MODEL, "%s: neither a folder nor a GGUF file", dir);
    if (document_path(&path, dir, "config.json")) {
        json_t *doc = document_read(path.data);
        struct keys top = {doc, path.data, ""};
        status = doc ? read_document(mc, dir, &top) : -1;
        json_decref(doc);
    }
    buf_free(&path);
    return status;
}
