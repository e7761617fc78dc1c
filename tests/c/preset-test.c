/* preset-test: benchmarks' data files: those that come along, and bad ones by name. */
#include "check.h"

#include "base/buf.h"
#include "base/fail.h"
#include "prism/preset.h"

#include <stdlib.h>
#include <unistd.h>

static struct span filled(const struct preset *p, enum answer_kind kind,
                          const char *question, const char *options, struct buf *out)
{
    struct preset_question q = {kind, span_of("A {question} of 5%."), span_of(question),
                                span_of(options)};
    buf_clear(out);
    CHECK(preset_fill(p, &q, out) == 0, "%s: %s", p->name, fail_text());
    return (struct span){out->data, out->len};
}

static bool holds(struct span text, const char *part)
{
    return memmem(text.s, text.n, part, strlen(part)) != NULL;
}

/* -- The twelve that come along ------------------------------------------------------ */

static const struct {
    const char *name, *title, *kind, *published;
    enum preset_options options;
    int letters;
} shipped[] = {
    {"chartqa", "ChartQA", "relaxed", "chart", PRESET_NONE, 0},
    {"infovqa", "InfoVQA", "anls", "info", PRESET_NONE, 0},
    {"mmstar", "MMStar", "choice", "math", PRESET_ROW, 0},
    {"mmmu", "MMMU", "choice", "math", PRESET_ROW, 0},
    {"charxiv", "CharXiv", "relaxed", "chart", PRESET_NONE, 0},
    {"chartqa-pro", "ChartQA-Pro", "items", "chart", PRESET_NONE, 0},
    {"mmmu-pro", "MMMU-Pro", "choice", "math", PRESET_ROW, 0},
    {"seed", "SEED", "choice", "math", PRESET_ROW, 0},
    {"mathverse", "MathVerse", "math", "math", PRESET_ROW, 0},
    {"mathvision", "MathVision", "math", "math", PRESET_ROW, 0},
    {"wemath", "WeMath", "choice", "math", PRESET_ROW, 0},
    {"visulogic", "VisuLogic", "choice", "math", PRESET_PICTURE, 4},
};

static void twelve_presets_come_along(void)
{
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        struct preset p;
        if (preset_read(&p, shipped[i].name) < 0) {
            CHECK(0, "%s", fail_text());
            continue;
        }
        CHECK(strcmp(p.name, shipped[i].name) == 0, "%s", p.name);
        CHECK(strcmp(p.title, shipped[i].title) == 0, "%s", p.title);
        CHECK(strcmp(p.category, "category") == 0, "%s", p.category);
        CHECK(strcmp(answer_kind_name(p.kind), shipped[i].kind) == 0, "%s", p.name);
        CHECK(strcmp(preset_published_name(p.published), shipped[i].published) == 0, "%s",
              p.name);
        CHECK(p.options == shipped[i].options && p.letters == shipped[i].letters, "%s",
              p.name);
        preset_close(&p);
    }
}

/* All prompts of all of them put in what they must, as it is, and ask the same of a
 * caption's every question up to that question. */
static void prompts_are_filled(void)
{
    struct buf out = {0};
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        struct preset p;
        NEED(preset_read(&p, shipped[i].name) == 0, "%s", fail_text());
        for (int kind = ANSWER_CHOICE; kind <= ANSWER_JUDGE; kind++) {
            if (!preset_asks(&p, (enum answer_kind)kind))
                continue;
            struct span text =
                filled(&p, (enum answer_kind)kind, "What {caption}?", "A) x\nB) y", &out);
            CHECK(holds(text, "A {question} of 5%."), "%s: no caption", p.name);
            CHECK(holds(text, "What {caption}?"), "%s: no question", p.name);
            CHECK(holds(text, "\nA) x\nB) y\n"), "%s: options are lost", p.name);
            CHECK(!holds(text, "{options}") && !holds(text, "{{"), "%s: %.*s", p.name,
                  (int)text.n, text.s);
            const char *caption = memmem(text.s, text.n, "A {q", 4);
            const char *question = memmem(text.s, text.n, "What", 4);
            CHECK(caption && question && caption < question,
                  "%s: the caption must come first: all questions share it", p.name);
        }
        preset_close(&p);
    }
    buf_free(&out);
}

