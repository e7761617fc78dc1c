/* params.c: see params.h. */
#include "train/params.h"
#include "backward.h"
#include "base/fail.h"
#include "engine/vlm.h"

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

static enum param_part part_of(const char *name)
{
    if (strstr(name, "visual."))
        return strstr(name, "merger") ? PART_MERGER : PART_VISION;
    return strstr(name, "embed_tokens") || strstr(name, "lm_head") ? PART_EMBED
                                                                   : PART_TEXT;
}

static int vector(struct arr *a, const struct vlm *m, int64_t n)
{
    *a = (struct arr){.dev = m->dev, .type = ARR_F32, .rank = 1, .shape = {n}};
    a->stride = 1;
    a->data = m->k->alloc(m->dev, (size_t)n * sizeof(float));
    return a->data ? 0 : fail_memory();
}

/* Moments and gradient, zero. */
static int states_make(struct param *p, const struct vlm *m)
{
    struct arr *const states[] = {&p->grad, &p->m, &p->v};
    for (int i = 0; i < 3; i++) {
        if (vector(states[i], m, p->w.shape[0]) < 0)
            return -1;
        m->k->back->zero(m->dev, *states[i]);
    }
    return 0;
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
    int status = from.data && index.data ? 0 : fail_memory();
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

/* A vlm_place. */
static int place(void *context, const struct vlm *m, const struct tensor *t,
                 struct arr *a)
{
    struct params *p = context;
    if (!t) {
        params_free(p, m->k, m->dev);
        return 0;
    }
    if (p->count == p->cap) {
        int cap = p->cap ? p->cap * 2 : 128;
        struct param *list = realloc(p->list, (size_t)cap * sizeof *list);
        if (!list)
            return fail_memory();
        p->list = list;
        p->cap = cap;
    }
    struct param *one = &p->list[p->count];
    *one = (struct param){.name = t->name, .part = part_of(t->name), .stored = t->type};
    one->rank = t->rank;
    for (int i = 0; i < t->rank; i++) one->shape[i] = t->shape[i];
    one->trained = p->parts & 1u << one->part;
    one->decayed = a->rank > 1;
    one->w = one->grad = one->m = one->v = arr_none();
    p->count++;
    if (vector(&one->w, m, arr_size(*a)) < 0 || floats_copy(m, one->w, t) < 0 ||
        (one->trained && states_make(one, m) < 0))
        return -1;
    p->elements += arr_size(*a);
    p->trained += one->trained ? arr_size(*a) : 0;
    a->data = one->w.data;
    return 0;
}

struct vlm *params_open(struct params *p, const char *dir, const char *device,
                        int threads, unsigned parts)
{
    *p = (struct params){.parts = parts};
    struct vlm *m = vlm_open_placed(dir, device, threads, place, p);
    if (!m)
        return NULL;
    if (p->trained == 0 && parts != 0) {
        char text[64];
        param_parts_text(text, parts);
        params_free(p, m->k, m->dev);
        vlm_close(m);
        fail(FAIL_REFUSED, "%s: the model has nothing of \"%s\" to train", dir, text);
        return NULL;
    }
    return m;
}

void params_free(struct params *p, const struct kernels *k, struct dev *dev)
{
    for (int i = 0; i < p->count; i++) {
        struct arr const all[] = {p->list[i].w, p->list[i].grad, p->list[i].m,
                                  p->list[i].v};
        for (int j = 0; j < 4; j++)
            if (all[j].data)
                k->release(dev, all[j].data, (size_t)all[j].shape[0] * sizeof(float));
    }
    free(p->list);
    *p = (struct params){0};
}

void params_clear(const struct params *p, const struct kernels *k, struct dev *dev)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i].trained)
            k->back->zero(dev, p->list[i].grad);
}
