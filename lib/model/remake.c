/* remake.c: see remake.h. */
#include "model/remake.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/document.h"
#include "engine/floats.h"
#include "gguf/gguf.h"
#include "model/adapter.h"
#include "model/folder.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* Tensors on their way. */
struct work {
    const struct remake_options *options;
    struct weights *weights;
    struct adapter *adapter;
    struct tensor_plan *plan;
    int *pair; /* of each tensor; -1: none */
};

static enum arr_type type_of(const struct remake_options *o, const struct tensor *t)
{
    bool full = o->type == INIT_FP32 || (o->type == INIT_AS_STORED && t->type == ARR_F32);
    return full ? ARR_F32 : ARR_BF16;
}

static int plan_make(struct work *w)
{
    int count = weights_count(w->weights);
    w->plan = calloc((size_t)count + 1, sizeof *w->plan);
    w->pair = calloc((size_t)count + 1, sizeof *w->pair);
    if (!w->plan || !w->pair)
        return fail_memory();
    for (int i = 0; i < count; i++) {
        const struct tensor *t = weights_at(w->weights, i);
        if (!floats_can(t))
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is %s, not BF16, F16 or F32",
                        t->file, t->name, t->dtype);
        w->plan[i] = (struct tensor_plan){
            .name = t->name, .type = type_of(w->options, t), .rank = t->rank};
        memcpy(w->plan[i].shape, t->shape, sizeof t->shape);
        w->pair[i] = w->adapter ? adapter_find(w->adapter, t) : -1;
        if (w->pair[i] < -1)
            return -1;
    }
    return w->adapter ? adapter_all_found(w->adapter) : 0;
}

/* A floats_fill. */
static int fill(void *context, int i, int64_t first, int n, float *to)
{
    struct work *w = context;
    const struct remake_options *o = w->options;
    if (o->abandon && o->abandon(o->abandon_context))
        return fail(FAIL_REFUSED, "interrupted");
    floats_read(to, weights_at(w->weights, i), first, n);
    if (w->pair[i] >= 0)
        adapter_add(w->adapter, w->pair[i], first, n, to);
    return 0;
}

/* config.json that says how weights are stored now. */
static int config_write(const struct folder *f, const char *from, enum init_type type)
{
    struct buf path = {0};
    static const char *const keys[] = {"torch_dtype", "dtype"};
    const char *name = type == INIT_FP32 ? "float32" : "bfloat16";
    json_t *config =
        document_path(&path, from, "config.json") ? document_read(path.data) : NULL;
    buf_free(&path);
    if (!config)
        return -1;
    json_t *const objects[] = {config, json_object_get(config, "text_config"),
                               json_object_get(config, "vision_config")};
    bool said = false;
    for (size_t i = 0; i < 3 && type != INIT_AS_STORED; i++)
        for (size_t j = 0; j < 2; j++)
            if (json_object_get(objects[i], keys[j])) {
                json_object_set_new(objects[i], keys[j], json_string(name));
                said = said || i == 0;
            }
    if (!said && type != INIT_AS_STORED)
        json_object_set_new(config, "dtype", json_string(name));
    int status = folder_write_json(f, "config.json", config);
    json_decref(config);
    return status;
}

static int others_copy(const struct folder *f, const char *from)
{
    const char *const *const lists[] = {folder_tokenizer, folder_picture};
    for (size_t i = 0; i < 2; i++)
        for (const char *const *name = lists[i]; *name; name++)
            if (folder_copy(f, from, *name, false) < 0)
                return -1;
    return folder_copy(f, from, "generation_config.json", false);
}

static int make(const struct folder *f, const char *from, struct work *w)
{
    char path[PATH_MAX];
    if (plan_make(w) < 0 || config_write(f, from, w->options->type) < 0 ||
        others_copy(f, from) < 0 || folder_path(path, f->made, "model.safetensors") < 0)
        return -1;
    return floats_write(path, w->plan, weights_count(w->weights), fill, w);
}

int remake(const char *dir, const struct remake_options *options)
{
    char from[PATH_MAX];
    struct folder f;
    struct work w = {.options = options};
    int status = -1;
    if (options->adapter && !(w.adapter = adapter_open(options->adapter)))
        goto out;
    const char *spec = options->from ? options->from : adapter_base(w.adapter);
    if (!*spec) {
        fail(FAIL_MODEL, "%s names no base", options->adapter);
        goto out;
    }
    if (model_find(from, sizeof from, spec) < 0)
        goto out;
    if (gguf_is(from)) {
        fail(FAIL_MODEL, "%s: a GGUF file is not remade: give a model folder", from);
        goto out;
    }
    if (!(w.weights = weights_open(from)))
        goto out;
    status = folder_begin(&f, dir);
    if (status == 0)
        status = folder_end(&f, make(&f, from, &w));
out:
    weights_close(w.weights);
    adapter_close(w.adapter);
    free(w.plan);
    free(w.pair);
    return status;
}
