/* weights-test: safetensors files, good and bad, directories of shards, GGUF files. */
#include "base/fail.h"
#include "check.h"
#include "engine/weights.h"
#include "folder.h"
#include "golden.h"

/* A temporary directory with files in it; one at a time is enough. */
static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n, "%s", name);
    if (f)
        fclose(f);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* A file of one F32 tensor of two elements. */
static void put_tensor(const char *name, const char *tensor)
{
    char file[256] = {0};
    int n = snprintf(file + 8, sizeof file - 8,
                     "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                     tensor);
    file[0] = (char)n;
    put(name, file, 8 + (size_t)n + 8);
}

static void a_gguf_file_has_published_names(void)
{
    static const char *const names[] = {"lm_head.weight", "model.embed_tokens.weight",
                                        "model.norm.weight"};
    static const char *const of_layer[] = {"input_layernorm",  "post_attention_layernorm",
                                           "self_attn.q_proj", "self_attn.k_proj",
                                           "self_attn.v_proj", "self_attn.o_proj",
                                           "self_attn.q_norm", "self_attn.k_norm",
                                           "mlp.gate_proj",    "mlp.up_proj",
                                           "mlp.down_proj"};
    enum { NAMES = 3, OF_LAYER = 11, LAYERS = 2 };
    char name[128];
    char hex[33];
    const char *path = golden_path("goldens2/gguf/tiny_mixed.gguf");
    NEED(path, "no reference data");
    struct weights *w = weights_open(path);
    NEED(w, "%s", fail_text());
    for (int i = 0; i < NAMES + LAYERS * OF_LAYER; i++) {
        if (i < NAMES)
            snprintf(name, sizeof name, "%s", names[i]);
        else
            snprintf(name, sizeof name, "model.layers.%d.%s.weight",
                     (i - NAMES) / OF_LAYER, of_layer[(i - NAMES) % OF_LAYER]);
        const struct tensor *t = weights_find(w, name);
        CHECK(t && t->usable && strcmp(t->file, path) == 0, "%s", name);
    }
    CHECK(weights_count(w) == NAMES + LAYERS * OF_LAYER, "%d tensors", weights_count(w));
    CHECK(!weights_find(w, "token_embd.weight"), "a stored name is found");
    CHECK(!weights_rope_pairs(w), "qwen3 is not sorted by pairs");
    CHECK(weights_hash(w, path, hex) == 0 && strlen(hex) == 32, "%s", hex);
    weights_close(w);
}

static void every_gguf_type_is_listed_and_some_are_computed(void)
{
    struct weights *w = weights_open(golden_path("goldens2/gguf/all_types.gguf"));
    int usable = 0;
    NEED(w, "%s", fail_text());
    CHECK(weights_rope_pairs(w), "llama is sorted by pairs");
    CHECK(weights_tied(w, false), "it has no output layer");
    for (int i = 0; i < weights_count(w); i++) {
        const struct tensor *t = weights_at(w, i);
        int64_t n = 1;
        for (int j = 0; j < t->rank; j++) n *= t->shape[j];
        usable += t->usable;
        if (t->usable)
            CHECK(arr_type_bytes(t->type, n) == (size_t)t->bytes, "%s", t->name);
    }
    const struct tensor *iq2 = weights_find(w, "w.iq2_xs");
    CHECK(iq2 && !iq2->usable && strcmp(iq2->dtype, "IQ2_XS") == 0, "w.iq2_xs");
    CHECK(usable == 15, "%d usable", usable);
    weights_close(w);
}

static void malformed(void)
{
    char *text =
        golden_file(golden_path("goldens2/safetensors_malformed/index.json"), NULL);
    json_t *index = text ? json_loads(text, 0, NULL) : NULL, *row;
    size_t i, seen = 0;
    free(text);
    NEED(index, "no reference data");
    json_array_foreach(json_object_get(index, "files"), i, row)
    {
        char relative[256];
        const char *file = json_string_value(json_object_get(row, "file"));
        const char *expect = json_string_value(json_object_get(row, "expect"));
        snprintf(relative, sizeof relative, "goldens2/safetensors_malformed/%s", file);
        const char *path = golden_path(relative);
        NEED(path, "%s", file);
        int status = weights_check_file(path);
        if (strcmp(expect, "accept") == 0)
            CHECK(status == 0, "%s: %s", file, fail_text());
        if (strcmp(expect, "reject") == 0) {
            CHECK(status < 0, "%s was taken", file);
            CHECK(fail_kind() == FAIL_MODEL && strstr(fail_text(), file), "%s: %s", file,
                  fail_text());
        }
        seen++;
    }
    CHECK(seen >= 50, "%zu files", seen);
    json_decref(index);
}

static void every_cut_is_refused(void)
{
    size_t n;
    char *file = golden_file(
        golden_path("goldens2/safetensors_malformed/ok_metadata.safetensors"), &n);
    NEED(file, "no reference data");
    CHECK(weights_check(file, n, "ok") == 0, "%s", fail_text());
    for (size_t cut = 0; cut < n; cut++)
        CHECK(weights_check(file, cut, "cut") < 0, "%zu bytes", cut);
    free(file);
}

static void one_file(void)
{
    const char *path = golden_path("goldens/models/qwen2_5_vl_nested");
    NEED(path, "no reference data");
    struct weights *w = weights_open(path);
    NEED(w, "%s", fail_text());
    const struct tensor *t = weights_find(w, "model.visual.patch_embed.proj.weight");
    NEED(t, "not found");
    CHECK(t->usable && t->type == ARR_F32 && t->rank == 5, "rank %d", t->rank);
    CHECK(t->shape[0] == 40 && t->shape[4] == 14 && t->bytes == 40 * 1176 * 4, "shape");
    CHECK(!weights_find(w, "no such tensor"), "found");
    int64_t sum = 0;
    for (int i = 0; i < weights_count(w); i++) {
        sum += weights_at(w, i)->bytes;
        CHECK(weights_find(w, weights_at(w, i)->name) == weights_at(w, i), "%s",
              weights_at(w, i)->name);
    }
    CHECK(sum == weights_bytes(w), "%lld", (long long)sum);
    weights_close(w);
}

static void shards_with_an_index(void)
{
    const char *path = golden_path("goldens/models/qwen3_vl");
    NEED(path, "no reference data");
    struct weights *w = weights_open(path);
    NEED(w, "%s", fail_text());
    CHECK(weights_bytes(w) == 1219152, "%lld", (long long)weights_bytes(w));
    CHECK(weights_find(w, "model.language_model.norm.weight"), "norm");
    CHECK(weights_find(w, "model.visual.pos_embed.weight"), "pos_embed");
    weights_close(w);
}

/* weights_open(DIR) must fail, and say these words. */
static void refused(const char *words)
{
    struct weights *w = weights_open(folder);
    CHECK(!w, "opened: %s", words);
    CHECK(fail_kind() == FAIL_MODEL && strstr(fail_text(), words), "%s, not %s",
          fail_text(), words);
    weights_close(w);
}

static void an_index_is_checked(void)
{
    refused("no model.safetensors and no model.safetensors.index.json");
    const char *index = "model.safetensors.index.json";
    put_tensor("a.safetensors", "one");
    put_tensor("b.safetensors", "two");
    put_text(index, "{\"weight_map\":{\"one\":\"../a.safetensors\"}}");
    refused("\"../a.safetensors\" is no file of this directory");
    put_text(index, "{\"weight_map\":{\"one\":\"..\"}}");
    refused("\"..\" is no file of this directory");
    put_text(index, "{\"weight_map\":{\"one\":3}}");
    refused("no file of this directory");
    put_text(index, "{\"weight_map\":[]}");
    refused("no weight_map");
    put_text(index, "[]");
    refused("not a JSON object");
    put_text(index,
             "{\"weight_map\":{\"one\":\"a.safetensors\",\"two\":\"c.safetensors\"}}");
    refused("c.safetensors: No such file");
    put_text(index,
             "{\"weight_map\":{\"one\":\"b.safetensors\",\"two\":\"b.safetensors\"}}");
    refused("tensor \"one\" is not in b.safetensors");
    put_tensor("c.safetensors", "one");
    put_text(index,
             "{\"weight_map\":{\"one\":\"a.safetensors\",\"two\":\"c.safetensors\"}}");
    refused("is in both");
    put_text(index,
             "{\"weight_map\":{\"one\":\"a.safetensors\",\"two\":\"b.safetensors\"}}");
    struct weights *w = weights_open(folder);
    CHECK(w && weights_count(w) == 2, "%s", fail_text());
    weights_close(w);
    unlink(in_folder(index));
    mkfifo(in_folder("model.safetensors"), 0600);
    refused("not a regular file");
    unlink(in_folder("model.safetensors"));
    mkdir(in_folder("model.safetensors"), 0700);
    refused("not a regular file");
    rmdir(in_folder("model.safetensors"));
}

static void the_hash_sees_config_and_header(void)
{
    char first[33], second[33], third[33];
    put_tensor("model.safetensors", "one");
    put_text("config.json", "{}");
    struct weights *w = weights_open(folder);
    NEED(w && weights_hash(w, folder, first) == 0, "%s", fail_text());
    put_text("config.json", "{ }");
    CHECK(weights_hash(w, folder, second) == 0, "%s", fail_text());
    weights_close(w);
    put_tensor("model.safetensors", "two");
    put_text("config.json", "{}");
    w = weights_open(folder);
    NEED(w && weights_hash(w, folder, third) == 0, "%s", fail_text());
    CHECK(strlen(first) == 32 && strcmp(first, second) && strcmp(first, third), "%s",
          first);
    unlink(in_folder("config.json"));
    CHECK(weights_hash(w, folder, third) < 0 && strstr(fail_text(), "config.json"), "%s",
          fail_text());
    weights_close(w);
}

int main(void)
{
    if (folder_make() < 0)
        return 1;
    CASE(a_gguf_file_has_published_names);
    CASE(every_gguf_type_is_listed_and_some_are_computed);
    CASE(malformed);
    CASE(every_cut_is_refused);
    CASE(one_file);
    CASE(shards_with_an_index);
    CASE(an_index_is_checked);
    CASE(the_hash_sees_config_and_header);
    return folder_remove(check_end());
}
