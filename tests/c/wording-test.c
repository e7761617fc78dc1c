/* wording-test: prompt files, those that come with capmill too; which option a reply
 * says.
 */
#include "check.h"

#include "base/fail.h"
#include "qa/match.h"
#include "qa/wording.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const all_places[] = {"question", "options", "caption", "n", NULL};

/* A prompt file with this text. Its path, good until the next call. */
static const char *file_of(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/wording-test.%ld", (long)getpid());
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
    return path;
}

static void places_are_filled_and_doubled_braces_are_braces(void)
{
    static const struct {
        const char *file, *want;
    } rows[] = {
        {"{question}", "Q?"},
        {"a{question}b{question}c\n", "aQ?bQ?c"},
        {"{question}{options}\n\n{caption} {n}", "Q?A) {n}}\nB) }}\n\n{caption} 7"},
        {"{{question}} {question}", "{question} Q?"},
        {"{{{question}}}", "{Q?}"},
        {"{{{{ }}}} {question}", "{{ }} Q?"},
        {"{question}\r\n", "Q?"},
        {"\xe2\x80\xa6{question}\xe2\x80\xa6", "\xe2\x80\xa6Q?\xe2\x80\xa6"},
    };
    const struct wording_values v = {.caption = span_of("{caption}"),
                                     .question = span_of("Q?"),
                                     .options = span_of("A) {n}}\nB) }}"),
                                     .n = 7};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wording w;
        struct buf out = {0};
        const char *path = file_of(rows[i].file);
        CHECK(wording_open(&w, path, NULL, all_places, 1) == 0, "%zu: %s", i,
              fail_text());
        CHECK(wording_fill(&w, &v, &out) == 0, "%zu", i);
        CHECK(span_is((struct span){out.data, out.len}, rows[i].want), "%zu: %.*s", i,
              (int)out.len, out.data);
        buf_free(&out);
        wording_close(&w);
    }
    unlink(file_of(""));
}

