/* init.c: see init.h. */
#include "model/init.h"
#include "base/fail.h"
#include "engine/random_weights.h"
#include "media/patches.h"
#include "model/folder.h"
#include "model/model.h"
#include "model/share.h"
#include "text/tokenizer.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int init_shapes(char *names, int size)
{
    char dir[PATH_MAX];
    struct dirent **entries;
    if (share_path(dir, sizeof dir, "shapes") < 0)
        return -1;
    int count = scandir(dir, &entries, not_hidden, alphasort);
    if (count < 0)
        return fail(FAIL_INTERNAL, "%s: %s", dir, strerror(errno));
    int at = 0;
    names[0] = '\0';
    for (int i = 0; i < count; i++) {
        int stem = (int)strlen(entries[i]->d_name) - 5; /* without ".json" */
        if (stem > 0 && at < size)
            at += snprintf(names + at, (size_t)(size - at), "%s%.*s", at ? ", " : "",
                           stem, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

/* Copy the tokenizer and template files that are there; tokenizer.json must be. */
static int copy_tokenizer(const struct folder *f, const char *from)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "chat_template.jinja", "chat_template.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (folder_copy(f, from, names[i], i == 0) < 0)
            return -1;
    return 0;
}

static void set_id(json_t *object, const char *key, int32_t id)
{
    if (id >= 0)
        json_object_set_new(object, key, json_integer(id));
}

/* Token ids of this tokenizer into config.json and generation_config.json. */
static void set_ids(json_t *config, json_t *generation, const struct tokenizer *t)
{
    int32_t end = tokenizer_find(t, "<|im_end|>"),
            pad = tokenizer_find(t, "<|endoftext|>");
    json_t *stops = json_array();
    json_t *const objects[] = {config, json_object_get(config, "text_config"),
                               generation};
    for (size_t i = 0; i < 3; i++) {
        if (!objects[i])
            continue;
        set_id(objects[i], "eos_token_id", end);
        set_id(objects[i], "bos_token_id", pad);
        set_id(objects[i], "pad_token_id", pad);
    }
    if (end >= 0)
        json_array_append_new(stops, json_integer(end));
    if (pad >= 0)
        json_array_append_new(stops, json_integer(pad));
    json_object_set_new(generation, "eos_token_id", stops);
    if (!json_object_get(config, "vision_config"))
        return;
    set_id(config, "image_token_id", tokenizer_find(t, "<|image_pad|>"));
    set_id(config, "video_token_id", tokenizer_find(t, "<|video_pad|>"));
    set_id(config, "vision_start_token_id", tokenizer_find(t, "<|vision_start|>"));
    set_id(config, "vision_end_token_id", tokenizer_find(t, "<|vision_end|>"));
}

/* The sizes of the language model: nested, or the config itself. */
static json_t *text_part(json_t *config)
{
    json_t *text = json_object_get(config, "text_config");
    return text ? text : config;
}

/* The shape of a model that is there, or of a config.json alone; and its picture settings
 * if it has some. */
static json_t *shape_of(const char *dir)
{
    char path[PATH_MAX];
    json_error_t error;
    if (folder_path(path, dir, "config.json") < 0)
        return NULL;
    json_t *config = json_load_file(path, 0, &error), *shape = json_object();
    if (!config || !shape) {
        fail(FAIL_MODEL, "%s: %s", path, config ? "out of memory" : error.text);
        json_decref(config);
        json_decref(shape);
        return NULL;
    }
    json_object_set_new(shape, "config", config);
    if (!json_object_get(text_part(config), "initializer_range"))
        json_object_set_new(text_part(config), "initializer_range", json_real(0.02));
    const char *file;
    json_t *preprocessor = NULL;
    if (json_object_get(config, "vision_config") &&
        patch_config_json(&preprocessor, dir, &file) < 0) {
        json_decref(shape);
        return NULL;
    }
    if (preprocessor)
        json_object_set_new(shape, "preprocessor", preprocessor);
    return shape;
}

static json_t *load_shape(const char *like)
{
    char name[256], path[PATH_MAX], known[1024];
    json_error_t error;
    snprintf(name, sizeof name, "shapes/%.200s.json", like);
    if (strchr(like, '/') || share_path(path, sizeof path, name) < 0) {
        if (model_find(path, sizeof path, like) == 0)
            return shape_of(path);
        if (init_shapes(known, sizeof known) == 0)
            fail(FAIL_MODEL, "no shape or model \"%s\"; shapes: %s", like, known);
        return NULL;
    }
    json_t *shape = json_load_file(path, 0, &error);
    if (!shape || !json_is_object(json_object_get(shape, "config"))) {
        fail(FAIL_MODEL, "%s: %s", path, shape ? "no \"config\"" : error.text);
        json_decref(shape);
        return NULL;
    }
    return shape;
}

/* Another number of text layers; each deepstack feature needs one to go to. */
static void set_layers(json_t *config, json_t *text, int layers)
{
    json_t *deepstack = json_object_get(json_object_get(config, "vision_config"),
                                        "deepstack_visual_indexes");
    json_object_set_new(text, "num_hidden_layers", json_integer(layers));
    while (json_array_size(deepstack) > (size_t)layers)
        json_array_remove(deepstack, json_array_size(deepstack) - 1);
}

/* Everything into an empty folder. */
static int fill(const struct folder *f, json_t *shape, const char *from,
                const struct init_options *options)
{
    json_t *config = json_object_get(shape, "config"), *text = text_part(config);
    json_t *preprocessor = json_object_get(shape, "preprocessor");
    json_t *generation = json_object();
    double deviation = json_real_value(json_object_get(text, "initializer_range"));
    struct tokenizer *t = tokenizer_open(from);
    int status = -1;
    if (!t || !generation)
        goto out;
    set_ids(config, generation, t);
    if (options->layers)
        set_layers(config, text, options->layers);
    json_object_set_new(config, "dtype",
                        json_string(options->fp32 ? "float32" : "bfloat16"));
    if (copy_tokenizer(f, from) < 0 || folder_write_json(f, "config.json", config) < 0 ||
        folder_write_json(f, "generation_config.json", generation) < 0 ||
        (preprocessor && folder_write_json(f, PATCH_CONFIG_FILE, preprocessor) < 0))
        goto out;
    status = random_weights_write(
        f->made, &(struct random_weights){
                     .seed = options->seed,
                     .deviation = options->deviation > 0 ? options->deviation : deviation,
                     .type = options->fp32 ? ARR_F32 : ARR_BF16,
                     .abandon = options->abandon,
                     .abandon_context = options->abandon_context});
out:
    if (t)
        tokenizer_close(t);
    json_decref(generation);
    return status;
}

int init_random(const char *path, const struct init_options *options)
{
    char from[PATH_MAX];
    struct folder f;
    if (model_find(from, sizeof from, options->tokenizer) < 0)
        return -1;
    json_t *shape = load_shape(options->like);
    if (!shape)
        return -1;
    int status = folder_begin(&f, path);
    if (status == 0)
        status = folder_end(&f, fill(&f, shape, from, options));
    json_decref(shape);
    return status;
}
