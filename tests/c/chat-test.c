/* chat-test.c: prompts against the published templates and the reference models' cases.
 */
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "text/chat.h"

#include <errno.h>

enum { PARTS_MAX = 64, MESSAGES_MAX = 64 };

/* Messages as rows hold them, turned into what chat_render() takes. */
struct talk {
    struct chat_message message[MESSAGES_MAX];
    struct chat_part part[MESSAGES_MAX][PARTS_MAX];
    int count;
};

static struct span text_of(json_t *value)
{
    return (struct span){json_string_value(value), json_string_length(value)};
}

/* A part of a list content, by the keys that the templates look at; what they give
 * nothing for is left out. */
static int read_part(json_t *value, struct chat_part *part)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    type = type ? type : "";
    *part = (struct chat_part){CHAT_TEXT, {"", 0}};
    if (strcmp(type, "image") == 0 || json_object_get(value, "image") ||
        json_object_get(value, "image_url"))
        part->kind = CHAT_IMAGE;
    else if (strcmp(type, "video") == 0 || json_object_get(value, "video"))
        part->kind = CHAT_VIDEO;
    else if (json_object_get(value, "text"))
        part->text = text_of(json_object_get(value, "text"));
    else
        return 0;
    return 1;
}

static void read_talk(struct talk *talk, json_t *messages)
{
    talk->count = (int)json_array_size(messages);
    for (int i = 0; i < talk->count; i++) {
        json_t *m = json_array_get(messages, (size_t)i);
        json_t *content = json_object_get(m, "content"), *item;
        const char *role = json_string_value(json_object_get(m, "role"));
        struct chat_message *to = &talk->message[i];
        *to = (struct chat_message){.parts = talk->part[i]};
        to->role = strcmp(role, "system") == 0 ? CHAT_SYSTEM
                   : strcmp(role, "user") == 0 ? CHAT_USER
                                               : CHAT_ASSISTANT;
        to->reasoning = text_of(json_object_get(m, "reasoning_content"));
        size_t k;
        if (json_is_string(content))
            talk->part[i][to->count++] = (struct chat_part){CHAT_TEXT, text_of(content)};
        json_array_foreach(content, k, item) to->count +=
            read_part(item, &talk->part[i][to->count]);
    }
}

static void check_text(const struct chat_prompt *p, json_t *want, const char *name)
{
    struct span text = text_of(want);
    CHECK(p->text.len == text.n && memcmp(p->text.data, text.s, text.n) == 0,
          "%s:\n%.*s\nnot\n%.*s", name, (int)p->text.len, p->text.data, (int)text.n,
          text.s);
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        CHECK(p->parts[i].text.s == p->text.data + at, "part %zu is out of place", i);
        at += p->parts[i].text.n;
    }
    CHECK(at == p->text.len, "the parts have %zu bytes", at);
}

static char *read_golden(const char *path)
{
    char *file = golden_file(golden_path(path), NULL);
    CHECK(file, "%s: no such file", path);
    return file;
}

static void check_published(const char *name)
{
    static struct talk talk;
    char *file = read_golden("goldens2/chat/cases.jsonl");
    const char *at = file ? file : "";
    struct chat *chat = chat_open("nowhere", name);
    CHECK(chat && strcmp(chat_name(chat), name) == 0, "%s", fail_text());
    int rows = 0;
    for (json_t *row; chat && (row = golden_row(&at)); json_decref(row)) {
        if (strcmp(json_string_value(json_object_get(row, "template")), name) != 0)
            continue;
        struct chat_options o = {
            .generation_prompt =
                json_is_true(json_object_get(row, "add_generation_prompt")),
            .vision_id = json_is_true(json_object_get(row, "add_vision_id"))};
        json_t *think = json_object_get(row, "enable_thinking");
        o.think = json_is_true(think)    ? CHAT_THINK_ON
                  : json_is_false(think) ? CHAT_THINK_OFF
                                         : CHAT_THINK_DEFAULT;
        struct chat_prompt p = {0};
        read_talk(&talk, json_object_get(row, "messages"));
        CHECK(chat_render(chat, talk.message, talk.count, &o, &p) == 0, "%s",
              fail_text());
        if (!json_object_get(row, "error")) /* a list of texts: joined here */
            check_text(&p, json_object_get(row, "text"), name);
        chat_prompt_free(&p);
        rows++;
    }
    CHECK(rows >= 40, "%d rows of %s", rows, name);
    chat_close(chat);
    free(file);
}

