/* vlm.c: see vlm.h. */
#include "engine/vlm.h"
#include "base/fail.h"
#include "engine/device_memory.h"
#include "engine/families.h"
#include "engine/floats.h"
#include "engine/weights_gguf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 256 };

struct adopted {
    void *data;
    size_t bytes;
    const struct tensor *tensor;
    bool copied; /* from a place that is not aligned: release(), not disown() */
};

/* "[3, 4]" */
static const char *shape_text(char text[128], int rank, const int64_t *shape)
{
    int n = snprintf(text, 128, "[");
    for (int i = 0; i < rank && n < 100; i++)
        n += snprintf(text + n, 128 - (size_t)n, "%s%lld", i ? ", " : "",
                      (long long)shape[i]);
    snprintf(text + n, 128 - (size_t)n, "]");
    return text;
}

static bool fits(const struct tensor *t, int rank, const int64_t *shape)
{
    int64_t rest = 1;
    if (rank != 2 && t->rank != rank)
        return false;
    if (t->rank < rank || t->shape[0] != shape[0])
        return false;
    for (int i = 1; i < t->rank; i++) rest *= t->shape[i];
    return rank == 1 || rest == shape[1];
}

/* The device's view of a tensor. The mapping is used as it is; only a tensor that is not
 * aligned to its elements (the format allows it) is copied. NULL without memory. */
static void *adopt(struct vlm *m, const struct tensor *t)
{
    struct adopted *list =
        realloc(m->adopted, (size_t)(m->adopted_count + 1) * sizeof *list);
    if (!list) {
        fail_memory();
        return NULL;
    }
    m->adopted = list;
    size_t bytes = (size_t)t->bytes;
    size_t size = arr_type_block(t->type) > 1 ? 1 : arr_type_size(t->type);
    struct adopted *a = &list[m->adopted_count];
    *a = (struct adopted){
        .bytes = bytes, .tensor = t, .copied = (uintptr_t)t->data % size != 0};
    a->data =
        a->copied ? m->k->alloc(m->dev, bytes) : m->k->adopt(m->dev, t->data, bytes);
    if (!a->data) {
        device_memory_fail(m->k, m->dev);
        return NULL;
    }
    if (a->copied) {
        struct arr flat = {.dev = m->dev, .data = a->data, .type = t->type, .rank = 1};
        flat.shape[0] = (int64_t)(bytes / size);
        flat.stride = 1;
        m->k->upload(m->dev, flat, t->data);
    }
    m->adopted_count++;
    return a->data;
}

/* For vlm_tensors(). The patch embedding is stored as the convolution that it is. */
static int list_named(struct vlm *m, struct arr *a, int rank, const int64_t *shape,
                      const char *name)
{
    const struct vision_tower *vt = &m->config.vision;
    const char *end = strstr(name, "patch_embed.proj.weight");
    const int64_t convolution[] = {shape[0], 3, vt->frames, vt->patch, vt->patch};
    *a = arr_none();
    if (end)
        m->each(m->each_context, name, 5, convolution);
    else
        m->each(m->each_context, name, rank, shape);
    return 0;
}

static int bind_named(struct vlm *m, struct arr *a, int rank, const int64_t *shape,
                      const char *name)
{
    if (m->each)
        return list_named(m, a, rank, shape, name);
    char want[128], have[128];
    const struct tensor *t = weights_find(m->weights, name);
    shape_text(want, rank, shape);
    if (!t)
        return fail(FAIL_MODEL, "%s: no tensor \"%s\" %s", m->dir, name, want);
    if (!fits(t, rank, shape))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has shape %s, not %s", t->file, name,
                    shape_text(have, t->rank, t->shape), want);
    if (!t->usable || t->type == ARR_I32)
        return fail(FAIL_MODEL,
                    "%s: tensor \"%s\" is %s, a type that is not computed with", t->file,
                    name, t->dtype);
    if (rank == 1 && arr_type_block(t->type) > 1)
        return fail(FAIL_MODEL, "%s: vector \"%s\" is %s, not BF16, F16 or F32", t->file,
                    name, t->dtype);
    *a = (struct arr){.dev = m->dev, .type = t->type, .rank = rank};
    for (int i = 0; i < rank; i++) a->shape[i] = shape[i];
    a->stride = arr_row_size(*a);
    if (m->place) {
        a->type = ARR_F32;
        int status = m->place(m->place_context, m, t, a);
        if (status <= 0)
            return status;
        a->type = t->type;
    }
    a->data = adopt(m, t);
    return a->data ? 0 : -1;
}

