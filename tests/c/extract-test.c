/* extract-test: question text against reference cases, and against what models do. */
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "qa/extract.h"

#include <time.h>

/* What extract_questions() makes of a text, as jansson sees it. */
struct result {
    int blocks;
    json_t *qa, *rejects;
};

static struct result extract(const char *text, size_t n)
{
    struct buf qa = {0}, rejects = {0};
    struct result r = {.blocks =
                           extract_questions((struct span){text, n}, &qa, &rejects)};
    r.qa = json_loadb(qa.data, qa.len, JSON_ALLOW_NUL, NULL);
    r.rejects = json_loadb(rejects.data, rejects.len, JSON_ALLOW_NUL, NULL);
    CHECK(r.qa && r.rejects, "no JSON: %s", buf_string(&qa));
    buf_free(&qa);
    buf_free(&rejects);
    return r;
}

static void done(struct result *r)
{
    json_decref(r->qa);
    json_decref(r->rejects);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "(none)";
}

/* One golden case. Order within valid and within rejected is the text's. */
static void agrees(const json_t *want, const struct result *got, const char *kind)
{
    json_t *valid = json_object_get(want, "valid"), *v;
    json_t *rejected = json_object_get(want, "rejected");
    size_t i;
    CHECK(json_array_size(valid) == json_array_size(got->qa), "%s: %zu questions", kind,
          json_array_size(got->qa));
    json_array_foreach(valid, i, v)
    {
        json_t *q = json_array_get(got->qa, i);
        json_t *warnings = json_object_get(v, "warnings");
        CHECK(strcmp(text_of(q, "question"), text_of(v, "question")) == 0, "%s: %s", kind,
              text_of(q, "question"));
        CHECK(json_equal(json_object_get(q, "options"), json_object_get(v, "options")),
              "%s: options of %zu", kind, i);
        CHECK(strcmp(text_of(q, "answer"), text_of(v, "answer")) == 0, "%s: %s", kind,
              text_of(q, "answer"));
        if (json_array_size(warnings) == 0)
            CHECK(!json_object_get(q, "warnings"), "%s: warned", kind);
        else
            CHECK(json_equal(json_object_get(q, "warnings"), warnings), "%s: warnings",
                  kind);
    }
    CHECK(json_array_size(rejected) == json_array_size(got->rejects), "%s: %zu rejects",
          kind, json_array_size(got->rejects));
    json_array_foreach(rejected, i, v)
    {
        json_t *x = json_array_get(got->rejects, i);
        CHECK(json_equal(json_object_get(x, "n"), json_object_get(v, "number")),
              "%s: reject %zu's number", kind, i);
        CHECK(strcmp(text_of(x, "reason"), text_of(v, "reason")) == 0, "%s: %s", kind,
              text_of(x, "reason"));
        CHECK(*text_of(x, "text"), "%s: no text", kind);
    }
    CHECK((size_t)got->blocks == json_array_size(valid) + json_array_size(rejected),
          "%s: %d blocks", kind, got->blocks);
}

static void every_golden_case_is_met(void)
{
    char *file = golden_file(golden_path("goldens2/extract/cases.jsonl"), NULL);
    NEED(file, "no reference data");
    const char *at = file;
    int rows = 0;
    for (json_t *row; (row = golden_row(&at)); rows++) {
        const json_t *output = json_object_get(row, "output");
        struct result r = extract(json_string_value(output), json_string_length(output));
        agrees(json_object_get(row, "expected"), &r, text_of(row, "kind"));
        done(&r);
        json_decref(row);
    }
    CHECK(rows == 120, "%d rows", rows);
    free(file);
}

#define HEAD "#### 1. **Q?**\n"
#define AB "- A) x\n- B) y\n"

