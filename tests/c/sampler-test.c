/* sampler-test: filters against reference numbers, draws against probabilities, loops. */
#include "base/fail.h"
#include "check.h"
#include "engine/loop.h"
#include "engine/sampler.h"
#include "golden.h"

#include <math.h>

static struct sampling plain(void)
{
    return (struct sampling){
        .temperature = 1, .top_p = 1, .repetition_penalty = 1, .max_tokens = 1};
}

/* logits after a filter; ids: the prompt. */
static void filtered(float *logits, int vocab, const struct sampling *p,
                     const int32_t *ids, int len)
{
    struct sampler_work work;
    struct sampler s;
    NEED(sampler_work_open(&work, vocab) == 0, "%s", fail_text());
    NEED(sampler_open(&s, &work, p, ids, len) == 0, "%s", fail_text());
    sampler_filter(&s, logits);
    sampler_close(&s);
    sampler_work_close(&work);
}

/* want: a full vector after a filter, removed entries -inf. 1e-6 of the value. */
static void same(const float *have, const struct golden_tensor *want, const char *name)
{
    for (int64_t i = 0; i < want->count; i++) {
        float a = have[i], b = want->f32[i];
        bool agree = isinf(b) ? a == b : fabsf(a - b) <= 1e-6f * fmaxf(1, fabsf(b));
        CHECK(agree, "%s: [%lld] is %.9g, not %.9g", name, (long long)i, (double)a,
              (double)b);
    }
}

static void filters_of(const char *model, const char *name)
{
    char relative[256], file[512];
    snprintf(relative, sizeof relative, "goldens/cases/%s/%s.safetensors", model, name);
    const char *path = golden_path(relative);
    NEED(path, "no reference data");
    snprintf(file, sizeof file, "%s", path);
    snprintf(relative, sizeof relative, "goldens/cases/%s/cases.jsonl", model);
    char *text = golden_file(golden_path(relative), NULL);
    const char *at = text;
    json_t *row = NULL;
    while (at && (row = golden_row(&at)) &&
           strcmp(json_string_value(json_object_get(row, "name")), name) != 0)
        json_decref(row);
    NEED(row, "no case %s", name);
    json_t *list = json_object_get(row, "input_ids");
    int len = (int)json_array_size(list);
    int32_t *ids = malloc((size_t)len * sizeof *ids);
    for (int i = 0; i < len; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));

    struct golden_tensor logits, want;
    NEED(golden_tensor_read(&logits, file, "logits_last") ||
             golden_tensor_read(&logits, file, "logits"),
         "no logits");
    int vocab = (int)logits.shape[1];
    const float *last = logits.f32 + logits.count - vocab;
    float *work = malloc((size_t)vocab * sizeof *work);
    struct sampling p = plain();
    static const char *const stages[] = {"sampling.after_repetition_penalty",
                                         "sampling.after_temperature",
                                         "sampling.after_top_k", "sampling.after_top_p"};
    for (int stage = 0; stage < 4; stage++) {
        if (stage == 0)
            p.repetition_penalty = 1.05;
        if (stage == 1)
            p.temperature = 0.6;
        if (stage == 2)
            p.top_k = 20;
        if (stage == 3)
            p.top_p = 0.9;
        memcpy(work, last, (size_t)vocab * sizeof *work);
        filtered(work, vocab, &p, ids, len);
        NEED(golden_tensor_read(&want, file, stages[stage]), "%s", stages[stage]);
        same(work, &want, stages[stage]);
        golden_tensor_free(&want);
    }
    double sum = 0;
    float most = -INFINITY;
    for (int i = 0; i < vocab; i++) most = fmaxf(most, work[i]);
    for (int i = 0; i < vocab; i++) sum += exp((double)work[i] - (double)most);
    for (int i = 0; i < vocab; i++)
        work[i] = (float)(exp((double)work[i] - (double)most) / sum);
    NEED(golden_tensor_read(&want, file, "sampling.probs"), "probs");
    same(work, &want, "sampling.probs");
    golden_tensor_free(&want);

    p = plain();
    p.top_p = 0.9;
    memcpy(work, last, (size_t)vocab * sizeof *work);
    filtered(work, vocab, &p, ids, len);
    NEED(golden_tensor_read(&want, file, "sampling.top_p_only_0.9"), "top_p_only");
    same(work, &want, "sampling.top_p_only_0.9");
    golden_tensor_free(&want);
    golden_tensor_free(&logits);
    free(work);
    free(ids);
    json_decref(row);
    free(text);
}

static void filters_agree_with_the_reference(void)
{
    filters_of("qwen2", "text_only");
    filters_of("qwen3", "text_only");
    filters_of("qwen2_5_vl", "one_image");
    filters_of("qwen2_5_vl_nested", "one_image");
    filters_of("qwen3_vl", "one_image");
}

