/* config-test: config.json in its published forms, and what is refused, by name. */
#include "base/fail.h"
#include "check.h"
#include "engine/config.h"
#include "folder.h"
#include "golden.h"

static void put(const char *name, json_t *doc)
{
    CHECK(json_dump_file(doc, in_folder(name), 0) == 0, "%s", name);
}

/* A model's config.json as a document; json_decref() it. */
static json_t *published(const char *model)
{
    char relative[256];
    snprintf(relative, sizeof relative, "goldens/models/%s/config.json", model);
    const char *path = golden_path(relative);
    json_t *doc = path ? json_load_file(path, 0, NULL) : NULL;
    CHECK(doc, "no reference data");
    return doc;
}

/* Set a value by a path of keys such as "text_config.hidden_size"; steals it. NULL
 * deletes. */
static void set(json_t *doc, const char *path, json_t *value)
{
    char key[64];
    const char *dot = strchr(path, '.');
    if (!dot) {
        if (value)
            json_object_set_new(doc, path, value);
        else
            json_object_del(doc, path);
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
    set(json_object_get(doc, key), dot + 1, value);
}

/* Reading doc must fail and say these words. */
static void refused(json_t *doc, const char *words)
{
    struct model_config mc;
    put("config.json", doc);
    CHECK(config_read(&mc, folder) < 0, "taken, without: %s", words);
    CHECK(fail_kind() == FAIL_MODEL && strstr(fail_text(), words), "\"%s\" lacks: %s",
          fail_text(), words);
}

/* One change to a model's config, and what must be said about it. */
static void change(const char *model, const char *path, json_t *value, const char *words)
{
    json_t *doc = published(model);
    set(doc, path, value);
    refused(doc, words);
    json_decref(doc);
}

static struct model_config read_of(const char *model)
{
    char relative[256];
    struct model_config mc = {0};
    snprintf(relative, sizeof relative, "goldens/models/%s", model);
    const char *path = golden_path(relative);
    CHECK(path && config_read(&mc, path) == 0, "%s: %s", model, fail_text());
    return mc;
}

static void qwen2_5_vl_flat(void)
{
    struct model_config mc = read_of("qwen2_5_vl");
    struct text_config *t = &mc.text;
    struct vision_tower *v = &mc.vision;
    CHECK(strcmp(mc.family, "qwen2_5_vl") == 0, "%s", mc.family);
    CHECK(t->hidden == 64 && t->layers == 3 && t->heads == 4 && t->kv_heads == 2, "text");
    CHECK(t->head_dim == 16 && t->mlp == 160 && t->vocab == 2048, "head_dim %d",
          t->head_dim);
    CHECK(t->rope == ROPE_SECTIONS && t->rope_section[0] == 2 && t->rope_section[2] == 3,
          "rope");
    CHECK(t->rope_theta == 1e6 && t->norm_eps == 1e-6f && t->context == 32768, "theta");
    CHECK(t->qkv_bias && !t->qk_norm && !t->tied, "flags");
    CHECK(v->hidden == 48 && v->depth == 4 && v->heads == 3 && v->mlp == 108, "vision");
    CHECK(v->window == 112 && v->full_count == 2 && v->full[1] == 3, "windows");
    CHECK(v->patch == 14 && v->merge == 2 && v->frames == 2 && v->position_side == 0,
          "patch");
    CHECK(mc.image_id == 2002 && mc.video_id == 2003 && mc.vision_start_id == 1999,
          "ids");
    CHECK(mc.stop_count == 2 && mc.stop[0] == 1992 && mc.stop[1] == 1990, "stops");
}

static void qwen2_5_vl_nested(void)
{
    struct model_config mc = read_of("qwen2_5_vl_nested");
    CHECK(mc.text.hidden == 48 && mc.text.tied && mc.text.kv_heads == 1, "text");
    CHECK(mc.vision.window == 56 && mc.vision.full_count == 1, "vision");
}

static void qwen3_vl(void)
{
    struct model_config mc = read_of("qwen3_vl");
    CHECK(mc.text.head_dim == 32 && mc.text.qk_norm && !mc.text.qkv_bias, "text");
    CHECK(mc.text.rope == ROPE_INTERLEAVED && mc.text.rope_theta == 5e6 && mc.text.tied,
          "rope");
    CHECK(mc.vision.position_side == 8 && mc.vision.deepstack_count == 3, "vision");
}

static void text_models(void)
{
    struct model_config mc = read_of("qwen2");
    CHECK(mc.text.qkv_bias && mc.text.tied && mc.vision.depth == 0, "qwen2");
    CHECK(mc.text.rope == ROPE_PLAIN && mc.image_id == -1, "qwen2");
    mc = read_of("qwen3");
    CHECK(mc.text.qk_norm && !mc.text.tied && mc.text.context == 262144, "qwen3");
}

/* The form of version 5 files: rope_parameters instead of rope_theta and rope_scaling. */
static void rope_parameters(void)
{
    struct model_config mc;
    json_t *doc = published("qwen3_vl"), *text = json_object_get(doc, "text_config");
    json_t *rope = json_incref(json_object_get(text, "rope_scaling"));
    json_object_set_new(rope, "rope_theta", json_real(12345));
    json_object_set_new(text, "rope_parameters", rope);
    set(text, "rope_scaling", NULL);
    set(text, "rope_theta", NULL);
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0, "%s", fail_text());
    CHECK(mc.text.rope_theta == 12345 && mc.text.rope_section[0] == 6, "rope");
    json_decref(doc);
}

