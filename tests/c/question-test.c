/* question-test: the questions of rows, as we write them and as they are published. */
#include "check.h"
#include "qa/label.h"
#include "qa/question.h"
#include "row/row_own.h"

#include <stdlib.h>

static struct row row;
static struct questions questions;

/* Read the questions of a row; texts hold until the next. */
static int read_row(const char *text)
{
    char *block = strdup(text);
    row_free(&row);
    if (row_begin(&row, "test", "id", block, span_of(block), NULL) < 0 || row.bad)
        return -2;
    return questions_read(&questions, &row);
}

/* Read one question, given the members of its object. */
static int read_one(const char *members)
{
    struct buf b = {0};
    buf_print(&b, "{\"qa\":[{%s}]}", members);
    int rc = read_row(buf_string(&b));
    buf_free(&b);
    return rc;
}

static void our_own_form(void)
{
    CHECK(read_row(
              "{\"id\":1,\"qa\":[{\"question\":\"Q\\u0041?\",\"options\":[\"a dog\","
              "\"a \\\"cat\\\"\",\"\\ud83d\\ude00\"],\"answer\":\"B\",\"visual\":{}},"
              "{\"answer\":\"A\",\"options\":[\"x\",\"y\"],\"question\":\"R\"}]}") == 0,
          "%s", fail_text());
    NEED(questions.count == 2, "%d questions", questions.count);
    const struct question *q = questions.items;
    CHECK(span_is(q->text, "QA?") && q->count == 3 && q->answer == 1, "%d", q->answer);
    CHECK(span_is(q->options[0], "a dog") && span_is(q->options[1], "a \"cat\"") &&
              span_is(q->options[2], "\xF0\x9F\x98\x80"),
          "options");
    CHECK(q->json.s[0] == '{' && q->json.s[q->json.n - 1] == '}' &&
              q->json.s > row.text.s,
          "its object");
    CHECK(span_is(q[1].text, "R") && q[1].count == 2 && q[1].answer == 0, "the second");
    CHECK(questions.array.s[0] == '[' && memcmp(questions.array.s - 5, "\"qa\":", 5) == 0,
          "the list");
    CHECK(read_row("{\"qa\":[]}") == 0 && questions.count == 0 && questions.array.n == 2,
          "no question is no failure");
}

/* Both data sets' rows, with their two kinds of label. */
static void published_rows(void)
{
    CHECK(
        read_row("{\"id\":\"0f\",\"data_source\":\"image_caption_rl\",\"reward_model\":{"
                 "\"ground_truth\":[{\"question\":\"Q\",\"choices\":[\"A) red\",\"B) "
                 "\xE7\xBA\xA2\",\"C) 3\",\"D) none\"],\"answer\":\"B\"}]}}") == 0,
        "%s", fail_text());
    CHECK(questions.count == 1 && questions.items[0].answer == 1 &&
              span_is(questions.items[0].options[0], "red") &&
              span_is(questions.items[0].options[1], "\xE7\xBA\xA2"),
          "images");
    CHECK(read_row("{\"videos\":[\"v.mp4\"],\"reward_model\":{\"ground_truth\":[{"
                   "\"question\":\"Q\",\"choices\":[\"A. Black\",\"B. White\"],"
                   "\"answer\":\"A\"}]}}") == 0,
          "%s", fail_text());
    CHECK(span_is(questions.items[0].options[0], "Black"), "videos");
    /* `qa` counts where there are both; null is not there */
    CHECK(read_row("{\"qa\":[],\"reward_model\":{\"ground_truth\":7}}") == 0, "both");
    CHECK(read_row("{\"qa\":null,\"reward_model\":{\"ground_truth\":[]}}") == 0, "null");
    CHECK(read_one("\"question\":\"Q\",\"options\":null,\"choices\":[\"A) x\",\"B) "
                   "y\"],\"answer\":\"A\"") == 0 &&
              span_is(questions.items[0].options[0], "x"),
          "options null");
    /* duplicate keys: the last counts */
    CHECK(read_one("\"question\":\"Q\",\"question\":\"R\",\"options\":[\"x\",\"y\"],"
                   "\"answer\":\"A\",\"answer\":\"B\"") == 0 &&
              questions.items[0].answer == 1 && span_is(questions.items[0].text, "R"),
          "duplicates");
}

