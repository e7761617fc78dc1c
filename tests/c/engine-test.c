/* engine-test: whole models against reference numbers: positions, towers, hidden states,
 * logits, greedy continuations. */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "golden.h"
#include "on-device.h"

#include <math.h>
#include <pthread.h>

static struct engine *open_model(const char *relative, int threads, int max_batch)
{
    const char *dir = golden_path(relative);
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = threads,
                               .max_batch = max_batch};
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

/* Each tensor on the way: 2e-4 of the largest value; logits 5e-4 absolute. In bf16 all
 * are held to what transformers 5 in bf16 is off by at most on these cases (the logits of
 * qwen2_5_vl's one_image). */
static const double BF16_OFF = 0.055;
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
    CHECK(worst <= (test_bf16() ? BF16_OFF * largest
                    : logits    ? 5e-4
                                : 2e-4 * largest),
          "%s: off by %g, largest %g", name, worst, largest);
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

/* Equal up to the first step whose gap is below 1e-3; in bf16, below twice what logits
 * may be off. */
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
            if (json_real_value(json_array_get(gaps, (size_t)i)) <
                (test_bf16() ? 0.5 : 1e-3))
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

/* -- What the engine promises beyond the numbers
 * ----------------------------------------- */

enum { ASKED = 6 }; /* different requests, used together and alone */

struct asked {
    struct engine *engine;
    const struct golden *golden;
    struct sampling sampling;
    int n;
    struct sample samples[8];
    int status;
    pthread_t thread;
};

static void *ask(void *context)
{
    struct asked *a = context;
    struct engine_generation g = {
        .prompt = &a->golden->prompt, .sampling = &a->sampling, .n = a->n};
    a->status = engine_generate(a->engine, &g, a->samples);
    return NULL;
}

static bool same_sample(const struct sample *a, const struct sample *b, int top)
{
    size_t logprobs = a->ids.n + (a->finish == FINISH_STOP);
    return a->ids.n == b->ids.n && a->finish == b->finish && a->end_id == b->end_id &&
           memcmp(a->ids.id, b->ids.id, a->ids.n * sizeof *a->ids.id) == 0 &&
           memcmp(a->logprobs, b->logprobs, logprobs * sizeof *a->logprobs) == 0 &&
           memcmp(a->top, b->top, a->ids.n * (size_t)top * sizeof *a->top) == 0;
}

/* The requests of every run: request i is case i of the model, with its own sampling. */
static void asked_fill(struct asked *a, struct engine *e, const struct golden *cases,
                       int n, int i)
{
    *a =
        (struct asked){.engine = e, .golden = &cases[i % n], .n = i == 0 ? 5 : 1 + i % 3};
    a->sampling = (struct sampling){.temperature = i == 1 ? 0 : 0.5 + 0.3 * i,
                                    .top_p = i == 2 ? 0.9 : 1,
                                    .min_p = i == 3 ? 0.02 : 0,
                                    .top_k = i == 4 ? 50 : 0,
                                    .repetition_penalty = i == 5 ? 1.1 : 1,
                                    .max_tokens = 20 + 17 * i,
                                    .logprobs = true,
                                    .top = 2,
                                    .key = {(uint64_t)i, 42}};
}

static void asked_free(struct asked *a)
{
    for (int i = 0; i < a->n && a->status == 0; i++) sample_free(&a->samples[i]);
}

static int cases_open(struct golden *cases, int max, const char *model)
{
    char relative[256];
    snprintf(relative, sizeof relative, "goldens/cases/%s/cases.jsonl", model);
    char *text = golden_file(golden_path(relative), NULL);
    const char *at = text ? text : "";
    json_t *row;
    int n = 0;
    while (n < max && (row = golden_row(&at)))
        if (!json_object_get(row, "video") && golden_open(&cases[n], model, row))
            n++;
        else
            json_decref(row);
    free(text);
    CHECK(n >= 2, "%d cases of %s", n, model);
    return n;
}

static void cases_close(struct golden *cases, int n)
{
    for (int i = 0; i < n; i++) {
        json_decref(cases[i].row);
        golden_close(&cases[i]);
    }
}

