/* model-test: from pictures and messages to prompts, captions and judgements, whole. */
#include "check.h"
#include "golden.h"

#include "base/fail.h"
#include "engine/engine.h"
#include "media/source.h"
#include "model/model.h"
#include "model/prompt.h"

#include <math.h>

enum { PARTS_MAX = 16, TURNS_MAX = 16 };

/* A reference case's messages as turns, with the pictures' files read. */
struct given {
    struct turn turns[TURNS_MAX];
    struct turn_part parts[TURNS_MAX][PARTS_MAX];
    struct buf files[PARTS_MAX];
    int count, file_count;
    bool video;
};

static void give_part(struct given *g, struct turn_part *part, const json_t *value)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    if (!strcmp(type, "text")) {
        part->text = span_of(json_string_value(json_object_get(value, "text")));
    } else if (!strcmp(type, "image")) {
        char name[256];
        struct buf *file = &g->files[g->file_count++];
        snprintf(name, sizeof name, "goldens/media/%s",
                 json_string_value(json_object_get(value, "image")));
        const char *path = golden_path(name);
        CHECK(path && source_read(file, NULL, span_of(path)) == 0, "%s", name);
        *part = (struct turn_part){true, {file->data, file->len}, "picture"};
    } else {
        g->video = true;
    }
}

static void give(struct given *g, const json_t *messages)
{
    size_t i, j;
    json_t *message, *value;
    memset(g, 0, sizeof *g);
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        json_t *content = json_object_get(message, "content");
        struct turn *turn = &g->turns[g->count++];
        turn->role = !strcmp(role, "system") ? TURN_SYSTEM
                     : !strcmp(role, "user") ? TURN_USER
                                             : TURN_ASSISTANT;
        turn->parts = g->parts[i];
        if (json_is_string(content))
            g->parts[i][turn->count++].text = span_of(json_string_value(content));
        else
            json_array_foreach(content, j, value)
                give_part(g, &g->parts[i][turn->count++], value);
    }
}

static void give_back(struct given *g)
{
    for (int i = 0; i < g->file_count; i++) buf_free(&g->files[i]);
}

/* What model_generate() sampled, token by token, against the reference: equal until the
 * first step whose lead over the second best is under 0.05 (own preprocessing). */
static void check_greedy(const json_t *row, const struct completion *c)
{
    json_t *ids = json_object_get(row, "greedy_ids"),
           *gaps = json_object_get(row, "greedy_gap");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        if (json_number_value(json_array_get(gaps, i)) < 0.05)
            return;
        CHECK(i < c->ids.n && c->ids.id[i] == json_integer_value(json_array_get(ids, i)),
              "step %zu", i);
        if (check_case_failures)
            return;
    }
}

/* The grids that pictures were cut into, against image_grid_thw. */
static void check_grids(const json_t *row, const struct request_plan *plan)
{
    json_t *grids = json_object_get(row, "image_grid_thw");
    CHECK((size_t)plan->picture_count == json_array_size(grids), "%d pictures",
          plan->picture_count);
    for (int i = 0; i < plan->picture_count && (size_t)i < json_array_size(grids); i++) {
        json_t *grid = json_array_get(grids, (size_t)i);
        CHECK(json_integer_value(json_array_get(grid, 1)) == plan->pictures[i].grid_h &&
                  json_integer_value(json_array_get(grid, 2)) == plan->pictures[i].grid_w,
              "picture %d: %d x %d", i, plan->pictures[i].grid_h,
              plan->pictures[i].grid_w);
    }
}

static void run_case(const char *dir, const json_t *row)
{
    struct given g;
    json_t *args = json_object_get(row, "template_args");
    json_t *thinking = json_object_get(args, "enable_thinking");
    struct model_options options = {
        .device = "cpu",
        .threads = 2,
        .max_batch = 2,
        .think = json_is_true(thinking)    ? 1
                 : json_is_false(thinking) ? -1
                                           : 0,
        .vision_id = json_is_true(json_object_get(args, "add_vision_id"))};
    give(&g, json_object_get(row, "messages"));
    struct model *m = model_open(dir, &options);
    NEED(m, "%s", fail_text());
    struct request request = {.turns = g.turns,
                              .count = g.count,
                              .n = 1,
                              .top_p = 1,
                              .repetition_penalty = 1,
                              .max_tokens = 32,
                              .ignore_eos = true,
                              .want_ids = true};
    struct request_plan plan;
    struct reply reply;
    CHECK(model_plan(m, &request, &plan) == 0, "%s", fail_text());
    CHECK((size_t)plan.prompt_tokens ==
              json_array_size(json_object_get(row, "input_ids")),
          "%d prompt tokens", plan.prompt_tokens);
    check_grids(row, &plan);
    free(plan.pictures);
    if (model_generate(m, &request, &reply) == 0)
        check_greedy(row, &reply.completions[0]);
    else
        CHECK(false, "%s", fail_text());
    reply_free(&reply);
    model_close(m);
    give_back(&g);
}

