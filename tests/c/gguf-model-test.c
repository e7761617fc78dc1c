/* gguf-model-test: whole models from GGUF files: ids, logits and greedy replies of the
 * reference's small models; metadata that is refused. */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "golden.h"
#include "on-device.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include <math.h>

static const char *const files[] = {"tiny_q8_0.gguf", "tiny_mixed.gguf"};

static const char *path_of(const char *file)
{
    static char path[256];
    char relative[128];
    snprintf(relative, sizeof relative, "goldens2/gguf/%s", file);
    const char *found = golden_path(relative);
    snprintf(path, sizeof path, "%s", found ? found : "");
    return path;
}

static json_t *cases_of(const char *file)
{
    static json_t *all;
    if (!all)
        all = json_load_file(golden_path("goldens2/gguf/models.json"), 0, NULL);
    return json_object_get(all, file);
}

static void ids_of(struct ids *ids, json_t *list)
{
    json_t *id;
    size_t i;
    json_array_foreach(list, i, id) ids_add(ids, (int32_t)json_integer_value(id));
}

static void tokenizers_give_the_reference_ids(void)
{
    for (size_t f = 0; f < 2; f++) {
        struct tokenizer *t = tokenizer_open(path_of(files[f]));
        NEED(t, "%s", fail_text());
        json_t *one;
        size_t i;
        json_array_foreach(cases_of(files[f]), i, one)
        {
            struct ids got = {0}, want = {0};
            struct token_part part = {
                span_of(json_string_value(json_object_get(one, "text"))), TOKEN_SPECIAL};
            ids_of(&want, json_object_get(one, "input_ids"));
            CHECK(tokenizer_encode(t, &part, 1, &got) == 0, "%s", fail_text());
            CHECK(got.n == want.n && memcmp(got.id, want.id, got.n * sizeof *got.id) == 0,
                  "%s, case %zu", files[f], i);
            ids_free(&got);
            ids_free(&want);
        }
        CHECK(tokenizer_find(t, "<|im_end|>") == 1502 && tokenizer_is_special(t, 1502),
              "%d", tokenizer_find(t, "<|im_end|>"));
        tokenizer_close(t);
        struct chat *chat = chat_open(path_of(files[f]), NULL);
        NEED(chat, "%s", fail_text());
        CHECK(strcmp(chat_name(chat), "chatml") == 0 && chat_guessed(chat), "%s",
              chat_name(chat));
        chat_close(chat);
    }
}

/* Where a trace's logits are compared: 2e-4 absolute; in bf16, of 8 bits, BF16_OFF of the
 * largest, as in engine-test. */
#define BF16_OFF 0.06
struct comparison {
    const struct golden_tensor *want;
    double worst, largest;
    bool seen;
};

static void compare(void *context, const char *name, const float *data, int64_t rows,
                    int64_t dim)
{
    struct comparison *c = context;
    if (strcmp(name, "logits") != 0)
        return;
    c->seen = rows * dim == c->want->count;
    for (int64_t i = 0; c->seen && i < c->want->count; i++) {
        double gap = fabs((double)data[i] - (double)c->want->f32[i]);
        c->worst = gap > c->worst || isnan(gap) ? gap : c->worst;
        c->largest = fmax(c->largest, fabs((double)c->want->f32[i]));
    }
}

static void check_greedy(struct engine *e, const struct engine_prompt *prompt,
                         json_t *one, const char *file)
{
    struct ids want = {0};
    ids_of(&want, json_object_get(one, "greedy_ids"));
    struct sampling s = {.top_p = 1,
                         .repetition_penalty = 1,
                         .max_tokens = (int)want.n,
                         .ignore_eos = true};
    struct engine_generation g = {.prompt = prompt, .sampling = &s, .n = 1};
    struct sample sample = {0};
    CHECK(engine_generate(e, &g, &sample) == 0, "%s", fail_text());
    size_t same = 0;
    while (same < sample.ids.n && same < want.n && sample.ids.id[same] == want.id[same])
        same++;
    CHECK(same == want.n && sample.ids.n == want.n, "%s: %zu of %zu ids", file, same,
          want.n);
    sample_free(&sample);
    ids_free(&want);
}

