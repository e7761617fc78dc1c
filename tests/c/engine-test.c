/* engine-test: whole models against reference numbers: positions, towers, hidden states,
 * logits, greedy continuations. */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "golden.h"

#include <math.h>

static struct engine *open_model(const char *relative, int threads, int max_batch)
{
    const char *dir = golden_path(relative);
    struct engine_options o = {"cpu", threads, 0, max_batch};
    struct engine *e = dir ? engine_open(dir, &o) : NULL;
    CHECK(e, "%s: %s", relative, dir ? fail_text() : "no reference data");
    return e;
}

static int32_t *integers(json_t *list, int *count)
{
    size_t n = json_array_size(list);
    int32_t *v = malloc(n * sizeof *v + 1);
    for (size_t i = 0; i < n; i++)
        v[i] = (int32_t)json_integer_value(json_array_get(list, i));
    *count = (int)n;
    return v;
}

/* -- One case of cases/MODEL/cases.jsonl ------------------------------------------------
 */

struct golden {
    const char *model, *name;
    json_t *row;
    char file[512]; /* its tensors */
    struct golden_tensor pixels;
    struct engine_picture pictures[8];
    struct engine_prompt prompt;
    int32_t *ids;
};

/* A tensor of the case, read where the row says it is. false if there is none. */
static bool tensor(const struct golden *g, struct golden_tensor *t, const char *name)
{
    char relative[512];
    const char *other = json_string_value(
        json_object_get(json_object_get(g->row, "tensors_elsewhere"), name));
    if (!other)
        return golden_tensor_read(t, g->file, name);
    snprintf(relative, sizeof relative, "goldens/cases/%s/%s", g->model, other);
    return golden_path(relative) && golden_tensor_read(t, golden_path(relative), name);
}

/* false if the case's tensors are not at hand: the repository has not all of them. */
static bool golden_open(struct golden *g, const char *model, json_t *row)
{
    char relative[512];
    json_t *grids = json_object_get(row, "image_grid_thw");
    *g = (struct golden){.model = model, .row = row};
    g->name = json_string_value(json_object_get(row, "name"));
    snprintf(relative, sizeof relative, "goldens/cases/%s/%s.safetensors", model,
             g->name);
    const char *path = golden_path(relative);
    snprintf(g->file, sizeof g->file, "%s", path ? path : relative);
    g->ids = integers(json_object_get(row, "input_ids"), &g->prompt.len);
    g->prompt.ids = g->ids;
    g->prompt.pictures = g->pictures;
    size_t count = json_array_size(grids);
    if (!path || count == 0)
        return path != NULL;
    if (!tensor(g, &g->pixels, "pixel_values")) {
        CHECK(0, "%s: no pixel_values", g->file);
        return false;
    }
    const float *at = g->pixels.f32;
    for (size_t i = 0; i < count; i++) {
        int n, *grid = integers(json_array_get(grids, i), &n);
        g->pictures[g->prompt.picture_count++] =
            (struct engine_picture){at, grid[0], grid[1], grid[2]};
        at += (int64_t)grid[0] * grid[1] * grid[2] * g->pixels.shape[1];
        free(grid);
    }
    return true;
}

static void golden_close(struct golden *g)
{
    golden_tensor_free(&g->pixels);
    free(g->ids);
}

static void positions_agree(struct engine *e, const struct golden *g)
{
    json_t *rows = json_object_get(g->row, "position_ids");
    int len = g->prompt.len, delta = 0, n;
    int32_t *have = malloc((size_t)len * 3 * sizeof *have);
    bool plain = json_is_integer(json_array_get(rows, 0));
    CHECK(engine_positions(engine_config(e), &g->prompt, have, &delta) == 0, "%s",
          fail_text());
    CHECK(delta == json_integer_value(json_object_get(g->row, "rope_delta")), "delta %d",
          delta);
    for (int axis = 0; axis < 3; axis++) {
        int32_t *want = integers(plain ? rows : json_array_get(rows, (size_t)axis), &n);
        CHECK(n == len && memcmp(want, have + axis * len, (size_t)n * 4) == 0,
              "positions of axis %d", axis);
        free(want);
    }
    free(have);
}

struct compared {
    const struct golden *golden;
    int tensors;
    bool logits;
};

