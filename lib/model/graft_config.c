/* graft_config.c: see graft_config.h. */
#include "model/graft_config.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/config.h"
#include "engine/document.h"
#include "media/patches.h"
#include "text/tokenizer.h"

#include <string.h>

static const char *const vision_tokens[] = {"<|vision_start|>", "<|vision_end|>",
                                            "<|vision_pad|>", "<|image_pad|>",
                                            "<|video_pad|>"};
enum { VISION_TOKENS = sizeof vision_tokens / sizeof *vision_tokens };

static json_t *read(const char *dir, const char *name)
{
    struct buf path = {0};
    json_t *value = document_path(&path, dir, name) ? document_read(path.data) : NULL;
    buf_free(&path);
    return value;
}

/* -- config.json -----------------------------------------------------------------------
 */

static const char *const vision_families[] = {"qwen2_5_vl", "qwen3_vl"};
static const char *const text_families[] = {"qwen2", "qwen3"};
static const char *const architectures[] = {"Qwen2_5_VLForConditionalGeneration",
                                            "Qwen3VLForConditionalGeneration"};
static const char *const text_types[] = {"qwen2_5_vl_text", "qwen3_vl_text"};

/* Which kind of model the two make: 0 Qwen2.5-VL, 1 Qwen3-VL; -1 (class model). */
static int kind_of(const struct model_config *llm, const struct model_config *vision)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(vision->family, vision_families[i]) == 0) {
            if (strcmp(llm->family, text_families[i]) == 0 ||
                strcmp(llm->family, vision_families[i]) == 0)
                return i;
            return fail(FAIL_MODEL,
                        "a tower of %s goes with a text model of %s, which %s is not",
                        vision->family, text_families[i], llm->family);
        }
    return fail(FAIL_MODEL, "%s has no tower that is taken: qwen2_5_vl or qwen3_vl",
                vision->family);
}

/* Half the head's frequencies go to t, h, w: as published for heads of 128 (16, 24, 24;
 * 24, 20, 20), in proportion for others. */
static json_t *sections(int kind, int head_dim)
{
    int half = head_dim / 2, side = half * (kind ? 20 : 24) / 64;
    return json_pack("[i,i,i]", half - 2 * side, side, side);
}

/* What a model with a tower has beside its sizes, in a text model's config. */
static json_t *text_config(const json_t *config, const struct model_config *mc, int kind,
                           int vocab)
{
    static const char *const others[] = {"architectures",
                                         "vision_config",
                                         "image_token_id",
                                         "video_token_id",
                                         "auto_map",
                                         "vision_end_token_id",
                                         "vision_start_token_id",
                                         "vision_token_id",
                                         "rope_scaling",
                                         "rope_parameters",
                                         "transformers_version",
                                         "torch_dtype",
                                         "dtype"};
    const json_t *nested = json_object_get(config, "text_config");
    json_t *text = json_deep_copy(nested ? nested : config);
    for (size_t i = 0; text && i < sizeof others / sizeof *others; i++)
        json_object_del(text, others[i]);
    json_t *rope =
        kind ? json_pack("{s:b, s:s, s:o}", "mrope_interleaved", 1, "rope_type",
                         "default", "mrope_section", sections(kind, mc->text.head_dim))
             : json_pack("{s:s, s:o}", "type", "mrope", "mrope_section",
                         sections(kind, mc->text.head_dim));
    json_object_set_new(text, "model_type", json_string(text_types[kind]));
    json_object_set_new(text, "vocab_size", json_integer(vocab));
    json_object_set_new(text, "tie_word_embeddings", json_boolean(mc->text.tied));
    json_object_set_new(text, "head_dim", json_integer(mc->text.head_dim));
    json_object_set_new(text, "rope_theta", json_real(mc->text.rope_theta));
    json_object_set_new(text, "rope_scaling", rope);
    return text;
}

/* The tower's own, for the language model's width; each deepstack feature needs a layer.
 */
static json_t *vision_config(const json_t *config, const struct model_config *llm)
{
    json_t *vision = json_deep_copy(json_object_get(config, "vision_config"));
    json_t *deepstack = json_object_get(vision, "deepstack_visual_indexes");
    while (json_array_size(deepstack) > (size_t)llm->text.layers)
        json_array_remove(deepstack, json_array_size(deepstack) - 1);
    json_object_set_new(vision, "out_hidden_size", json_integer(llm->text.hidden));
    json_object_del(vision, "torch_dtype");
    json_object_del(vision, "dtype");
    return vision;
}

static void ids_set(json_t *config, const struct tokenizer *t,
                    const struct graft_tokens *tokens)
{
    static const char *const keys[VISION_TOKENS] = {"vision_start_token_id",
                                                    "vision_end_token_id", NULL,
                                                    "image_token_id", "video_token_id"};
    int32_t next = tokens->known;
    for (int i = 0; i < VISION_TOKENS; i++) {
        int32_t id = tokenizer_find(t, vision_tokens[i]);
        id = id < 0 ? next++ : id;
        if (keys[i])
            json_object_set_new(config, keys[i], json_integer(id));
    }
}