/* A small model with lists and limits of a large one, as the reference runs it. */
static void lists_longer_than_the_model(void)
{
    struct model_config mc;
    json_t *doc = published("qwen3_vl");
    json_t *vision = json_object_get(doc, "vision_config");
    json_t *text = json_object_get(doc, "text_config");
    const struct vision_tower *v = &mc.vision;
    set(vision, "deepstack_visual_indexes", json_pack("[iiii]", 16, 3, 0, 4));
    set(vision, "num_position_embeddings", json_integer(60));
    set(vision, "rope_parameters",
        json_pack("{s:s,s:f}", "rope_type", "axial", "rope_theta", 500.0));
    set(text, "rope_scaling",
        json_pack("{s:s,s:[iii]}", "rope_type", "default", "mrope_section", 24, 2, 20));
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0, "%s", fail_text());
    CHECK(v->deepstack_count == 2 && v->deepstack[0] == 0 &&
              v->deepstack_merger[0] == 2 && v->deepstack[1] == 3 &&
              v->deepstack_merger[1] == 1,
          "blocks in their order, mergers in the list's");
    CHECK(v->positions == 60 && v->position_side == 7, "side %d", v->position_side);
    CHECK(v->rope_theta == 500, "theta %g", v->rope_theta);
    CHECK(mc.text.rope_section[0] == 24 && mc.text.rope_section[1] == 2, "sections");
    set(text, "num_hidden_layers", json_integer(1));
    set(text, "rope_scaling", NULL);
    set(vision, "rope_parameters", NULL);
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0, "%s", fail_text());
    CHECK(v->deepstack_count == 1 && v->deepstack[0] == 0, "no layer for the second");
    CHECK(v->rope_theta == 10000 && mc.text.rope_section[2] == 20, "as published");
    json_decref(doc);
}

static void stop_ids(void)
{
    struct model_config mc;
    json_t *doc = published("qwen3"), *generation = json_object();
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0 && mc.stop_count == 1 && mc.stop[0] == 1992,
          "without generation_config.json: %d", mc.stop_count);
    put("generation_config.json", generation);
    CHECK(config_read(&mc, folder) == 0 && mc.stop_count == 1,
          "without eos_token_id there");
    set(generation, "eos_token_id", json_integer(7));
    put("generation_config.json", generation);
    CHECK(config_read(&mc, folder) == 0 && mc.stop_count == 1 && mc.stop[0] == 7,
          "a number");
    set(generation, "eos_token_id", json_pack("[iii]", 7, 8, 9));
    put("generation_config.json", generation);
    CHECK(config_read(&mc, folder) == 0 && mc.stop_count == 3 && mc.stop[2] == 9,
          "a list");
    set(generation, "eos_token_id", json_string("7"));
    put("generation_config.json", generation);
    CHECK(config_read(&mc, folder) < 0 &&
              strstr(fail_text(), "eos_token_id is no integer"),
          "%s", fail_text());
    unlink(in_folder("generation_config.json"));
    json_decref(generation);
    json_decref(doc);
}

