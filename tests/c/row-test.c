/* row-test: rows through a program: rows.md, and what users bring. */
#include "row-run.h"

#include "base/random.h"
#include "row/row_own.h"

#include <locale.h>
#include <zlib.h>
#include <zstd.h>

/* -- A row by itself ----------------------------------------------------------------- */

static int make(struct row *row, const char *text)
{
    char *block = strdup(text);
    static struct tokens tokens;
    return row_begin(row, "stage", "id", block, span_of(block), &tokens);
}

/* text with key set to json (none: NULL), as it is written. */
static const char *edited(const char *text, const char *key, const char *json,
                          const char *key2, const char *json2)
{
    static struct buf out;
    struct row row;
    buf_clear(&out);
    if (!text) {
        buf_free(&out);
        return NULL;
    }
    make(&row, text);
    row_set(&row, key, span_of(json));
    if (key2)
        row_set(&row, key2, span_of(json2));
    row_render(&row, &out);
    row_free(&row);
    return buf_string(&out);
}

static void fields_are_spliced_in(void)
{
    static const struct {
        const char *text, *key, *json, *key2, *json2, *want;
    } cases[] = {
        {"{}", "a", "1", NULL, NULL, "{\"a\":1}"},
        {" { } ", "a", "1", "b", "2", " { \"a\":1,\"b\":2} "},
        {"{\"x\":1.50}", "a", "[1]", NULL, NULL, "{\"x\":1.50,\"a\":[1]}"},
        {"{\"a\":1,\"b\":2}", "a", "\"new\"", NULL, NULL, "{\"a\":\"new\",\"b\":2}"},
        {"{\"a\" : 1 , \"b\":2}", "b", "3", "a", "4", "{\"a\" : 4 , \"b\":3}"},
        {"{\"a\":1,\"a\":2,\"b\":{\"a\":3}}", "a", "9", NULL, NULL,
         "{\"a\":1,\"a\":9,\"b\":{\"a\":3}}"},
        {"{\"\\u0061\":1}", "a", "2", NULL, NULL, "{\"\\u0061\":2}"},
        {"{\"b\":\"}\"}", "a", "1", "a", "2", "{\"b\":\"}\",\"a\":2}"},
        {"{\"b\":1}", "q\"", "1", NULL, NULL, "{\"b\":1,\"q\\\"\":1}"},
        {"{\"n\":12345678901234567890,\"s\":\"\\ud800\"}", "a", "1", NULL, NULL,
         "{\"n\":12345678901234567890,\"s\":\"\\ud800\",\"a\":1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = edited(cases[i].text, cases[i].key, cases[i].json,
                                 cases[i].key2, cases[i].json2);
        CHECK(strcmp(got, cases[i].want) == 0, "%s: %s", cases[i].text, got);
    }
    edited(NULL, NULL, NULL, NULL, NULL);
}

static void fields_are_read_or_named(void)
{
    struct row row;
    struct span text;
    double x;
    int64_t i;
    make(&row,
         "{\"id\":\"c\\u0061t\",\"t\":\"plain\",\"n\":3.0,\"z\":null,\"o\":{\"k\":[1]}}");
    CHECK(row_text(&row, "t", &text) == 0 && span_is(text, "plain"), "t");
    CHECK(row_text(&row, "id", &text) == 0 && span_is(text, "cat"), "id");
    CHECK(row_text(&row, "z", &text) < 0 && fail_kind() == FAIL_MISSING,
          "null is missing");
    CHECK(row_text(&row, "no.way", &text) < 0 && has(fail_text(), "no.way"), "%s",
          fail_text());
    CHECK(row_text(&row, "n", &text) < 0 && fail_kind() == FAIL_TYPE, "n");
    CHECK(has(fail_text(), "\"n\" is a number, not a string"), "%s", fail_text());
    CHECK(row_real(&row, "n", &x) == 0 && x == 3 && row_int(&row, "n", &i) == 0 && i == 3,
          "n");
    CHECK(row_array(&row, "o.k", &text) == 0 && span_is(text, "[1]"), "o.k");
    CHECK(row_array(&row, "o", &text) < 0 && has(fail_text(), "an object"), "%s",
          fail_text());
    CHECK(row.has_id && row.id.n == 10 && !row_has(&row, "z") && row_has(&row, "o"),
          "has");
    row_free(&row);
}

static void random_keys_differ_by_everything_that_names_a_draw(void)
{
    struct row a, b;
    make(&a, "{\"id\":1}");
    make(&b, "{\"id\":2}");
    struct random_key k = row_random(&a, 0, 0), again = row_random(&a, 0, 0);
    CHECK(k.lo == again.lo && k.hi == again.hi, "the same");
    CHECK(k.lo != row_random(&b, 0, 0).lo, "another id");
    CHECK(k.lo != row_random(&a, 1, 0).lo && k.lo != row_random(&a, 0, 1).lo,
          "seed, version");
    a.occurrence = 1;
    CHECK(k.lo != row_random(&a, 0, 0).lo, "another occurrence");
    row_free(&a);
    row_free(&b);
}