/* choices, and what their first and last are read as. */
static void labels_go_only_if_they_run(void)
{
    static const struct {
        const char *choices, *first, *last, *why;
    } cases[] = {
        {"\"A) x\",\"B) y\"", "x", "y", "bracket"},
        {"\"A. x\",\"B. y\"", "x", "y", "stop"},
        {"\"A: x\",\"B: y\"", "x", "y", "colon"},
        {"\"(A) x\",\"(B) y\"", "x", "y", "two brackets"},
        {"\"A\xE3\x80\x81x\",\"B\xE3\x80\x81y\"", "x", "y", "ideographic comma"},
        {"\"A\xEF\xBC\x8Ex\",\"B\xEF\xBC\x8Ey\"", "x", "y", "full-width stop"},
        {"\"A\xEF\xBC\x9Ax\",\"B\xEF\xBC\x9Ay\"", "x", "y", "full-width colon"},
        {"\"A\xEF\xBC\x89x\",\"B\xEF\xBC\x89y\"", "x", "y", "full-width bracket"},
        {"\"\xEF\xBC\xA1) x\",\"\xEF\xBC\xA2) y\"", "x", "y", "full-width letters"},
        {"\"\xEF\xBC\x88\xEF\xBC\xA1\xEF\xBC\x89x\",\"\xEF\xBC\x88"
         "B)y\"",
         "x", "y", "all full-width"},
        {"\"A)x\",\"B)y\"", "x", "y", "no space behind a bracket"},
        {"\"  A)  x \",\"\\tB)\\ty\\n\"", "x", "y", "space around"},
        {"\"A) x\",\"B. y\"", "x", "y", "labels of two kinds"},
        {"\"A.\xE7\xBA\xA2\",\"B.\xE8\x93\x9D\"", "\xE7\xBA\xA2", "\xE8\x93\x9D",
         "no space, no ASCII"},
        {"\"A) A. Smith\",\"B) B. Jones\"", "A. Smith", "B. Jones", "one label goes"},
        {"\"A. Smith\",\"T. Jones\"", "A. Smith", "T. Jones", "a name"},
        {"\"A. Smith\",\"Jones\"", "A. Smith", "Jones", "only one has a letter"},
        {"\"B) x\",\"A) y\"", "B) x", "A) y", "not in order"},
        {"\"A) x\",\"A) y\"", "A) x", "A) y", "twice the same"},
        {"\"A) x\",\"C) y\"", "A) x", "C) y", "a gap"},
        {"\"B) x\",\"C) y\"", "B) x", "C) y", "not from A"},
        {"\"A.D.\",\"B.C.\"", "A.D.", "B.C.", "no space behind a stop"},
        {"\"A:1\",\"B:2\"", "A:1", "B:2", "nor behind a colon"},
        {"\"a) x\",\"b) y\"", "a) x", "b) y", "small letters are text"},
        {"\"A x\",\"B y\"", "A x", "B y", "no label"},
        {"\"(A x\",\"(B y\"", "(A x", "(B y", "half a bracket"},
        {"\"(A. x\",\"(B. y\"", "(A. x", "(B. y", "half a bracket"},
        {"\"\xD0\x90) x\",\"\xD0\x91) y\"", "\xD0\x90) x", "\xD0\x91) y", "Cyrillic"},
        {"\"1) x\",\"2) y\"", "1) x", "2) y", "numbers"},
        {"\"x\",\"y\"", "x", "y", "bare"},
        {"\"A\",\"B\"", "A", "B", "letters are the options"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        buf_print(&b, "\"question\":\"Q\",\"choices\":[%s],\"answer\":\"B\"",
                  cases[i].choices);
        CHECK(read_one(buf_string(&b)) == 0, "%s: %s", cases[i].why, fail_text());
        if (questions.count == 1) {
            const struct span *o = questions.items[0].options;
            CHECK(span_is(o[0], cases[i].first) && span_is(o[1], cases[i].last),
                  "%s: \"%.*s\", \"%.*s\"", cases[i].why, (int)o[0].n, o[0].s,
                  (int)o[1].n, o[1].s);
        }
        /* `options` are bare texts: nothing is taken off */
        buf_clear(&b);
        buf_print(&b, "\"question\":\"Q\",\"options\":[%s],\"answer\":\"B\"",
                  cases[i].choices);
        CHECK(read_one(buf_string(&b)) == 0 &&
                  questions.items[0].options[0].n >= strlen(cases[i].first),
              "%s: options", cases[i].why);
        buf_free(&b);
    }
    CHECK(
        read_one("\"question\":\"Q\",\"options\":[\"A) x\",\"B) y\"],\"answer\":\"B\"") ==
                0 &&
            span_is(questions.items[0].options[0], "A) x"),
        "options stay");
}

/* answer of a question with the options x, y, z: the place, or -1 and why. */
static void answers(void)
{
    static const struct {
        const char *answer;
        int place;
    } cases[] = {
        {"\"A\"", 0},
        {"\"C\"", 2},
        {"\" B \"", 1},
        {"\"B)\"", 1},
        {"\"B.\"", 1},
        {"\"(B)\"", 1},
        {"\"B:\"", 1},
        {"\"B) y\"", 1},
        {"\"B. y \"", 1},
        {"\"\\u0042\"", 1},
        {"\"\xEF\xBC\xA2\"", 1},
        {"\"B\xE3\x80\x81\"", 1},
        {"\"B) z\"", -1}, /* two answers in one */
        {"\"D\"", -1},    /* out of range */
        {"\"I\"", -1},
        {"\"Z\"", -1},
        {"\"b\"", -1}, /* small */
        {"\"\"", -1},
        {"\" \"", -1},
        {"\"AB\"", -1},
        {"\"A or B\"", -1},
        {"\"A y\"", -1},
        {"\"x\"", -1}, /* an option's text */
        {"\"The answer is B\"", -1},
        {"\"**B**\"", -1},
        {"\"1\"", -1},
        {"\"\xD0\x92\"", -1}, /* Cyrillic */
        {"1", -1},
        {"[\"B\"]", -1},
        {"true", -1},
        {"{\"B\":1}", -1},
        {"null", -2}, /* missing */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        int place = cases[i].place;
        buf_print(&b, "\"question\":\"Q\",\"options\":[\"x\",\"y\",\"z\"],\"answer\":%s",
                  cases[i].answer);
        int rc = read_one(buf_string(&b));
        if (place >= 0)
            CHECK(rc == 0 && questions.items[0].answer == place, "%s: %s",
                  cases[i].answer, rc < 0 ? fail_text() : "another");
        else
            CHECK(rc == -1 && strstr(fail_text(), "\"qa[0].answer\"") &&
                      fail_kind() == (place == -1 ? FAIL_TYPE : FAIL_MISSING),
                  "%s: %d, %s", cases[i].answer, rc, fail_text());
        buf_free(&b);
    }
}

/* What is at fault is named; nothing is made up. */
static void faults_name_the_field(void)
{
    static const struct {
        const char *text, *message;
        enum fail_class kind;
    } cases[] = {
        {"{}", "no \"qa\"", FAIL_MISSING},
        {"{\"qa\":null}", "no \"qa\"", FAIL_MISSING},
        {"{\"qa\":{}}", "\"qa\" is an object, not a list", FAIL_TYPE},
        {"{\"qa\":\"[]\"}", "\"qa\" is a string, not a list", FAIL_TYPE},
        {"{\"reward_model\":{\"ground_truth\":\"B\"}}",
         "\"reward_model.ground_truth\" is a string, not a list", FAIL_TYPE},
        {"{\"qa\":[1]}", "\"qa[0]\": not an object", FAIL_TYPE},
        {"{\"qa\":[[\"Q\",\"A\"]]}", "\"qa[0]\": not an object", FAIL_TYPE},
        {"{\"qa\":[{}]}", "no \"qa[0].question\"", FAIL_MISSING},
        {"{\"qa\":[{\"question\":7}]}", "\"qa[0].question\": not a string", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\" \\n\"}]}", "\"qa[0].question\": empty", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\"}]}", "no \"qa[0].options\"", FAIL_MISSING},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":\"x\"}]}",
         "\"qa[0].options\": not a list", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"choices\":{\"A\":\"x\"}}]}",
         "\"qa[0].choices\": not a list", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[]}]}",
         "\"qa[0].options\": no option, and a question has at least 2", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\"],\"answer\":\"A\"}]}",
         "\"qa[0].options\": 1 option, and a question has at least 2", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",2],\"answer\":\"A\"}]}",
         "\"qa[0].options\": option 2: not a string", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",null],\"answer\":\"A\"}]}",
         "\"qa[0].options\": option 2: not a string", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",\"\"],\"answer\":\"A\"}]}",
         "\"qa[0].options\": option 2: empty", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"choices\":[\"A)\",\"B) y\"],\"answer\":\"A\"}]}",
         "\"qa[0].choices\": option 1: empty", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",\"y\"]}]}",
         "no \"qa[0].answer\"", FAIL_MISSING},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",\"y\"],\"answer\":\"C\"}]}",
         "\"qa[0].answer\": C, but there are 2 options", FAIL_TYPE},
        {"{\"qa\":[{\"question\":\"Q\",\"options\":[\"x\",\"y\"],\"answer\":\"A\"},{"
         "\"question\":\"Q\",\"options\":[\"x\",\"y\"]}]}",
         "no \"qa[1].answer\"", FAIL_MISSING},
        {"{\"reward_model\":{\"ground_truth\":[{\"question\":\"Q\",\"choices\":[\"A. x\","
         "\"B. y\"],\"answer\":\"x\"}]}}",
         "\"reward_model.ground_truth[0].answer\": not an option's letter", FAIL_TYPE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(read_row(cases[i].text) == -1, "%s: read", cases[i].text);
        CHECK(fail_kind() == cases[i].kind, "%s: %s", cases[i].text,
              fail_name(fail_kind()));
        CHECK(strcmp(fail_text(), cases[i].message) == 0, "%s: %s", cases[i].text,
              fail_text());
        CHECK(questions.count == 0 && !questions.items, "%s: not empty", cases[i].text);
    }
}