static void defaults(void)
{
    struct model_config mc;
    json_t *doc = published("qwen3");
    const char *absent[] = {"head_dim",      "num_key_value_heads",
                            "rms_norm_eps",  "tie_word_embeddings",
                            "architectures", "hidden_act"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) set(doc, absent[i], NULL);
    set(doc, "torch_dtype", json_string("whatever"));
    set(doc, "sliding_window",
        json_integer(4096)); /* inert: use_sliding_window is false */
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0, "%s", fail_text());
    CHECK(mc.text.head_dim == 16 && mc.text.kv_heads == 4 && !mc.text.tied, "defaults");
    json_decref(doc);
    doc = published("qwen3_vl"); /* tied at the inner level alone */
    set(doc, "tie_word_embeddings", NULL);
    put("config.json", doc);
    CHECK(config_read(&mc, folder) == 0 && mc.text.tied, "%s", fail_text());
    json_decref(doc);
}

static void unknown_families_name_the_known(void)
{
    change("qwen3", "model_type", json_string("qwen3_moe"), "known: qwen2_5_vl (");
    change("qwen3", "model_type", json_string("qwen3_moe"), "\"qwen3_moe\"");
    change("qwen3", "model_type", json_string("qwen3_moe"), "qwen3 (Qwen3ForCausalLM)");
    change("qwen3", "architectures", json_pack("[s]", "Qwen3ForSequenceClassification"),
           "Qwen3ForSequenceClassification");
    change("qwen3", "model_type", json_integer(3), "model_type is no text");
    json_t *empty = json_object();
    refused(empty, "unknown model_type \"\"");
    json_decref(empty);
}

static void sizes_are_checked(void)
{
    static const char *const sizes[] = {"hidden_size",
                                        "num_hidden_layers",
                                        "num_attention_heads",
                                        "num_key_value_heads",
                                        "intermediate_size",
                                        "vocab_size",
                                        "head_dim",
                                        "max_position_embeddings"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        change("qwen3", sizes[i], json_integer(0), sizes[i]);
        change("qwen3", sizes[i], json_integer(-4), sizes[i]);
        change("qwen3", sizes[i], json_integer(1LL << 40), sizes[i]);
        change("qwen3", sizes[i], json_integer(1LL << 62), sizes[i]);
        change("qwen3", sizes[i], json_real(64.5), sizes[i]);
        change("qwen3", sizes[i], json_string("64"), sizes[i]);
        change("qwen3", sizes[i], json_array(), sizes[i]);
    }
    change("qwen3", "hidden_size", NULL, "config.json: hidden_size is missing");
    change("qwen3", "num_key_value_heads", json_integer(3), "is no multiple of 3");
    change("qwen3", "head_dim", json_integer(33), "head_dim 33 is odd");
    change("qwen3", "rms_norm_eps", json_real(-1), "rms_norm_eps");
    change("qwen3", "rope_theta", json_integer(0), "rope_theta");
    change("qwen3", "tie_word_embeddings", json_integer(1), "tie_word_embeddings");
    change("qwen3_vl", "text_config.hidden_size", json_integer(-1),
           "text_config.hidden_size is -1");
    change("qwen3_vl", "text_config", json_array(), "text_config is no object");
    change("qwen3_vl", "vision_config", NULL, "vision_config is missing");
    change("qwen3_vl", "vision_config.depth", json_integer(1000), "vision_config.depth");
    change("qwen3_vl", "vision_config.patch_size", json_integer(0), "patch_size");
    change("qwen3_vl", "vision_config.num_heads", json_integer(3), "num_heads 3");
    change("qwen3_vl", "vision_config.in_channels", json_integer(4), "in_channels is 4");
    change("qwen3_vl", "vision_config.out_hidden_size", json_integer(32),
           "out_hidden_size 32");
    change("qwen3_vl", "vision_config.num_position_embeddings", json_integer(0),
           "num_position_embeddings is 0");
    change("qwen3_vl", "vision_config.deepstack_visual_indexes", json_pack("[i]", -1),
           "deepstack_visual_indexes has -1");
    change("qwen3_vl", "vision_config.rope_parameters",
           json_pack("{s:i}", "rope_theta", 0),
           "vision_config.rope_parameters.rope_theta");
    change("qwen3_vl", "vision_config.rope_parameters",
           json_pack("{s:s}", "rope_type", "default"), "rope_type \"default\"");
    change("qwen3_vl", "image_token_id", NULL, "image_token_id is missing");
    change("qwen3_vl", "image_token_id", json_integer(2048), "image_token_id is 2048");
    change("qwen2_5_vl", "vision_config.window_size", json_integer(20), "window_size 20");
    change("qwen2_5_vl", "vision_config.fullatt_block_indexes", json_pack("[i]", -9),
           "fullatt_block_indexes has -9");
    change("qwen2_5_vl", "rope_scaling.mrope_section", json_pack("[iii]", 2, 3, 4),
           "mrope_section");
    change("qwen2_5_vl", "rope_scaling", NULL, "mrope_section");
}

