/* params.c: see params.h. */
#include "train/params.h"
#include "backward.h"
#include "base/fail.h"
#include "engine/device_memory.h"
#include "engine/vlm.h"
#include "train/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_names[PARTS] = {"vision", "merger", "text", "embed"};

int param_parts(unsigned *parts, const char *text)
{
    *parts = 0;
    if (strcmp(text, "all") == 0) {
        *parts = (1u << PARTS) - 1;
        return 0;
    }
    while (*text) {
        size_t n = strcspn(text, ",");
        int part = 0;
        while (part < PARTS &&
               (strlen(part_names[part]) != n || strncmp(part_names[part], text, n) != 0))
            part++;
        if (part == PARTS)
            return fail(FAIL_REFUSED,
                        "\"%.*s\" is not a part of a model: vision, merger, text, embed "
                        "or all",
                        (int)n, text);
        *parts |= 1u << part;
        text += n + (text[n] == ',');
    }
    return *parts ? 0 : fail(FAIL_REFUSED, "no part of the model is trained");
}

void param_parts_text(char text[64], unsigned parts)
{
    int n = 0;
    text[0] = 0;
    for (int i = 0; i < PARTS; i++)
        if (parts & 1u << i)
            n += snprintf(text + n, 64 - (size_t)n, "%s%s", n ? "," : "", part_names[i]);
}

void params_text(char text[80], const struct params *p)
{
    if (p->lora.rank) {
        memcpy(text, "lora ", 6);
        lora_text(text + 5, &p->lora);
    } else {
        param_parts_text(text, p->parts);
    }
}

static enum param_part part_of(const char *name)
{
    if (strstr(name, "visual."))
        return strstr(name, "merger") ? PART_MERGER : PART_VISION;
    return strstr(name, "embed_tokens") || strstr(name, "lm_head") ? PART_EMBED
                                                                   : PART_TEXT;
}

static int vector(struct arr *a, const struct vlm *m, enum arr_type type, int64_t n)
{
    *a = (struct arr){.dev = m->dev, .type = type, .rank = 1, .shape = {n}};
    a->stride = 1;
    a->data = m->k->alloc(m->dev, arr_type_bytes(type, n));
    return a->data ? 0 : device_memory_fail(m->k, m->dev);
}

static int zeros(struct arr *a, const struct vlm *m, int64_t n)
{
    if (vector(a, m, ARR_F32, n) < 0)
        return -1;
    m->k->back->zero(m->dev, *a);
    return 0;
}

/* A moment in 8 bits: 0 whatever the codes are, but these are of one checkpoint's bytes.
 */
static int codes(struct arr *a, struct arr *most, const struct vlm *m, int64_t n)
{
    uint8_t *none = calloc(1, (size_t)n);
    if (!none)
        return fail_memory();
    int status = vector(a, m, ARR_U8, n);
    if (status == 0) {
        m->k->upload(m->dev, *a, none);
        status = zeros(most, m, (n + MOMENT_BLOCK - 1) / MOMENT_BLOCK);
    }
    free(none);
    return status;
}

/* Moments of what is this rank's, zero: once all that is trained is known. */
static int moments_make(struct params *p, const struct vlm *m)
{
    int status = shards_make(p, m->k, m->dev);
    for (int i = 0; status == 0 && i < p->count; i++) {
        struct param *one = &p->list[i];
        if (!one->trained)
            continue;
        one->coded = p->moments8 && one->decayed && one->w.shape[0] >= MOMENTS8_LEAST;
        if (one->kept == 0)
            continue;
        if (one->coded)
            status = codes(&one->m, &one->m_most, m, one->kept) < 0
                         ? -1
                         : codes(&one->v, &one->v_most, m, one->kept);
        else
            status = zeros(&one->m, m, one->kept) < 0 ? -1 : zeros(&one->v, m, one->kept);
    }
    return status;
}

/* A stored tensor, of any float type at any address, as floats. */
static int floats_copy(const struct vlm *m, struct arr to, const struct tensor *t)
{
    struct arr from = {.dev = m->dev, .type = t->type, .rank = 2};
    struct arr y = to, index = {.dev = m->dev, .type = ARR_I32, .rank = 1};
    int64_t n = to.shape[0];
    int32_t zero = 0;
    from.shape[0] = y.shape[0] = index.shape[0] = 1;
    from.shape[1] = y.shape[1] = n;
    y.rank = 2;
    from.stride = y.stride = n;
    index.stride = 1;
    from.data = m->k->adopt(m->dev, t->data, (size_t)t->bytes);
    index.data = m->k->alloc(m->dev, sizeof zero);
    int status = from.data && index.data ? 0 : device_memory_fail(m->k, m->dev);
    if (status == 0) {
        m->k->upload(m->dev, index, &zero);
        m->k->gather(m->dev, y, from, index);
    }
    if (index.data)
        m->k->release(m->dev, index.data, sizeof zero);
    if (from.data)
        m->k->disown(m->dev, from.data, (size_t)t->bytes);
    return status;
}