/* -- Lines (rows.md, section 1) ------------------------------------------------------ */

static void unknown_fields_pass_byte_for_byte(void)
{
    CHECK(run_text(
              "",
              "{\"n\":1,\"big\":123456789012345678901,\"x\":1.0e0,\"s\":\"\\u0000\\ud83d"
              " \\/\",\"d\":1,\"d\":2,\"f\":1E400}\n") == 0,
          "%s", run_err);
    CHECK(
        strcmp(run_out,
               "{\"n\":1,\"big\":123456789012345678901,\"x\":1.0e0,\"s\":\"\\u0000\\ud83d"
               " \\/\",\"d\":1,\"d\":2,\"f\":1E400,\"twice\":2}\n") == 0,
        "%s", run_out);
    CHECK(run_err[0] == '\0', "%s", run_err);
}

static void lines_are_found_in_any_form(void)
{
    static const char want[] = "{\"n\":1,\"twice\":2}\n{\"n\":2,\"twice\":4}\n";
    static const char *const forms[] = {
        "{\"n\":1}\n{\"n\":2}\n",
        "{\"n\":1}\n{\"n\":2}",                  /* no last line end */
        "{\"n\":1}\r\n{\"n\":2}\r\n",            /* CRLF */
        "\xEF\xBB\xBF{\"n\":1}\n{\"n\":2}\n",    /* a byte order mark */
        "\n\n{\"n\":1}\n \t\n\r\n{\"n\":2}\n\n", /* blank lines */
        "[{\"n\":1},{\"n\":2}]",                 /* an array */
        "\n [\n  {\n    \"n\":1\n  },\r\n  {\"n\":\n2} ] \n",
        "\xEF\xBB\xBF[{\"n\":1}\n,{\"n\":2}]",
        "[{\"n\":1}]\n[{\"n\":2}]\n", /* arrays, as `cat a.json b.json` brings them */
        "[{\"n\":1}][] [ ]\n{\"n\":2}",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        CHECK(run_text("", forms[i]) == 0, "form %zu: %s", i, run_err);
        CHECK(strcmp(run_out, want) == 0, "form %zu: %s", i, run_out);
    }
}

static void packed_input_is_known_by_its_bytes(void)
{
    static const char text[] = "{\"n\":1}\n{\"n\":2}\n";
    unsigned char packed[2048];
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (unsigned char *)text;
    z.avail_in = 8;
    z.next_out = packed;
    z.avail_out = 1024;
    deflate(&z, Z_FINISH);
    deflateReset(&z); /* a second member, as `cat a.gz b.gz` makes */
    z.next_in = (unsigned char *)text + 8;
    z.avail_in = 8;
    deflate(&z, Z_FINISH);
    size_t n = (size_t)(z.next_out - packed);
    deflateEnd(&z);
    CHECK(run_on("", (char *)packed, n) == 0 && count_lines(run_out) == 2, "gzip: %s",
          run_err);
    CHECK(run_on("", (char *)packed, n - 5) == 2, "a cut gzip file");
    CHECK(has(run_err, "cut off"), "%s", run_err);
    packed[n - 6] ^= 1;
    CHECK(run_on("", (char *)packed, n) == 2 && has(run_err, "broken gzip"), "%s",
          run_err);
    n = ZSTD_compress(packed, sizeof packed, text, 16, 3);
    CHECK(run_on("", (char *)packed, n) == 0 && count_lines(run_out) == 2, "zstd: %s",
          run_err);
    CHECK(run_on("", (char *)packed, n - 3) == 2 && has(run_err, "cut off"), "%s",
          run_err);
    put_file("rows.jsonl", (char *)packed, n);
    CHECK(run("rows.jsonl", NULL, "out", "err") == 0, "zstd under a .jsonl name");
    memmove(packed + 12, packed,
            n); /* behind a frame to be skipped, as pzstd writes it */
    memcpy(packed, "\x5A\x2A\x4D\x18\4\0\0\0size", 12);
    CHECK(run_on("", (char *)packed, n + 12) == 0 && count_lines(run_out) == 2, "%s",
          run_err);
    CHECK(run_on("", "\x1F\x8B", 2) == 2, "two bytes of gzip");
}