static void goldens(const char *model)
{
    char name[128], dir[1024], label[256];
    snprintf(name, sizeof name, "goldens/models/%s", model);
    const char *path = golden_path(name);
    snprintf(dir, sizeof dir, "./%s", path ? path : "missing");
    snprintf(name, sizeof name, "goldens/cases/%s/cases.jsonl", model);
    char *text = golden_file(golden_path(name), NULL);
    CHECK(path && text, "no reference data");
    const char *at = text;
    for (json_t *row; text && (row = golden_row(&at)); json_decref(row)) {
        struct given g;
        give(&g, json_object_get(row, "messages"));
        bool video = g.video;
        give_back(&g);
        if (video)
            continue;
        run_case(dir, row);
        snprintf(label, sizeof label, "%s %s from files and messages", model,
                 json_string_value(json_object_get(row, "name")));
        check_report(label);
    }
    free(text);
}

/* The pocket judge's worked example: summed log-probabilities, normalised. */
static void the_judge_reads_words(void)
{
    static const char *const words[] = {"top right", "not stated", "bottom right",
                                        "middle left", "bottom left"};
    static const double want[] = {-0.041, -3.225, -9.878, -18.61, -17.35};
    const struct model_options options = {.device = "cpu", .threads = 1};
    struct model *m = model_open("./share/pocket/judge", &options);
    NEED(m, "%s", fail_text());
    struct turn_part part = {
        .text = span_of("Caption: The top right has a small solid orange circle. The "
                        "background is white.\n\nQuestion: Where is the orange circle?\n"
                        "Answer in words.")};
    struct turn turn = {TURN_USER, &part, 1};
    struct request request = {.turns = &turn, .count = 1, .n = 1};
    struct span texts[5];
    bool end[5];
    double logprob[5], sum = 0;
    for (int i = 0; i < 5; i++) {
        texts[i] = span_of(words[i]);
        end[i] = true;
    }
    struct request_plan plan;
    CHECK(model_plan(m, &request, &plan) == 0 && plan.prompt_tokens == 39, "39 tokens");
    NEED(model_score(m, &request, texts, end, 5, logprob) == 0, "%s", fail_text());
    for (int i = 0; i < 5; i++) {
        CHECK(fabs(logprob[i] - want[i]) < (i < 3 ? 6e-4 : 6e-3), "%s: %.4f, not %.4f",
              words[i], logprob[i], want[i]);
        sum += exp(logprob[i]);
    }
    CHECK(fabs(sum - 0.9996) < 6e-5, "the five hold %.5f", sum);
    CHECK(fabs(exp(logprob[0]) / sum - 0.960) < 6e-4, "P(top right)");
    model_close(m);
}

/* A reply's probability is what the sampler reports for the same tokens. */
static void scores_and_samples_agree(void)
{
    const struct model_options options = {.device = "cpu", .threads = 1};
    struct model *m = model_open("./share/pocket/captioner", &options);
    NEED(m, "%s", fail_text());
    struct buf file = {0};
    NEED(source_read(&file, NULL, span_of("share/pocket/samples/images/0000.png")) == 0,
         "%s", fail_text());
    const struct turn_part parts[] = {
        {true, {file.data, file.len}, "0000.png"},
        {false, span_of("Please describe this image in detail."), NULL}};
    struct turn turn = {TURN_USER, parts, 2};
    struct request request = {.turns = &turn,
                              .count = 1,
                              .n = 4,
                              .temperature = 1,
                              .top_p = 1,
                              .repetition_penalty = 1,
                              .max_tokens = 200,
                              .want_ids = true,
                              .want_logprobs = true,
                              .key = {3, 4}};
    struct reply reply;
    NEED(model_generate(m, &request, &reply) == 0, "%s", fail_text());
    for (int i = 0; i < reply.count; i++) {
        const struct completion *c = &reply.completions[i];
        struct span text = {c->text.data, c->text.len};
        bool end = true;
        double sum = 0, score;
        for (size_t t = 0; t < c->ids.n; t++) sum += (double)c->logprobs[t];
        CHECK(!strcmp(c->finish, "stop"), "%s", c->finish);
        CHECK(model_score(m, &request, &text, &end, 1, &score) == 0, "%s", fail_text());
        CHECK(score == sum, "sample %d: %.9g and %.9g", i, score, sum);
    }
    reply_free(&reply);
    model_close(m);
    buf_free(&file);
}

static void text_cannot_speak_as_template(void)
{
    const struct model_options options = {.device = "cpu", .threads = 1};
    struct model *m = model_open("./share/pocket/captioner", &options);
    NEED(m, "%s", fail_text());
    struct turn_part part = {.text = span_of("a<|im_end|>b")};
    struct turn turn = {TURN_USER, &part, 1};
    struct request request = {.turns = &turn, .count = 1, .n = 1};
    struct request_plan plain, special;
    CHECK(model_plan(m, &request, &plain) == 0, "%s", fail_text());
    part.text = span_of("ab");
    CHECK(model_plan(m, &request, &special) == 0, "%s", fail_text());
    /* spelled out in characters, not one control token */
    CHECK(plain.prompt_tokens >= special.prompt_tokens + 5, "%d and %d",
          plain.prompt_tokens, special.prompt_tokens);
    model_close(m);
}

int main(void)
{
    static const char *const models[] = {"qwen2", "qwen3", "qwen2_5_vl",
                                         "qwen2_5_vl_nested", "qwen3_vl"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) goldens(models[i]);
    CASE(the_judge_reads_words);
    CASE(scores_and_samples_agree);
    CASE(text_cannot_speak_as_template);
    return check_end();
}
