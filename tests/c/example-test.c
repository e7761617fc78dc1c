/* example-test.c: which tokens of a row are learnt: the whole text with the targets in
 * [[ ]], as the templates of transformers write it; and rows that must be refused. */
#include "base/fail.h"
#include "check.h"
#include "row/row_own.h"
#include "text/tokenizer.h"
#include "train/example.h"

#include <stdlib.h>
#include <string.h>

/* A row, and its text or the reason of its failure. */
struct form {
    const char *row, *want;
};

#define USER(text) "<|im_start|>user\n" text "<|im_end|>\n<|im_start|>assistant\n"
#define NO_THOUGHT "<think>\n\n</think>\n\n"

static void ids_put(struct buf *out, const struct tokenizer *t, const struct ids *ids,
                    const bool *target)
{
    bool inside = false;
    for (size_t i = 0; i < ids->n; i++) {
        struct span bytes = tokenizer_bytes(t, ids->id[i]);
        if (target && target[i] != inside)
            buf_text(out, (inside = target[i]) ? "[[" : "]]");
        buf_add(out, bytes.s, bytes.n);
    }
    if (inside)
        buf_text(out, "]]");
}

/* A row's example as text, or why there is none. */
static void form_put(struct buf *out, const struct trainer_text *text,
                     const struct tokenizer *t, const char *json)
{
    struct tokens tokens = {0};
    struct row row;
    struct example e;
    char *block = strdup(json);
    NEED(block && row_begin(&row, "test", "id", block, span_of(block), &tokens) == 0,
         "%s", fail_text());
    if (row.bad || example_sft_plan(&e, text, &row) < 0) {
        buf_text(out, row.bad ? row.why.text : fail_text());
    } else {
        ids_put(out, t, &e.prompt, NULL);
        for (int i = 0; i < e.parts; i++)
            ids_put(out, t, &e.part[i].ids, e.part[i].target);
        example_free(&e);
    }
    row_free(&row);
    tokens_free(&tokens);
}

static void forms_check(const char *model, const char *system, const struct form *list,
                        size_t count)
{
    const struct example_options o = {.prompt = "What?", .system = system};
    char dir[80];
    snprintf(dir, sizeof dir, "tests/data/goldens/models/%s", model);
    struct tokenizer *t = tokenizer_open(dir);
    struct trainer_text *text = trainer_text_open(dir, &o);
    CHECK(t && text, "%s", fail_text());
    for (size_t i = 0; t && text && i < count; i++) {
        struct buf out = {0};
        form_put(&out, text, t, list[i].row);
        const char *got = buf_string(&out);
        CHECK(got && strcmp(got, list[i].want) == 0, "%s\n got %s\nwant %s", list[i].row,
              got, list[i].want);
        buf_free(&out);
    }
    trainer_text_close(text);
    tokenizer_close(t);
}

#define FORMS(list) list, sizeof list / sizeof *list

static void assistants_turns_are_learnt(void)
{
    static const struct form forms[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
         "\"b\"},"
         "{\"role\":\"assistant\",\"content\":\"\"}]}",
         USER("hi") "[[a<|im_end|>]]\n" USER("b") "[[<|im_end|>]]"},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
         "{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"a<|im_end|>b\"},"
         "{\"role\":\"user\",\"content\":\"unanswered\"}]}",
         "<|im_start|>system\nS<|im_end|>\n" USER("hi") "[[a<|im_end|>b<|im_end|>]]"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"a\"},"
         "{\"role\":\"assistant\",\"content\":\"b\"}]}",
         USER("hi") "[[a<|im_end|>]]\n<|im_start|>assistant\n[[b<|im_end|>]]"},
        {"{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},"
         "{\"from\":\"gpt\",\"value\":\"a\"}],\"images\":[],\"tools\":\"[]\",\"system\":"
         "\"\"}",
         USER("q") "[[a<|im_end|>]]"},
        {"{\"system\":\"S\",\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},"
         "{\"from\":\"gpt\",\"value\":\"a\"}]}",
         "<|im_start|>system\nS<|im_end|>\n" USER("q") "[[a<|im_end|>]]"},
    };
    forms_check("qwen3_vl", NULL, FORMS(forms));
}

