/* Batch files: requests written, results found. */
#include "base/fail.h"
#include "check.h"
#include "model/batch.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

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

static void ids_are_short_and_their_own(void)
{
    char a[BATCH_ID], b[BATCH_ID], c[BATCH_ID];
    struct random_key k = {UINT64_MAX, UINT64_MAX}, l = {UINT64_MAX, 1};
    batch_id(a, k, INT32_MAX);
    batch_id(b, l, INT32_MAX);
    batch_id(c, k, 0);
    CHECK(strlen(a) <= 64 && strcmp(a, b) != 0 && strcmp(a, c) != 0, "%s %s %s", a, b, c);
}

static void a_batch_gets_its_name_when_it_is_whole(void)
{
    char folder[] = "/tmp/endpoint-test-XXXXXX", name[600], part[620], line[200];
    NEED(mkdtemp(folder), "no folder");
    snprintf(name, sizeof name, "%s/batch", folder);
    snprintf(part, sizeof part, "%s.part", name);
    struct batch_out *b = batch_out_open(name, false);
    NEED(b, "%s", fail_text());
    CHECK(!batch_out_open(name, false) && fail_kind() == FAIL_REFUSED, "two writers");
    CHECK(batch_out_write(b, "id-0", span_of("{\"x\":1}")) == 0, "%s", fail_text());
    CHECK(access(name, F_OK) < 0, "it is there before it is whole");
    CHECK(batch_out_finish(b) == 0, "%s", fail_text());
    batch_out_close(b);
    FILE *f = fopen(name, "r");
    NEED(f && fgets(line, sizeof line, f), "no line");
    CHECK(strcmp(line, "{\"custom_id\":\"id-0\",\"method\":\"POST\","
                       "\"url\":\"/v1/chat/completions\",\"body\":{\"x\":1}}\n") == 0,
          "%s", line);
    fclose(f);
    CHECK(access(part, F_OK) < 0, "the temporary file is left");
    CHECK(!batch_out_open(name, false), "it is overwritten");
    b = batch_out_open(name, true);
    CHECK(b, "%s", fail_text());
    batch_out_close(b); /* unfinished: the old one stays */
    CHECK(access(name, F_OK) == 0 && access(part, F_OK) == 0, "the old one is gone");
    unlink(part);
    unlink(name);
    CHECK(!batch_out_open("/nonexistent/x", false) && fail_kind() == FAIL_REFUSED, "%s",
          fail_text());
    rmdir(folder);
}

static void results_are_found_by_their_id(void)
{
    char folder[] = "/tmp/endpoint-test-XXXXXX";
    NEED(mkdtemp(folder), "no folder");
    const char *path = write_file(
        folder, "results",
        "{\"id\":\"b0\",\"custom_id\":\"two\",\"response\":{\"status_code\":200,"
        "\"request_id\":\"r\",\"body\":{\"choices\":[2]}},\"error\":null}\r\n"
        "\n"
        "{\"custom_id\":\"one\",\"response\":{\"status_code\":200,\"body\":{\"old\":1}}}"
        "\n"
        "torn {\n"
        "{\"custom_id\":\"bad\",\"response\":{\"status_code\":400,\"body\":{\"error\":"
        "{\"message\":\"too long\"}}},\"error\":null}\n"
        "{\"custom_id\":\"late\",\"response\":null,\"error\":{\"code\":\"batch_expired\","
        "\"message\":\"it expired\"}}\n"
        "{\"custom_id\":\"odd\",\"response\":{\"status_code\":\"x\"},\"error\":null}\n"
        "{\"custom_id\":\"bare\",\"response\":{\"status_code\":200},\"error\":null}\n"
        "{\"custom_id\":\"one\",\"response\":{\"body\":{\"new\":1}}}");
    struct batch_in *b = batch_in_open(path);
    struct buf line = {0};
    struct span body;
    NEED(b, "%s", fail_text());
    CHECK(strstr(batch_in_notes(b), ": 1 lines"), "%s", batch_in_notes(b));
    CHECK(batch_in_find(b, "one", &line, &body) == 0 && span_is(body, "{\"new\":1}"),
          "%s", fail_text());
    CHECK(batch_in_find(b, "two", &line, &body) == 0 &&
              span_is(body, "{\"choices\":[2]}"),
          "%s", fail_text());
    CHECK(batch_in_find(b, "none", &line, &body) < 0 && fail_kind() == FAIL_MISSING &&
              strstr(fail_text(), "no result in"),
          "%s", fail_text());
    CHECK(batch_in_find(b, "bad", &line, &body) < 0 && fail_kind() == FAIL_HTTP &&
              strstr(fail_text(), "400") && strstr(fail_text(), "too long"),
          "%s", fail_text());
    CHECK(batch_in_find(b, "late", &line, &body) < 0 && fail_kind() == FAIL_HTTP &&
              strstr(fail_text(), "it expired"),
          "%s", fail_text());
    CHECK(batch_in_find(b, "odd", &line, &body) < 0 && fail_kind() == FAIL_PARSE, "%s",
          fail_text());
    CHECK(batch_in_find(b, "bare", &line, &body) < 0 && fail_kind() == FAIL_PARSE, "%s",
          fail_text());
    CHECK(truncate(path, 10) == 0 && batch_in_find(b, "two", &line, &body) < 0, "cut");
    batch_in_close(b);
    path = write_file(folder, "results", "{\"custom_id\":\"x\",\"method\":\"POST\"}\n");
    CHECK(!batch_in_open(path) && fail_kind() == FAIL_REFUSED, "requests as results");
    CHECK(!batch_in_open("/nonexistent") && fail_kind() == FAIL_REFUSED, "%s",
          fail_text());
    CHECK(!batch_in_open("/dev/null"), "no regular file");
    unlink(path);
    rmdir(folder);
    buf_free(&line);
}

int main(void)
{
    CASE(ids_are_short_and_their_own);
    CASE(a_batch_gets_its_name_when_it_is_whole);
    CASE(results_are_found_by_their_id);
    return check_end();
}