/* formats.md, section 8, item by item. */
static void broken_lines_become_error_rows(void)
{
    static const struct {
        const char *line, *class, *input;
    } cases[] = {
        {"{\"n\":NaN}", "json", "{\\\"n\\\":NaN}"},
        {"{\"n\":1} {\"n\":2}", "json", "{\\\"n\\\":1} {\\\"n\\\":2}"},
        {"{\"n\":1,}", "json", "{\\\"n\\\":1,}"},
        {"{'n':1}", "json", "{'n':1}"},
        {"{\"n\":\"\x01\"}", "json", "{\\\"n\\\":\\\"\\u0001\\\"}"},
        {"{\"n\":\"\xFF\"}", "json", "{\\\"n\\\":\\\"\xEF\xBF\xBD\\\"}"},
        {"hello", "json", "hello"},
        {"3", "json", "3"},
        {"\"text\"", "json", "\\\"text\\\""},
        {"{\"n\":1", "json", "{\\\"n\\\":1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200], want[200];
        snprintf(text, sizeof text, "{\"n\":1}\n%s\n{\"n\":2}\n", cases[i].line);
        snprintf(want, sizeof want, "\"input\":\"%s\"}\n", cases[i].input);
        CHECK(run_text("", text) == 1, "%s", cases[i].line);
        CHECK(count_lines(run_out) == 3 && has(run_out, want), "%s: %s", cases[i].line,
              run_out);
        CHECK(has(run_err, "row-driver: stdin:2: "), "%s", run_err);
        CHECK(
            has(run_out,
                "{\"error\":{\"stage\":\"row-driver\",\"class\":\"json\",\"message\":\""),
            "%s", run_out);
    }
    CHECK(run_on("", "{\"n\":1\0}\n{\"n\":2}\n", 17) == 1, "NUL");
    CHECK(has(run_out, "\\u0000") && count_lines(run_out) == 2, "%s", run_out);
}

static void utf16_is_refused_with_advice(void)
{
    static const char *const texts[] = {"\xFF\xFE{\0\"\0", "\xFE\xFF\0{\0\"",
                                        "{\0\"\0n\0", "\0{\0\"\0n"};
    for (int i = 0; i < 4; i++) {
        CHECK(run_on("", texts[i], 6) == 2, "form %d", i);
        CHECK(has(run_err, "stdin: UTF-16") && has(run_err, "iconv"), "%s", run_err);
    }
}

static void broken_arrays_are_told(void)
{
    CHECK(run_text("", "[{\"n\":1},{\"n\":2},]") == 1 && count_lines(run_out) == 3, "%s",
          run_out);
    CHECK(run_text("", "[{\"n\":1},,{\"n\":2}]") == 1 && count_lines(run_out) == 3, "%s",
          run_out);
    CHECK(run_text("", "[{\"n\":1}") == 1 && count_lines(run_out) == 2, "%s", run_out);
    CHECK(run_text("", "[{\"n\":1},{\"n\":") == 1 && count_lines(run_out) == 2, "%s",
          run_out);
    CHECK(run_text("", "[") == 1 && run_text("", "[]") == 0 && run_out[0] == '\0', "%s",
          run_out);
    CHECK(run_text("", "[{\"n\":1}] {\"n\":2}") == 0 && count_lines(run_out) == 2, "%s",
          run_out);
    CHECK(run_text("", "[{\"n\":1},\n{\"n\":bad},{\"n\":3}]") == 1, "%s", run_out);
    CHECK(has(run_out, "\"twice\":6") && has(run_err, "stdin:2: "), "%s %s", run_out,
          run_err);
}

static void line_separators_of_unicode_end_no_line(void)
{
    CHECK(run_text("", "{\"n\":1,\"s\":\"a\xE2\x80\xA8"
                       "b\xE2\x80\xA9\"}\n") == 0,
          "%s", run_err);
    CHECK(count_lines(run_out) == 1, "%s", run_out);
}

static void long_and_empty_lines_pass(void)
{
    size_t n = (size_t)64 << 20;
    char *text = malloc(n + 32);
    memset(text, 'x', n);
    memcpy(text, "{\"n\":1,\"s\":\"", 12);
    memcpy(text + n - 3, "\"}\n", 3);
    put_file("long", text, n);
    CHECK(run("long", NULL, "out", "err") == 0, "a line of 64 MB");
    size_t m;
    char *out = get_file("out", &m);
    text[n - 2] = '\0';
    CHECK(m == n + 10 && memcmp(out, text, n - 2) == 0, "%zu bytes", m);
    CHECK(strcmp(out + n - 2, ",\"twice\":2}\n") == 0, "%s", out + n - 2);
    free(out);
    memset(text, '\n', 1000000);
    put_file("blank", text, 1000000);
    CHECK(run("-o blank.out blank", NULL, "out", "err") == 0, "a million empty lines");
    free(text);
    CHECK(run_on("", "", 0) == 0 && run_out[0] == '\0' && run_err[0] == '\0', "no input");
    char *deep = malloc(200010);
    memset(deep, '[', 200000);
    memcpy(deep, "{\"n\":", 5);
    deep[200000] = '\n';
    CHECK(run_on("", deep, 200001) == 1 && has(run_err, "too deeply"), "%.200s", run_err);
    free(deep);
}

static void rows_with_an_error_are_handed_on(void)
{
    CHECK(run_text("", "{\"n\":1,\"error\":{\"class\":\"x\"}}\n") == 0, "%s", run_err);
    CHECK(strcmp(run_out, "{\"n\":1,\"error\":{\"class\":\"x\"}}\n") == 0, "%s", run_out);
    CHECK(run_text("", "{\"n\":1,\"error\":null}\n") == 0 && has(run_out, "twice"), "%s",
          run_out);
}

/* -- Errors and status (section 3) --------------------------------------------------- */

static void a_bad_row_is_named_and_handed_on(void)
{
    CHECK(run_text("", "{\"id\":\"cat\",\"n\":\"x\",\"k\":0}\n") == 1, "%s", run_err);
    CHECK(strcmp(run_err,
                 "row-driver: stdin:1 (id=cat): \"n\" is a string, not an integer\n") ==
              0,
          "%s", run_err);
    CHECK(
        strcmp(run_out,
               "{\"id\":\"cat\",\"n\":\"x\",\"k\":0,\"error\":{\"stage\":\"row-driver\","
               "\"class\":\"type\",\"message\":\"\\\"n\\\" is a string, not an "
               "integer\"}}\n") == 0,
        "%s", run_out);
    CHECK(run_text("", "{\"id\":\"a\\u001b[2J\\u009b\",\"n\":\"x\"}\n") == 1, "%s",
          run_err);
    CHECK(has(run_err, "(id=a?[2J?)"), "no escape reaches a terminal: %s", run_err);
}

static void failed_rows_can_go_elsewhere(void)
{
    unlink("bad");
    CHECK(run_text("--fail 2 --errors bad", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n") == 1,
          "%s", run_err);
    char *bad = get_file("bad", NULL);
    CHECK(count_lines(run_out) == 2 && count_lines(bad) == 1, "%s / %s", run_out, bad);
    CHECK(has(bad, "{\"n\":2,\"error\":{"), "%s", bad);
    free(bad);
    CHECK(run_text("--errors bad", "{\"n\":1}\n") == 2 && has(run_err, "exists"), "%s",
          run_err);
    CHECK(run_text("--force --errors bad", "{\"n\":1}\n") == 0, "%s", run_err);
}

static void too_many_errors_end_the_run(void)
{
    struct buf text = {0};
    for (int i = 1; i <= 300; i++) buf_print(&text, "{\"n\":%d}\n", i);
    CHECK(run_on("--fail 2 --max-errors 3", text.data, text.len) == 3, "%s", run_err);
    CHECK(count_lines(run_out) == 8, "%d rows", count_lines(run_out));
    CHECK(has(run_err, "more failed rows than --max-errors 3"), "%s", run_err);
    CHECK(run_on("--fail 2 --max-errors 3 -w 3", text.data, text.len) == 3, "%s",
          run_err);
    CHECK(count_lines(run_out) == 8, "%d rows", count_lines(run_out));
    CHECK(run_on("--fail 2 --max-errors 150", text.data, text.len) == 1, "%s", run_err);
    CHECK(run_on("--fail 2 --max-errors 49%", text.data, text.len) == 3, "%s", run_err);
    CHECK(count_lines(run_out) == 100, "%d rows", count_lines(run_out));
    CHECK(run_on("--fail 2 --max-errors 50%", text.data, text.len) == 1, "%s", run_err);
    CHECK(run_text("--fail 1 --max-errors 10%", "{\"n\":1}\n") == 3, "judged at the end");
    buf_free(&text);
}

/* -- Selection ----------------------------------------------------------------------- */

static void shards_and_limits_pick_rows(void)
{
    static const char text[] = "{\"n\":0}\n\n{\"n\":1}\nbad\n{\"n\":3}\n{\"n\":4}\n";
    CHECK(run_text("--shard 0/2", text) == 1 && count_lines(run_out) == 3, "%s", run_out);
    CHECK(run_text("--shard 1/2", text) == 0, "%s", run_err);
    CHECK(strcmp(run_out, "{\"n\":1,\"twice\":2}\n{\"n\":3,\"twice\":6}\n") == 0, "%s",
          run_out);
    CHECK(run_text("--shard 1/2 --limit 1", text) == 0 && count_lines(run_out) == 1, "%s",
          run_out);
    CHECK(run_text("--limit 0", text) == 0 && run_out[0] == '\0', "%s", run_out);
    static const char *const bad[] = {
        "--shard 2/2",       "--shard -1/2", "--shard 1",      "--shard a/b",
        "--shard 0/0",       "--limit -1",   "--limit x",      "--max-errors x",
        "--max-errors 101%", "--resume",     "--retry-errors", "--nope",
        "--limit",           "-Q",           "--force=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(run_text(bad[i], text) == 2, "%s", bad[i]);
        CHECK(has(run_err, "row-driver: try row-driver --help\n"), "%s: %s", bad[i],
              run_err);
    }
}

static void equal_keys_count_their_occurrences(void)
{
    unlink("k"), unlink("k.journal");
    CHECK(run_text("-o k",
                   "{\"id\":1,\"n\":1}\n{\"id\":1,\"n\":2}\n{\"n\":3}\n{\"n\":3}\n"
                   "{\"id\":\"1\",\"n\":1}\n{\"id\":null,\"n\":1}\n") == 0,
          "%s", run_err);
    char *journal = get_file("k.journal", NULL);
    CHECK(has(journal, "{\"id\":1,\"n\":0,") && has(journal, "{\"id\":1,\"n\":1,") &&
              has(journal, "{\"id\":\"1\",\"n\":0,"),
          "%s", journal);
    const char *line = strstr(journal, "{\"line\":\"");
    CHECK(line && has(line, "\",\"n\":0,") && has(line, "\",\"n\":1,"), "%s", journal);
    CHECK(count_lines(journal) == 7, "%s", journal);
    free(journal);
    unlink("k"), unlink("k.journal");
    CHECK(run_text("-o k --id-key a.b", "{\"a\":{\"b\":[7]},\"n\":1}\n") == 0, "%s",
          run_err);
    journal = get_file("k.journal", NULL);
    CHECK(has(journal, "{\"id\":[7],\"n\":0,"), "%s", journal);
    free(journal);
}

static void any_number_of_workers_gives_the_same_bytes(void)
{
    struct buf text = {0};
    for (int i = 0; i < 3000; i++)
        buf_print(&text, i % 7 == 3 ? "{broken %d\n" : "{\"n\":%d,\"s\":\"xxxxxxxxx\"}\n",
                  i);
    CHECK(run_on("--fail 5", text.data, text.len) == 1, "%s", "one");
    put_file("want", run_out, strlen(run_out));
    static const char *const workers[] = {"--fail 5 -w 1", "--fail 5 -w 2",
                                          "--fail 5 -w 4 --delay 1", "--fail 5 -w 16"};
    for (int i = 0; i < 4; i++) {
        CHECK(run_on(workers[i], text.data, text.len) == 1, "%s", workers[i]);
        CHECK(same_files("want", "out"), "%s", workers[i]);
    }
    CHECK(run_on("--fail 5 -w 4 --unordered", text.data, text.len) == 1, "%s",
          "unordered");
    CHECK(count_lines(run_out) == 3000, "%d", count_lines(run_out));
    buf_free(&text);
}

/* -- Arguments ----------------------------------------------------------------------- */

static void pictures_and_folders_become_rows(void)
{
    run_shell(
        "rm -rf p && mkdir -p p/b/c p/.hidden p/d.jpg p/empty && touch p/a.txt && "
        "for f in a.JPG z.png B.webp b/x.gif b/c/y.bmp b.jpeg .h.png .hidden/q.png "
        "d.jpg/in.png; do printf x >p/$f; done; ln -s ../p p/loop; ln -s a.JPG p/ln.png");
    CHECK(run("p", NULL, "out", "err") == 0, "%s", "folder");
    char *out = get_file("out", NULL), *err;
    CHECK(strcmp(out, "{\"id\":\"p/B.webp\",\"image\":\"p/B.webp\"}\n"
                      "{\"id\":\"p/a.JPG\",\"image\":\"p/a.JPG\"}\n"
                      "{\"id\":\"p/b/c/y.bmp\",\"image\":\"p/b/c/y.bmp\"}\n"
                      "{\"id\":\"p/b/x.gif\",\"image\":\"p/b/x.gif\"}\n"
                      "{\"id\":\"p/b.jpeg\",\"image\":\"p/b.jpeg\"}\n"
                      "{\"id\":\"p/d.jpg/in.png\",\"image\":\"p/d.jpg/in.png\"}\n"
                      "{\"id\":\"p/ln.png\",\"image\":\"p/ln.png\"}\n"
                      "{\"id\":\"p/z.png\",\"image\":\"p/z.png\"}\n") == 0,
          "%s", out);
    free(out);
    CHECK(run("p/a.txt p/a.JPG", NULL, "out", "err") == 0, "%s", "files");
    out = get_file("out", NULL);
    CHECK(count_lines(out) == 1, "an empty text file is no row: %s", out);
    free(out);
    put_file("rows", "{\"n\":1}\n", 8);
    CHECK(run("p/z.png rows p/b", NULL, "out", "err") == 0, "%s", "mixed");
    out = get_file("out", NULL);
    CHECK(count_lines(out) == 4 && has(out, "twice"), "%s", out);
    free(out);
    CHECK(run("--root . p/z.png", NULL, "out", "err") == 2, "%s", "--root and a picture");
    CHECK(run("--root . rows", NULL, "out", "err") == 0, "%s", "--root and rows");
    CHECK(run("p/empty", NULL, "out", "err") == 2, "%s", "a folder without pictures");
    CHECK(run("nothing-there", NULL, "out", "err") == 2, "%s", "no such file");
    put_file("p/bad\xE9.png", "x", 1);
    CHECK(run("p/bad\xE9.png", NULL, "out", "err") == 1, "%s",
          "a name that is not UTF-8");
    err = get_file("err", NULL);
    out = get_file("out", NULL);
    CHECK(has(out, "\"id\":\"p/bad\xEF\xBF\xBD.png\"") && has(out, "\"error\":{"), "%s",
          out);
    CHECK(has(err, "row-driver: p/bad?.png: the file's name is not UTF-8"), "%s", err);
    free(out);
    free(err);
    run_shell("mkfifo f.jpg");
    CHECK(run("f.jpg", NULL, "out", "err") == 0, "%s", "a FIFO named as a picture");
    CHECK(run("/dev/zero", NULL, "out", "err") == 0, "%s",
          "/dev/zero is no file of rows");
}

static void output_never_overwrites_unasked(void)
{
    unlink("o"), unlink("o.journal");
    put_file("rows", "{\"n\":1}\n", 8);
    CHECK(run("-o o rows", NULL, "out", "err") == 0, "%s", "new");
    CHECK(run("-o o rows", NULL, "out", "err") == 2, "%s", "exists");
    CHECK(run("-o o --force rows", NULL, "out", "err") == 0, "%s", "force");
    CHECK(run("-o rows --force rows", NULL, "out", "err") == 2, "%s", "the input itself");
    CHECK(run("-o x --errors x rows", NULL, "out", "err") == 2, "%s",
          "one file for both");
    CHECK(run("-o x --errors ./x rows", NULL, "out", "err") == 2 && access("x", F_OK) < 0,
          "%s", "one file for both under two names");
    CHECK(run("-o . rows", NULL, "out", "err") == 2, "%s", "a folder");
    CHECK(run("-o /dev/null rows", NULL, "out", "err") == 0, "%s", "a device");
    CHECK(run("-o /dev/null /dev/null", NULL, "out", "err") == 0, "%s", "both a device");
    CHECK(run("-o no/such/o rows", NULL, "out", "err") == 2, "%s", "no such folder");
    CHECK(access("/dev/null.journal", F_OK) < 0, "%s", "no journal beside a device");
}

static void a_foreign_errors_file_is_no_run_s_to_go_on_with(void)
{
    run_shell("rm -f o o.journal; echo precious > e");
    CHECK(run_text("-o o --resume --errors e", "{}\n") == 2 &&
              has(run_err, "row-driver: e: cannot be resumed, its journal is missing"),
          "%s", run_err);
    run_shell("[ \"$(cat e)\" = precious ]");
    CHECK(run_text("-o o --force --errors e", "{}\n") == 1, "%s", run_err);
    run_shell("grep -q missing e && [ ! -s o ]");
    CHECK(run_text("-o o --resume --errors e", "{}\n{}\n") == 1, "%s", run_err);
    run_shell("[ $(wc -l < e) = 2 ]");
}

static void standard_streams_are_none_of_our_files(void)
{
    run_shell("rm -f o o.journal");
    CHECK(run_text("-o /dev/stdout", "{\"n\":1}\n{}\n") == 1, "%s", run_err);
    CHECK(count_lines(run_out) == 2, "%s", run_out);
    CHECK(run_text("-o o --errors /dev/stdout", "{\"n\":1}\n{}\n") == 1, "%s", run_err);
    CHECK(count_lines(run_out) == 1 && has(run_out, "\"error\""), "%s", run_out);
    CHECK(run_text("--errors /dev/stderr", "{}\n") == 1, "%s", run_err);
    CHECK(count_lines(run_err) == 2 && has(run_err, "{\"error\""), "%s", run_err);
    CHECK(run_text("-o /dev/stdout --resume", "") == 2, "%s", "nothing to resume");
    run_shell("echo '{\"n\":1}' > rows");
    CHECK(run("rows", NULL, "rows", "err") == 2, "%s", "rows appended to the input");
    CHECK(run("", "rows", "rows", "err") == 2, "%s", "... to standard input");
    CHECK(run("-o /dev/stdout - none", "rows", "rows", "err") == 2, "%s", "... named -");
}

/* -- Streams ------------------------------------------------------------------------- */

static void closed_streams_harm_no_file(void)
{
    put_file("rows", "{\"n\":\"x\"}\n", 10);
    unlink("o"), unlink("o.journal");
    CHECK(run("-o o rows", "-", "-", "-") == 1, "%s", "all three closed");
    char *o = get_file("o", NULL), *journal = get_file("o.journal", NULL);
    CHECK(count_lines(o) == 1 && o[0] == '{' && !has(o, "row-driver:"), "%s", o);
    CHECK(count_lines(journal) == 2 && journal[0] == '{', "%s", journal);
    free(o);
    free(journal);
    CHECK(run("rows", NULL, "-", "err") == 2, "%s", "stdout closed and needed");
    CHECK(run("", "-", "out", "err") == 2, "%s", "stdin closed and needed");
    CHECK(run("rows", NULL, "out", "-") == 1, "%s", "stderr closed");
    CHECK(run("--help", NULL, "-", "err") == 2, "%s", "--help to nobody");
}

static void a_full_disk_ends_it_resumably(void)
{
    put_file("rows", "{\"n\":1}\n", 8);
    CHECK(run("rows", NULL, "/dev/full", "err") == 75, "%s", "/dev/full");
    char *err = get_file("err", NULL);
    CHECK(strcmp(err, "row-driver: standard output: No space left on device\n") == 0,
          "%s", err);
    free(err);
    CHECK(run("--help", NULL, "/dev/full", "err") == 2, "%s", "--help");
    struct buf text = {0};
    for (int i = 0; i < 20000; i++)
        buf_print(&text, "{\"n\":%d,\"s\":\"some more bytes\"}\n", i);
    put_file("many", text.data, text.len);
    buf_free(&text);
    run_shell("rm -f o o.journal");
    CHECK(run("-o whole --force many", NULL, "out", "err") == 0, "%s", "whole");
    for (int round = 1; round <= 3;
         round++) { /* a limit on file sizes is a full disk to us */
        struct rlimit limit = {(rlim_t)round * 200000, RLIM_INFINITY}, old;
        getrlimit(RLIMIT_FSIZE, &old);
        limit.rlim_max = old.rlim_max;
        setrlimit(RLIMIT_FSIZE, &limit);
        CHECK(run("-o o --resume many", NULL, NULL, NULL) == 75, "round %d", round);
        setrlimit(RLIMIT_FSIZE, &old);
        size_t n;
        char *o = get_file("o", &n);
        CHECK(n == 0 || o[n - 1] == '\n', "%zu bytes end in a torn row", n);
        free(o);
    }
    CHECK(run("-o o --resume many", NULL, "out", "err") == 0, "%s", "with room again");
    CHECK(same_files("whole", "o"), "%s", "the same bytes");
}

static void a_reader_that_leaves_is_no_event(void)
{
    run_shell("yes '{\"n\":1}' | head -100000 >many");
    signal(SIGPIPE, SIG_IGN);
    int fds[2];
    if (pipe(fds) < 0)
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)"row-driver", (char *)"many", NULL};
        dup2(fds[1], 1);
        close(fds[0]), close(fds[1]);
        if (!freopen("err", "w", stderr))
            _exit(98);
        exit(driver_main(2, argv));
    }
    close(fds[1]);
    char some[10];
    CHECK(read(fds[0], some, sizeof some) > 0, "%s", "a row comes");
    close(fds[0]);
    CHECK(run_wait(pid) == 75, "%s", "stopped");
    char *err = get_file("err", NULL);
    CHECK(err[0] == '\0', "%s", err);
    free(err);
}

