/* adapter.c: see adapter.h. */
#include "model/adapter.h"
#include "base/buf.h"
#include "base/fail.h"
#include "engine/document.h"
#include "engine/floats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one matrix. */
struct pair {
    const struct tensor *a, *b; /* [rank, in], [out, rank] */
    const char *name;           /* of A's tensor */
    size_t prefix, length;      /* where the matrix' plain name is in it */
    float *down, *up;           /* owned: a and b as floats; NULL until found */
    float scale;
    bool found;
};

struct adapter {
    char *dir;
    json_t *config;
    struct weights *weights;
    struct pair *pairs;
    int count;
};

static const char start[] = "base_model.model.";
static const char down_end[] = ".lora_A.weight", up_end[] = ".lora_B.weight";

const char *adapter_plain_name(const char *name)
{
    for (;;) {
        if (strncmp(name, "model.", 6) == 0)
            name += 6;
        else if (strncmp(name, "language_model.", 15) == 0)
            name += 15;
        else
            return name;
    }
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static const json_t *get(const struct adapter *a, const char *key)
{
    return json_object_get(a->config, key);
}

/* What would be left out without a word is refused. */
static int config_check(const struct adapter *a, const char *path)
{
    static const char *const switches[] = {"use_dora", "fan_in_fan_out", "lora_bias",
                                           "use_qalora"};
    static const char *const lists[] = {"rank_pattern", "alpha_pattern",
                                        "modules_to_save", "trainable_token_indices"};
    const char *type = json_string_value(get(a, "peft_type"));
    const char *bias = json_string_value(get(a, "bias"));
    if (!type || strcmp(type, "LORA") != 0)
        return fail(FAIL_MODEL, "%s: peft_type \"%.40s\" is not LORA", path,
                    type ? type : "");
    if (bias && strcmp(bias, "none") != 0)
        return fail(FAIL_MODEL, "%s: bias \"%.40s\" is not merged", path, bias);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (json_is_true(get(a, switches[i])))
            return fail(FAIL_MODEL, "%s: %s is not merged", path, switches[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (json_object_size(get(a, lists[i])) || json_array_size(get(a, lists[i])))
            return fail(FAIL_MODEL, "%s: %s is not merged", path, lists[i]);
    if (!json_is_number(get(a, "lora_alpha")))
        return fail(FAIL_MODEL, "%s: no number lora_alpha", path);
    return 0;
}

/* alpha / rank, or alpha / sqrt(rank) (rank-stabilised, Kalajdzievski, arXiv 2312.03732).
 */
static float scale_of(const struct adapter *a, int64_t rank)
{
    double alpha = json_number_value(get(a, "lora_alpha"));
    return (float)(alpha / (json_is_true(get(a, "use_rslora")) ? sqrt((double)rank)
                                                               : (double)rank));
}

static int pair_add(struct adapter *a, const struct tensor *down)
{
    struct buf other = {0};
    size_t n = strlen(down->name);
    buf_add(&other, down->name, n - strlen(down_end));
    buf_text(&other, up_end);
    const struct tensor *up =
        buf_string(&other) ? weights_find(a->weights, other.data) : NULL;
    buf_free(&other);
    if (!up || !floats_can(down) || !floats_can(up) || down->rank != 2 || up->rank != 2 ||
        down->shape[0] != up->shape[1] || down->shape[0] < 1)
        return fail(FAIL_MODEL, "%s: \"%s\" has no lora_B that fits it", down->file,
                    down->name);
    const char *name = strncmp(down->name, start, strlen(start)) == 0
                           ? down->name + strlen(start)
                           : down->name;
    struct pair *p = &a->pairs[a->count++];
    *p = (struct pair){.a = down, .b = up, .name = down->name};
    p->prefix = (size_t)(adapter_plain_name(name) - down->name);
    p->length = n - strlen(down_end) - p->prefix;
    p->scale = scale_of(a, down->shape[0]);
    return 0;
}

static int pairs_read(struct adapter *a)
{
    a->pairs = calloc((size_t)weights_count(a->weights) + 1, sizeof *a->pairs);
    if (!a->pairs)
        return fail_memory();
    for (int i = 0; i < weights_count(a->weights); i++) {
        const struct tensor *t = weights_at(a->weights, i);
        if (ends_with(t->name, down_end) && pair_add(a, t) < 0)
            return -1;
        if (!ends_with(t->name, down_end) && !ends_with(t->name, up_end))
            return fail(FAIL_MODEL, "%s: \"%s\" is not of a low-rank pair", t->file,
                        t->name);
    }
    return a->count * 2 == weights_count(a->weights)
               ? 0
               : fail(FAIL_MODEL, "%s: a lora_B without its lora_A", a->dir);
}

static int read_all(struct adapter *a, const char *dir)
{
    struct buf path = {0};
    int status = -1;
    if (!(a->dir = strdup(dir)))
        return fail_memory();
    if (!document_path(&path, dir, "adapter_config.json") ||
        !(a->config = document_read(path.data)) || config_check(a, path.data) < 0)
        goto out;
    buf_clear(&path);
    if (document_path(&path, dir, "adapter_model.safetensors") &&
        (a->weights = weights_open(path.data)))
        status = pairs_read(a);
out:
    buf_free(&path);
    return status;
}

struct adapter *adapter_open(const char *dir)
{
    struct adapter *a = calloc(1, sizeof *a);
    if (!a) {
        fail_memory();
        return NULL;
    }
    if (read_all(a, dir) < 0) {
        adapter_close(a);
        return NULL;
    }
    return a;
}

void adapter_close(struct adapter *a)
{
    if (!a)
        return;
    for (int i = 0; i < a->count; i++) {
        free(a->pairs[i].down);
        free(a->pairs[i].up);
    }
    free(a->pairs);
    weights_close(a->weights);
    json_decref(a->config);
    free(a->dir);
    free(a);
}

const char *adapter_base(const struct adapter *a)
{
    const char *base = json_string_value(get(a, "base_model_name_or_path"));
    return base ? base : "";
}

static float *floats_all(const struct tensor *t)
{
    float *x = malloc((size_t)(t->shape[0] * t->shape[1] + 1) * sizeof *x);
    if (x)
        floats_read(x, t, 0, t->shape[0] * t->shape[1]);
    else
        fail_memory();
    return x;
}

int adapter_find(struct adapter *a, const struct tensor *t)
{
    const char *name = adapter_plain_name(t->name);
    if (!ends_with(name, ".weight"))
        return -1;
    size_t n = strlen(name) - strlen(".weight");
    for (int i = 0; i < a->count; i++) {
        struct pair *p = &a->pairs[i];
        if (p->length != n || strncmp(p->name + p->prefix, name, n) != 0)
            continue;
        if (t->rank != 2 || t->shape[0] != p->b->shape[0] ||
            t->shape[1] != p->a->shape[1])
            return fail(FAIL_MODEL,
                        "%s: \"%s\" is for a matrix [%lld, %lld], which \"%s\" is not",
                        p->a->file, p->name, (long long)p->b->shape[0],
                        (long long)p->a->shape[1], t->name),
                   -2;
        if (!p->down && (!(p->down = floats_all(p->a)) || !(p->up = floats_all(p->b))))
            return -2;
        p->found = true;
        return i;
    }
    return -1;
}

void adapter_add(const struct adapter *a, int i, int64_t first, int64_t n, float *x)
{
    const struct pair *p = &a->pairs[i];
    int64_t rank = p->a->shape[0], in = p->a->shape[1];
    for (int64_t e = 0; e < n;) {
        int64_t row = (first + e) / in, column = (first + e) % in;
        int64_t count = in - column < n - e ? in - column : n - e;
        for (int64_t r = 0; r < rank; r++) {
            float b = p->scale * p->up[row * rank + r];
            const float *down = p->down + r * in + column;
            for (int64_t c = 0; c < count; c++) x[e + c] += b * down[c];
        }
        e += count;
    }
}

int adapter_all_found(const struct adapter *a)
{
    for (int i = 0; i < a->count; i++)
        if (!a->pairs[i].found)
            return fail(FAIL_MODEL, "%s: the base has no matrix of \"%s\"", a->dir,
                        a->pairs[i].name);
    return 0;
}
