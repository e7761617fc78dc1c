/* What stands between a request and an endpoint: the list of servers, the key, bodies,
 * replies; and scores and several requests through model.h. endpoint.bats has the rest.
 */
#include "base/fail.h"
#include "check.h"
#include "media/base64.h"
#include "media/image.h"
#include "media/source.h"
#include "model/chat_reply.h"
#include "model/chat_request.h"
#include "model/endpoint_spec.h"
#include "model/model.h"
#include "row/json.h"
#include "server-run.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- Names --------------------------------------------------------------------------- */

static void a_list_of_servers_is_taken_apart(void)
{
    struct endpoint_spec e;
    NEED(endpoint_spec_read(&e, "http://a:1/v1#m,x,https://b/v1/,http://c/v1#other") == 0,
         "%s", fail_text());
    CHECK(e.count == 3, "%d", e.count);
    CHECK(strcmp(e.urls[0], "http://a:1/v1") == 0, "%s", e.urls[0]);
    CHECK(strcmp(e.urls[1], "https://b/v1") == 0, "%s", e.urls[1]);
    CHECK(strcmp(e.names[0], "m,x") == 0 && strcmp(e.names[1], "m,x") == 0 &&
              strcmp(e.names[2], "other") == 0,
          "%s %s %s", e.names[0], e.names[1], e.names[2]);
    endpoint_spec_free(&e);
}

static void the_identity_is_that_of_the_names(void)
{
    static const char *const specs[] = {"http://a/v1#m,http://b/v1#n",
                                        "https://x:8/v1#n,http://y/v1#m,http://z/v1#m",
                                        "http://a/v1#m"};
    char hash[3][33];
    for (int i = 0; i < 3; i++) {
        struct endpoint_spec e;
        NEED(endpoint_spec_read(&e, specs[i]) == 0, "%s", fail_text());
        memcpy(hash[i], e.hash, 33);
        endpoint_spec_free(&e);
    }
    CHECK(strcmp(hash[0], hash[1]) == 0, "%s %s", hash[0], hash[1]);
    CHECK(strcmp(hash[0], hash[2]) != 0, "%s", hash[2]);
}

static void odd_servers_are_refused(void)
{
    static const char *const specs[] = {"http://a/v1", "http://a/v1#",
                                        "http://a/v1,http://b/v1#m",
                                        "http://user:secret@a/v1#m", "http:///v1#m"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct endpoint_spec e;
        CHECK(endpoint_spec_read(&e, specs[i]) < 0 && fail_kind() == FAIL_REFUSED, "%s",
              specs[i]);
        CHECK(!strstr(fail_text(), "secret"), "%s", fail_text());
    }
}

static const char *write_file(const char *folder, const char *name, const char *text)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
    return path;
}

static void a_key_comes_from_a_file_or_the_environment(void)
{
    char folder[] = "/tmp/endpoint-test-XXXXXX", *key;
    NEED(mkdtemp(folder), "no folder");
    setenv("OPENAI_API_KEY", " sk-env\n", 1);
    CHECK(endpoint_key_read(&key, NULL) == 0 && key && strcmp(key, "sk-env") == 0, "%s",
          key ? key : "none");
    free(key);
    const char *path = write_file(folder, "key", "sk-file\r\nsecond line\n");
    CHECK(endpoint_key_read(&key, path) == 0 && strcmp(key, "sk-file") == 0, "%s", key);
    free(key);
    unsetenv("OPENAI_API_KEY");
    CHECK(endpoint_key_read(&key, NULL) == 0 && !key, "a key from nowhere");
    static const char *const bad[] = {"", "\n\n", "two words\n", "k\xC3\xA9y"};
    for (size_t i = 0; i < 4; i++) {
        path = write_file(folder, "key", bad[i]);
        CHECK(endpoint_key_read(&key, path) < 0 && !key, "\"%s\"", bad[i]);
        CHECK(!strstr(fail_text(), "words"), "the key is in the message");
    }
    CHECK(endpoint_key_read(&key, "/nonexistent") < 0, "a file that is not there");
    unlink(path);
    rmdir(folder);
}

/* -- Bodies -------------------------------------------------------------------------- */

static struct request plain_request(const struct turn *turns, int count)
{
    return (struct request){.turns = turns,
                            .count = count,
                            .n = 1,
                            .temperature = 1,
                            .top_p = 1,
                            .repetition_penalty = 1,
                            .max_tokens = 2048};
}

static struct turn_part text_part(const char *text)
{
    return (struct turn_part){.text = span_of(text)};
}