/* 1 to 26 options, with labels and without; gold is the last. */
static void any_number_of_options(void)
{
    for (int n = 1; n <= 26; n++) {
        for (int labels = 0; labels < 2; labels++) {
            struct buf b = {0};
            buf_text(&b, "\"question\":\"Q\",\"choices\":[");
            for (int i = 0; i < n; i++) {
                buf_print(&b, "%s\"", i ? "," : "");
                if (labels)
                    buf_print(&b, "%c) ", 'A' + i);
                buf_print(&b, "option %d\"", i);
            }
            buf_print(&b, "],\"answer\":\"%c\"", 'A' + n - 1);
            int rc = read_one(buf_string(&b));
            buf_free(&b);
            if (n < 2 || n > QUESTION_OPTIONS_MAX) {
                CHECK(rc == -1 && fail_kind() == FAIL_TYPE, "%d: %d", n, rc);
                continue;
            }
            CHECK(rc == 0 && questions.items[0].count == n &&
                      questions.items[0].answer == n - 1,
                  "%d: %s", n, fail_text());
            CHECK(span_is(questions.items[0].options[0], "option 0"), "%d: label", n);
        }
    }
}

static void texts_of_any_kind(void)
{
    /* Equal options: gold is by place, so none is mistaken for another. */
    CHECK(
        read_one("\"question\":\"Q\",\"options\":[\"x\",\"x\",\"x\"],\"answer\":\"B\"") ==
                0 &&
            questions.items[0].answer == 1,
        "equal options");
    CHECK(read_one("\"question\":\"Q\",\"choices\":[\"A) x\",\"B) x\"],\"answer\":\"A) "
                   "x\"") == 0 &&
              questions.items[0].answer == 0,
          "equal options with labels");
    /* A question of several lines; one that cannot be answered is an option like others
     */
    CHECK(read_one("\"question\":\"Look:\\n1. a\\n2. b\\nWhich?\",\"choices\":[\"A) "
                   "x\\ny\",\"B) x\",\"C) x\",\"D) x\",\"E) Can not "
                   "answer\"],\"answer\":\"E\"") == 0 &&
              span_is(questions.items[0].text, "Look:\n1. a\n2. b\nWhich?") &&
              span_is(questions.items[0].options[0], "x\ny") &&
              span_is(questions.items[0].options[4], "Can not answer"),
          "%s", fail_text());
    /* Right to left, emoji, NUL, lone surrogates */
    CHECK(read_one("\"question\":\"\xD7\x9E\xD7\x94?\",\"choices\":[\"A) "
                   "\xD8\xA3\",\"B) \xF0\x9F\x98\x80\",\"C) \\u0000\",\"D) "
                   "\\ud800\"],\"answer\":\"B\"") == 0 &&
              questions.items[0].options[2].n == 1 &&
              span_is(questions.items[0].options[3], "\xEF\xBF\xBD"),
          "%s", fail_text());
    /* An option of 100 kB, escapes in it */
    struct buf b = {0};
    buf_text(&b, "\"question\":\"Q\",\"choices\":[\"A) ");
    for (int i = 0; i < 50000; i++) buf_text(&b, "\\n\\\"");
    buf_text(&b, "x\",\"B) y\"],\"answer\":\"A\"");
    CHECK(read_one(buf_string(&b)) == 0 && questions.items[0].options[0].n > 1, "%s",
          fail_text());
    buf_free(&b);
}

static void many_questions(void)
{
    struct buf b = {0};
    int n = 1000;
    buf_text(&b, "{\"qa\":[");
    for (int i = 0; i < n; i++)
        buf_print(&b,
                  "%s{\"question\":\"Q\\t%d\",\"options\":[\"\\u0061\",\"y\"],"
                  "\"answer\":\"%c\"}",
                  i ? "," : "", i, 'A' + i % 2);
    buf_text(&b, "]}");
    CHECK(read_row(buf_string(&b)) == 0 && questions.count == n, "%s", fail_text());
    for (int i = 0; i < questions.count; i++) {
        char text[32];
        snprintf(text, sizeof text, "Q\t%d", i);
        CHECK(span_is(questions.items[i].text, text) &&
                  span_is(questions.items[i].options[0], "a") &&
                  questions.items[i].answer == i % 2,
              "question %d", i);
    }
    buf_free(&b);
}

int main(void)
{
    CASE(our_own_form);
    CASE(published_rows);
    CASE(labels_go_only_if_they_run);
    CASE(answers);
    CASE(faults_name_the_field);
    CASE(any_number_of_options);
    CASE(texts_of_any_kind);
    CASE(many_questions);
    row_free(&row);
    return check_end();
}
