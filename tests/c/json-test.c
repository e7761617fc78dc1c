/* json-test: lib/row/json.h. The texts of the first table are in the manner of N.
 * Seriot's "Parsing JSON is a minefield": one construct each, accepted (y) or refused
 * (n). */
#include "../fuzz/json-compare.h"
#include "base/random.h"
#include "check.h"
#include "row/json_edit.h"

#include <float.h>
#include <math.h>
#include <time.h>

struct sample {
    char verdict;
    const char *text;
    size_t n; /* 0: text ends at its NUL */
};

static const struct sample samples[] = {
    /* values */
    {'y', "{}", 0},
    {'y', "[]", 0},
    {'y', "\"\"", 0},
    {'y', "0", 0},
    {'y', "-0", 0},
    {'y', "true", 0},
    {'y', "false", 0},
    {'y', "null", 0},
    {'y', " \t\r\n1 \t\r\n", 0},
    {'n', "", 0},
    {'n', " ", 0},
    {'n', "tru", 0},
    {'n', "True", 0},
    {'n', "nul", 0},
    {'n', "truex", 0},
    {'n', "undefined", 0},
    {'n', "\f1", 0},
    {'n', "\v1", 0},
    {'n', "\xEF\xBB\xBF{}", 0},
    {'n', "1 2", 0},
    {'n', "{}{}", 0},
    {'n', "{} x", 0},
    {'n',
     "\xC2\xA0"
     "1",
     0},
    {'n', "/* */1", 0},
    {'n', "1//", 0},
    {'n', "#1", 0},
    {'n', "1\0", 2},
    {'n', "\0", 1},
    {'n', "{\"a\":\0}", 7},
    /* numbers */
    {'y', "1", 0},
    {'y', "-1", 0},
    {'y', "10", 0},
    {'y', "1.0", 0},
    {'y', "1e5", 0},
    {'y', "1E+5", 0},
    {'y', "1e-5", 0},
    {'y', "0e0", 0},
    {'y', "0.5e007", 0},
    {'y', "123456789012345678", 0},
    {'y', "9223372036854775807", 0},
    {'y', "-9223372036854775808", 0},
    {'y', "9223372036854775808", 0},
    {'y', "123456789012345678901234567890", 0},
    {'y', "1e400", 0},
    {'y', "-1e400", 0},
    {'y', "1e-400", 0},
    {'y', "0.1000000000000000055511151231257827", 0},
    {'n', "01", 0},
    {'n', "-01", 0},
    {'n', "00", 0},
    {'n', "+1", 0},
    {'n', "-", 0},
    {'n', ".5", 0},
    {'n', "-.5", 0},
    {'n', "1.", 0},
    {'n', "1.e5", 0},
    {'n', "1e", 0},
    {'n', "1e+", 0},
    {'n', "1e1.5", 0},
    {'n', "1e5e5", 0},
    {'n', "0x10", 0},
    {'n', "1_000", 0},
    {'n', "1,0", 0},
    {'n', "--1", 0},
    {'n', "1-", 0},
    {'n', "- 1", 0},
    {'n', "NaN", 0},
    {'n', "-NaN", 0},
    {'n', "nan", 0},
    {'n', "Infinity", 0},
    {'n', "-Infinity", 0},
    {'n', "inf", 0},
    {'n', "1f", 0},
    {'n', "\xEF\xBC\x91", 0},
    /* strings */
    {'y', "\"a\"", 0},
    {'y', "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 0},
    {'y', "\"\\u0041\"", 0},
    {'y', "\"\\uD83D\\uDE00\"", 0},
    {'y', "\"\\ud83d\"", 0},
    {'y', "\"\\ude00\"", 0},
    {'y', "\"\\ud83d\\u0041\"", 0},
    {'y', "\"\\ud83d\\ud83d\\ude00\"", 0},
    {'y', "\"\\u0000\"", 0},
    {'y', "{\"\\u0000\":1}", 0},
    {'y', "\"\x7F\"", 0},
    {'y', "\"\xC3\xA9\"", 0},
    {'y', "\"\xE2\x80\xA8\xE2\x80\xA9\"", 0},
    {'y', "\"\xF0\x9F\x98\x80\"", 0},
    {'y', "\"\xF4\x8F\xBF\xBF\"", 0},
    {'y', "\"\xEF\xBF\xBF\"", 0},
    {'y', "\"\xEF\xBB\xBF\"", 0},
    {'y', "\"'\"", 0},
    {'n', "\"", 0},
    {'n', "\"a", 0},
    {'n', "\"a\\\"", 0},
    {'n', "\"\\\"", 0},
    {'n', "\"\\a\"", 0},
    {'n', "\"\\'\"", 0},
    {'n', "\"\\x41\"", 0},
    {'n', "\"\\u\"", 0},
    {'n', "\"\\u00\"", 0},
    {'n', "\"\\u004G\"", 0},
    {'n', "\"\\U0041\"", 0},
    {'n', "\"\\u00e\"", 0},
    {'n', "\"\\\0\"", 4},
    {'n', "\"\t\"", 0},
    {'n', "\"\n\"", 0},
    {'n', "\"\x1F\"", 0},
    {'n', "\"\0\"", 3},
    {'n', "\"\xFF\"", 0},
    {'n', "\"\x80\"", 0},
    {'n', "\"\xC3\"", 0},
    {'n', "\"\xC0\xAF\"", 0},
    {'n', "\"\xC1\xBF\"", 0},
    {'n', "\"\xE0\x80\xAF\"", 0},
    {'n', "\"\xE0\x9F\xBF\"", 0},
    {'n', "\"\xE2\x82\"", 0},
    {'n', "\"\xED\xA0\x80\"", 0},
    {'n', "\"\xED\xBF\xBF\"", 0},
    {'n', "\"\xF0\x8F\xBF\xBF\"", 0},
    {'n', "\"\xF0\x9F\x98\"", 0},
    {'n', "\"\xF4\x90\x80\x80\"", 0},
    {'n', "\"\xF5\x80\x80\x80\"", 0},
    {'n', "\"\xF8\x88\x80\x80\x80\"", 0},
    {'n', "'a'", 0},
    {'n', "a", 0},
    {'n', "\"a\"b", 0},
    {'n', "\"\xC3", 0},
    {'n', "\"\xE2\x82", 0},
    /* arrays */
    {'y', "[1]", 0},
    {'y', "[1,2]", 0},
    {'y', "[ 1 , [ ] , { } ]", 0},
    {'y', "[[[]]]", 0},
    {'y', "[null,true,false,\"\",0]", 0},
    {'y', "[1\n,2\r\n]", 0},
    {'n', "[", 0},
    {'n', "]", 0},
    {'n', "[1", 0},
    {'n', "[1,", 0},
    {'n', "[1,]", 0},
    {'n', "[,1]", 0},
    {'n', "[,]", 0},
    {'n', "[1,,2]", 0},
    {'n', "[1 2]", 0},
    {'n', "[1}", 0},
    {'n', "[1]]", 0},
    {'n', "[\"a\":1]", 0},
    {'n', "[1;2]", 0},
    {'n', "[\"\",]", 0},
    {'n', "[*]", 0},
    {'n', "[1:2]", 0},
    /* objects */
    {'y', "{\"a\":1}", 0},
    {'y', "{\"\":1}", 0},
    {'y', "{\"a\":1,\"a\":2}", 0},
    {'y', "{ \"a\" : { \"b\" : [ ] } , \"c\" : null }", 0},
    {'y', "{\"a\\u0062\":1,\"ab\":[2]}", 0},
    {'y', "{\"\xC3\xA9\":1}", 0},
    {'n', "{", 0},
    {'n', "}", 0},
    {'n', "{\"a\"}", 0},
    {'n', "{\"a\":}", 0},
    {'n', "{\"a\":1", 0},
    {'n', "{\"a\":1,", 0},
    {'n', "{\"a\":1,}", 0},
    {'n', "{,}", 0},
    {'n', "{\"a\" 1}", 0},
    {'n', "{a:1}", 0},
    {'n', "{'a':1}", 0},
    {'n', "{1:1}", 0},
    {'n', "{\"a\":1 \"b\":2}", 0},
    {'n', "{\"a\":1,,\"b\":2}", 0},
    {'n', "{\"a\"::1}", 0},
    {'n', "{\"a\":1]", 0},
    {'n', "{\"a\":1}}", 0},
    {'n', "{\"a\":'b'}", 0},
    {'n', "{null:1}", 0},
    {'n', "{\"a\":1;}", 0},
    {'n', "{\"a\":NaN}", 0},
    {'n', "{\"a\":[}]", 0},
    {'n', "{\"a\":1}\n{\"a\":2}", 0},
    {'n', "{[1]:1}", 0},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static size_t sample_size(const struct sample *s)
{
    return s->n ? s->n : strlen(s->text);
}

/* Texts are given to the scanner in memory of just their size: with SAN=1, a byte read
 * behind their end is found. */
static const char *compare_exact(const char *s, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, s, n);
    const char *wrong = compare_text(copy, n);
    free(copy);
    return wrong;
}

static void each_construct_is_accepted_or_refused(void)
{
    for (int i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        bool ok = json_check((struct span){s->text, sample_size(s)}) == 0;
        CHECK(ok == (s->verdict == 'y'), "sample %d %s: %s", i, s->text, fail_text());
        const char *wrong = compare_exact(s->text, sample_size(s));
        CHECK(!wrong, "sample %d %s: %s", i, s->text, wrong);
    }
}

static uint32_t dice(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Put pieces of samples together, and break some. */
static void random_texts_are_read_as_jansson_reads_them(void)
{
    static const char *const bits[] = {
        "{",      "}",    "[",  "]",    ",",   ":",  "\"",    "\\",
        "\"a\":", " ",    "1",  "-",    "0.5", "e9", "\\u12", "\xE2\x82\xAC",
        "\xF0",   "null", "\n", "\"x\""};
    const char *rounds_text = getenv("LONG");
    int rounds = rounds_text ? 5000000 : 200000;
    uint32_t state = 12345;
    for (int round = 0; round < rounds; round++) {
        char text[400] = "";
        size_t n = 0;
        int pieces = 1 + (int)(dice(&state) % 4);
        for (int p = 0; p < pieces; p++) {
            const struct sample *s = &samples[dice(&state) % SAMPLES];
            size_t m = sample_size(s);
            const char *glue = bits[dice(&state) % 20];
            bool plain = dice(&state) % 3 == 0;
            if (n + m + 8 > sizeof text)
                break;
            if (plain) {
                memcpy(text + n, glue, strlen(glue));
                n += strlen(glue);
            }
            memcpy(text + n, s->text, m);
            n += m;
        }
        for (int cuts = (int)(dice(&state) % 4); cuts > 0 && n > 0; cuts--) {
            size_t at = dice(&state) % n;
            switch (dice(&state) % 4) {
            case 0: text[at] = (char)dice(&state); break;
            case 1: text[at] = "{}[],:\"\\ 0"[dice(&state) % 10]; break;
            case 2: memmove(text + at, text + at + 1, --n - at); break;
            default: n = at; break;
            }
        }
        const char *wrong = compare_exact(text, n);
        CHECK(!wrong, "%s: %.*s (%s)", wrong, (int)n, text, fail_text());
    }
}

/* Whole rows of nested values, always well-formed, and the same with one byte changed. */
static size_t grow(char *to, size_t room, int depth, uint32_t *state)
{
    static const char *const leaves[] = {
        "1",
        "-0.25e-3",
        "true",
        "null",
        "\"\"",
        "\"caf\xC3\xA9 \\n\\u20ac\"",
        "12345678901",
        "\"a long text that is longer than sixteen bytes, so that blocks are used\"",
        "\"\\ud83d\\ude00\"",
        "1.7976931348623157e308",
        "5e-324",
        "0.1"};
    size_t n = 0;
    int kind = (int)(dice(state) % 4), items = (int)(dice(state) % 4);
    if (depth == 0 || kind > 1 || room < 400) {
        const char *leaf = leaves[dice(state) % 12];
        memcpy(to, leaf, strlen(leaf));
        return strlen(leaf);
    }
    to[n++] = kind ? '{' : '[';
    for (int i = 0; i < items && room - n > 300; i++) {
        if (i > 0)
            to[n++] = ',';
        if (dice(state) % 4 == 0)
            to[n++] = ' ';
        if (kind)
            n += (size_t)sprintf(to + n, "\"k%u\":", dice(state) % 3);
        n += grow(to + n, (room - n) / 2, depth - 1, state);
    }
    to[n++] = kind ? '}' : ']';
    return n;
}

static void nested_rows_are_read_as_jansson_reads_them(void)
{
    uint32_t state = 777;
    for (int round = 0; round < 20000; round++) {
        char text[4096];
        size_t n = grow(text, sizeof text, 6, &state);
        CHECK(json_check((struct span){text, n}) == 0, "%.*s: %s", (int)n, text,
              fail_text());
        const char *wrong = compare_exact(text, n);
        CHECK(!wrong, "%s: %.*s", wrong, (int)n, text);
        text[dice(&state) % n] = (char)dice(&state);
        wrong = compare_exact(text, n);
        CHECK(!wrong, "%s: %.*s", wrong, (int)n, text);
    }
}

/* A byte that stops the fast path, at each place of a block. */
static void odd_bytes_are_found_at_any_place(void)
{
    static const char *const odd[] = {"\x01", "\xFF", "\"",  "\xC3\xA9",
                                      "\\n",  "\\q",  "\x1F"};
    for (size_t o = 0; o < sizeof odd / sizeof *odd; o++)
        for (int before = 0; before < 40; before++)
            for (int after = 0; after < 20; after++) {
                char text[128];
                int n = snprintf(text, sizeof text, "\"%.*s%s%.*s\"", before,
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", odd[o],
                                 after, "bbbbbbbbbbbbbbbbbbbb");
                const char *wrong = compare_exact(text, (size_t)n);
                CHECK(!wrong, "%s: %s", wrong, text);
            }
}

static void depth_is_limited_without_recursion(void)
{
    enum { DEEP = 100000 };
    char *text = malloc(2 * DEEP);
    for (int depth = 511; depth <= 514; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        bool ok = json_check((struct span){text, 2 * (size_t)depth}) == 0;
        CHECK(ok == (depth <= 512), "depth %d: %s", depth, fail_text());
    }
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    CHECK(json_check((struct span){text, 2 * DEEP}) < 0, "%s", "very deep");
    CHECK(fail_kind() == FAIL_JSON && strstr(fail_text(), "512"), "%s", fail_text());
    for (int i = 0; i < DEEP; i += 5) memcpy(text + i, "{\"a\":", 5);
    CHECK(json_check((struct span){text, DEEP}) < 0, "%s", "very deep");
    free(text);
}

static void refusals_say_where_and_what(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"a\":NaN}", "byte 5: NaN"},
        {"{'a':1}", "byte 1: a single quote"},
        {"[1,]", "byte 3: a comma before"},
        {"{\"a\":1} {\"b\":2}", "byte 8: something follows"},
        {"\"\xFF\"", "byte 1: invalid UTF-8"},
        {"\"a\tb\"", "byte 2: a control byte"},
        {"{\"a\":-Infinity}", "byte 6: Infinity"},
        {"{\"a\":1", "byte 6: the object is not closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(json_check(span_of(cases[i].text)) < 0, "%s", cases[i].text);
        CHECK(strstr(fail_text(), cases[i].says), "%s: %s", cases[i].text, fail_text());
    }
}

static bool found(const char *text, const char *path, const char *value)
{
    struct span v = json_find(span_of(text), path);
    return value ? v.s && span_is(v, value) : !v.s;
}

static void values_are_found(void)
{
    CHECK(found("{\"a\":1,\"b\":2}", "b", "2"), "b");
    CHECK(found("{\"a\":1,\"a\":2}", "a", "2"), "the last duplicate");
    CHECK(found(" { \"a\" : { \"b\" : [ 1 ] } } ", "a.b", "[ 1 ]"), "a.b");
    CHECK(found("{\"a\":{\"b\":1}}", "a.c", NULL), "a.c");
    CHECK(found("{\"a\":3}", "a.b", NULL), "through a number");
    CHECK(found("[1]", "a", NULL), "in a list");
    CHECK(found("{}", "a", NULL), "empty");
    CHECK(found("{\"\\u0061\\n\":5}", "a\n", "5"), "escaped key");
    CHECK(found("{\"ab\":1,\"a\":2}", "a", "2"), "prefix");
    CHECK(found("{\"a\\\"}\":\"]}\\\\\",\"b\":7}", "b", "7"), "brackets in strings");
    CHECK(found("{\"\\ud83d\\ude00\":1}", "\xF0\x9F\x98\x80", "1"), "pair in a key");
    CHECK(json_type(span_of(" \n[")) == JSON_ARRAY, "type");
    CHECK(json_type((struct span){0}) == JSON_NONE, "none");
}

static bool reads_int(const char *text, int64_t want)
{
    int64_t x = 0;
    return json_int(span_of(text), &x) == 0 && x == want;
}

static void integers_are_exact(void)
{
    static const char *const bad[] = {"3.5",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "1e-1",
                                      "1e19",
                                      "1e400",
                                      "0.99999999999999999999",
                                      "\"3\"",
                                      "null",
                                      "[]",
                                      "92233720368547758070"};
    CHECK(reads_int("9007199254740993", 9007199254740993), "2^53 + 1");
    CHECK(reads_int("9223372036854775807", INT64_MAX), "most");
    CHECK(reads_int("-9223372036854775808", INT64_MIN), "least");
    CHECK(reads_int("3.0", 3) && reads_int("1e2", 100) && reads_int("-0", 0), "forms");
    CHECK(reads_int("0.5e1", 5) && reads_int("1200e-2", 12) && reads_int("0e999", 0),
          "e");
    CHECK(reads_int("0.0000", 0) && reads_int("-3.10e1", -31), "points");
    CHECK(reads_int("922337203685477580.7e1", INT64_MAX), "most with a point");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t x;
        CHECK(json_int(span_of(bad[i]), &x) < 0 && fail_kind() == FAIL_TYPE, "%s",
              bad[i]);
    }
    double y;
    CHECK(json_double(span_of("1e400"), &y) < 0 && fail_kind() == FAIL_TYPE, "1e400");
    CHECK(json_double(span_of("true"), &y) < 0, "true");
}