static void check_body(const struct chat_settings *s, const struct request *r,
                       const struct chat_try *t, const char *want)
{
    struct buf body = {0};
    chat_request_put(&body, s, r, t);
    struct span have = {body.data, body.len};
    CHECK(buf_ok(&body) == 0 && json_check(have) == 0, "%s", fail_text());
    CHECK(span_is(have, want), "\n%.*s\nnot\n%s", (int)have.n, have.s, want);
    buf_free(&body);
}

static void a_strict_server_is_sent_standard_fields_alone(void)
{
    struct turn_part part = text_part("Say \"hi\"\n\x01\xFF\xED\xA0\x80");
    struct turn turns[] = {{TURN_USER, &part, 1}};
    struct request r = plain_request(turns, 1);
    struct chat_settings s = {0};
    part.text = (struct span){"a\0b \"q\"\n\xFF", 9};
    check_body(&s, &r, &(struct chat_try){"m/\"x", 1, 0, false},
               "{\"model\":\"m/\\\"x\",\"messages\":[{\"role\":\"user\",\"content\":"
               "\"a\\u0000b \\\"q\\\"\\n\xEF\xBF\xBD\"}],\"n\":1,\"temperature\":1,"
               "\"top_p\":1,\"max_tokens\":2048,\"seed\":975109287}");
}

static void what_differs_from_the_neutral_is_sent(void)
{
    struct turn_part parts[] = {text_part("a"), text_part(""), text_part("\xC3"),
                                text_part("\xA9")};
    struct turn turns[] = {{TURN_SYSTEM, parts, 2}, {TURN_ASSISTANT, parts, 4}};
    const char *const stop[] = {"\n\n", "END"};
    struct request r = plain_request(turns, 2);
    struct chat_settings s = {.think = -1};
    r.temperature = 0.1;
    r.top_p = 0.9;
    r.top_k = 20;
    r.min_p = 0.05;
    r.repetition_penalty = 1.05;
    r.presence_penalty = -0.5;
    r.ignore_eos = true;
    r.stop = stop;
    r.stop_count = 2;
    r.max_tokens = 7;
    r.key = (struct random_key){1, 2};
    char want[600];
    snprintf(want, sizeof want,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"a\"},"
             "{\"role\":\"assistant\",\"content\":\"a\xC3\xA9\"}],\"n\":3,"
             "\"temperature\":0.1,\"top_p\":0.9,\"max_tokens\":7,"
             "\"stop\":[\"\\n\\n\",\"END\"],\"presence_penalty\":-0.5,"
             "\"repetition_penalty\":1.05,\"top_k\":20,\"min_p\":0.05,"
             "\"ignore_eos\":true,\"seed\":%lld,"
             "\"chat_template_kwargs\":{\"enable_thinking\":false}}",
             (long long)chat_request_seed(&r, 0));
    check_body(&s, &r, &(struct chat_try){"m", 3, 0, false}, want);
}

static void extras_stand_in_place_of_our_fields(void)
{
    const char *const extra[] = {"top_k=5", "seed=null",       "temperature=0.3",
                                 "top_k=9", "model=\"other\"", "a b={\"x\":[1]}"};
    struct model_options options = {.endpoint = {.extra = extra, .extra_count = 6}};
    struct turn_part part = text_part("x");
    struct turn turn = {TURN_USER, &part, 1};
    struct request r = plain_request(&turn, 1);
    struct chat_settings s;
    r.top_k = 3;
    NEED(chat_settings_read(&s, &options) == 0, "%s", fail_text());
    check_body(
        &s, &r, &(struct chat_try){"m", 1, 0, false},
        "{\"model\":\"other\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
        "\"n\":1,\"top_p\":1,\"max_tokens\":2048,\"top_k\":9,\"temperature\":0.3,"
        "\"a b\":{\"x\":[1]}}");
    chat_settings_free(&s);
    static const char *const bad[] = {"x",      "=1",          "x=",
                                      "x=word", "x={\"a\":",   "x=1 2",
                                      "n=4",    "stream=true", "messages=[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.endpoint.extra = &bad[i];
        options.endpoint.extra_count = 1;
        CHECK(chat_settings_read(&s, &options) < 0 && fail_kind() == FAIL_REFUSED, "%s",
              bad[i]);
    }
}

