/* lora.c: see lora.h. */
#include "train/lora.h"
#include "base/fail.h"
#include "base/random.h"
#include "engine/vlm.h"
#include "train/params.h"
#include "train/tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[LORA_TARGETS] = {"q", "k", "v", "o", "gate", "up", "down"};
static const char *const modules[LORA_TARGETS] = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

enum { RANK_MAX = 4096 };

const char *lora_target_name(enum lora_target target)
{
    return modules[target];
}

static bool is_name(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && strncmp(name, text, n) == 0;
}

/* Bits of one word. 0: unknown. */
static unsigned target_of(const char *text, size_t n)
{
    if (is_name("all", text, n))
        return (1u << LORA_TARGETS) - 1;
    for (int i = 0; i < LORA_TARGETS; i++)
        if (is_name(names[i], text, n) || is_name(modules[i], text, n))
            return 1u << i;
    return 0;
}

int lora_read(struct lora_options *o, const char *text)
{
    char *end;
    long rank = strtol(text, &end, 10);
    if (end == text || *end != ',' || rank < 1 || rank > RANK_MAX)
        return fail(FAIL_REFUSED,
                    "\"%.60s\" is not RANK,ALPHA,TARGET,... with a rank of 1 to %d", text,
                    RANK_MAX);
    const char *from = end + 1;
    double alpha = strtod(from, &end);
    if (end == from || *end != ',' || !(alpha > 0) || alpha > 1e6)
        return fail(FAIL_REFUSED,
                    "\"%.60s\" is not RANK,ALPHA,TARGET,... with an alpha "
                    "above 0",
                    text);
    o->rank = (int)rank;
    o->alpha = alpha;
    o->targets = 0;
    for (const char *at = end + 1;; at++) {
        size_t n = strcspn(at, ",");
        unsigned bits = target_of(at, n);
        if (!bits)
            return fail(FAIL_REFUSED,
                        "\"%.*s\" is not a matrix: q, k, v, o, gate, up, down or all",
                        (int)n, at);
        o->targets |= bits;
        at += n;
        if (!*at)
            return 0;
    }
}

void lora_text(char text[64], const struct lora_options *o)
{
    int n = snprintf(text, 64, "%d,%.9g", o->rank, o->alpha);
    if (o->targets == (1u << LORA_TARGETS) - 1) {
        snprintf(text + n, 64 - (size_t)n, ",all");
        return;
    }
    for (int i = 0; i < LORA_TARGETS; i++)
        if (o->targets & 1u << i)
            n += snprintf(text + n, 64 - (size_t)n, ",%s", names[i]);
}

static const struct linear *linear_of(const struct text_layer *l, int target)
{
    const struct linear *const all[] = {&l->q,    &l->k,  &l->v,   &l->o,
                                        &l->gate, &l->up, &l->down};
    return all[target];
}

/* The pair's names in PEFT's files: "base_model.model." and the module's path in
 * transformers' model, which is not always what the weight files call it. */
static char *pair_name(const struct vlm *m, int layer, int target, char which)
{
    char *name = malloc(160);
    if (name)
        snprintf(name, 160, "base_model.model.model.%slayers.%d.%s.%s.lora_%c.weight",
                 m->config.vision.depth ? "language_model." : "", layer,
                 target < LORA_GATE ? "self_attn" : "mlp", modules[target], which);
    return name;
}

static int matrix_add(struct params *p, const struct vlm *m, const struct linear *base,
                      char *name, int64_t rows, int64_t columns)
{
    struct param one = {.name = name,
                        .own_name = name,
                        .part = PARTS,
                        .stored = ARR_F32,
                        .rank = 2,
                        .shape = {rows, columns},
                        .trained = true,
                        .decayed = true,
                        .base = base->w};
    return name ? params_add(p, m, &one) : fail_memory();
}

/* Uniform numbers within `bound`, by seed and name alone. 0 or -1. */
static int draw(const struct param *p, const struct vlm *m, uint64_t seed, double bound)
{
    struct random_key key = random_key_of(seed, p->name, strlen(p->name));
    int64_t rows = p->shape[0], columns = p->shape[1];
    float *host = malloc((size_t)(rows * columns) * sizeof *host);
    if (!host)
        return fail_memory();
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            host[r * columns + c] =
                (float)((2 * random_unit(key, (uint32_t)r, (uint32_t)c) - 1) * bound);
    m->k->upload(m->dev, p->w, host);
    free(host);
    return 0;
}

int lora_make(struct params *p, const struct vlm *m, const struct lora_options *o)
{
    p->lora = *o;
    for (int i = 0; i < m->config.text.layers; i++)
        for (int j = 0; j < LORA_TARGETS; j++) {
            const struct linear *base = linear_of(&m->text.layers[i], j);
            if (!(o->targets & 1u << j))
                continue;
            int64_t out = base->w.shape[0], in = base->w.shape[1];
            if (matrix_add(p, m, base, pair_name(m, i, j, 'A'), o->rank, in) < 0 ||
                draw(&p->list[p->count - 1], m, o->seed, 1 / sqrt((double)in)) < 0 ||
                matrix_add(p, m, base, pair_name(m, i, j, 'B'), out, o->rank) < 0)
                return -1;
        }
    return 0;
}

static struct arr matrix_of(const struct param *p)
{
    return arr_reshape(p->w, 2, p->shape);
}

int lora_join(const struct params *p, struct tape *t)
{
    float scale = (float)(p->lora.alpha / p->lora.rank);
    for (int i = 0; i + 1 < p->count; i++) {
        const struct param *down = &p->list[i], *up = down + 1;
        if (!down->base.data)
            continue;
        if (tape_lora(t, down->base, matrix_of(down), matrix_of(up), scale) < 0)
            return -1;
        i++;
    }
    return 0;
}