/* Alone, one thread, one sequence at a time, against all at once on other shapes. */
static void same_bits_alone_and_together(const char *model)
{
    struct golden cases[ASKED];
    struct asked alone[ASKED], together[ASKED];
    char relative[256];
    int n = cases_open(cases, ASKED, model);
    snprintf(relative, sizeof relative, "goldens/models/%s", model);
    struct engine *e = open_model(relative, 1, 1);
    for (int i = 0; e && n && i < ASKED; i++) {
        asked_fill(&alone[i], e, cases, n, i);
        ask(&alone[i]);
        CHECK(alone[i].status == 0, "%s", fail_text());
    }
    engine_close(e);
    static const int shapes[][2] = {{2, 16}, {2, 3}, {1, 7}};
    for (int s = 0; s < 3 && e && n; s++) {
        struct engine *other = open_model(relative, shapes[s][0], shapes[s][1]);
        for (int i = ASKED - 1; other && i >= 0; i--) {
            asked_fill(&together[i], other, cases, n, i);
            pthread_create(&together[i].thread, NULL, ask, &together[i]);
        }
        for (int i = 0; other && i < ASKED; i++) {
            pthread_join(together[i].thread, NULL);
            CHECK(together[i].status == 0, "request %d failed", i);
            for (int k = 0; k < alone[i].n && together[i].status == 0; k++)
                CHECK(same_sample(&alone[i].samples[k], &together[i].samples[k], 2),
                      "request %d, sample %d: not the same with %d threads, %d lanes", i,
                      k, shapes[s][0], shapes[s][1]);
            asked_free(&together[i]);
        }
        engine_close(other);
    }
    for (int i = 0; e && n && i < ASKED; i++) asked_free(&alone[i]);
    cases_close(cases, n);
}

static void same_bits_qwen2_5_vl(void)
{
    same_bits_alone_and_together("qwen2_5_vl");
}

static void same_bits_qwen3_vl(void)
{
    same_bits_alone_and_together("qwen3_vl");
}

static void same_bits_qwen2(void)
{
    same_bits_alone_and_together("qwen2");
}

/* A sample's logprobs are those that scoring its tokens gives. */
static void scoring_agrees_with_sampling(void)
{
    struct golden cases[ASKED];
    int n = cases_open(cases, ASKED, "qwen3_vl");
    struct engine *e = open_model("goldens/models/qwen3_vl", 2, 4);
    struct asked a;
    if (!e || !n)
        return;
    asked_fill(&a, e, cases, n, 0);
    a.golden = &cases[1]; /* one_image */
    a.sampling.temperature = 1;
    a.sampling.max_tokens = 90;
    ask(&a);
    NEED(a.status == 0, "failed");
    struct engine_continuation c[8];
    float *logprobs[8];
    for (int i = 0; i < a.n; i++) {
        c[i] = (struct engine_continuation){a.samples[i].ids.id, (int)a.samples[i].ids.n};
        logprobs[i] = malloc(a.samples[i].ids.n * sizeof(float) + 1);
    }
    CHECK(engine_score(e, &cases[1].prompt, c, a.n, logprobs) == 0, "%s", fail_text());
    for (int i = 0; i < a.n; i++) {
        CHECK(a.samples[i].ids.n > 8, "%zu tokens", a.samples[i].ids.n);
        CHECK(memcmp(logprobs[i], a.samples[i].logprobs,
                     a.samples[i].ids.n * sizeof(float)) == 0,
              "sample %d", i);
        free(logprobs[i]);
    }
    asked_free(&a);
    engine_close(e);
    cases_close(cases, n);
}

/* A long text, cut into prompt and continuation anywhere: the same bits for each token.
 */
static void scoring_does_not_see_where_it_is_cut(void)
{
    struct golden cases[ASKED];
    int n = cases_open(cases, ASKED, "qwen2"), longest = 0;
    struct engine *e = open_model("goldens/models/qwen2", 2, 3);
    if (!e || !n)
        return;
    for (int i = 0; i < n; i++)
        if (cases[i].prompt.len > cases[longest].prompt.len)
            longest = i;
    const struct engine_prompt *all = &cases[longest].prompt;
    float *first = malloc((size_t)all->len * sizeof *first);
    float *other = malloc((size_t)all->len * sizeof *other);
    CHECK(all->len > 520, "%d tokens are no more than one pass", all->len);
    static const int cuts[] = {1, 63, 64, 65, 128, 500, 520};
    for (int i = 0; i < 7; i++) {
        int cut = cuts[i];
        struct engine_prompt p = {.ids = all->ids, .len = cut};
        struct engine_continuation c[3] = {
            {all->ids + cut, all->len - cut}, {all->ids + cut, 1}, {all->ids + cut, 0}};
        float one, none, *out[] = {i ? other + cut : first + cut, &one, &none};
        CHECK(engine_score(e, &p, c, 3, out) == 0, "%s", fail_text());
        CHECK(one == out[0][0], "the first token alone");
        CHECK(!i || memcmp(first + cut, other + cut,
                           (size_t)(all->len - cut) * sizeof *first) == 0,
              "cut at %d", cut);
    }
    free(first);
    free(other);
    engine_close(e);
    cases_close(cases, n);
}