static void a_score_asks_for_the_likeliest_tokens(void)
{
    struct turn_part part = text_part("x");
    struct turn turn = {TURN_USER, &part, 1};
    struct request r = plain_request(&turn, 1);
    struct chat_settings s = {0};
    r.temperature = 0.6;
    r.repetition_penalty = 2;
    r.key = (struct random_key){3, 4};
    char want[400];
    snprintf(
        want, sizeof want,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"n\":1,"
        "\"temperature\":1,\"top_p\":1,\"max_tokens\":1,\"logprobs\":true,"
        "\"top_logprobs\":20,\"seed\":%lld}",
        (long long)chat_request_seed(&r, 0));
    check_body(&s, &r, &(struct chat_try){"m", 1, 0, true}, want);
}

static void a_picture_is_sent_as_it_is(void)
{
    struct buf file = {0}, body = {0}, back = {0}, url = {0};
    const char *path = "tests/data/goldens/preprocess/images";
    char name[600];
    FILE *list;
    snprintf(name, sizeof name, "ls %s", path);
    NEED(list = popen(name, "r"), "no list");
    char line[300];
    int seen = 0;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, sizeof name, "%s/%s", path, line);
        buf_clear(&file);
        if (source_read(&file, NULL, span_of(name)) < 0)
            continue;
        struct turn_part parts[] = {
            text_part(""), {true, {file.data, file.len}, line}, text_part("what?")};
        struct turn turn = {TURN_USER, parts, 3};
        struct request r = plain_request(&turn, 1);
        struct chat_settings s = {0};
        if (chat_request_check(&r, NULL) < 0)
            continue;
        buf_clear(&body), buf_clear(&back), buf_clear(&url);
        chat_request_put(&body, &s, &r, &(struct chat_try){"m", 1, 0, false});
        struct span all = {body.data, body.len}, part, content;
        size_t at = 0;
        NEED(json_check(all) == 0, "%s: %s", line, fail_text());
        at = 0;
        json_each(json_get(all, "messages"), &at, &part);
        content = json_get(part, "content");
        at = 0;
        CHECK(json_each(content, &at, &part) &&
                  json_text(json_find(part, "image_url.url"), &url) == 0,
              "%s", line);
        char *comma = memchr(url.data, ',', url.len);
        NEED(comma && strncmp(url.data, "data:image/", 11) == 0, "%s", line);
        size_t head = (size_t)(comma - url.data) + 1;
        CHECK(base64_decode(&back, (struct span){url.data + head, url.len - head}) == 0 &&
                  back.len == file.len && memcmp(back.data, file.data, file.len) == 0,
              "%s: other bytes", line);
        CHECK(json_each(content, &at, &part) && !json_each(content, &at, &part), "%s",
              line);
        seen++;
    }
    pclose(list);
    CHECK(seen > 5, "%d pictures", seen);
    buf_free(&file), buf_free(&body), buf_free(&back), buf_free(&url);
}

static void only_pictures_within_the_limit_pass(void)
{
    struct buf file = {0};
    NEED(source_read(&file, NULL, span_of("share/pocket/samples/images/0000.png")) == 0,
         "%s", fail_text());
    struct turn_part part = {true, {file.data, file.len}, "cat.png"};
    struct turn turn = {TURN_USER, &part, 1};
    struct request r = plain_request(&turn, 1);
    CHECK(chat_request_check(&r, NULL) == 0, "%s", fail_text());
    r.max_input_pixels = 96 * 96 - 1;
    CHECK(chat_request_check(&r, NULL) < 0 && fail_kind() == FAIL_TOO_LARGE, "%s",
          fail_text());
    r.max_input_pixels = 0;
    part.text.n -= 20;
    CHECK(chat_request_check(&r, NULL) < 0 && fail_kind() == FAIL_MEDIA, "truncated");
    part.text = span_of("<html>");
    CHECK(chat_request_check(&r, NULL) < 0 && fail_kind() == FAIL_MEDIA &&
              strstr(fail_text(), "cat.png"),
          "%s", fail_text());
    buf_free(&file);
}

/* Sizes from the structure alone are those of the decoded pictures. */
static void measures_agree_with_decoding(void)
{
    const char *path = "tests/data/goldens/preprocess/images";
    char command[600], line[300], name[900];
    snprintf(command, sizeof command, "ls %s", path);
    FILE *list = popen(command, "r");
    NEED(list, "no list");
    int same = 0;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, sizeof name, "%s/%s", path, line);
        struct buf file = {0};
        struct image im;
        int height = 0, width = 0;
        if (source_read(&file, NULL, span_of(name)) == 0 &&
            image_decode(&im, file.data, file.len, line, 1 << 28) == 0) {
            CHECK(image_measure(&height, &width, file.data, file.len, line, 1 << 28) == 0,
                  "%s: %s", line, fail_text());
            CHECK(height == im.height && width == im.width, "%s: %d x %d", line, width,
                  height);
            same++;
            image_free(&im);
        }
        buf_free(&file);
    }
    pclose(list);
    CHECK(same > 5, "%d pictures", same);
}

