/* vlm-test: model directories: tensors missing, misshapen, renamed, stored in other ways.
 */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "folder.h"
#include "golden.h"
#include "on-device.h"

#include <math.h>

static struct engine *open_dir(void)
{
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 1,
                               .ctx = 256,
                               .max_batch = 2};
    return engine_open(folder, &o);
}

/* How a weight file is written anew. */
struct change {
    const char *from, *to; /* a name's beginning, and what it becomes; NULL: none */
    const char *drop;      /* a tensor left out */
    const char *spoil;     /* a BF16 tensor that is filled with NaN */
    bool wide;             /* BF16 is stored as F32 */
    int shift;             /* bytes by which the data are off a multiple of 8 */
};

static void add_entry(json_t *header, const char *name, const char *dtype, json_t *shape,
                      size_t from, size_t to)
{
    json_object_set_new(header, name,
                        json_pack("{s:s,s:O,s:[I,I]}", "dtype", dtype, "shape", shape,
                                  "data_offsets", (json_int_t)from, (json_int_t)to));
}

/* The weights of a model with one file, changed, as DIR/model.safetensors. */
static void rewrite(const char *model, const struct change *c)
{
    char relative[256], name[256];
    size_t size;
    snprintf(relative, sizeof relative, "goldens/models/%s/model.safetensors", model);
    char *file = golden_file(golden_path(relative), &size);
    NEED(file, "no reference data");
    uint64_t n;
    memcpy(&n, file, 8);
    json_t *old = json_loadb(file + 8, n, 0, NULL), *header = json_object(), *entry;
    char *data = malloc(2 * size);
    size_t at = 0;
    const char *key;
    json_object_foreach(old, key, entry)
    {
        json_t *range = json_object_get(entry, "data_offsets");
        const char *dtype = json_string_value(json_object_get(entry, "dtype"));
        if (!range || (c->drop && strcmp(key, c->drop) == 0))
            continue;
        size_t from = (size_t)json_integer_value(json_array_get(range, 0)), start = at;
        size_t bytes = (size_t)json_integer_value(json_array_get(range, 1)) - from;
        const char *source = file + 8 + n + from;
        bool wide = c->wide && strcmp(dtype, "BF16") == 0;
        for (size_t i = 0; i < bytes; i += 2) {
            const char nan[2] = {(char)0xc0, 0x7f};
            bool spoil = c->spoil && strcmp(key, c->spoil) == 0;
            if (wide) /* the upper half of the same number's F32 */
                memset(data + at, 0, 2), at += 2;
            memcpy(data + at, spoil ? nan : source + i, 2);
            at += 2;
        }
        bool renamed = c->from && strncmp(key, c->from, strlen(c->from)) == 0;
        snprintf(name, sizeof name, "%s%s", renamed ? c->to : "",
                 renamed ? key + strlen(c->from) : key);
        add_entry(header, name, wide ? "F32" : dtype, json_object_get(entry, "shape"),
                  start, at);
    }
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t length = strlen(text);
    int pad = (int)((8 - length % 8) % 8) + c->shift;
    FILE *f = fopen(in_folder("model.safetensors"), "wb");
    length += (uint64_t)pad;
    fwrite(&length, 8, 1, f);
    fprintf(f, "%s%*s", text, pad, "");
    fwrite(data, 1, at, f);
    fclose(f);
    free(text);
    free(data);
    free(file);
    json_decref(header);
    json_decref(old);
}

/* The model's config.json, with a number changed where key is there. */
static void put_config(const char *model, const char *key, int value)
{
    char relative[256];
    snprintf(relative, sizeof relative, "goldens/models/%s/config.json", model);
    json_t *doc = json_load_file(golden_path(relative), 0, NULL);
    if (key)
        json_object_set_new(doc, key, json_integer(value));
    json_dump_file(doc, in_folder("config.json"), 0);
    json_decref(doc);
}

static void refused(const char *words)
{
    struct engine *e = open_dir();
    CHECK(!e, "opened, without: %s", words);
    CHECK(e || (fail_kind() == FAIL_MODEL && strstr(fail_text(), words)),
          "\"%s\" lacks: %s", fail_text(), words);
    engine_close(e);
}