/* The name in full: format and arguments, and an ending. 0, or -1 if it is too long. */
static int name_print(char name[NAME_MAX_BYTES], const char *format, va_list args)
{
    int n = vsnprintf(name, NAME_MAX_BYTES - 16, format, args);
    return n < 0 || n >= NAME_MAX_BYTES - 16 ? fail(FAIL_INTERNAL, "name too long") : n;
}

int vlm_bind(struct vlm *m, struct arr *a, int rank, const int64_t *shape,
             const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int n = name_print(name, format, args);
    va_end(args);
    return n < 0 ? -1 : bind_named(m, a, rank, shape, name);
}

/* NAME.weight of this shape and, where there is one, NAME.bias along its first side. */
static int bind_pair(struct vlm *m, struct arr *w, struct arr *b, int rank,
                     const int64_t *shape, bool biased, const char *format, va_list args)
{
    char name[NAME_MAX_BYTES];
    int n = name_print(name, format, args);
    if (n < 0)
        return -1;
    *b = arr_none();
    snprintf(name + n, sizeof name - (size_t)n, ".weight");
    if (bind_named(m, w, rank, shape, name) < 0)
        return -1;
    snprintf(name + n, sizeof name - (size_t)n, ".bias");
    return biased ? bind_named(m, b, 1, shape, name) : 0;
}

int vlm_bind_linear(struct vlm *m, struct linear *l, int64_t out, int64_t in, bool biased,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status =
        bind_pair(m, &l->w, &l->b, 2, (int64_t[]){out, in}, biased, format, args);
    va_end(args);
    return status;
}

int vlm_bind_norm(struct vlm *m, struct norm *norm, int64_t dim, bool biased,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = bind_pair(m, &norm->w, &norm->b, 1, &dim, biased, format, args);
    va_end(args);
    return status;
}

/* The first of these prefixes with which NAME exists; the first of all if none does, so
 * that the message about the missing tensor has it. */
static const char *prefix_of(const struct vlm *m, const char *const *prefixes,
                             const char *name)
{
    char full[NAME_MAX_BYTES];
    if (m->each) /* the second one is the published form of a nested model */
        return prefixes[m->family->nested];
    for (int i = 0; prefixes[i]; i++) {
        snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        if (weights_find(m->weights, full))
            return prefixes[i];
    }
    return prefixes[0];
}

static int bind_layer(struct vlm *m, struct text_layer *l, const char *in, int i)
{
    const struct text_config *tc = &m->config.text;
    int64_t hidden = tc->hidden, mlp = tc->mlp, dim = tc->head_dim;
    int64_t q = tc->heads * dim, kv = tc->kv_heads * dim;
    bool biased = tc->qkv_bias;
#define AT(name) "%slayers.%d." name, in, i
    if (vlm_bind_norm(m, &l->before_attention, hidden, false, AT("input_layernorm")) <
            0 ||
        vlm_bind_linear(m, &l->q, q, hidden, biased, AT("self_attn.q_proj")) < 0 ||
        vlm_bind_linear(m, &l->k, kv, hidden, biased, AT("self_attn.k_proj")) < 0 ||
        vlm_bind_linear(m, &l->v, kv, hidden, biased, AT("self_attn.v_proj")) < 0 ||
        vlm_bind_linear(m, &l->o, hidden, q, false, AT("self_attn.o_proj")) < 0 ||
        vlm_bind_norm(m, &l->before_mlp, hidden, false, AT("post_attention_layernorm")) <
            0 ||
        vlm_bind_linear(m, &l->gate, mlp, hidden, false, AT("mlp.gate_proj")) < 0 ||
        vlm_bind_linear(m, &l->up, mlp, hidden, false, AT("mlp.up_proj")) < 0 ||
        vlm_bind_linear(m, &l->down, hidden, mlp, false, AT("mlp.down_proj")) < 0)
        return -1;
    if (tc->qk_norm &&
        (vlm_bind_norm(m, &l->q_norm, dim, false, AT("self_attn.q_norm")) < 0 ||
         vlm_bind_norm(m, &l->k_norm, dim, false, AT("self_attn.k_norm")) < 0))
        return -1;
#undef AT
    return 0;
}