static void seeds_differ_by_part_round_and_key(void)
{
    struct request a = {.key = {1, 2}}, b = {.key = {1, 3}},
                   c = {.key = {1, 2}, .part = 1};
    int64_t seeds[] = {chat_request_seed(&a, 0), chat_request_seed(&a, 1),
                       chat_request_seed(&b, 0), chat_request_seed(&c, 0)};
    for (int i = 0; i < 4; i++) {
        CHECK(seeds[i] >= 0 && seeds[i] < (int64_t)1 << 31, "%lld", (long long)seeds[i]);
        for (int k = 0; k < i; k++) CHECK(seeds[i] != seeds[k], "%d %d", i, k);
    }
    CHECK(chat_request_seed(&a, 0) == seeds[0], "it changed");
}

/* -- Replies ------------------------------------------------------------------------- */

static int take(struct chat_samples *s, const char *body)
{
    return chat_reply_take(s, span_of(body), "sk-secret");
}

static void drop(struct chat_samples *s)
{
    for (int i = 0; i < s->n; i++) buf_free(&s->completions[i].text);
}

static void check_text(const struct completion *c, const char *want)
{
    CHECK(span_is((struct span){c->text.data, c->text.len}, want), "%.*s not %s",
          (int)c->text.len, c->text.data, want);
}

static void choices_come_in_any_order_and_the_rest_later(void)
{
    struct completion c[4] = {0};
    struct chat_samples s = {c, 4, 4, 0};
    CHECK(take(&s, "{\"choices\":["
                   "{\"index\":3,\"message\":{\"content\":\"three\"},\"finish_reason\":"
                   "\"length\"},"
                   "{\"index\":1,\"message\":{\"content\":\"one\"},\"finish_reason\":"
                   "\"stop\"},"
                   "{\"index\":1,\"message\":{\"content\":\"again\"}},"
                   "{\"index\":0,\"message\":{\"content\":null}},"
                   "{\"index\":9,\"message\":{\"content\":\"nine\"}},"
                   "{\"index\":-1,\"message\":{\"content\":\"less\"}}],"
                   "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":40}}") == 2,
          "%s", fail_text());
    CHECK(s.missing == 2 && !c[0].finish && !c[2].finish && s.prompt_tokens == 12, "%d",
          s.missing);
    check_text(&c[3], "three");
    check_text(&c[1], "one");
    CHECK(strcmp(c[3].finish, "length") == 0 && c[3].tokens == -1, "%d", c[3].tokens);
    /* the second of the missing ones, then the first; no index: by place */
    CHECK(take(&s, "{\"choices\":[{\"index\":1,\"message\":{\"content\":\"\"}}]}") == 1,
          "%s", fail_text());
    check_text(&c[2], "");
    CHECK(c[2].finish && strcmp(c[2].finish, "stop") == 0, "an empty text is an answer");
    CHECK(take(&s, "{\"choices\":[{\"message\":{\"content\":\"zero\"},\"finish_reason\":"
                   "\"tool_calls\"}],\"usage\":{\"completion_tokens\":5,"
                   "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}") == 1,
          "%s", fail_text());
    CHECK(s.missing == 0 && c[0].tokens == 3 && strcmp(c[0].finish, "stop") == 0, "%d %d",
          s.missing, c[0].tokens);
    drop(&s);
}

static void tokens_are_counted_in_logprobs_where_several_samples_share_usage(void)
{
    struct completion c[2] = {0};
    struct chat_samples s = {c, 2, 2, 0};
    CHECK(take(&s, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a b\"},"
                   "\"logprobs\":{\"content\":[{},{},{}]}},"
                   "{\"index\":1,\"message\":{\"content\":\"c\"},\"logprobs\":null}],"
                   "\"usage\":{\"completion_tokens\":9}}") == 2,
          "%s", fail_text());
    CHECK(c[0].tokens == 3 && c[1].tokens == -1, "%d %d", c[0].tokens, c[1].tokens);
    drop(&s);
}