static void missing_and_misshapen_tensors_are_named(void)
{
    struct change c = {0};
    rewrite("qwen3", &c);
    put_config("qwen3", "num_hidden_layers", 4);
    refused("no tensor \"model.layers.3.input_layernorm.weight\" [64]");
    refused(folder);
    put_config("qwen3", "intermediate_size", 160);
    refused("model.safetensors: tensor \"model.layers.0.mlp.gate_proj.weight\" has shape "
            "[152, 64], not [160, 64]");
    put_config("qwen3", "vocab_size", 4096);
    refused("\"model.embed_tokens.weight\" has shape [2048, 64], not [4096, 64]");
    put_config("qwen3", "head_dim", 16);
    refused("self_attn.q_proj.weight\" has shape [128, 64], not [64, 64]");
    put_config("qwen3", NULL, 0);
    c.drop = "lm_head.weight";
    rewrite("qwen3", &c);
    refused("no tensor \"lm_head.weight\" [2048, 64]");
    c.drop = "model.embed_tokens.weight";
    rewrite("qwen3", &c);
    refused("no tensor \"model.embed_tokens.weight\"");
    put_config("qwen2_5_vl", NULL, 0);
    c.drop = "visual.blocks.2.mlp.up_proj.bias";
    rewrite("qwen2_5_vl", &c);
    refused("no tensor \"visual.blocks.2.mlp.up_proj.bias\" [108]");
    unlink(in_folder("model.safetensors"));
    refused("no model.safetensors");
}

/* The logits behind a short prompt, by their probabilities: 8 greedy tokens with them. */
static bool answer(float out[8], int32_t ids[8])
{
    const int32_t prompt[] = {5, 6, 7, 8, 9};
    struct engine_prompt p = {.ids = prompt, .len = 5};
    struct sampling s = {.top_p = 1,
                         .repetition_penalty = 1,
                         .max_tokens = 8,
                         .ignore_eos = true,
                         .logprobs = true};
    struct engine_generation g = {.prompt = &p, .sampling = &s, .n = 1};
    struct sample sample;
    struct engine *e = open_dir();
    bool fine = e && engine_generate(e, &g, &sample) == 0;
    CHECK(fine, "%s", fail_text());
    if (fine) {
        memcpy(out, sample.logprobs, 8 * sizeof *out);
        memcpy(ids, sample.ids.id, 8 * sizeof *ids);
        sample_free(&sample);
    }
    engine_close(e);
    return fine;
}

/* The same answers, whatever the file looks like. */
static void same_answers(const char *model, const struct change *changes, int count)
{
    float want[8], have[8];
    int32_t want_ids[8], ids[8];
    struct change none = {0};
    put_config(model, NULL, 0);
    rewrite(model, &none);
    if (!answer(want, want_ids))
        return;
    for (int i = 0; i < count; i++) {
        rewrite(model, &changes[i]);
        if (!answer(have, ids))
            continue;
        CHECK(memcmp(ids, want_ids, sizeof ids) == 0, "change %d: other tokens", i);
        for (int j = 0; j < 8; j++)
            CHECK(fabsf(have[j] - want[j]) < 1e-4f, "change %d: %g, not %g", i,
                  (double)have[j], (double)want[j]);
    }
}

static void published_names(void)
{
    static const struct change text[] = {
        {.from = "model.", .to = "model.language_model."},
        {.from = "model.", .to = "language_model.model."},
    };
    static const struct change vision[] = {
        {.from = "visual.", .to = "model.visual."},
        {.from = "model.", .to = "language_model.model."},
        {.from = "lm_head.", .to = "language_model.lm_head."},
    };
    same_answers("qwen3", text, 2);
    same_answers("qwen2_5_vl", vision, 3);
}

static void other_types_and_places(void)
{
    static const struct change changes[] = {
        {.wide = true}, {.shift = 1}, {.shift = 2}, {.wide = true, .shift = 2}};
    same_answers("qwen3", changes, 4);
    same_answers("qwen2_5_vl", changes, 4);
}

static void numbers_that_are_not_finite(void)
{
    const int32_t ids[] = {5, 6, 7};
    struct engine_prompt p = {.ids = ids, .len = 3};
    struct sampling s = {.top_p = 1, .repetition_penalty = 1, .max_tokens = 4};
    struct engine_generation g = {.prompt = &p, .sampling = &s, .n = 1};
    struct engine_continuation c = {ids, 3};
    struct sample sample;
    float out[3], *outs[] = {out};
    struct change spoiled = {.spoil = "model.norm.weight"};
    put_config("qwen3", NULL, 0);
    rewrite("qwen3", &spoiled);
    struct engine *e = open_dir();
    NEED(e, "%s", fail_text());
    CHECK(engine_generate(e, &g, &sample) < 0 && fail_kind() == FAIL_MODEL &&
              strstr(fail_text(), "not finite"),
          "%s", fail_text());
    CHECK(engine_score(e, &p, &c, 1, outs) < 0 && strstr(fail_text(), "not finite"), "%s",
          fail_text());
    engine_close(e);
}

int main(void)
{
    if (folder_make() < 0)
        return 1;
    CASE(missing_and_misshapen_tensors_are_named);
    CASE(published_names);
    CASE(other_types_and_places);
    CASE(numbers_that_are_not_finite);
    return folder_remove(check_end());
}