static void logits_and_replies_are_the_reference_s(void)
{
    for (size_t f = 0; f < 2; f++) {
        struct engine_options o = {.device = test_device(),
                                   .compute = test_compute(),
                                   .threads = 2,
                                   .max_batch = 2};
        struct engine *e = engine_open(path_of(files[f]), &o);
        NEED(e, "%s", fail_text());
        char logits[64];
        snprintf(logits, sizeof logits, "%.*s_logits.safetensors",
                 (int)strcspn(files[f], "."), files[f]);
        json_t *one;
        size_t i;
        json_array_foreach(cases_of(files[f]), i, one)
        {
            struct golden_tensor want;
            struct ids ids = {0};
            char name[32];
            snprintf(name, sizeof name, "case%zu.logits", i);
            ids_of(&ids, json_object_get(one, "input_ids"));
            struct engine_prompt prompt = {ids.id, (int)ids.n, NULL, 0};
            NEED(golden_tensor_read(&want, path_of(logits), name), "%s", logits);
            struct comparison c = {.want = &want};
            CHECK(engine_trace(e, &prompt, compare, &c) == 0, "%s", fail_text());
            CHECK(c.seen && c.worst <= (test_bf16() ? BF16_OFF * c.largest : 2e-4),
                  "%s, case %zu: off by %g of %g", files[f], i, c.worst, c.largest);
            check_greedy(e, &prompt, one, files[f]);
            golden_tensor_free(&want);
            ids_free(&ids);
        }
        const struct model_config *mc = engine_config(e);
        bool ends = false;
        for (int j = 0; j < mc->stop_count; j++) ends |= mc->stop[j] == 1502;
        CHECK(ends && mc->text.vocab == 1544 && mc->text.head_dim == 32, "%d stops",
              mc->stop_count);
        engine_close(e);
    }
}

/* A file that the engine, the tokenizer or the chat format must refuse with these words.
 */
static void check_file(const char *path, const char *why)
{
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 1,
                               .ctx = 64,
                               .max_batch = 1};
    struct engine *e = engine_open(path, &o);
    struct tokenizer *t = e ? tokenizer_open(path) : NULL;
    struct chat *chat = t ? chat_open(path, NULL) : NULL;
    if (why)
        CHECK(!chat && fail_kind() == FAIL_MODEL && strstr(fail_text(), why) &&
                  strstr(fail_text(), path),
              "\"%s\": %s", why, chat ? "read" : fail_text());
    else
        CHECK(chat, "%s", fail_text());
    chat_close(chat);
    if (t)
        tokenizer_close(t);
    engine_close(e);
}

/* The file with `from` replaced by `to` of the same length, everywhere. */
static void check_refused(const char *from, const char *to, const char *why)
{
    const char *path = "build/data/changed.gguf";
    size_t size, n = strlen(from);
    char *file = golden_file(path_of("tiny_mixed.gguf"), &size);
    NEED(file, "no reference data");
    int found = 0;
    for (char *at = file; (at = memmem(at, size - (size_t)(at - file), from, n)); found++)
        memcpy(at, to, n);
    FILE *f = fopen(path, "wb");
    NEED(f && fwrite(file, 1, size, f) == size && fclose(f) == 0, "%s", path);
    free(file);
    CHECK(found > 0 && strlen(to) == n, "\"%s\" is not there", from);
    check_file(path, why);
}

enum value { U32 = 4, F32 = 6, BOOL = 7, TEXT = 8, ARRAY_U32 = 9 };

static void put_key(struct buf *out, const char *key, uint32_t type)
{
    uint64_t n = strlen(key);
    buf_add(out, &n, 8);
    buf_add(out, key, n);
    buf_add(out, &type, 4);
}

static void put_value(struct buf *out, const char *key, enum value type, double number)
{
    uint64_t one = 1;
    uint32_t u = (uint32_t)number, element = U32;
    float f = (float)number;
    put_key(out, key, type);
    if (type == ARRAY_U32) {
        buf_add(out, &element, 4);
        buf_add(out, &one, 8);
    }
    if (type == TEXT) {
        buf_add(out, &one, 8);
        buf_char(out, 'x');
    } else if (type == BOOL) {
        buf_char(out, (char)u);
    } else {
        buf_add(out, type == F32 ? (const void *)&f : &u, 4);
    }
}

/* The file with one more key, in place of one that is there (its last letter is changed
 * then), and a text that keeps the data aligned. */
static void check_key(const char *key, enum value type, double number, const char *why)
{
    enum { COUNT_AT = 16, KEYS_AT = 24, ALIGNMENT = 32 };
    const char *path = "build/data/changed.gguf";
    size_t size, n = strlen(key);
    uint64_t count, fill;
    struct buf more = {0};
    char *file = golden_file(path_of("tiny_mixed.gguf"), &size);
    NEED(file, "no reference data");
    char *old = memmem(file, size, key, n);
    if (old)
        old[n - 1] = 'X';
    memcpy(&count, file + COUNT_AT, 8);
    count += 2;
    memcpy(file + COUNT_AT, &count, 8);
    put_value(&more, key, type, number);
    put_key(&more, "fill", TEXT);
    fill = (ALIGNMENT - (more.len + 8) % ALIGNMENT) % ALIGNMENT;
    buf_add(&more, &fill, 8);
    for (uint64_t i = 0; i < fill; i++) buf_char(&more, '.');
    FILE *f = fopen(path, "wb");
    NEED(f && fwrite(file, 1, KEYS_AT, f) == KEYS_AT &&
             fwrite(more.data, 1, more.len, f) == more.len &&
             fwrite(file + KEYS_AT, 1, size - KEYS_AT, f) == size - KEYS_AT &&
             fclose(f) == 0,
         "%s", path);
    free(file);
    buf_free(&more);
    check_file(path, why);
}