static int bind_text(struct vlm *m)
{
    static const char *const text[] = {"model.", "model.language_model.",
                                       "language_model.model.", "language_model.", NULL};
    static const char *const head[] = {"", "language_model.", "model.", NULL};
    const struct text_config *tc = &m->config.text;
    int64_t shape[] = {tc->vocab, tc->hidden};
    const char *in = prefix_of(m, text, "embed_tokens.weight");
    if (vlm_bind(m, &m->text.embed, 2, shape, "%sembed_tokens.weight", in) < 0 ||
        vlm_bind_norm(m, &m->text.norm, tc->hidden, false, "%snorm", in) < 0)
        return -1;
    m->text.head = m->text.embed;
    bool tied = m->each ? tc->tied : weights_tied(m->weights, tc->tied);
    m->text.rope_pairs = !m->each && weights_rope_pairs(m->weights);
    if (!tied && vlm_bind(m, &m->text.head, 2, shape, "%slm_head.weight",
                          m->each ? "" : prefix_of(m, head, "lm_head.weight")) < 0)
        return -1;
    m->text.layers = calloc((size_t)tc->layers, sizeof *m->text.layers);
    if (!m->text.layers)
        return fail_memory();
    for (int i = 0; i < tc->layers; i++)
        if (bind_layer(m, &m->text.layers[i], in, i) < 0)
            return -1;
    return 0;
}

static int bind_vision(struct vlm *m)
{
    static const char *const prefixes[] = {"visual.", "model.visual.", NULL};
    const struct vision_tower *vt = &m->config.vision;
    struct vision_weights *v = &m->vision;
    m->vision_prefix = prefix_of(m, prefixes, "patch_embed.proj.weight");
    v->blocks = calloc((size_t)vt->depth, sizeof *v->blocks);
    v->deepstack = calloc((size_t)vt->deepstack_count + 1, sizeof *v->deepstack);
    if (!v->blocks || !v->deepstack)
        return fail_memory();
    return m->family->vision->bind(m);
}

/* Every tensor of a GGUF file must have found its use: a bias or a scale that is left out
 * would change results without a word. (Folders say in config.json what they have.) */
static int all_bound(const struct vlm *m)
{
    for (int i = 0; i < weights_count(m->weights); i++) {
        const struct tensor *t = weights_at(m->weights, i);
        bool bound = strcmp(t->name, WEIGHTS_ROPE_FACTORS) == 0;
        for (int j = 0; j < m->adopted_count && !bound; j++)
            bound = m->adopted[j].tensor == t;
        if (!bound)
            return fail(FAIL_MODEL, "%s: tensor \"%s\" is not one of a %s model", t->file,
                        t->name, m->family->name);
    }
    return 0;
}

/* As words name it. 0 or -1. */
static int compute_of(enum dev_compute *compute, const char *type)
{
    *compute = DEV_COMPUTE_OWN;
    if (!type)
        return 0;
    *compute = strcmp(type, "bf16") == 0 ? DEV_COMPUTE_BF16 : DEV_COMPUTE_FP32;
    if (*compute == DEV_COMPUTE_FP32 && strcmp(type, "fp32") != 0)
        return fail(FAIL_REFUSED, "\"%s\" is not a type of activations: fp32, bf16",
                    type);
    return 0;
}

bool vlm_on_gpu(const char *device)
{
    return device && strncmp(device, "cuda", 4) == 0;
}

enum arr_type vlm_act(const struct vlm_device *on)
{
    if (on->compute.type)
        return strcmp(on->compute.type, "bf16") == 0 ? ARR_BF16 : ARR_F32;
    return vlm_on_gpu(on->name) ? ARR_BF16 : ARR_F32;
}

const char *vlm_lacks(const struct kernels *k, struct dev *dev)
{
    return k->lacks ? k->lacks(dev) : NULL;
}

/* m->k, m->dev and m->act. 0 or -1. */
static int device_open(struct vlm *m, const struct vlm_device *on)
{
    const char *why = "", *name = on->name ? on->name : "auto";
    struct dev_options o = {.threads = on->threads,
                            .memory = on->compute.memory,
                            .batch_variant = on->compute.batch_variant};
    if (compute_of(&o.compute, on->compute.type) < 0)
        return -1;
    if (strcmp(name, "auto") == 0)
        name = "cpu"; /* what every machine has */
    m->k = on->kernels ? on->kernels : kernels_open(name, &why);
    if (m->k && (m->dev = m->k->open(name, &o, &why))) {
        m->act = m->k->act(m->dev);
        return 0;
    }
    return fail(FAIL_REFUSED, "device \"%s\": %s", name, why);
}