/* What the reference cases leave open. reason NULL: a question is found. */
static void texts_of_models(void)
{
    static const struct {
        const char *text, *reason, *question, *option; /* the first option */
        char answer;
    } cases[] = {
        {HEAD AB "Answer: B", NULL, "Q?", "x", 'B'},
        {"#### 1. Q?\r\n- A) x\r\r\n- B) y\rAnswer: A\r\n", NULL, "Q?", "x", 'A'},
        {"###### 7: Q?\n" AB "Answer: A", NULL, "Q?", "x", 'A'},
        {"#1)Q?\n" AB "Answer: A", NULL, "Q?", "x", 'A'},
        {"####### 1. Q?\n" AB "Answer: A", "none", NULL, NULL, 0}, /* seven */
        {"# 1 Q?\n" AB "Answer: A", "none", NULL, NULL, 0},
        {"\t# 1. Q?\n" AB "Answer: A", "none", NULL, NULL, 0}, /* a tab is no space */
        {"# \xD9\xA1. Q?\n" AB "Answer: A", "none", NULL, NULL, 0}, /* an Arabic 1 */
        /* A question of several lines, blank ones and bold ones among them */
        {"# 1. **Is\nit\n\n  this?**\n" AB "Answer: A", NULL, "Is it this?", "x", 'A'},
        {"# 1.\n**Q?**\n" AB "Answer: A", NULL, "Q?", "x", 'A'},
        {"# 1.\n" AB "Answer: A", "no_question", NULL, NULL, 0},
        /* Labels */
        {HEAD "A) x\nB) y\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD "**A) x**\n*B) y*\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD "***A)** x\n(B) y\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD "* **(A).** x\n", "too_few_options", NULL, NULL, 0}, /* two stops */
        {HEAD "-A: x\n+B. y\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD "- A)x\n- B)y\nAnswer: B", "too_few_options", NULL, NULL, 0},
        {HEAD "- A) x\n- C) y\nAnswer: A", "labels_out_of_order", NULL, NULL, 0},
        {HEAD "- A) x\n- A) y\n- C) z", "duplicate_label", NULL, NULL, 0},
        {HEAD "- A) x\n- B) ****\nAnswer: A", "empty_option", NULL, NULL, 0},
        {HEAD "- A) x\n- B)\n  y\nAnswer: A", NULL, "Q?", "x", 'A'}, /* on the next */
        /* Labels of other scripts are text */
        {HEAD "- \xEF\xBC\xA1) x\n- \xD0\x92) y\nAnswer: A", "too_few_options", NULL,
         NULL, 0},
        /* Options are bare text: what looks like another label stays */
        {HEAD "- A) A. Smith\n- B) B. Jones\nAnswer: A", NULL, "Q?", "A. Smith", 'A'},
        /* Answers */
        {HEAD AB "**Correct  Answer** :** (B).**", NULL, "Q?", "x", 'B'},
        {HEAD AB "ANS**WER:** B", NULL, "Q?", "x", 'B'},
        {HEAD AB "* CORRECT ANSWER: B)", NULL, "Q?", "x", 'B'},
        {HEAD AB "correctanswer: B", "no_answer", NULL, NULL, 0},
        {HEAD AB "Answer: b", "no_answer", NULL, NULL, 0},
        {HEAD AB "Answer: B or A", "no_answer", NULL, NULL, 0},
        {HEAD AB "Answers: B", "no_answer", NULL, NULL, 0},
        {HEAD AB "Answer B", "no_answer", NULL, NULL, 0},
        {HEAD AB "The answer: B", "no_answer", NULL, NULL, 0},
        {HEAD AB "Answer:\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD AB "Answer: B\nAnswer: B", "multiple_answers", NULL, NULL, 0},
        {HEAD AB "Answer: B\nAnswer: none", NULL, "Q?", "x", 'B'},
        {HEAD AB "Answer: C", "answer_not_in_options", NULL, NULL, 0},
        {HEAD AB "Answer: Z", "answer_not_in_options", NULL, NULL, 0},
        {HEAD AB "Answer: B\n- C) late", NULL, "Q?", "x", 'B'},
        /* Ends of blocks */
        {HEAD AB " --- \nAnswer: B", "no_answer", NULL, NULL, 0},
        {HEAD AB "--\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD AB "- - -\nAnswer: B", NULL, "Q?", "x", 'B'},
        {"A) stray\nAnswer: A\n---\n" HEAD AB "Answer: B", NULL, "Q?", "x", 'B'},
        /* Bold text that is not all of it, odd stars */
        {HEAD "- A) **x** y\n- B) z\nAnswer: B", NULL, "Q?", "**x** y", 'B'},
        {HEAD "- A) **x\n- B) z\nAnswer: B", NULL, "Q?", "x", 'B'},
        {HEAD "- A) ***x***\n- B) z\nAnswer: B", NULL, "Q?", "*x*", 'B'},
        {HEAD "- A) ****x****\n- B) z\nAnswer: B", NULL, "Q?", "x", 'B'},
        /* Right to left, emoji, NUL's picture, separators that are no line ends */
        {"# 1. \xD7\x9E\xD7\x94?\n- A) \xD8\xA3\n- B) y\nAnswer: A", NULL,
         "\xD7\x9E\xD7\x94?", "\xD8\xA3", 'A'},
        {"# 1. Q?\n- A) \xF0\x9F\x98\x80\n- B) y\nAnswer: A", NULL, "Q?",
         "\xF0\x9F\x98\x80", 'A'},
        {"# 1. Q\xE2\x80\xA8?\n- A) a\xC2\x85"
         "b\n- B) y\nAnswer: A",
         NULL, "Q\xE2\x80\xA8?",
         "a\xC2\x85"
         "b",
         'A'},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct result r = extract(cases[i].text, strlen(cases[i].text));
        const char *reason = cases[i].reason;
        json_t *q = json_array_get(r.qa, 0), *x = json_array_get(r.rejects, 0);
        CHECK(r.blocks == !(reason && strcmp(reason, "none") == 0), "%zu: %d blocks", i,
              r.blocks);
        if (reason) {
            CHECK(!q, "%zu: a question", i);
            CHECK(r.blocks == 0 || strcmp(text_of(x, "reason"), reason) == 0, "%zu: %s",
                  i, text_of(x, "reason"));
        } else {
            const char *first =
                json_string_value(json_array_get(json_object_get(q, "options"), 0));
            CHECK(!x, "%zu: %s", i, text_of(x, "reason"));
            CHECK(strcmp(text_of(q, "question"), cases[i].question) == 0, "%zu: %s", i,
                  text_of(q, "question"));
            CHECK(first && strcmp(first, cases[i].option) == 0, "%zu: %s", i, first);
            CHECK(*text_of(q, "answer") == cases[i].answer, "%zu: %s", i,
                  text_of(q, "answer"));
        }
        done(&r);
    }
}