static bool writes(double x, const char *want)
{
    struct buf b = {0};
    json_put_real(&b, x);
    bool same = b.len == strlen(want) && memcmp(b.data, want, b.len) == 0;
    if (!same)
        fprintf(stderr, "%.*s, not %s\n", (int)b.len, b.data, want);
    buf_free(&b);
    return same;
}

static void numbers_are_written_shortest(void)
{
    CHECK(writes(0.1, "0.1") && writes(1, "1") && writes(-0.5, "-0.5"), "plain");
    CHECK(writes(0.1 + 0.2, "0.30000000000000004"), "17 digits");
    CHECK(writes(1.0 / 3, "0.3333333333333333"), "16 digits");
    CHECK(writes(5e-324, "5e-324") && writes(DBL_MAX, "1.7976931348623157e308") &&
              writes(1e-7, "1e-7") && writes(-2.5e-10, "-2.5e-10") &&
              writes(1e100, "1e100"),
          "ends");
    CHECK(writes(NAN, "null") && writes(-INFINITY, "null") && writes(0, "0"),
          "no number");
    struct buf b = {0};
    json_put_logprob(&b, -0.123456789012);
    buf_char(&b, ' ');
    json_put_int(&b, INT64_MIN);
    CHECK(strcmp(buf_string(&b), "-0.123456789 -9223372036854775808") == 0, "%s", b.data);
    buf_free(&b);
    CHECK(buf_room(&b, 0) != NULL, "room for nothing is no failure");
    buf_free(&b);
}