/* -- Who is computed first
 * ---------------------------------------------------------------
 */

enum { CROWD = 6, LANES = 4, TOKENS = 12 };

/* Which request got each new token, in the order they came. */
struct crowd {
    struct engine *engine;
    const struct engine_prompt *prompt;
    int order[CROWD * LANES * TOKENS], count;
};

struct member {
    struct crowd *crowd;
    int number, status;
    pthread_t thread;
};

static bool note_token(void *context, int sample, const int32_t *ids, int count)
{
    struct member *m = context;
    (void)sample, (void)ids, (void)count;
    m->crowd->order[m->crowd->count++] = m->number; /* on the engine's thread alone */
    return false;
}

static void *join_crowd(void *context)
{
    struct member *m = context;
    struct sampling p = {.temperature = 1,
                         .top_p = 1,
                         .repetition_penalty = 1,
                         .max_tokens = TOKENS,
                         .ignore_eos = true,
                         .key = {1, (uint64_t)m->number}};
    struct engine_generation g = {.prompt = m->crowd->prompt,
                                  .sampling = &p,
                                  .n = LANES,
                                  .stop = note_token,
                                  .stop_context = m};
    struct sample samples[LANES];
    m->status = engine_generate(m->crowd->engine, &g, samples);
    for (int i = 0; i < LANES && m->status == 0; i++) sample_free(&samples[i]);
    return NULL;
}

/* With as many lanes as a row has samples, rows come one after the other: a row's samples
 * decode together, and no later row takes a lane that one of them waits for. */
