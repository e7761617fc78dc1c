/* model_files.c: see model_files.h. */
#include "train/model_files.h"
#include "backward.h"
#include "base/fail.h"
#include "base/folder.h"
#include "engine/safetensors_write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = TENSOR_PIECE }; /* elements on their way to the disk together */

/* What is taken over from the base, where the base has it; config.json first, and the
 * weights behind. */
const char *const model_files_names[] = {"config.json",
                                         "generation_config.json",
                                         "tokenizer.json",
                                         "tokenizer_config.json",
                                         "chat_template.jinja",
                                         "chat_template.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "preprocessor_config.json",
                                         "video_preprocessor_config.json",
                                         "processor_config.json",
                                         "model.safetensors",
                                         "adapter_config.json",
                                         "adapter_model.safetensors",
                                         NULL};
enum {
    WEIGHTS = sizeof model_files_names / sizeof *model_files_names - 4,
    COPIED = WEIGHTS,
    ADAPTER_CONFIG = WEIGHTS + 1,
    ADAPTER = WEIGHTS + 2,
};

static const char *type_name(enum arr_type type)
{
    return type == ARR_F32 ? "float32" : type == ARR_F16 ? "float16" : "bfloat16";
}

/* config.json that says how weights are stored now. */
static int config_write(const char *to, const char *bytes, size_t n, enum arr_type type)
{
    json_error_t error;
    json_t *config = json_loadb(bytes, n, 0, &error);
    if (!config)
        return fail(FAIL_MODEL, "config.json: %s", error.text);
    static const char *const keys[] = {"torch_dtype", "dtype"};
    json_t *const objects[] = {config, json_object_get(config, "text_config"),
                               json_object_get(config, "vision_config")};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 2; j++)
            if (json_object_get(objects[i], keys[j]))
                json_object_set_new(objects[i], keys[j], json_string(type_name(type)));
    char *text = json_dumps(config, JSON_INDENT(2));
    json_decref(config);
    if (!text)
        return fail_memory();
    int status = bytes_write(to, text, strlen(text));
    free(text);
    return status;
}

static int base_copy(const struct model_files *f, const char *dir)
{
    for (int i = 0; i < COPIED; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        size_t n;
        if (path_join(from, f->base, model_files_names[i]) < 0 ||
            path_join(to, dir, model_files_names[i]) < 0)
            return -1;
        if (access(from, F_OK) < 0)
            continue;
        char *bytes = bytes_read(from, &n);
        if (!bytes)
            return path_failed(from);
        int status = i == 0 && f->type != ARR_TYPES ? config_write(to, bytes, n, f->type)
                                                    : bytes_write(to, bytes, n);
        free(bytes);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* bf16 as f32, in place: the last first. */
static void widen(void *host, int64_t n)
{
    char *bytes = host;
    for (int64_t i = n - 1; i >= 0; i--) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        uint32_t whole = (uint32_t)half << 16;
        memcpy(bytes + 4 * i, &whole, sizeof whole);
    }
}

/* One tensor's numbers, as its plan's type, in pieces. */
static int tensor_append(struct safetensors_writer *w, const struct kernels *k,
                         struct dev *dev, const struct tensor_content *content, int i,
                         struct arr half, void *host)
{
    struct arr a = content->arr[i];
    enum arr_type type = content->plan[i].type;
    int64_t all = arr_size(a);
    for (int64_t at = 0; at < all; at += PIECE) {
        int64_t n = all - at < PIECE ? all - at : PIECE;
        if (!a.data) {
            if (content->fetch(content->context, i, at, n, host) < 0)
                return -1;
        } else {
            struct arr piece = arr_rows(a, at, n);
            if (type == ARR_BF16 && a.type == ARR_F32) {
                struct arr to = arr_rows(half, 0, n);
                k->back->to_bf16(dev, to, piece);
                piece = to;
            }
            k->download(dev, host, piece);
            if (type == ARR_F32 && a.type == ARR_BF16)
                widen(host, n);
        }
        if (safetensors_append(w, host, (size_t)n * arr_type_size(type)) < 0)
            return -1;
    }
    return 0;
}

int tensor_content_write(const struct tensor_content *content, const char *path,
                         const struct kernels *k, struct dev *dev)
{
    struct arr half = {.dev = dev, .type = ARR_BF16, .rank = 1, .shape = {PIECE}};
    half.stride = 1;
    half.data = k->alloc(dev, PIECE * 2);
    void *host = malloc(PIECE * sizeof(float));
    struct safetensors_writer *w = NULL;
    int status = half.data && host ? 0 : fail_memory();
    if (status == 0 && !(w = safetensors_create(path, content->plan, content->count)))
        status = -1;
    for (int i = 0; status == 0 && i < content->count; i++)
        status = tensor_append(w, k, dev, content, i, half, host);
    const char *why;
    if (status == 0 && k->sync(dev, &why) < 0) /* what came down may be anything */
        status = fail(FAIL_INTERNAL, "%s", why);
    if (w && status == 0)
        status = safetensors_finish(w);
    else if (w)
        safetensors_abandon(w);
    if (half.data)
        k->release(dev, half.data, PIECE * 2);
    free(host);
    return status;
}

static enum arr_type written_as(const struct model_files *f, const struct param *p)
{
    if (f->used)
        return param_used(p).type;
    enum arr_type type = f->type == ARR_TYPES ? p->stored : f->type;
    return type == ARR_F16 ? ARR_BF16 : type; /* f16 cannot hold what training makes */
}

/* All parameters, or (low-rank pairs) those that are trained. */
static int weights_write(const struct model_files *f, const struct kernels *k,
                         struct dev *dev, const struct params *p, const char *path)
{
    struct tensor_content content = {0};
    content.plan = calloc((size_t)p->count + 1, sizeof *content.plan);
    content.arr = calloc((size_t)p->count + 1, sizeof *content.arr);
    int status = content.plan && content.arr ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < p->count; i++) {
        const struct param *one = &p->list[i];
        if (p->lora.rank && !one->trained)
            continue;
        int n = content.count++;
        content.plan[n] = (struct tensor_plan){
            .name = one->name, .type = written_as(f, one), .rank = one->rank};
        memcpy(content.plan[n].shape, one->shape, sizeof one->shape);
        content.arr[n] = f->used || !one->w.data ? param_used(one) : one->w;
    }
    if (status == 0)
        status = tensor_content_write(&content, path, k, dev);
    free(content.plan);
    free(content.arr);
    return status;
}