/* Of n options: 1 to 26. More than nine have letters that no row can hold. */
static void any_number_of_options(void)
{
    for (int n = 1; n <= 26; n++) {
        char text[1024] = HEAD;
        size_t at = strlen(text);
        for (int i = 0; i < n; i++)
            at += (size_t)sprintf(text + at, "- %c) option %d\n", 'A' + i, i);
        at += (size_t)sprintf(text + at, "Answer: %c", 'A' + n - 1);
        struct result r = extract(text, at);
        const char *reason = text_of(json_array_get(r.rejects, 0), "reason");
        const char *want = n < 2   ? "too_few_options"
                           : n > 9 ? "too_many_options"
                                   : "(none)";
        CHECK(r.blocks == 1 && strcmp(reason, want) == 0, "%d: %s", n, reason);
        done(&r);
    }
}

static void rejects_carry_text_and_number(void)
{
    static const char text[] = "x\n#### 007. **Q\0?**\r\n  - A) \x01\n\n\n---\n"
                               "# 123456789012345678901234567890. R\n# 000. S\n";
    struct buf qa = {0}, rejects = {0};
    int n = extract_questions((struct span){text, sizeof text - 1}, &qa, &rejects);
    CHECK(n == 3 && qa.len == 2, "%d blocks", n);
    const char *got = buf_string(&rejects);
    CHECK(strcmp(got,
                 "[{\"n\":7,\"reason\":\"too_few_options\",\"text\":\"#### 007. "
                 "**Q\\u0000?**\\n  - A) \\u0001\"},"
                 "{\"n\":123456789012345678901234567890,\"reason\":\"too_few_options\","
                 "\"text\":\"# 123456789012345678901234567890. R\"},"
                 "{\"n\":0,\"reason\":\"too_few_options\",\"text\":\"# 000. S\"}]") == 0,
          "%s", got);
    buf_free(&qa);
    buf_free(&rejects);
}

static void a_long_option_is_kept_whole(void)
{
    size_t n = 100000;
    char *text = malloc(n + 100);
    size_t at = (size_t)sprintf(text, HEAD "- A) ");
    memset(text + at, 'x', n);
    at += n;
    at += (size_t)sprintf(text + at, "\n- B) y\nAnswer: A");
    struct result r = extract(text, at);
    json_t *options = json_object_get(json_array_get(r.qa, 0), "options");
    CHECK(json_string_length(json_array_get(options, 0)) == n, "long option");
    done(&r);
    free(text);
}

/* Seconds for n bytes of a repeated piece. */
static double seconds(const char *piece, size_t n)
{
    struct timespec a, b;
    size_t len = strlen(piece);
    char *text = malloc(n + len);
    size_t at = 0;
    at += (size_t)sprintf(text, "# 1. ");
    for (; at < n; at += len) memcpy(text + at, piece, len);
    struct buf qa = {0}, rejects = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    extract_questions((struct span){text, at}, &qa, &rejects);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    buf_free(&qa);
    buf_free(&rejects);
    free(text);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static void time_is_linear(void)
{
    static const char *const pieces[] = {
        "**",
        "*",
        " ",
        "\t- ",
        "\n",
        "\r",
        "#",
        "-",
        "- A) x\n",
        "a\n",
        "A:",
        "*\n",
        "**a\n",
        "(",
        "answer ",
        "Answer: A\n",
        "\n# 1. q\nA",
        "1",
        "0",
        "\n---\n# 1. ",
        "\xE2\x80\xA2 ",
        "** ",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        double t = seconds(pieces[i], 2000000); /* quadratic: minutes */
        CHECK(t < 2, "%s: %.2f s for 2 MB", pieces[i], t);
    }
}

int main(void)
{
    CASE(every_golden_case_is_met);
    CASE(texts_of_models);
    CASE(any_number_of_options);
    CASE(rejects_carry_text_and_number);
    CASE(a_long_option_is_kept_whole);
    CASE(time_is_linear);
    return check_end();
}