static void the_kind_of_the_row_chooses_the_prompt(void)
{
    struct buf out = {0};
    struct preset p;
    NEED(preset_read(&p, "mmmu") == 0, "%s", fail_text());
    CHECK(holds(filled(&p, ANSWER_CHOICE, "Q?", "A) x\nB) y", &out), "letter"), "%s",
          out.data);
    CHECK(!holds(filled(&p, ANSWER_MATH, "Q?", "", &out), "letter"), "%s", out.data);
    preset_close(&p);

    NEED(preset_read(&p, "mathverse") == 0, "%s", fail_text());
    CHECK(holds(filled(&p, ANSWER_MATH, "Q?", "", &out), "\\boxed{}"), "a brace: %s",
          out.data);
    preset_close(&p);

    NEED(preset_read(&p, "wemath") == 0, "%s", fail_text());
    struct preset_question q = {ANSWER_MATH, span_of("c"), span_of("q"), span_of("")};
    CHECK(preset_fill(&p, &q, &out) < 0 && fail_kind() == FAIL_REFUSED &&
              strstr(fail_text(), "wemath") && strstr(fail_text(), "math"),
          "%s", fail_text());
    preset_close(&p);
    buf_free(&out);
}

/* -- Files of others ----------------------------------------------------------------- */

#define PROMPT "\"prompt\":{\"choice\":\"{caption}{question}{options}\"}"
#define BEST                                                                             \
    "\"title\":\"T\",\"source\":\"S\",\"kind\":\"choice\",\"published\":\"math\","       \
    "\"options\":\"row\""

/* Read text as a preset from a file. */
static int read_text(struct preset *p, const char *text)
{
    char path[] = "/tmp/preset-XXXXXX.json";
    int fd = mkstemps(path, 5);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return fail(FAIL_INTERNAL, "cannot write %s", path);
    close(fd);
    int status = preset_read(p, path);
    unlink(path);
    return status;
}

static void a_file_of_ones_own_is_read(void)
{
    struct preset p;
    struct buf out = {0};
    NEED(read_text(&p, "{" BEST "," PROMPT ",\"category\":\"meta.subject\"}") == 0, "%s",
         fail_text());
    CHECK(strncmp(p.name, "preset-", 7) == 0 && !strchr(p.name, '.'), "%s", p.name);
    CHECK(strcmp(p.category, "meta.subject") == 0, "%s", p.category);
    CHECK(span_is(filled(&p, ANSWER_CHOICE, "q", "o", &out), "A {question} of 5%.qo"),
          "%s", out.data);
    CHECK(!preset_asks(&p, ANSWER_EXACT), "it has no open prompt");
    preset_close(&p);
    NEED(read_text(&p, "{\"title\":\"T\",\"source\":\"S\",\"kind\":\"vqa\",\"published\":"
                       "\"info\",\"options\":\"picture\",\"letters\":26,\"prompt\":"
                       "{\"open\":[\"{caption}\",\"\",\"{question}\"]}}") == 0,
         "%s", fail_text());
    CHECK(p.letters == 26 && p.kind == ANSWER_VQA, "%d", p.letters);
    CHECK(span_is(filled(&p, ANSWER_VQA, "q", "", &out), "A {question} of 5%.\n\nq"),
          "%s", out.data);
    preset_close(&p);
    buf_free(&out);
}