static void what_is_wrong_with_a_file_is_told_with_its_line(void)
{
    static const struct {
        const char *file, *why;
    } rows[] = {
        {"a\n{questoin}", ":2: {questoin}: not a place of this prompt ({question} "
                          "{options} {caption} {n}; {{ is a brace)"},
        {"{question}\n\n }", ":3: a lone '}': write }} for a brace"},
        {"{question} {", ":1: a lone '{': write {{ for a brace"},
        {"{question", ":1: a lone '{': write {{ for a brace"},
        {"{}{question}", ":1: {}: not a place"},
        {"{ question }", ":1: { question }: not a place"},
        {"{question}}", ":1: a lone '}'"},
        {"{{question}}", ": no {question} in it"},
        {"{options}", ": no {question} in it"},
        {"", ": an empty prompt"},
        {"\xff{question}", ": byte 0: not UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wording w;
        CHECK(wording_open(&w, file_of(rows[i].file), NULL, all_places, 1) < 0, "%zu", i);
        CHECK(strstr(fail_text(), rows[i].why), "%zu: %s", i, fail_text());
    }
    unlink(file_of(""));
    struct wording w;
    CHECK(wording_open(&w, "/nonexistent/prompt", NULL, all_places, 0) < 0, "no file");
    CHECK(wording_open(&w, NULL, "no-such-prompt.txt", all_places, 0) < 0, "no prompt");
}

/* Each of our own opens with the places its program gives it; where the words are a
 * model's own form they are held to the letter. */
static void the_prompts_that_come_with_capmill_open(void)
{
    static const struct {
        const char *name, *places[4];
        int needed;
        const char *text; /* NULL: not held */
    } rows[] = {
        {"qa-gen.txt", {"n"}, 1, NULL},
        {"answer-letter.txt", {"question", "options"}, 2, NULL},
        {"answer-text.txt",
         {"question", "options"},
         1,
         "Question: {question}\nAnswer in words."},
        {"judge-letter.txt", {"caption", "question", "options"}, 3, NULL},
        {"judge-letter-video.txt", {"caption", "question", "options"}, 3, NULL},
        {"judge-text.txt",
         {"caption", "question", "options"},
         2,
         "Caption: {caption}\n\nQuestion: {question}\nAnswer in words."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wording w;
        CHECK(wording_open(&w, NULL, rows[i].name, rows[i].places, rows[i].needed) == 0,
              "%s", fail_text());
        struct span text = {w.text.data, w.text.len};
        CHECK(!rows[i].text || span_is(text, rows[i].text), "%s", rows[i].name);
        /* so that a caption's prompts begin alike */
        const char *caption = memmem(text.s, text.n, "{caption}", 9);
        const char *question = memmem(text.s, text.n, "{question}", 10);
        CHECK(!caption || caption < question, "%s: the caption comes first",
              rows[i].name);
        wording_close(&w);
    }
}

static void a_reply_in_words_is_matched_with_the_options(void)
{
    static const struct {
        const char *reply, *options[4];
        int right, want;
    } rows[] = {
        {"red", {"blue", "red", "green"}, 0, 1},
        {"  red\n", {"blue", "red", "green"}, 0, 1},
        {"Red.", {"blue", "red", "green"}, 0, 1},
        {"RED", {"blue", "Red.", "green"}, 0, 1},
        {"red .", {"blue", "red", "green"}, 0, 1},
        {"red..", {"blue", "red", "green"}, 0, -1},
        {"reddish", {"blue", "red", "green"}, 0, -1},
        {"re", {"blue", "red", "green"}, 0, -1},
        {"", {"blue", "red", "green"}, 0, -1},
        {".", {"blue", "red", "."}, 0, 2},
        {"", {"blue", "red", "."}, 0, -1},
        {"a red one", {"blue", "red", "green"}, 0, -1},
        /* spelt in one way and in the other: e and a combining accent, one character */
        {"cafe\xcc\x81", {"the", "caf\xc3\xa9"}, 0, 1},
        {"CAF\xc3\x89", {"the", "cafe\xcc\x81"}, 0, 1},
        {"\xce\xa3\xce\x9f\xce\xa6\xce\x9f\xce\xa3",
         {"x", "\xcf\x83\xce\xbf\xcf\x86\xce\xbf\xcf\x82"},
         0,
         1},
        {"\xe7\xba\xa2\xe8\x89\xb2\xe3\x80\x82", {"x", "\xe7\xba\xa2\xe8\x89\xb2"}, 0, 1},
        /* case tells options apart where the reply keeps it, else it is none of them */
        {"MW", {"mW", "MW"}, 0, 1},
        {"mW", {"mW", "MW"}, 0, 0},
        {"mw", {"mW", "MW"}, 0, -1},
        /* equal options are one */
        {"red", {"red", "blue", "red"}, 2, 2},
        {"red", {"red", "blue", "red"}, 0, 0},
        {"red", {"red", "blue", "red"}, 1, 0},
        {"Red.", {"red", "blue", " red "}, 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span options[4];
        int count = 0;
        for (; count < 4 && rows[i].options[count]; count++)
            options[count] = span_of(rows[i].options[count]);
        int got = match_option(span_of(rows[i].reply), options, count, rows[i].right);
        CHECK(got == rows[i].want, "%zu: \"%s\" is %d", i, rows[i].reply, got);
    }
}

/* A megabyte of combining marks in the worst order must not take quadratic time. */
static void a_hostile_reply_is_matched_in_linear_time(void)
{
    struct buf reply = {0};
    for (int i = 0; i < 250000; i++) buf_text(&reply, i % 2 ? "\xcc\x96" : "\xcc\x81");
    struct span options[2] = {{reply.data, reply.len - 2}, span_of("x")};
    CHECK(match_option((struct span){reply.data, reply.len}, options, 2, 0) == -1,
          "it ends");
    buf_free(&reply);
}

int main(void)
{
    setenv("CAPMILL_SHARE", "share", 0);
    CASE(places_are_filled_and_doubled_braces_are_braces);
    CASE(what_is_wrong_with_a_file_is_told_with_its_line);
    CASE(the_prompts_that_come_with_capmill_open);
    CASE(a_reply_in_words_is_matched_with_the_options);
    CASE(a_hostile_reply_is_matched_in_linear_time);
    return check_end();
}
