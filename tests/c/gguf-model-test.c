/* gguf-model-test: whole models from GGUF files against the reference's logits and greedy
 * tokens: Q8_0 in one, seven other types in the other. Both tables. */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "golden.h"

#include <math.h>

enum { IDS_MAX = 64 };

/* The reference's logits of one case, and where ours go. */
struct compared {
    struct golden_tensor want;
    double worst;
    bool seen;
};

static void compare(void *context, const char *name, const float *data, int64_t rows,
                    int64_t dim)
{
    struct compared *c = context;
    if (strcmp(name, "logits") != 0)
        return;
    c->seen = c->want.count == rows * dim;
    for (int64_t i = 0; c->seen && i < rows * dim; i++) {
        double gap = fabs((double)data[i] - (double)c->want.f32[i]);
        c->worst = gap > c->worst || isnan(gap) ? gap : c->worst;
    }
}

static int integers(json_t *list, int32_t ids[IDS_MAX])
{
    int n = 0;
    for (; n < (int)json_array_size(list) && n < IDS_MAX; n++)
        ids[n] = (int32_t)json_integer_value(json_array_get(list, (size_t)n));
    return n;
}

/* Several samples at once, so that products have rows from 1 to the prompt's length. */
static void greedy_agrees(struct engine *e, const struct engine_prompt *prompt,
                          json_t *row, const char *file)
{
    int32_t want[IDS_MAX];
    int n = integers(json_object_get(row, "greedy_ids"), want);
    struct sampling p = {.top_p = 1, .repetition_penalty = 1, .max_tokens = n};
    p.ignore_eos = true;
    struct engine_generation g = {.prompt = prompt, .sampling = &p, .n = 3};
    struct sample s[3];
    NEED(engine_generate(e, &g, s) == 0, "%s: %s", file, fail_text());
    for (int k = 0; k < 3; k++) {
        CHECK(n == 32 && (int)s[k].ids.n == n, "%s: %zu tokens", file, s[k].ids.n);
        for (int i = 0; i < n && i < (int)s[k].ids.n; i++)
            CHECK(s[k].ids.id[i] == want[i], "%s: sample %d, token %d: %d, not %d", file,
                  k, i, s[k].ids.id[i], want[i]);
        sample_free(&s[k]);
    }
}

static void case_agrees(struct engine *e, const char *file, size_t number, json_t *row)
{
    char relative[128], name[32];
    int32_t ids[IDS_MAX];
    struct compared c = {.worst = 0};
    struct engine_prompt prompt = {.ids = ids};
    prompt.len = integers(json_object_get(row, "input_ids"), ids);
    snprintf(relative, sizeof relative, "goldens2/gguf/%.*s_logits.safetensors",
             (int)strcspn(file, "."), file);
    snprintf(name, sizeof name, "case%zu.logits", number);
    const char *path = golden_path(relative);
    NEED(path && golden_tensor_read(&c.want, path, name), "%s: no %s", relative, name);
    CHECK(engine_trace(e, &prompt, compare, &c) == 0, "%s", fail_text());
    CHECK(c.seen && c.worst <= 2e-4, "%s: %s: off by %g", file, name, c.worst);
    golden_tensor_free(&c.want);
    greedy_agrees(e, &prompt, row, file);
}

static void models_agree(void)
{
    char *text = golden_file(golden_path("goldens2/gguf/models.json"), NULL);
    json_t *models = text ? json_loads(text, 0, NULL) : NULL, *cases, *row;
    const char *file;
    size_t i;
    free(text);
    CHECK(json_object_size(models) == 2, "%zu models", json_object_size(models));
    json_object_foreach(models, file, cases)
    {
        char relative[128];
        struct engine_options o = {"cpu", 2, 256, 4};
        snprintf(relative, sizeof relative, "goldens2/gguf/%s", file);
        struct engine *e = engine_open(golden_path(relative), &o);
        CHECK(e && json_array_size(cases) == 2, "%s: %s", file, fail_text());
        json_array_foreach(cases, i, row) if (e) case_agrees(e, file, i, row);
        engine_close(e);
    }
    json_decref(models);
}

int main(void)
{
    setenv("CAPMILL_ISA", "plain", 1);
    models_agree();
    check_report("plain_models_agree");
    unsetenv("CAPMILL_ISA");
    models_agree();
    check_report("models_agree");
    return check_end();
}