static void the_samples_of_a_row_decode_together(void)
{
    struct golden cases[2];
    struct member members[CROWD];
    int n = cases_open(cases, 2, "qwen3"), turns = 1;
    struct crowd crowd = {.engine = open_model("goldens/models/qwen3", 2, LANES),
                          .prompt = &cases[0].prompt};
    NEED(crowd.engine && n, "no model");
    for (int i = 0; i < CROWD; i++) {
        members[i] = (struct member){.crowd = &crowd, .number = i};
        pthread_create(&members[i].thread, NULL, join_crowd, &members[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(members[i].thread, NULL);
        CHECK(members[i].status == 0, "request %d failed", i);
    }
    CHECK(crowd.count == CROWD * LANES * TOKENS, "%d tokens", crowd.count);
    for (int i = 1; i < crowd.count; i++) turns += crowd.order[i] != crowd.order[i - 1];
    CHECK(turns == CROWD, "%d requests took %d turns", CROWD, turns);
    engine_close(crowd.engine);
    cases_close(cases, n);
}

/* A request with these ids must fail with this class and these words. */
static void refused(struct engine *e, struct engine_prompt prompt, enum fail_class kind,
                    const char *words)
{
    struct sampling p = {.top_p = 1, .repetition_penalty = 1, .max_tokens = 4};
    struct engine_generation g = {.prompt = &prompt, .sampling = &p, .n = 1};
    struct sample s;
    if (engine_generate(e, &g, &s) == 0) {
        CHECK(0, "taken, without: %s", words);
        sample_free(&s);
        return;
    }
    CHECK(fail_kind() == kind && strstr(fail_text(), words), "%s: %s", words,
          fail_text());
    CHECK(!s.ids.id && !s.logprobs, "a sample is left");
}

static void bad_prompts_are_refused(void)
{
    struct golden cases[ASKED];
    int n = cases_open(cases, ASKED, "qwen3_vl");
    struct engine *e = open_model("goldens/models/qwen3_vl", 1, 2);
    struct engine *text = open_model("goldens/models/qwen3", 1, 2);
    if (!e || !text || !n)
        return;
    struct engine_prompt p = cases[1].prompt; /* one_image */
    int32_t *ids = malloc((size_t)p.len * sizeof *ids);
    struct engine_picture picture = p.pictures[0];
    memcpy(ids, p.ids, (size_t)p.len * sizeof *ids);
    refused(text, p, FAIL_TYPE, "this model reads text only");
    p.picture_count = 0;
    refused(e, p, FAIL_MODEL, "for more than its 0 pictures");
    p = cases[1].prompt;
    p.pictures = &picture;
    picture.grid_h = 8;
    refused(e, p, FAIL_MODEL, "for more than its 1 pictures");
    picture.grid_h = 12;
    refused(e, p, FAIL_MODEL, "picture 1 needs 36 image tokens, the prompt has 30");
    picture.grid_h = 9;
    refused(e, p, FAIL_MODEL, "grid 1 x 9 x 12 does not fit");
    picture.grid_h = 0;
    refused(e, p, FAIL_MODEL, "grid");
    picture = cases[1].prompt.pictures[0];
    p.ids = ids;
    ids[0] = 2048;
    refused(e, p, FAIL_MODEL, "token id 2048 at 0 is not in the vocabulary of 2048");
    ids[0] = -1;
    refused(e, p, FAIL_MODEL, "token id -1");
    ids[0] = engine_config(e)->video_id;
    refused(e, p, FAIL_MODEL, "video token");
    p.len = 0;
    refused(e, p, FAIL_MODEL, "empty");
    free(ids);
    engine_close(e);
    engine_close(text);
    cases_close(cases, n);
}

static void the_context_limits_prompts_and_samples(void)
{
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 1,
                               .ctx = 100,
                               .max_batch = 2};
    const char *dir = golden_path("goldens/models/qwen3");
    struct engine *e = dir ? engine_open(dir, &o) : NULL;
    int32_t ids[101];
    float out[200], *outs[] = {out};
    NEED(e, "%s", fail_text());
    for (int i = 0; i < 101; i++) ids[i] = i;
    CHECK(engine_ctx(e) == 100, "%d", engine_ctx(e));
    refused(e, (struct engine_prompt){.ids = ids, .len = 101}, FAIL_TOO_LONG,
            "prompt of 101 tokens does not fit the context of 100");
    struct engine_prompt p = {.ids = ids, .len = 90};
    struct sampling sampling = {
        .top_p = 1, .repetition_penalty = 1, .max_tokens = 1000, .ignore_eos = true};
    struct engine_generation g = {.prompt = &p, .sampling = &sampling, .n = 3};
    struct sample s[3];
    NEED(engine_generate(e, &g, s) == 0, "%s", fail_text());
    for (int i = 0; i < 3; i++) {
        CHECK(s[i].ids.n == 10 && s[i].finish == FINISH_LENGTH, "%zu tokens", s[i].ids.n);
        sample_free(&s[i]);
    }
    p.len = 100;
    refused(e, p, FAIL_TOO_LONG,
            "prompt of 100 tokens leaves no room in the context of 100");
    p.len = 99;
    NEED(engine_generate(e, &g, s) == 0, "%s", fail_text());
    for (int i = 0; i < 3; i++) {
        CHECK(s[i].ids.n == 1, "%zu tokens", s[i].ids.n);
        sample_free(&s[i]);
    }
    struct engine_continuation c = {ids, 11};
    p.len = 90;
    CHECK(engine_score(e, &p, &c, 1, outs) < 0 && fail_kind() == FAIL_TOO_LONG, "%s",
          fail_text());
    c.len = 10;
    CHECK(engine_score(e, &p, &c, 1, outs) == 0, "%s", fail_text());
    engine_close(e);
    o.ctx = 1 << 28;
    CHECK(!engine_open(dir, &o) && fail_kind() == FAIL_REFUSED, "%s", fail_text());
}

static bool stop_at_five(void *context, int sample, const int32_t *ids, int count)
{
    (void)ids;
    *(int *)context += sample;
    return count == 5;
}

static bool give_up(void *context)
{
    return ++*(int *)context > 3;
}

static void callbacks_end_samples(void)
{
    struct engine *e = open_model("goldens/models/qwen3", 1, 2);
    const int32_t ids[] = {5, 6, 7};
    struct engine_prompt p = {.ids = ids, .len = 3};
    struct sampling sampling = {.temperature = 1,
                                .top_p = 1,
                                .repetition_penalty = 1,
                                .max_tokens = 1000,
                                .ignore_eos = true};
    int calls = 0;
    struct engine_generation g = {.prompt = &p, .sampling = &sampling, .n = 3};
    struct sample s[3];
    if (!e)
        return;
    g.stop = stop_at_five;
    g.stop_context = &calls;
    NEED(engine_generate(e, &g, s) == 0, "%s", fail_text());
    for (int i = 0; i < 3; i++) {
        CHECK(s[i].ids.n == 5 && s[i].finish == FINISH_STOP_TEXT, "%zu", s[i].ids.n);
        sample_free(&s[i]);
    }
    CHECK(calls == 5 * (0 + 1 + 2), "%d", calls);
    calls = 0;
    g.stop = NULL;
    g.abandon = give_up;
    g.abandon_context = &calls;
    CHECK(engine_generate(e, &g, s) < 0 && fail_kind() == FAIL_REFUSED &&
              strstr(fail_text(), "interrupted"),
          "%s", fail_text());
    engine_close(e);
}

/* Greedy noise falls into a cycle sooner or later. */
static void loops_end_a_sample(void)
{
    struct engine *e = open_model("goldens/models/qwen2", 2, 2);
    const int32_t ids[] = {5, 6, 7};
    struct engine_prompt p = {.ids = ids, .len = 3};
    struct sampling sampling = {.top_p = 1,
                                .repetition_penalty = 1,
                                .max_tokens = 4000,
                                .ignore_eos = true,
                                .loop_stop = true};
    struct engine_generation g = {.prompt = &p, .sampling = &sampling, .n = 1};
    struct sample s;
    if (!e)
        return;
    NEED(engine_generate(e, &g, &s) == 0, "%s", fail_text());
    CHECK(s.finish == FINISH_REPETITION && s.ids.n < 4000, "%zu tokens, finish %d",
          s.ids.n, s.finish);
    size_t looped = s.ids.n;
    sample_free(&s);
    sampling.loop_stop = false;
    sampling.max_tokens = (int)looped + 5;
    NEED(engine_generate(e, &g, &s) == 0, "%s", fail_text());
    CHECK(s.finish == FINISH_LENGTH && s.ids.n == looped + 5, "%zu tokens", s.ids.n);
    sample_free(&s);
    engine_close(e);
}

/* The worked example of the pocket judge: sums of log-probabilities of whole replies. */
static void pocket_judge(void)
{
    static const int32_t ids[] = {688, 492, 198, 483, 25,  272, 346, 358, 325, 268,
                                  335, 321, 402, 413, 13,  272, 371, 276, 394, 500,
                                  504, 25,  573, 276, 274, 402, 413, 482, 293, 332,
                                  349, 311, 587, 13,  689, 198, 688, 509, 198};
    static const int32_t replies[5][7] = {{83, 333, 358, 689},
                                          {446, 263, 83, 64, 317, 67, 689},
                                          {65, 339, 338, 358, 689},
                                          {65, 339, 338, 348, 689},
                                          {76, 343, 348, 689}};
    static const int lengths[5] = {4, 7, 5, 5, 4};
    static const double sums[5] = {-0.041, -3.225, -9.878, -17.35, -18.61};
    static const double tolerance[5] = {5e-4, 5e-4, 5e-4, 5e-3, 5e-3};
    struct engine_options o = {
        .device = test_device(), .compute = test_compute(), .threads = 2, .max_batch = 4};
    struct engine *e = engine_open("share/pocket/judge", &o);
    struct engine_prompt p = {.ids = ids, .len = 39};
    struct engine_continuation c[5];
    float values[5][7], *out[5];
    NEED(e, "%s", fail_text());
    for (int i = 0; i < 5; i++) {
        c[i] = (struct engine_continuation){replies[i], lengths[i]};
        out[i] = values[i];
    }
    NEED(engine_score(e, &p, c, 5, out) == 0, "%s", fail_text());
    for (int i = 0; i < 5; i++) {
        double sum = 0;
        for (int j = 0; j < lengths[i]; j++) sum += (double)values[i][j];
        CHECK(fabs(sum - sums[i]) <= tolerance[i], "reply %d: %g, not %g", i, sum,
              sums[i]);
    }
    engine_close(e);
}

static void plan_knows_sizes(void)
{
    const char *dir = golden_path("goldens/models/qwen3_vl");
    struct engine_options o = {0};
    struct engine_memory m;
    NEED(dir && engine_plan(dir, &o, &m) == 0, "%s", fail_text());
    CHECK(m.weights == 1219152 && m.parameters == 1219152 / 2, "%lld",
          (long long)m.parameters);
    CHECK(m.kv_per_token == 2 * 4 * 4 * 2 * 32, "%lld", (long long)m.kv_per_token);
    CHECK(m.scratch > 1 << 20, "%lld", (long long)m.scratch);
}

int main(void)
{
    run_cases("qwen2", 4);
    run_cases("qwen3", 6);
    run_cases("qwen2_5_vl", 4);
    run_cases("qwen2_5_vl_nested", 3);
    run_cases("qwen3_vl", 3);
    CASE(same_bits_qwen2);
    CASE(same_bits_qwen2_5_vl);
    CASE(same_bits_qwen3_vl);
    CASE(scoring_agrees_with_sampling);
    CASE(scoring_does_not_see_where_it_is_cut);
    CASE(the_samples_of_a_row_decode_together);
    CASE(bad_prompts_are_refused);
    CASE(the_context_limits_prompts_and_samples);
    CASE(callbacks_end_samples);
    CASE(loops_end_a_sample);
    CASE(pocket_judge);
    CASE(plan_knows_sizes);
    return check_end();
}