/* Is there attention in bf16 for heads like these? 0 or -1. */
static int heads_fit(const struct vlm *m, const char *dir)
{
    const struct text_config *tc = &m->config.text;
    const struct vision_tower *vt = &m->config.vision;
    const char *where = "";
    int dim = tc->head_dim, group = tc->heads / tc->kv_heads;
    if (m->act != ARR_BF16)
        return 0;
    if (vt->depth > 0 && dim <= BF16_HEAD_DIM && vt->hidden / vt->heads > dim) {
        where = "in the tower ";
        dim = vt->hidden / vt->heads;
    }
    if (dim > BF16_HEAD_DIM)
        return fail(FAIL_REFUSED,
                    "%s: attention heads %sof %d dimensions: in bf16 they have up to %d; "
                    "--compute fp32 takes them",
                    dir, where, dim, BF16_HEAD_DIM);
    if (group > BF16_HEAD_GROUP)
        return fail(FAIL_REFUSED,
                    "%s: %d attention heads that read one of keys: in bf16 these are up "
                    "to %d; --compute fp32 takes them",
                    dir, group, BF16_HEAD_GROUP);
    return 0;
}

static int load(struct vlm *m, const char *dir, const struct vlm_device *on)
{
    if (config_read(&m->config, dir) < 0)
        return -1;
    m->family = family_of(&m->config);
    if (m->place && gguf_is(dir))
        return fail(FAIL_MODEL, "%s: a GGUF file is not trained: give a model folder",
                    dir);
    m->weights = weights_open(dir);
    if (!m->weights)
        return -1;
    if (device_open(m, on) < 0 || heads_fit(m, dir) < 0)
        return -1;
    m->dir = dir;
    int status = bind_text(m);
    if (status == 0 && m->family->vision)
        status = bind_vision(m);
    if (status == 0 && gguf_is(dir))
        status = all_bound(m);
    m->dir = NULL;
    return status;
}

struct vlm *vlm_open(const char *dir, const struct vlm_device *on)
{
    return vlm_open_placed(dir, on, NULL, NULL);
}

struct vlm *vlm_open_placed(const char *dir, const struct vlm_device *on,
                            vlm_place *place, void *context)
{
    struct vlm *m = calloc(1, sizeof *m);
    if (!m) {
        fail_memory();
        return NULL;
    }
    m->place = place;
    m->place_context = context;
    if (load(m, dir, on) < 0) {
        if (m->place && m->dev)
            m->place(context, m, NULL, NULL);
        vlm_close(m);
        return NULL;
    }
    return m;
}

int vlm_tensors(const struct model_config *mc, vlm_each *each, void *context)
{
    struct vlm *m = calloc(1, sizeof *m);
    if (!m)
        return fail_memory();
    m->config = *mc;
    m->family = family_of(mc);
    m->each = each;
    m->each_context = context;
    int status = bind_text(m);
    if (status == 0 && m->family->vision)
        status = bind_vision(m);
    vlm_close(m);
    return status;
}

static void unbind(struct vlm *m)
{
    for (int i = 0; i < m->adopted_count; i++) {
        struct adopted *a = &m->adopted[i];
        (a->copied ? m->k->release : m->k->disown)(m->dev, a->data, a->bytes);
    }
    free(m->adopted);
    free(m->text.layers);
    free(m->vision.blocks);
    free(m->vision.deepstack);
    weights_close(m->weights);
}

int vlm_reload(struct vlm *m, const char *dir)
{
    struct vlm next = {.k = m->k,
                       .dev = m->dev,
                       .act = m->act,
                       .config = m->config,
                       .family = m->family};
    if (!(next.weights = weights_open(dir)))
        return -1;
    next.dir = dir;
    int status = bind_text(&next);
    if (status == 0 && next.family->vision)
        status = bind_vision(&next);
    next.dir = NULL;
    if (status < 0) {
        unbind(&next);
        return -1;
    }
    unbind(m);
    m->weights = next.weights;
    m->text = next.text;
    m->vision = next.vision;
    m->vision_prefix = next.vision_prefix;
    m->adopted = next.adopted;
    m->adopted_count = next.adopted_count;
    return 0;
}

bool vlm_weight(const struct vlm *m, int i, struct vlm_weight *w)
{
    if (i >= m->adopted_count)
        return false;
    const struct adopted *a = &m->adopted[i];
    *w = (struct vlm_weight){a->tensor->name, a->tensor->type, a->data, a->bytes};
    return true;
}

void vlm_close(struct vlm *m)
{
    if (!m)
        return;
    unbind(m);
    if (m->dev)
        m->k->close(m->dev);
    free(m);
}

int vlm_probe(const struct vlm *m, const struct probe *p, const char *name, struct arr a)
{
    if (!p || !p->call)
        return 0;
    float *data = malloc((size_t)arr_size(a) * sizeof *data + 1);
    if (!data)
        return fail_memory();
    m->k->download(m->dev, data, a);
    if (a.type == ARR_BF16)
        floats_of_bf16(data, arr_size(a));
    p->call(p->context, name, data, a.shape[0], arr_row_size(a));
    free(data);
    return 0;
}