/* Start the driver between two pipes. */
static pid_t between(const char *option, int *to, int *from)
{
    int in[2], out[2];
    if (pipe(in) < 0 || pipe(out) < 0)
        exit(1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)"row-driver", (char *)option, NULL};
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        exit(driver_main(2, argv));
    }
    close(in[0]);
    close(out[1]);
    *to = in[1];
    *from = out[0];
    return pid;
}

static void a_waiting_pipe_gets_every_row_at_once(void)
{
    static const char *const options[] = {"-w0", "-w1", "-w3"};
    for (int i = 0; i < 3; i++) {
        int to, from;
        char got[100];
        pid_t pid = between(options[i], &to, &from);
        for (int round = 0; round < 3; round++) {
            alarm(20);
            CHECK(write(to, "{\"n\":1}\n{\"n\"", 12) == 12, "%s", "write");
            ssize_t n = read(from, got, sizeof got);
            CHECK(n == 18, "%s: %zd bytes", options[i], n);
            CHECK(write(to, ":2}\n", 4) == 4, "%s", "write");
            n = read(from, got, sizeof got);
            CHECK(n == 18, "%s: %zd bytes", options[i], n);
        }
        close(to);
        CHECK(read(from, got, sizeof got) == 0, "%s", "the end");
        CHECK(run_wait(pid) == 0, "%s", options[i]);
        close(from);
        alarm(0);
    }
}