static void ties_with_the_kth_stay(void)
{
    float l[] = {1, 3, 2, 3, 2, 0};
    struct sampling p = plain();
    p.top_k = 3;
    filtered(l, 6, &p, NULL, 0);
    CHECK(l[0] == -INFINITY && l[5] == -INFINITY, "small ones stay");
    CHECK(l[1] == 3 && l[2] == 2 && l[3] == 3 && l[4] == 2, "ties go");
}

static void top_p_keeps_what_crosses(void)
{
    /* probabilities 1/2, 1/4, 1/8, 1/8 */
    const float quarter = logf(0.25f), eighth = logf(0.125f), half = logf(0.5f);
    float l[] = {eighth, quarter, half, eighth};
    struct sampling p = plain();
    p.top_p = 0.6;
    filtered(l, 4, &p, NULL, 0);
    CHECK(l[0] == -INFINITY && l[3] == -INFINITY && l[1] == quarter && l[2] == half,
          "%g %g %g %g", (double)l[0], (double)l[1], (double)l[2], (double)l[3]);
    float one[] = {0, 5, 0};
    p.top_p = 1e-9;
    filtered(one, 3, &p, NULL, 0);
    CHECK(one[0] == -INFINITY && one[1] == 5 && one[2] == -INFINITY, "one stays");
}

static void min_p_is_relative_to_the_best(void)
{
    float l[] = {0, logf(0.5f), logf(0.04f), logf(0.06f)};
    struct sampling p = plain();
    p.min_p = 0.05;
    filtered(l, 4, &p, NULL, 0);
    CHECK(l[2] == -INFINITY && l[3] > -4 && l[1] > -1 && l[0] == 0, "min_p");
}

static void penalties(void)
{
    struct sampling p = plain();
    struct sampler_work work;
    struct sampler s;
    const int32_t prompt[] = {0, 1, 1};
    float l[] = {4, -4, 4, 1};
    p.repetition_penalty = 2;
    p.presence_penalty = 0.5;
    p.temperature = 0;
    NEED(sampler_work_open(&work, 4) == 0, "memory");
    NEED(sampler_open(&s, &work, &p, prompt, 3) == 0, "memory");
    CHECK(sampler_next(&s, l, 0, 0) == 2, "id 0 is penalised, so 2 leads");
    sampler_filter(&s, l); /* 2 is output now */
    CHECK(l[0] == 2 && l[1] == -8 && l[2] == 1.5f && l[3] == 1, "%g %g %g %g",
          (double)l[0], (double)l[1], (double)l[2], (double)l[3]);
    sampler_close(&s);
    sampler_work_close(&work);
}

static void greedy_takes_the_lowest_of_equals(void)
{
    struct sampling p = plain();
    struct sampler_work work;
    struct sampler s;
    const float l[] = {0, 7, 7, 3};
    p.temperature = 0;
    NEED(sampler_work_open(&work, 4) == 0, "memory");
    NEED(sampler_open(&s, &work, &p, NULL, 0) == 0, "memory");
    CHECK(sampler_next(&s, l, 0, 0) == 1, "not 1");
    sampler_close(&s);
    sampler_work_close(&work);
}

static void alternatives_are_sorted(void)
{
    const float l[] = {1, 5, 3, 5, 2};
    struct token_chance top[8];
    sampler_top(l, 5, 2, 1, 3, top);
    CHECK(top[0].id == 1 && top[1].id == 3 && top[2].id == 2, "%d %d %d", top[0].id,
          top[1].id, top[2].id);
    CHECK(top[0].logprob == 9 && top[2].logprob == 5, "%g", (double)top[0].logprob);
    sampler_top(l, 5, 1, 0, 5, top);
    CHECK(top[4].id == 0, "%d", top[4].id);
}

/* 2000 draws from six tokens at a fixed key: chi-square with 5 degrees of freedom is
 * below 20.5 in 99.9 % of cases. */
static double chi_square(const struct sampling *p, const float *logits,
                         const double *expect)
{
    enum { N = 2000, V = 6 };
    int count[V] = {0};
    double sum = 0;
    struct sampler_work work;
    struct sampler s;
    if (sampler_work_open(&work, V) < 0 || sampler_open(&s, &work, p, NULL, 0) < 0)
        return INFINITY;
    for (int i = 0; i < N; i++) count[sampler_next(&s, logits, i % 8, i / 8)]++;
    for (int i = 0; i < V; i++) {
        if (expect[i] == 0 && count[i] > 0)
            sum = INFINITY;
        if (expect[i] > 0)
            sum += pow(count[i] - N * expect[i], 2) / (N * expect[i]);
    }
    sampler_close(&s);
    sampler_work_close(&work);
    return sum;
}