static void published_qwen2(void)
{
    check_published("qwen2");
}
static void published_qwen2_5(void)
{
    check_published("qwen2_5");
}
static void published_qwen3(void)
{
    check_published("qwen3");
}
static void published_qwen2_5_vl(void)
{
    check_published("qwen2_5_vl");
}
static void published_qwen3_vl(void)
{
    check_published("qwen3_vl");
}

/* Ids with each run of one pad as one pad: what stands before pictures are counted. */
static bool same_but_pads(const struct ids *ids, json_t *want, int32_t pad)
{
    size_t k = 0;
    for (size_t i = 0; i < ids->n; i++) {
        if (ids->id[i] != json_integer_value(json_array_get(want, k)))
            return false;
        for (k++;
             ids->id[i] == pad && json_integer_value(json_array_get(want, k)) == pad;)
            k++;
    }
    return k == json_array_size(want);
}

static void check_model(const char *model, const char *name)
{
    static struct talk talk;
    char path[128];
    snprintf(path, sizeof path, "goldens/cases/%s/cases.jsonl", model);
    char *file = golden_file(golden_path(path), NULL);
    snprintf(path, sizeof path, "goldens/models/%s", model);
    const char *at = file ? file : "", *dir = golden_path(path);
    if (!file || !dir) { /* only the larger set has them */
        free(file);
        return;
    }
    struct chat *chat = chat_open(dir, NULL);
    struct tokenizer *t = tokenizer_open(dir);
    CHECK(chat && t && strcmp(chat_name(chat), name) == 0, "%s: %s", name, fail_text());
    for (json_t *row; chat && t && (row = golden_row(&at)); json_decref(row)) {
        json_t *args = json_object_get(row, "template_args");
        struct chat_options o = {
            .generation_prompt =
                json_is_true(json_object_get(row, "add_generation_prompt")),
            .vision_id = json_is_true(json_object_get(args, "add_vision_id"))};
        if (json_is_false(json_object_get(args, "enable_thinking")))
            o.think = CHAT_THINK_OFF;
        struct chat_prompt p = {0};
        struct ids ids = {0};
        read_talk(&talk, json_object_get(row, "messages"));
        CHECK(chat_render(chat, talk.message, talk.count, &o, &p) == 0, "%s",
              fail_text());
        check_text(&p, json_object_get(row, "prompt"), name);
        CHECK(tokenizer_encode(t, p.parts, p.count, &ids) == 0, "%s", fail_text());
        if (!json_object_get(row, "video"))
            CHECK(same_but_pads(&ids, json_object_get(row, "input_ids"),
                                tokenizer_find(t, "<|image_pad|>")),
                  "ids of %s", json_string_value(json_object_get(row, "name")));
        ids_free(&ids);
        chat_prompt_free(&p);
    }
    tokenizer_close(t);
    chat_close(chat);
    free(file);
    check_report(model);
}

int main(void)
{
    CASE(published_qwen2);
    CASE(published_qwen2_5);
    CASE(published_qwen3);
    CASE(published_qwen2_5_vl);
    CASE(published_qwen3_vl);
    check_model("qwen2", "qwen2_5");
    check_model("qwen2_5_vl", "qwen2_5_vl");
    check_model("qwen2_5_vl_nested", "qwen2_5_vl");
    check_model("qwen3", "qwen3");
    check_model("qwen3_vl", "qwen3_vl");
    return check_end();
}