static void unsupported_features_are_named(void)
{
    change("qwen2", "use_sliding_window", json_true(),
           "use_sliding_window is not supported");
    change("qwen2", "rope_scaling", json_pack("{s:s,s:f}", "type", "yarn", "factor", 4.0),
           "rope_scaling.type \"yarn\" is not supported");
    change("qwen3", "rope_scaling", json_pack("{s:s}", "rope_type", "linear"),
           "rope_scaling.rope_type \"linear\" is not supported");
    change("qwen3", "rope_parameters", json_pack("{s:s}", "rope_type", "llama3"),
           "\"llama3\"");
    change("qwen3", "attention_bias", json_true(), "attention_bias is not supported");
    change("qwen3", "hidden_act", json_string("relu"), "hidden_act \"relu\"");
    change("qwen3", "partial_rotary_factor", json_real(0.5), "partial_rotary_factor 0.5");
    change("qwen3", "quantization_config", json_object(), "quantization_config");
    change("qwen3_vl", "vision_config.hidden_act", json_string("silu"),
           "hidden_act \"silu\"");
}

static void damaged_files(void)
{
    struct model_config mc;
    FILE *f;
    unlink(in_folder("config.json"));
    CHECK(config_read(&mc, folder) < 0 &&
              strstr(fail_text(), "config.json: No such file"),
          "%s", fail_text());
    f = fopen(in_folder("config.json"), "w");
    fputs("{\"model_type\": \"qwen3\",", f);
    fclose(f);
    CHECK(config_read(&mc, folder) < 0 && strstr(fail_text(), "config.json: line"), "%s",
          fail_text());
    f = fopen(in_folder("config.json"), "w");
    fputs("[]", f);
    fclose(f);
    CHECK(config_read(&mc, folder) < 0 && strstr(fail_text(), "not a JSON object"), "%s",
          fail_text());
    unlink(in_folder("config.json"));
    mkfifo(in_folder("config.json"), 0600);
    CHECK(config_read(&mc, folder) < 0 && strstr(fail_text(), "not a regular file"), "%s",
          fail_text());
    unlink(in_folder("config.json"));
    CHECK(config_read(&mc, "/nonexistent") < 0, "read");
}

int main(void)
{
    if (folder_make() < 0)
        return 1;
    CASE(qwen2_5_vl_flat);
    CASE(qwen2_5_vl_nested);
    CASE(qwen3_vl);
    CASE(text_models);
    CASE(rope_parameters);
    CASE(lists_longer_than_the_model);
    CASE(stop_ids);
    CASE(defaults);
    CASE(unknown_families_name_the_known);
    CASE(sizes_are_checked);
    CASE(unsupported_features_are_named);
    CASE(damaged_files);
    return folder_remove(check_end());
}