/* A bf16 copy: of w, or, of what is stored so and never stepped, the only one. */
static int half_make(const struct vlm *m, struct param *p, const struct tensor *t)
{
    if (vector(&p->half, m, ARR_BF16, p->w.shape[0]) < 0)
        return -1;
    if (p->w.data)
        m->k->back->to_bf16(m->dev, p->half, p->w);
    else
        m->k->upload(m->dev, p->half, t->data);
    return 0;
}

/* Room for one parameter more. 0 or -1. */
static int grow(struct params *p)
{
    if (p->count < p->cap)
        return 0;
    int cap = p->cap ? p->cap * 2 : 128;
    struct param *list = realloc(p->list, (size_t)cap * sizeof *list);
    if (!list)
        return fail_memory();
    p->list = list;
    p->cap = cap;
    return 0;
}

/* A vlm_place. */
static int place(void *context, const struct vlm *m, const struct tensor *t,
                 struct arr *a)
{
    struct params *p = context;
    if (!t) {
        params_free(p, m->k, m->dev);
        return 0;
    }
    if (grow(p) < 0)
        return -1;
    struct param *one = &p->list[p->count];
    *one = (struct param){.name = t->name, .part = part_of(t->name), .stored = t->type};
    one->rank = t->rank;
    for (int i = 0; i < t->rank; i++) one->shape[i] = t->shape[i];
    one->trained = p->parts & 1u << one->part;
    one->decayed = a->rank > 1;
    p->count++;
    p->elements += arr_size(*a);
    if (p->lora.rank) { /* frozen, and never written out */
        one->w = (struct arr){.rank = 1, .shape = {arr_size(*a)}};
        return 1;
    }
    p->halves = p->halves || m->k->act(m->dev) == ARR_BF16;
    bool half = p->halves && one->decayed;
    one->w = (struct arr){.dev = m->dev, .rank = 1, .shape = {arr_size(*a)}, .stride = 1};
    if (!(half && !one->trained && t->type == ARR_BF16) &&
        (vector(&one->w, m, ARR_F32, arr_size(*a)) < 0 || floats_copy(m, one->w, t) < 0))
        return -1;
    if ((half && half_make(m, one, t) < 0) ||
        (one->trained && zeros(&one->grad, m, arr_size(*a)) < 0))
        return -1;
    weights_drop(t);
    p->trained += one->trained ? arr_size(*a) : 0;
    struct arr used = param_used(one);
    a->type = used.type;
    a->data = used.data;
    return 0;
}

int params_add(struct params *p, const struct vlm *m, const struct param *one)
{
    int64_t n = 1;
    if (grow(p) < 0) {
        free(one->own_name);
        return -1;
    }
    struct param *to = &p->list[p->count++];
    *to = *one;
    for (int i = 0; i < to->rank; i++) n *= to->shape[i];
    if (zeros(&to->w, m, n) < 0 || (to->trained && zeros(&to->grad, m, n) < 0))
        return -1;
    p->elements += n;
    p->trained += to->trained ? n : 0;
    return 0;
}

struct vlm *params_open(struct params *p, const char *dir, const struct vlm_device *on,
                        const struct param_options *o)
{
    *p = (struct params){.parts = o->parts,
                         .lora = o->lora,
                         .moments8 = o->moments8,
                         .halves = o->halves,
                         .comm = o->comm};
    struct vlm *m = vlm_open_placed(dir, on, place, p);
    if (!m)
        return NULL;
    int status = o->lora.rank ? lora_make(p, m, &o->lora) : 0;
    if (status == 0 && p->trained == 0 && o->parts) {
        char text[80];
        params_text(text, p);
        status =
            fail(FAIL_REFUSED, "%s: the model has nothing of \"%s\" to train", dir, text);
    }
    if (status == 0)
        status = moments_make(p, m);
    if (status < 0) {
        params_free(p, m->k, m->dev);
        vlm_close(m);
        return NULL;
    }
    return m;
}

void params_free(struct params *p, const struct kernels *k, struct dev *dev)
{
    shards_free(p, k);
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        struct arr const all[] = {one->w, one->half,   one->grad,  one->m,
                                  one->v, one->m_most, one->v_most};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            if (all[j].data)
                k->release(dev, all[j].data,
                           arr_type_bytes(all[j].type, all[j].shape[0]));
        free(p->list[i].own_name);
    }
    free(p->list);
    *p = (struct params){0};
}

struct arr param_used(const struct param *p)
{
    return p->half.data ? p->half : p->w;
}

void params_round(const struct params *p, const struct kernels *k, struct dev *dev)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i].trained && p->list[i].half.data)
            k->back->to_bf16(dev, p->list[i].half, p->list[i].w);
}

void params_clear(const struct params *p, const struct kernels *k, struct dev *dev)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i].trained)
            k->back->zero(dev, p->list[i].grad);
}