static void texts_are_written_and_read(void)
{
    static const struct {
        const char *text;
        size_t n;
        const char *json;
    } cases[] = {
        {"a\"\\/b", 5, "\"a\\\"\\\\/b\""},
        {"\b\f\n\r\t\x01\x1F\x7F", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\""},
        {"\0", 1, "\"\\u0000\""},
        {"\xC3\xA9\xE2\x80\xA8", 5, "\"\xC3\xA9\xE2\x80\xA8\""},
        {"a\xFF"
         "b",
         3,
         "\"a\xEF\xBF\xBD"
         "b\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xF0\x9F\x98x", 4, "\"\xEF\xBF\xBDx\""},
        {"\xF4\x90\x80\x80", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"", 0, "\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        json_put_text(&b, (struct span){cases[i].text, cases[i].n});
        CHECK(strcmp(buf_string(&b), cases[i].json) == 0, "%zu: %s", i, b.data);
        buf_free(&b);
    }
    struct buf b = {0};
    json_text(span_of("\"\\ud83d x \\ude00\\uD83D\\uDE00\\u00e9\""), &b);
    CHECK(strcmp(buf_string(&b), "\xEF\xBF\xBD x \xEF\xBF\xBD\xF0\x9F\x98\x80\xC3\xA9") ==
              0,
          "%s", b.data);
    CHECK(json_text(span_of("3"), &b) < 0 && fail_kind() == FAIL_TYPE, "no string");
    buf_free(&b);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A ratio to memchr() over the same bytes, so that a slow machine does not matter. */
static void long_strings_are_checked_at_memory_speed(void)
{
    size_t n = 64 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + n - 2, "\"}", 2);
    double start = now();
    CHECK(json_check((struct span){text, n}) == 0, "%s", fail_text());
    double check = now() - start;
    start = now();
    CHECK(memchr(text, '\n', n) == NULL, "%s", "a line end");
    double search = now() - start;
    fprintf(stderr, "json_check: %.2f GB/s, memchr %.2f GB/s\n", (double)n / check * 1e-9,
            (double)n / search * 1e-9);
#if defined __SSE2__ && !defined __SANITIZE_ADDRESS__
    CHECK(check < 12 * search || (double)n / check > 1e9, "%g s against %g s", check,
          search);
#endif
    free(text);
}

static void members_are_changed_and_other_bytes_stay(void)
{
    static const struct {
        const char *object, *want;
    } rows[] = {
        {"{}", "{\"v\":1}"},
        {"{ }", "{ \"v\":1}"},
        {"{\"v\":0}", "{\"v\":1}"},
        {"{\"a\" : 1.0 , \"b\":[ ]  }", "{\"a\" : 1.0 , \"b\":[ ]  ,\"v\":1}"},
        {"{\"v\" : {\"x\":[1]} , \"b\":2}", "{\"v\" : 1 , \"b\":2}"},
        {"{\"a\":0,\"v\":\"}\",\"b\":2}", "{\"a\":0,\"v\":1,\"b\":2}"},
        {"{\"gone\":0}", "{\"v\":1}"},
        {"{ \"gone\":0 }", "{  \"v\":1}"},
        {"{\"gone\":0,\"a\":1}", "{\"a\":1,\"v\":1}"},
        {"{ \"gone\" : 0 , \"a\":1 }", "{ \"a\":1 ,\"v\":1}"},
        {"{\"a\":1,\"gone\":0}", "{\"a\":1,\"v\":1}"},
        {"{\"a\":1,\"gone\":0,\"b\":2}", "{\"a\":1,\"b\":2,\"v\":1}"},
        {"{\"gone\":0,\"gone\":1,\"a\":1}", "{\"a\":1,\"v\":1}"},
        {"{\"gone\":0,\"v\":2,\"gone\":3}", "{\"v\":1}"},
        {"{\"v\":0,\"a\":1,\"v\":2}", "{\"a\":1,\"v\":1}"},
        {"{\"\\u0076\":0,\"a\":1}", "{\"\\u0076\":1,\"a\":1}"},
        {"{\"a\":{\"v\":0}}", "{\"a\":{\"v\":0},\"v\":1}"},
        {"{\"a\":1,\"a\":2}\n", "{\"a\":1,\"a\":2,\"v\":1}"},
    };
    const struct json_member_edit edits[] = {{"v", span_of("1")}, {"gone", {0}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        struct span object = span_of(rows[i].object);
        CHECK(json_check(object) == 0, "%zu: %s", i, fail_text());
        json_put_edited(&out, object, edits, 2);
        struct span got = {out.data, out.len};
        CHECK(span_is(got, rows[i].want), "%zu: %.*s", i, (int)got.n, got.s);
        CHECK(json_check(got) == 0, "%zu: %s", i, fail_text());
        /* once more changes nothing */
        struct buf again = {0};
        json_put_edited(&again, got, edits, 2);
        CHECK(again.len == out.len && memcmp(again.data, out.data, out.len) == 0,
              "%zu: %.*s", i, (int)again.len, again.data);
        buf_free(&again);
        buf_free(&out);
    }
}

int main(void)
{
    CASE(each_construct_is_accepted_or_refused);
    CASE(random_texts_are_read_as_jansson_reads_them);
    CASE(nested_rows_are_read_as_jansson_reads_them);
    CASE(odd_bytes_are_found_at_any_place);
    CASE(depth_is_limited_without_recursion);
    CASE(refusals_say_where_and_what);
    CASE(values_are_found);
    CASE(integers_are_exact);
    CASE(numbers_are_written_shortest);
    CASE(texts_are_written_and_read);
    CASE(members_are_changed_and_other_bytes_stay);
    CASE(long_strings_are_checked_at_memory_speed);
    return check_end();
}