/* adapter_config.json as PEFT has it. In models with a tower the matrices are named by a
 * pattern: some towers have matrices of the same names, which have no pairs. */
static json_t *adapter_config(const struct model_files *f, const struct params *p)
{
    char pattern[256] = "";
    bool tower = false;
    json_t *list = json_array();
    for (int i = 0; i < p->count; i++) tower = tower || p->list[i].part == PART_VISION;
    for (int i = 0, n = 0; i < LORA_TARGETS; i++) {
        const char *name = lora_target_name((enum lora_target)i);
        if (!(p->lora.targets & 1u << i))
            continue;
        json_array_append_new(list, json_string(name));
        n +=
            snprintf(pattern + n, sizeof pattern - (size_t)n, "%s%s", n ? "|" : "", name);
    }
    return json_pack(
        "{s:s, s:s, s:i, s:f, s:f, s:s, s:b, s:b, s:b, s:b, s:n, s:n, s:b, s:o}",
        "peft_type", "LORA", "base_model_name_or_path", f->base, "r", p->lora.rank,
        "lora_alpha", p->lora.alpha, "lora_dropout", 0.0, "bias", "none",
        "fan_in_fan_out", 0, "use_rslora", 0, "use_dora", 0, "inference_mode", 1,
        "task_type", "modules_to_save", "init_lora_weights", 1, "target_modules",
        tower ? (json_decref(list), json_sprintf(".*language_model.*\\.(%s)", pattern))
              : list);
}

static int adapter_config_write(const struct model_files *f, const struct params *p,
                                const char *dir)
{
    char path[PATH_MAX];
    json_t *config = adapter_config(f, p);
    char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
    json_decref(config);
    if (!text)
        return fail_memory();
    int status = path_join(path, dir, model_files_names[ADAPTER_CONFIG]);
    if (status == 0)
        status = bytes_write(path, text, strlen(text));
    free(text);
    return status;
}

int model_files_write(const struct model_files *f, const struct kernels *k,
                      struct dev *dev, const struct params *p, const char *dir)
{
    char path[PATH_MAX];
    bool pairs = p->lora.rank > 0;
    if ((pairs ? adapter_config_write(f, p, dir) : base_copy(f, dir)) < 0 ||
        path_join(path, dir, model_files_names[pairs ? ADAPTER : WEIGHTS]) < 0)
        return -1;
    if (f->weightless)
        return 0;
    return weights_write(f, k, dev, p, path);
}