static void what_is_no_answer_is_tried_again(void)
{
    static const struct {
        const char *body;
        enum fail_class kind;
    } cases[] = {
        {"", FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"content\":\"x", FAIL_PARSE},
        {"<html>", FAIL_PARSE},
        {"[]", FAIL_PARSE},
        {"{}", FAIL_PARSE},
        {"null", FAIL_PARSE},
        {"{\"choices\":null}", FAIL_PARSE},
        {"{\"choices\":{}}", FAIL_PARSE},
        {"{\"choices\":[]}", FAIL_PARSE},
        {"{\"choices\":[null]}", FAIL_PARSE},
        {"{\"choices\":[{\"message\":null}]}", FAIL_PARSE},
        {"{\"choices\":[{\"message\":{}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"content\":null}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"content\":7}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning_content\":\"Let me\"},"
         "\"finish_reason\":\"length\"}]}",
         FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"reasoning\":\"Let me\",\"content\":\"\"},"
         "\"finish_reason\":\"length\"}]}",
         FAIL_PARSE},
        {"{\"choices\":[{\"message\":{\"content\":[\"x\"]}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"text\":\"x\"}]}", FAIL_PARSE},
        {"{\"choices\":[{\"index\":\"0\",\"message\":{\"content\":\"x\"}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"index\":5,\"message\":{\"content\":\"x\"}}]}", FAIL_PARSE},
        {"{\"choices\":[{\"finish_reason\":1,\"message\":{\"content\":\"x\"}}]}",
         FAIL_PARSE},
        {"{\"error\":{\"message\":\"overloaded\"}}", FAIL_HTTP},
        {"{\"error\":\"overloaded\"}", FAIL_HTTP},
        {"{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"error\","
         "\"error\":{\"code\":502,\"message\":\"overloaded\"}}]}",
         FAIL_HTTP},
        {"{\"choices\":[{\"message\":{\"content\":\"ha\"},\"error\":\"overloaded\"}]}",
         FAIL_HTTP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct completion c[1] = {0};
        struct chat_samples s = {c, 1, 1, 0};
        CHECK(take(&s, cases[i].body) == CHAT_AGAIN, "%s", cases[i].body);
        CHECK(fail_kind() == cases[i].kind, "%s: %s", cases[i].body, fail_text());
        CHECK(s.missing == 1 && !c[0].finish, "%s: invented", cases[i].body);
        if (cases[i].kind == FAIL_HTTP)
            CHECK(strstr(fail_text(), "overloaded"), "%s", fail_text());
        drop(&s);
    }
}

static void what_the_server_broke_off_is_no_answer(void)
{
    static const char *const reasons[] = {"abort", "error"};
    for (int i = 0; i < 2; i++) {
        struct completion c[2] = {0};
        struct chat_samples s = {c, 2, 2, 0};
        struct span texts[] = {{"A", 1}};
        char body[300];
        double p[1];
        snprintf(
            body, sizeof body,
            "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"whole\"}},"
            "{\"index\":1,\"message\":{\"content\":\"ha\"},\"finish_reason\":\"%s\"}]}",
            reasons[i]);
        CHECK(take(&s, body) == 1 && s.missing == 1 && !c[1].finish, "%s", body);
        snprintf(
            body, sizeof body,
            "{\"choices\":[{\"finish_reason\":\"%s\",\"logprobs\":{\"content\":[{"
            "\"token\":\"A\",\"top_logprobs\":[{\"token\":\"A\",\"logprob\":-1}]}]}}]}",
            reasons[i]);
        CHECK(chat_reply_score(span_of(body), texts, 1, p, NULL) == CHAT_AGAIN &&
                  fail_kind() == FAIL_HTTP,
              "%s: %s", body, fail_text());
        drop(&s);
    }
}

static void a_refusal_is_the_rows_end(void)
{
    static const char *const bodies[] = {
        "{\"choices\":[{\"message\":{\"content\":\"half\"},\"finish_reason\":"
        "\"content_filter\"}]}",
        "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I "
        "can't\\nhelp\"}}]}"};
    for (int i = 0; i < 2; i++) {
        struct completion c[1] = {0};
        struct chat_samples s = {c, 1, 1, 0};
        CHECK(take(&s, bodies[i]) == CHAT_FINAL && fail_kind() == FAIL_REFUSED, "%s",
              bodies[i]);
        CHECK(!strchr(fail_text(), '\n'), "%s", fail_text());
        drop(&s);
    }
}

static void escapes_become_the_text(void)
{
    struct completion c[1] = {0};
    struct chat_samples s = {c, 1, 1, 0};
    CHECK(take(&s, "{\"choices\":[{\"message\":{\"content\":\"\\ud83d\\ude00 \\ud800"
                   "\\u0000<|im_end|>\"}}]}") == 1,
          "%s", fail_text());
    CHECK(c[0].text.len == 4 + 1 + 3 + 1 + 10 &&
              memcmp(c[0].text.data, "\xF0\x9F\x98\x80 \xEF\xBF\xBD\0<|im_end|>", 19) ==
                  0,
          "%zu bytes", c[0].text.len);
    drop(&s);
}

static int score(const char *body, const char *const *texts, int count, double *logprob)
{
    struct span spans[8];
    for (int i = 0; i < count; i++) spans[i] = span_of(texts[i]);
    return chat_reply_score(span_of(body), spans, count, logprob, "sk-secret");
}

static void equal_tokens_are_summed_and_others_are_impossible(void)
{
    static const char *const texts[] = {"A", " B", "C"};
    double p[3];
    CHECK(
        score("{\"choices\":[{\"message\":{\"content\":\"A\"},\"logprobs\":{\"content\":"
              "[{\"token\":\"A\",\"logprob\":-0.6931471805599453,\"top_logprobs\":["
              "{\"token\":\"A\",\"logprob\":-0.6931471805599453},"
              "{\"token\":\" A\",\"logprob\":-1.3862943611198906},"
              "{\"token\":\"  B\",\"logprob\":-2.0794415416798357},"
              "{\"token\":\"AA\",\"logprob\":-3},{\"token\":7},null,"
              "{\"token\":\"D\",\"logprob\":null}]}]}}]}",
              texts, 3, p) == 0,
        "%s", fail_text());
    CHECK(fabs(p[0] - log(0.75)) < 1e-12, "%g", p[0]);
    CHECK(fabs(p[1] - log(0.125)) < 1e-12, "%g", p[1]);
    CHECK(isinf(p[2]) && p[2] < 0, "%g", p[2]);
    /* the sampled token counts where the list has cut it off */
    CHECK(score("{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"C\",\"logprob\":"
                "-4,\"top_logprobs\":[{\"token\":\"A\",\"logprob\":-1}]}]}}]}",
                texts, 3, p) == 0 &&
              p[2] == -4 && p[0] == -1,
          "%g %g", p[0], p[2]);
}

static void a_score_that_is_none_is_a_failure(void)
{
    static const char *const texts[] = {"A", "B"};
    static const struct {
        const char *body;
        int status;
        enum fail_class kind;
    } cases[] = {
        {"{\"choices\":[{\"message\":{\"content\":\"A\"}}]}", CHAT_FINAL, FAIL_REFUSED},
        {"{\"choices\":[{\"logprobs\":null}]}", CHAT_FINAL, FAIL_REFUSED},
        {"{\"choices\":[{\"logprobs\":{\"content\":null}}]}", CHAT_FINAL, FAIL_REFUSED},
        {"{\"choices\":[{\"logprobs\":{\"content\":[]}}]}", CHAT_FINAL, FAIL_PARSE},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"A\",\"logprob\":-1}]}}]"
         "}",
         CHAT_FINAL, FAIL_REFUSED},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"A\",\"logprob\":-1,"
         "\"top_logprobs\":[]}]}}]}",
         CHAT_FINAL, FAIL_REFUSED},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"x\",\"logprob\":-1,"
         "\"top_logprobs\":[{\"token\":\"x\",\"logprob\":-1}]}]}}]}",
         CHAT_FINAL, FAIL_PARSE},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"x\",\"top_logprobs\":["
         "{\"token\":\"A\",\"logprob\":5}]}]}}]}",
         CHAT_FINAL, FAIL_PARSE},
        /* to count B alone would make the other, which has no number, impossible */
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"A\",\"top_logprobs\":["
         "{\"token\":\"A\",\"logprob\":null},{\"token\":\"B\",\"logprob\":-1}]}]}}]}",
         CHAT_FINAL, FAIL_PARSE},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"x\",\"top_logprobs\":["
         "{\"token\":\" A\",\"logprob\":\"-1\"},{\"token\":\"B\",\"logprob\":-1}]}]}}]}",
         CHAT_FINAL, FAIL_PARSE},
        {"{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"A\",\"logprob\":null,"
         "\"top_logprobs\":[{\"token\":\"B\",\"logprob\":-1}]}]}}]}",
         CHAT_FINAL, FAIL_PARSE},
        {"{\"choices\":[]}", CHAT_AGAIN, FAIL_PARSE},
        {"{\"error\":{\"code\":500}}", CHAT_AGAIN, FAIL_HTTP},
        {"nonsense", CHAT_AGAIN, FAIL_PARSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double p[2];
        CHECK(score(cases[i].body, texts, 2, p) == cases[i].status, "%s", cases[i].body);
        CHECK(fail_kind() == cases[i].kind, "%s: %s", cases[i].body, fail_text());
    }
}