static void sigterm_ends_a_waiting_run(void)
{
    int to, from;
    char got[100];
    pid_t pid = between("-w2", &to, &from);
    CHECK(write(to, "{\"n\":1}\n", 8) == 8 && read(from, got, sizeof got) == 18, "%s",
          "a row");
    kill(pid, SIGTERM);
    CHECK(run_wait(pid) == 75, "%s", "status");
    close(to);
    close(from);
}

static void sigterm_ends_a_run_whose_fifo_nobody_writes_to(void)
{
    run_shell("rm -f pipe o o.journal; mkfifo pipe");
    pid_t pid = run_start("-o o pipe", NULL, "out", "err");
    while (access("o.journal", F_OK) < 0) usleep(10000); /* it is at work */
    usleep(100000);
    kill(pid, SIGTERM);
    CHECK(run_wait(pid) == 75, "%s", "status");
    pid = run_start("pipe", NULL, "out", "err");
    usleep(100000); /* it waits for one that comes late */
    int to = open("pipe", O_WRONLY);
    CHECK(write(to, "{\"n\":1}\n", 8) == 8, "%s", "write");
    close(to);
    CHECK(run_wait(pid) == 0, "%s", "a late writer");
    char *out = get_file("out", NULL);
    CHECK(count_lines(out) == 1, "%s", out);
    free(out);
}