static void keys_that_change_a_result_are_heeded(void)
{
    static const struct {
        const char *key;
        enum value type;
        double number;
        const char *why; /* NULL: it changes nothing */
    } cases[] = {
        {"qwen3.rope.scaling.factor", F32, 4, "rope.scaling.factor is not supported"},
        {"qwen3.rope.scaling.factor", F32, 1, NULL},
        {"qwen3.rope.scale_linear", F32, 2, "rope.scale_linear is not supported"},
        {"qwen3.rope.scaling.type", TEXT, 0, "rope.scaling.type \"x\" is not supported"},
        {"qwen3.rope.scaling.type", U32, 1, "rope.scaling.type is no text"},
        {"qwen3.logit_scale", F32, 0.5, "logit_scale is not supported"},
        {"qwen3.attention.scale", F32, 0.5, "attention.scale is not supported"},
        {"qwen3.attention.causal", BOOL, 0, "attention.causal is not supported"},
        {"qwen3.attention.causal", U32, 0, "attention.causal is not supported"},
        {"qwen3.attention.causal", BOOL, 1, NULL},
        {"qwen3.expert_count", U32, 8, "expert_count is not supported"},
        {"qwen3.expert_count", U32, 0, NULL},
        {"qwen3.attention.sliding_window", U32, 16, "sliding_window is not supported"},
        {"qwen3.attention.sliding_window", U32, 0, NULL},
        {"qwen3.attention.head_count", ARRAY_U32, 4, "head_count is no integer"},
        {"qwen3.block_count", TEXT, 0, "block_count is no integer"},
        {"tokenizer.ggml.eos_token_id", TEXT, 0, "eos_token_id is no integer"},
        {"tokenizer.ggml.merges", ARRAY_U32, 1, "merges is no list of texts"},
        {"tokenizer.ggml.tokens", ARRAY_U32, 1, "token_type is not"},
        {"tokenizer.ggml.pre", U32, 1, "pre is missing"},
        {"split.count", U32, 2, "one of 2 parts of a model"},
        {"split.count", U32, 1, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_key(cases[i].key, cases[i].type, cases[i].number, cases[i].why);
}

static void what_is_not_done_is_named(void)
{
    mkdir("build/data", 0777);
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"general.architecture", "general.architecturX", "architecture is missing"},
        {"qwen3.block_count", "qwen3.blockXcount", "qwen3.block_count is missing"},
        {"qwen3.context_length", "qwen3.context_lengtX", "context_length is missing"},
        {"attention.key_length", "attention.key_lengtX", "not that of the keys"},
        {"attention.head_count_kv", "attention.head_count_kX", "k_proj"},
        {"token_embd.weight", "token_embX.weight", "no matrix \"token_embd.weight\""},
        {"blk.1.attn_q_norm.weight", "blk.1.attn_q_nXrm.weight", "q_norm"},
        {"qwen2", "qwen9", "tokenizer.ggml.pre \"qwen9\" is not supported: qwen2,"},
        {"gpt2", "bert", "tokenizer.ggml.model \"bert\""},
        {"tokenizer.ggml.pre", "tokenizer.ggml.prX", "tokenizer.ggml.pre is missing"},
        {"tokenizer.ggml.merges", "tokenizer.ggml.mergeX", "merges is missing"},
        {"tokenizer.ggml.token_type", "tokenizer.ggml.token_typX", "token_type is not"},
        {"tokenizer.ggml.tokens", "tokenizer.ggml.tokenX", "tokens is missing"},
        {"tokenizer.chat_template", "tokenizer.chat_templatX", "no chat template"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].from, cases[i].to, cases[i].why);
}

int main(void)
{
    CASE(tokenizers_give_the_reference_ids);
    CASE(logits_and_replies_are_the_reference_s);
    setenv("CAPMILL_ISA", "plain", 1);
    logits_and_replies_are_the_reference_s();
    check_report("and_in_plain_c");
    unsetenv("CAPMILL_ISA");
    CASE(what_is_not_done_is_named);
    CASE(keys_that_change_a_result_are_heeded);
    return check_end();
}