static void what_a_server_says_is_repeated_without_the_key(void)
{
    static const char *const bodies[] = {
        "{\"error\":\"who is sk-secret?\"}",
        "{\"error\":{\"message\":\"Bearer sk-secret\"},\"choices\":[]}",
        "{\"choices\":[{\"message\":{\"refusal\":\"not for sk-secret\"}}]}",
    };
    static const char *const texts[] = {"A", "B"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct completion c[1] = {0};
        struct chat_samples s = {c, 1, 1, 0};
        double p[2];
        CHECK(take(&s, bodies[i]) < 0, "%s", bodies[i]);
        CHECK(strstr(fail_text(), "[key]") && !strstr(fail_text(), "secret"), "%s",
              fail_text());
        CHECK(score(bodies[i], texts, 2, p) < 0, "%s", bodies[i]);
        CHECK(strstr(fail_text(), "[key]") && !strstr(fail_text(), "secret"), "%s",
              fail_text());
        drop(&s);
    }
}

static void a_long_error_is_cut_at_a_character(void)
{
    struct buf text = {0}, out = {0};
    buf_text(&text, "{\"message\":\"x\\n");
    for (int i = 0; i < 500; i++) buf_text(&text, "\xC3\xA9");
    buf_text(&text, "\"}");
    chat_error_put(&out, (struct span){text.data, text.len}, NULL);
    CHECK(out.len < 320 && out.data[1] == ' ', "%zu bytes", out.len);
    CHECK(memcmp(out.data + out.len - 5, "\xC3\xA9...", 5) == 0, "cut");
    buf_free(&text);
    buf_free(&out);
}