static void sigterm_leaves_a_resumable_state(void)
{
    struct buf text = {0};
    for (int i = 0; i < 2000; i++) buf_print(&text, "{\"id\":%d,\"n\":%d}\n", i % 9, i);
    put_file("many", text.data, text.len);
    buf_free(&text);
    run("-o whole --force many", NULL, "out", "err");
    static const char *const modes[] = {"-o o --resume --delay 1000 many",
                                        "-o o --resume --delay 1000 -w 4 many",
                                        "-o o --resume --delay 1000 -w 4 --abandon many"};
    for (int mode = 0; mode < 3; mode++) {
        run_shell("rm -f o o.journal");
        for (int round = 0; round < 3; round++) {
            pid_t pid = run_start(modes[mode], NULL, "out", "err");
            usleep(120000);
            kill(pid, round % 2 ? SIGINT : SIGTERM);
            int status = run_wait(pid);
            CHECK(status == 75 || status == 0, "%s: %d", modes[mode], status);
            if (status == 75) {
                char *err = get_file("err", NULL);
                CHECK(has(err, "interrupted; --resume goes on from here"), "%s", err);
                free(err);
            }
        }
        CHECK(run("-o o --resume many", NULL, "out", "err") == 0, "%s", modes[mode]);
        CHECK(same_files("whole", "o"), "%s", modes[mode]);
    }
}