static void draws_follow_the_probabilities(void)
{
    const double even[] = {0.4, 0.25, 0.15, 0.1, 0.07, 0.03};
    const double squared[] = {0.16, 0.0625, 0.0225, 0.01, 0.0049, 0.0009};
    const double cut[] = {0.5, 0.3125, 0.1875, 0, 0, 0};
    double half[6], sum = 0;
    float logits[6];
    for (int i = 0; i < 6; i++) logits[i] = (float)log(even[i]);
    for (int i = 0; i < 6; i++) sum += squared[i];
    for (int i = 0; i < 6; i++) half[i] = squared[i] / sum;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sampling p = plain();
        p.key = random_key_of(seed, "row", 3);
        double x = chi_square(&p, logits, even);
        CHECK(x < 20.5, "temperature 1, seed %d: chi-square %g", (int)seed, x);
        p.temperature = 0.5;
        x = chi_square(&p, logits, half);
        CHECK(x < 20.5, "temperature 0.5, seed %d: chi-square %g", (int)seed, x);
        p.temperature = 1;
        p.top_k = 3;
        x = chi_square(&p, logits, cut);
        CHECK(x < 20.5, "top_k 3, seed %d: chi-square %g", (int)seed, x);
        p.temperature = 3; /* the same draws must not pass for another distribution */
        CHECK(chi_square(&p, logits, even) > 20.5, "chi-square sees nothing");
    }
}

static void parameters_are_checked(void)
{
    static const struct {
        const char *word;
        struct sampling p;
    } bad[] = {
        {"temperature", {.temperature = -1, .top_p = 1, .repetition_penalty = 1}},
        {"temperature", {.temperature = NAN, .top_p = 1, .repetition_penalty = 1}},
        {"top_p", {.top_p = 0, .repetition_penalty = 1}},
        {"top_p", {.top_p = NAN, .repetition_penalty = 1}},
        {"top_p", {.top_p = 1.5, .repetition_penalty = 1}},
        {"min_p", {.top_p = 1, .min_p = 2, .repetition_penalty = 1}},
        {"top_k", {.top_p = 1, .top_k = -1, .repetition_penalty = 1}},
        {"repetition_penalty", {.top_p = 1}},
        {"presence_penalty",
         {.top_p = 1, .repetition_penalty = 1, .presence_penalty = NAN}},
        {"max_tokens", {.top_p = 1, .repetition_penalty = 1, .max_tokens = -1}},
        {"top 11", {.top_p = 1, .repetition_penalty = 1, .top = 11}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(sampler_check(&bad[i].p, 10) < 0 && strstr(fail_text(), bad[i].word),
              "%s: %s", bad[i].word, fail_text());
    struct sampling p = plain();
    CHECK(sampler_check(&p, 10) == 0, "%s", fail_text());
}

/* After how many tokens loop_add() says so; 0: never, within count. */
static int loops_after(int period, int noise, int count)
{
    struct loop l = {0};
    for (int i = 0; i < noise; i++)
        if (loop_add(&l, 100000 + i))
            return -1;
    for (int i = 0; i < count; i++)
        if (loop_add(&l, i % period))
            return i + 1;
    return 0;
}

static void loops_are_noticed_at_once(void)
{
    CHECK(loops_after(1, 0, 500) == 128, "period 1: %d", loops_after(1, 0, 500));
    CHECK(loops_after(3, 5, 500) == 128, "period 3: %d", loops_after(3, 5, 500));
    CHECK(loops_after(32, 0, 500) == 128, "period 32: %d", loops_after(32, 0, 500));
    CHECK(loops_after(100, 700, 900) == 400, "period 100: %d",
          loops_after(100, 700, 900));
    CHECK(loops_after(256, 3, 2000) == 1024, "period 256: %d", loops_after(256, 3, 2000));
    CHECK(loops_after(257, 0, 3000) == 0, "period 257: %d", loops_after(257, 0, 3000));
    CHECK(loops_after(100000, 0, 5000) == 0, "no period: %d",
          loops_after(100000, 0, 5000));
}

static void a_broken_cycle_is_no_loop(void)
{
    struct loop l = {0};
    for (int i = 0; i < 5000; i++) /* every 120th token differs */
        CHECK(!loop_add(&l, i % 120 == 0 ? 1000 + i : i % 4), "at %d", i);
}

int main(void)
{
    CASE(filters_agree_with_the_reference);
    CASE(ties_with_the_kth_stay);
    CASE(top_p_keeps_what_crosses);
    CASE(min_p_is_relative_to_the_best);
    CASE(penalties);
    CASE(greedy_takes_the_lowest_of_equals);
    CASE(alternatives_are_sorted);
    CASE(draws_follow_the_probabilities);
    CASE(parameters_are_checked);
    CASE(loops_are_noticed_at_once);
    CASE(a_broken_cycle_is_no_loop);
    return check_end();
}