/* Each tensor on the way: 2e-4 of the largest value; logits 5e-4 absolute. */
static void compare(void *context, const char *name, const float *data, int64_t rows,
                    int64_t dim)
{
    struct compared *c = context;
    struct golden_tensor t;
    bool logits = strcmp(name, "logits") == 0;
    double largest = 0, worst = 0;
    if (logits && !tensor(c->golden, &t, name)) {
        if (!tensor(c->golden, &t, "logits_last"))
            return;
        data += (rows - 1) * dim;
        rows = 1;
    } else if (!logits && !tensor(c->golden, &t, name)) {
        return;
    }
    CHECK(t.count == rows * dim, "%s has %lld numbers, not %lld", name,
          (long long)(rows * dim), (long long)t.count);
    for (int64_t i = 0; i < t.count && t.count == rows * dim; i++) {
        double gap = fabs((double)data[i] - (double)t.f32[i]);
        largest = fmax(largest, fabs((double)t.f32[i]));
        worst = gap > worst || isnan(gap) ? gap : worst;
    }
    CHECK(worst <= (logits ? 5e-4 : 2e-4 * largest), "%s: off by %g, largest %g", name,
          worst, largest);
    c->tensors++;
    c->logits |= logits;
    golden_tensor_free(&t);
}

static void tensors_agree(struct engine *e, const struct golden *g)
{
    struct compared c = {.golden = g};
    CHECK(engine_trace(e, &g->prompt, compare, &c) == 0, "%s", fail_text());
    CHECK(c.logits && c.tensors >= (int)(1 + (g->prompt.picture_count > 0)),
          "%d tensors compared", c.tensors);
}

/* Equal up to the first step whose gap is below 1e-3. */
static void greedy_agrees(struct engine *e, const struct golden *g, const char *key,
                          const char *gap_key, double penalty)
{
    json_t *list = json_object_get(g->row, key), *gaps = json_object_get(g->row, gap_key);
    if (!list)
        return;
    int n;
    int32_t *want = integers(list, &n);
    struct sampling p = {.top_p = 1, .repetition_penalty = penalty, .max_tokens = n};
    p.ignore_eos = true;
    struct engine_generation gen = {.prompt = &g->prompt, .sampling = &p, .n = 1};
    struct sample s;
    if (engine_generate(e, &gen, &s) < 0) {
        CHECK(0, "%s: %s", key, fail_text());
    } else {
        CHECK((int)s.ids.n == n && s.finish == FINISH_LENGTH, "%s: %zu tokens", key,
              s.ids.n);
        for (int i = 0; i < n && i < (int)s.ids.n; i++) {
            if (json_real_value(json_array_get(gaps, (size_t)i)) < 1e-3)
                break;
            CHECK(s.ids.id[i] == want[i], "%s[%d] is %d, not %d", key, i, s.ids.id[i],
                  want[i]);
        }
        sample_free(&s);
    }
    free(want);
}

/* All cases of a model, of which the repository has this many at least. */
static void run_cases(const char *model, int least)
{
    char relative[256], label[256];
    snprintf(relative, sizeof relative, "goldens/models/%s", model);
    struct engine *e = open_model(relative, 2, 4);
    snprintf(relative, sizeof relative, "goldens/cases/%s/cases.jsonl", model);
    char *text = golden_file(golden_path(relative), NULL);
    const char *at = text ? text : "";
    json_t *row;
    int seen = 0;
    while (e && (row = golden_row(&at))) {
        struct golden g;
        if (json_object_get(row, "video")) { /* videos are not read yet */
            json_decref(row);
            continue;
        }
        if (golden_open(&g, model, row)) {
            positions_agree(e, &g);
            tensors_agree(e, &g);
            greedy_agrees(e, &g, "greedy_ids", "greedy_gap", 1);
            greedy_agrees(e, &g, "greedy_rep1.05_ids", "greedy_rep1.05_gap", 1.05);
            snprintf(label, sizeof label, "golden_%s_%s", model, g.name);
            check_report(label);
            seen++;
        }
        golden_close(&g);
        json_decref(row);
    }
    CHECK(seen >= least, "%d cases of %s", seen, model);
    snprintf(label, sizeof label, "golden_%s_all", model);
    check_report(label);
    free(text);
    engine_close(e);
}

int main(void)
{
    run_cases("qwen2", 4);
    run_cases("qwen3", 6);
    run_cases("qwen2_5_vl", 4);
    run_cases("qwen2_5_vl_nested", 3);
    run_cases("qwen3_vl", 3);
    return check_end();
}