/* -- Help ---------------------------------------------------------------------------- */

static void help_version_and_completion_are_printed(void)
{
    CHECK(run_text("--help", "") == 0 &&
              has(run_out, "usage: row-driver [option ...] [file ...]"),
          "%s", run_out);
    CHECK(has(run_out, "  -w, --workers N ") && has(run_out, "  -o, --output FILE ") &&
              has(run_out, "      --maybe[=K] "),
          "%s", run_out);
    for (const char *s = run_out, *end; *s; s = end + 1) {
        end = strchr(s, '\n');
        CHECK(end - s <= 90, "%.*s", (int)(end - s), s);
    }
    CHECK(run_text("--version", "") == 0 && has(run_out, "row-driver (capmill) "), "%s",
          run_out);
    CHECK(run_text("--options", "") == 0 && has(run_out, "workers\n") &&
              has(run_out, "version\n") && !has(run_out, "options\n"),
          "%s", run_out);
    CHECK(run_text("--completion bash", "") == 0, "%s", run_err);
    run_shell(
        "bash -n out && bash -c '. ./out; COMP_WORDS=(row-driver --retr); COMP_CWORD=1; "
        "_capmill_row_driver; [ \"${COMPREPLY[*]}\" = --retry-errors ]'");
    CHECK(run_text("--completion fish", "") == 2, "%s", "fish");
    CHECK(run_text("-- --help", "") == 2 && has(run_err, "--help: No such file"), "%s",
          run_err);
}