static int config_write(const struct folder *f, const json_t *llm, const json_t *vision,
                        const struct model_config *llm_config, int kind, bool fp32,
                        const struct tokenizer *t, const struct graft_tokens *tokens)
{
    int vocab = llm_config->text.vocab, need = tokens->known + tokens->added;
    json_t *config = json_pack(
        "{s:[s], s:s, s:b, s:s, s:o, s:o}", "architectures", architectures[kind],
        "model_type", vision_families[kind], "tie_word_embeddings", llm_config->text.tied,
        "dtype", fp32 ? "float32" : "bfloat16", "text_config",
        text_config(llm, llm_config, kind, tokens->added && need > vocab ? need : vocab),
        "vision_config", vision_config(vision, llm_config));
    static const char *const kept[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    if (!config)
        return fail_memory();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(llm, kept[i]))
            json_object_set(config, kept[i], json_object_get(llm, kept[i]));
    ids_set(config, t, tokens);
    int status = folder_write_json(f, "config.json", config);
    json_decref(config);
    return status;
}

/* -- Tokenizer and template ------------------------------------------------------------
 */

/* Which of the vision tokens are new, with their ids. */
static int tokens_count(struct graft_tokens *tokens, const struct tokenizer *t,
                        const char *llm)
{
    if (tokenizer_find(t, "<|im_start|>") < 0 || tokenizer_find(t, "<|im_end|>") < 0)
        return fail(FAIL_MODEL, "%s: its tokenizer has no <|im_start|> and <|im_end|>",
                    llm);
    *tokens = (struct graft_tokens){.known = tokenizer_size(t)};
    for (int i = 0; i < VISION_TOKENS; i++)
        tokens->added += tokenizer_find(t, vision_tokens[i]) < 0;
    return 0;
}

static json_t *added_token(const char *token)
{
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", token, "single_word", 0,
                     "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
}

/* tokenizer.json with the tokens that it lacks. */
static int tokenizer_write(const struct folder *f, const char *llm,
                           const struct tokenizer *t, const struct graft_tokens *tokens)
{
    int32_t id = tokens->known;
    if (tokens->added == 0)
        return folder_copy(f, llm, "tokenizer.json", true);
    json_t *all = read(llm, "tokenizer.json");
    if (!all)
        return -1;
    if (!json_object_get(all, "added_tokens"))
        json_object_set_new(all, "added_tokens", json_array());
    for (int i = 0; i < VISION_TOKENS; i++)
        if (tokenizer_find(t, vision_tokens[i]) < 0) {
            json_t *one = added_token(vision_tokens[i]);
            json_object_set_new(one, "id", json_integer(id++));
            json_array_append_new(json_object_get(all, "added_tokens"), one);
        }
    int status = folder_write_json(f, "tokenizer.json", all);
    json_decref(all);
    return status;
}

/* tokenizer_config.json: the language model's with those tokens, and with the tower's
 * template. */
static int tokenizer_config_write(const struct folder *f, const char *llm,
                                  const char *vision, const struct tokenizer *t,
                                  const struct graft_tokens *tokens)
{
    static const char name[] = "tokenizer_config.json";
    int32_t id = tokens->known;
    json_t *all = folder_has(llm, name) ? read(llm, name) : json_object();
    json_t *its = folder_has(vision, name) ? read(vision, name) : json_object();
    json_t *template = json_object_get(its, "chat_template");
    int status = all && its ? 0 : -1;
    json_object_del(all, "chat_template");
    if (template)
        json_object_set(all, "chat_template", template);
    for (int i = 0; status == 0 && i < VISION_TOKENS; i++) {
        char key[16];
        json_t *decoder = json_object_get(all, "added_tokens_decoder");
        json_t *more = json_object_get(all, "additional_special_tokens");
        if (tokenizer_find(t, vision_tokens[i]) >= 0)
            continue;
        snprintf(key, sizeof key, "%d", id++);
        if (json_is_object(decoder))
            json_object_set_new(decoder, key, added_token(vision_tokens[i]));
        if (json_is_array(more))
            json_array_append_new(more, json_string(vision_tokens[i]));
    }
    if (status == 0)
        status = folder_write_json(f, name, all);
    json_decref(all);
    json_decref(its);
    return status;
}

static int others_copy(const struct folder *f, const char *llm, const char *vision)
{
    static const char *const templates[] = {"chat_template.jinja", "chat_template.json"};
    struct patch_config settings;
    if (patch_config_read(&settings, vision) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (folder_copy(f, vision, templates[i], false) < 0)
            return -1;
    for (const char *const *name = folder_picture; *name; name++)
        if (folder_copy(f, vision, *name, false) < 0)
            return -1;
    return folder_copy(f, llm, "generation_config.json", false);
}

int graft_config_write(const struct folder *f, const char *llm, const char *vision,
                       bool fp32, struct graft_tokens *tokens)
{
    struct model_config text, tower;
    if (config_read(&text, llm) < 0 || config_read(&tower, vision) < 0)
        return -1;
    int kind = kind_of(&text, &tower);
    if (kind < 0)
        return -1;
    json_t *a = read(llm, "config.json"), *b = read(vision, "config.json");
    struct tokenizer *t = tokenizer_open(llm);
    int status = a && b && t ? tokens_count(tokens, t, llm) : -1;
    if (status == 0 && (tokenizer_write(f, llm, t, tokens) < 0 ||
                        tokenizer_config_write(f, llm, vision, t, tokens) < 0 ||
                        others_copy(f, llm, vision) < 0))
        status = -1;
    if (status == 0)
        status = config_write(f, a, b, &text, kind, fp32, t, tokens);
    if (t)
        tokenizer_close(t);
    json_decref(a);
    json_decref(b);
    return status;
}