/* A template that writes reasoning into the last turns alone: earlier ones stand, and are
 * learnt, without. */
static void qwen3s_earlier_turns_are_learnt_as_the_template_has_them(void)
{
    static const struct form forms[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"<think>\\nr\\n</think>\\n\\na\"},"
         "{\"role\":\"user\",\"content\":\"b\"},"
         "{\"role\":\"assistant\",\"content\":\"c\"}]}",
         USER("hi") "[[a<|im_end|>]]\n" USER("b") "[[" NO_THOUGHT "c<|im_end|>]]"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"a\"},"
         "{\"role\":\"user\",\"content\":\"unanswered\"}]}",
         USER("hi") "[[a<|im_end|>]]"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"<think>\\nr\\n</think>\\n\\na\"}]}",
         USER("hi") "[[<think>\nr\n</think>\n\na<|im_end|>]]"},
    };
    forms_check("qwen3", NULL, FORMS(forms));
}

static void what_would_be_passed_over_is_refused(void)
{
#define ASKED "{\"role\":\"user\",\"content\":\"hi\"},"
#define SAID                                                                             \
    "\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\","         \
    "\"value\":\"a\"}]"
    static const struct form forms[] = {
        {"{\"messages\":[" ASKED "{\"role\":\"assistant\",\"content\":\"a\","
         "\"tool_calls\":[{\"type\":\"function\"}]}]}",
         "messages[1]: \"tool_calls\" is not trained here"},
        {"{\"messages\":[" ASKED "{\"role\":\"assistant\",\"content\":\"a\","
         "\"tool_calls\":[],\"weight\":1}]}",
         USER("hi") "[[a<|im_end|>]]"},
        {"{\"messages\":[" ASKED "{\"role\":\"assistant\",\"content\":\"a\","
         "\"weight\":0}]}",
         "messages[1]: \"weight\": every assistant's turn is learnt alike"},
        {"{\"messages\":[" ASKED "{\"role\":\"assistant\",\"content\":\"a\","
         "\"reasoning_content\":\"r\"}]}",
         "messages[1]: \"reasoning_content\" is not trained here"},
        {"{\"tools\":[{\"type\":\"function\"}]," SAID "}",
         "\"tools\" is not trained here"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"weight\":0},"
         "{\"role\":\"assistant\",\"content\":\"a\"}]}",
         USER("hi") "[[a<|im_end|>]]"},
        {"{\"video\":\"x.mp4\"," SAID "}", "this version does not read videos"},
        {"{\"conversations\":[{\"from\":\"human\",\"value\":\"<video>\"},"
         "{\"from\":\"gpt\",\"value\":\"a\"}]}",
         "conversations[0]: more <video> tags than videos (0)"},
        {"{\"system\":\"S\",\"conversations\":[{\"from\":\"system\",\"value\":\"T\"},"
         "{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"}]}",
         "conversations[0]: a system turn of the row's own: \"system\" or --system "
         "cannot "
         "apply"},
        {"{\"conversations\":[{\"from\":\"gpt\",\"value\":\"a\"}]}",
         "nothing stands before the assistant's turn"},
        {"{\"image\":\"tests/data/goldens/media/img_c.png\","
         "\"captions\":[{\"text\":\"a\",\"error\":{\"class\":\"http\"}}]}",
         "captions[0]: it came in with an error"},
    };
    forms_check("qwen3_vl", NULL, FORMS(forms));
    static const struct form given[] = {
        {"{\"system\":\"S\"," SAID "}",
         "\"system\": the row has one of its own: --system cannot apply"},
        {"{\"system\":\"\"," SAID "}",
         "<|im_start|>system\nT<|im_end|>\n" USER("q") "[[a<|im_end|>]]"},
    };
    forms_check("qwen3_vl", "T", FORMS(given));
}

int main(void)
{
    CASE(assistants_turns_are_learnt);
    CASE(qwen3s_earlier_turns_are_learnt_as_the_template_has_them);
    CASE(what_would_be_passed_over_is_refused);
    return check_end();
}