static void base64_goes_there_and_back(void)
{
    for (size_t n = 0; n < 70; n++) {
        unsigned char bytes[70];
        struct buf text = {0}, back = {0};
        for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 89 + n * 7);
        base64_encode(&text, bytes, n);
        CHECK(text.len == (n + 2) / 3 * 4, "%zu", n);
        CHECK(base64_decode(&back, (struct span){text.data ? text.data : "", text.len}) ==
                      0 &&
                  back.len == n && (n == 0 || memcmp(back.data, bytes, n) == 0),
              "%zu", n);
        buf_free(&text);
        buf_free(&back);
    }
}

/* -- Through model.h, with a server -------------------------------------------------- */

static struct model *open_at(const struct server_run *server)
{
    static char spec[100];
    struct model_options options = {.device = "cpu", .endpoint = {.retries = 2}};
    snprintf(spec, sizeof spec, "%s#any", server->url);
    return model_open(spec, &options);
}

static const char question[] = "It is a cat on a mat.\n\nQuestion: What is on the mat?\n"
                               "A) a dog\nB) a cat\nC) a hat\nAnswer:";

static void letters_have_the_servers_probabilities(void)
{
    struct server_run server;
    server_start(&server, "--mode judge --sure 0.9");
    struct model *m = open_at(&server);
    NEED(m, "%s", fail_text());
    CHECK(model_scores(m) == MODEL_SCORES_TOKENS, "%d", model_scores(m));
    struct turn_part part = text_part(question);
    struct turn turn = {TURN_USER, &part, 1};
    const struct span letters[] = {{"A", 1}, {"B", 1}, {"C", 1}, {"Q", 1}};
    const bool end[4] = {true, true, true, true};
    double p[2][4];
    int attempts = 0;
    struct request r = plain_request(NULL, 0);
    struct score_item items[] = {{&turn, 1, letters, end, 4, p[0]},
                                 {&turn, 1, letters, end, 4, p[1]}};
    r.attempts = &attempts;
    CHECK(model_score_all(m, &r, items, 2) == 0, "%s", fail_text());
    for (int i = 0; i < 2; i++) {
        CHECK(fabs(exp(p[i][1]) - 0.9) < 1e-6, "%g", exp(p[i][1]));
        CHECK(fabs(exp(p[i][0]) + exp(p[i][2]) - 0.1) < 1e-6, "%g", exp(p[i][0]));
        CHECK(isinf(p[i][3]), "a letter that is not listed: %g", p[i][3]);
    }
    CHECK(attempts == 2, "%d", attempts);
    const struct span none[] = {{"X", 1}, {"Y", 1}};
    r.turns = &turn;
    r.count = 1;
    CHECK(model_score(m, &r, none, end, 2, p[0]) < 0 && fail_kind() == FAIL_PARSE, "%s",
          fail_text());
    model_close(m);
    server_stop(&server);
}