static void what_no_preset_has_is_named(void)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"", ""},
        {"[]", "not a JSON object"},
        {"{" BEST "," PROMPT ",\"title\":\"U\"}", "duplicate"},
        {"{" BEST "," PROMPT ",\"knd\":1}",
         "\"knd\" is no key of a preset (title, kind,"},
        {"{" BEST "}", "no \"prompt\""},
        {"{" PROMPT "}", "no \"title\""},
        {"{" BEST
         ",\"prompt\":{\"choice\":\"{caption}{question}{options}\",\"opne\":\"\"}}",
         "\"prompt.opne\" is no key of a preset (choice, open)"},
        {"{" BEST ",\"prompt\":\"x\"}", "\"prompt\" is no object"},
        {"{" BEST ",\"prompt\":{}}", "no \"prompt.choice\""},
        {"{" BEST ",\"prompt\":{\"open\":\"{caption}{question}\"}}",
         "no \"prompt.choice\""},
        {"{" BEST ",\"prompt\":{\"choice\":7}}", "neither a text nor a list of lines"},
        {"{" BEST ",\"prompt\":{\"choice\":[]}}", "neither a text nor a list of lines"},
        {"{" BEST ",\"prompt\":{\"choice\":[\"{caption}\",7]}}", "line 2 is no text"},
        {"{" BEST ",\"prompt\":{\"choice\":\"{caption}{options}\"}}",
         "no {question} in it"},
        {"{" BEST ",\"prompt\":{\"choice\":\"{caption}{question}\"}}",
         "no {options} in it"},
        {"{" BEST ",\"prompt\":{\"choice\":\"{caption}{question}{options}{n}\"}}",
         "{n}: not a place"},
        {"{" BEST ",\"prompt\":{\"choice\":[\"{caption}{question}{options}\",\"}\"]}}",
         "choice:2: a lone '}'"},
        {"{" BEST "," PROMPT ",\"letters\":4}", "\"letters\" with options \"row\""},
        {"{" BEST "," PROMPT ",\"category\":[]}", "\"category\" is no text"},
        {"{" BEST "," PROMPT ",\"category\":\"\"}", "\"category\" is no text"},
        {"{" BEST "," PROMPT ",\"notes\":1}", "\"notes\" is no text"},
        {"{\"title\":1,\"source\":\"S\",\"kind\":\"choice\",\"published\":\"math\","
         "\"options\":\"row\"," PROMPT "}",
         "\"title\" is no text"},
        {"{\"title\":\"T\",\"source\":\"S\",\"kind\":\"chioce\",\"published\":\"math\","
         "\"options\":\"row\"," PROMPT "}",
         "\"kind\": \"chioce\" is no kind of scoring"},
        {"{\"title\":\"T\",\"source\":\"S\",\"kind\":\"choice\",\"published\":\"latex\","
         "\"options\":\"row\"," PROMPT "}",
         "\"published\": \"latex\" is none of math, chart, info"},
        {"{\"title\":\"T\",\"source\":\"S\",\"kind\":\"choice\",\"published\":\"math\","
         "\"options\":\"rows\"," PROMPT "}",
         "\"options\": \"rows\" is none of none, row, question, picture"},
        {"{\"title\":\"T\",\"source\":\"S\",\"kind\":\"choice\",\"published\":\"math\","
         "\"options\":\"picture\"," PROMPT "}",
         "\"letters\" is no number from 2 to 26"},
        {"{\"title\":\"T\",\"source\":\"S\",\"kind\":\"choice\",\"published\":\"math\","
         "\"options\":\"picture\",\"letters\":1," PROMPT "}",
         "\"letters\" is no number from 2 to 26"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct preset p;
        int status = read_text(&p, bad[i].text);
        CHECK(status < 0 && strstr(fail_text(), bad[i].said), "%s: %s", bad[i].text,
              status < 0 ? fail_text() : "was read");
        CHECK(strncmp(fail_text(), "/tmp/preset-", 12) == 0, "the file is named: %s",
              fail_text());
        if (status == 0)
            preset_close(&p);
        else
            CHECK(!p.name && !p.title && !p.choice.text.data, "it is not left empty");
    }
}

static void an_unknown_name_lists_those_there_are(void)
{
    static const char *const names[] = {"chart-qa", "", "ChartQA", "..", "chartqa "};
    struct preset p;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(preset_read(&p, names[i]) < 0, "\"%s\" was read", names[i]);
        CHECK(fail_kind() == FAIL_REFUSED &&
                  strstr(fail_text(), "there are chartqa-pro, chartqa, charxiv, infovqa"),
              "%s", fail_text());
    }
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(preset_read(&p, longest) < 0 && fail_kind() == FAIL_REFUSED, "%s", fail_text());
    CHECK(preset_read(&p, "./none.json") < 0 && strstr(fail_text(), "./none.json"), "%s",
          fail_text());
    CHECK(preset_read(&p, "none.json") < 0 && strstr(fail_text(), "none.json"), "%s",
          fail_text());
    CHECK(preset_read(&p, "/dev/null") < 0 && strstr(fail_text(), "/dev/null"), "%s",
          fail_text());
}

int main(void)
{
    if (!getenv("CAPMILL_SHARE"))
        setenv("CAPMILL_SHARE", "share", 1);
    CASE(twelve_presets_come_along);
    CASE(prompts_are_filled);
    CASE(the_kind_of_the_row_chooses_the_prompt);
    CASE(a_file_of_ones_own_is_read);
    CASE(what_no_preset_has_is_named);
    CASE(an_unknown_name_lists_those_there_are);
    return check_end();
}