static void a_stamp_says_what_made_a_row(void)
{
    CHECK(run_text("--stamp --seed 7",
                   "{\"n\":1}\n{\"n\":2,\"_run\":[{\"program\":\"a\"}]}\n") == 0,
          "%s", run_err);
    CHECK(
        has(run_out,
            "{\"n\":1,\"twice\":2,\"_run\":[{\"program\":\"row-driver\",\"version\":\""),
        "%s", run_out);
    CHECK(has(run_out, "\"_run\":[{\"program\":\"a\"},{\"program\":\"row-driver\","),
          "%s", run_out);
    CHECK(has(run_out, "\"model\":\"none\",\"seed\":7}]"), "%s", run_out);
}

static void progress_is_silent_unless_asked(void)
{
    CHECK(run_text("", "{\"n\":1}\n") == 0 && run_err[0] == '\0', "%s", run_err);
    CHECK(run_text("--progress", "{\"n\":1}\n") == 0 &&
              has(run_err, "row-driver: 1 rows, "),
          "%s", run_err);
}

int main(void)
{
    run_setup();
    CASE(fields_are_spliced_in);
    CASE(fields_are_read_or_named);
    CASE(random_keys_differ_by_everything_that_names_a_draw);
    CASE(unknown_fields_pass_byte_for_byte);
    CASE(lines_are_found_in_any_form);
    CASE(packed_input_is_known_by_its_bytes);
    CASE(broken_lines_become_error_rows);
    CASE(utf16_is_refused_with_advice);
    CASE(broken_arrays_are_told);
    CASE(line_separators_of_unicode_end_no_line);
    CASE(long_and_empty_lines_pass);
    CASE(rows_with_an_error_are_handed_on);
    CASE(a_bad_row_is_named_and_handed_on);
    CASE(failed_rows_can_go_elsewhere);
    CASE(too_many_errors_end_the_run);
    CASE(shards_and_limits_pick_rows);
    CASE(equal_keys_count_their_occurrences);
    CASE(any_number_of_workers_gives_the_same_bytes);
    CASE(pictures_and_folders_become_rows);
    CASE(output_never_overwrites_unasked);
    CASE(a_foreign_errors_file_is_no_run_s_to_go_on_with);
    CASE(standard_streams_are_none_of_our_files);
    CASE(closed_streams_harm_no_file);
    CASE(a_full_disk_ends_it_resumably);
    CASE(a_reader_that_leaves_is_no_event);
    CASE(a_waiting_pipe_gets_every_row_at_once);
    CASE(sigterm_ends_a_waiting_run);
    CASE(sigterm_ends_a_run_whose_fifo_nobody_writes_to);
    CASE(sigterm_leaves_a_resumable_state);
    CASE(help_version_and_completion_are_printed);
    CASE(a_stamp_says_what_made_a_row);
    CASE(progress_is_silent_unless_asked);
    run_cleanup();
    return check_end();
}