static void a_server_without_logprobs_is_no_judge_by_probability(void)
{
    struct server_run server;
    server_start(&server, "--mode judge --no-logprobs");
    struct model *m = open_at(&server);
    NEED(m, "%s", fail_text());
    struct turn_part part = text_part(question);
    struct turn turn = {TURN_USER, &part, 1};
    struct request r = plain_request(&turn, 1);
    const struct span letters[] = {{"A", 1}, {"B", 1}};
    const bool end[2] = {true, true};
    double p[2];
    int attempts = 0;
    r.attempts = &attempts;
    CHECK(model_score(m, &r, letters, end, 2, p) < 0 && fail_kind() == FAIL_REFUSED &&
              strstr(fail_text(), "--score sampled"),
          "%s", fail_text());
    CHECK(attempts == 1 && !model_down(m), "%d tries", attempts);
    model_close(m);
    server_stop(&server);
}

static void requests_of_a_row_go_side_by_side_all_or_nothing(void)
{
    enum { COUNT = 12 };
    struct server_run server;
    server_start(&server, "--delay 60 --fault 400=always --only never-this");
    struct model *m = open_at(&server);
    NEED(m, "%s", fail_text());
    struct turn_part parts[COUNT];
    struct turn turns[COUNT];
    struct request requests[COUNT];
    struct reply replies[COUNT];
    char texts[COUNT][40];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "request number %d", i);
        parts[i] = text_part(texts[i]);
        turns[i] = (struct turn){TURN_USER, &parts[i], 1};
        requests[i] = plain_request(&turns[i], 1);
        requests[i].part = i;
    }
    CHECK(model_generate_all(m, requests, replies, COUNT) == 0, "%s", fail_text());
    for (int i = 0; i < COUNT; i++) {
        struct completion *c = replies[i].completions;
        CHECK(replies[i].count == 1 &&
                  memmem(c->text.data, c->text.len, texts[i], strlen(texts[i])),
              "%d: %.*s", i, (int)c->text.len, c->text.data);
        reply_free(&replies[i]);
    }
    CHECK(server_seen(&server, NULL).in_flight > 4, "%d in flight",
          server_seen(&server, NULL).in_flight);
    parts[7] = text_part("never-this");
    CHECK(model_generate_all(m, requests, replies, COUNT) < 0 && fail_kind() == FAIL_HTTP,
          "%s", fail_text());
    for (int i = 0; i < COUNT; i++) CHECK(!replies[i].completions, "%d is left", i);
    model_close(m);
    server_stop(&server);
}

int main(void)
{
    CASE(a_list_of_servers_is_taken_apart);
    CASE(the_identity_is_that_of_the_names);
    CASE(odd_servers_are_refused);
    CASE(a_key_comes_from_a_file_or_the_environment);
    CASE(a_strict_server_is_sent_standard_fields_alone);
    CASE(what_differs_from_the_neutral_is_sent);
    CASE(extras_stand_in_place_of_our_fields);
    CASE(a_score_asks_for_the_likeliest_tokens);
    CASE(a_picture_is_sent_as_it_is);
    CASE(only_pictures_within_the_limit_pass);
    CASE(measures_agree_with_decoding);
    CASE(seeds_differ_by_part_round_and_key);
    CASE(choices_come_in_any_order_and_the_rest_later);
    CASE(tokens_are_counted_in_logprobs_where_several_samples_share_usage);
    CASE(what_is_no_answer_is_tried_again);
    CASE(what_the_server_broke_off_is_no_answer);
    CASE(a_refusal_is_the_rows_end);
    CASE(escapes_become_the_text);
    CASE(equal_tokens_are_summed_and_others_are_impossible);
    CASE(a_score_that_is_none_is_a_failure);
    CASE(a_long_error_is_cut_at_a_character);
    CASE(what_a_server_says_is_repeated_without_the_key);
    CASE(base64_goes_there_and_back);
    CASE(letters_have_the_servers_probabilities);
    CASE(a_server_without_logprobs_is_no_judge_by_probability);
    CASE(requests_of_a_row_go_side_by_side_all_or_nothing);
    return check_end();
}
