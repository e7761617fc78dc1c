/* tape-test: the fast way to check and read a row against the plain one: both accept or
 * both refuse, and both read the same. */
#include "base/fail.h"
#include "check.h"
#include "row/value.h"

#include <stdint.h>
#include <stdlib.h>

static uint32_t dice(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* -- What is compared ---------------------------------------------------------------- */

typedef bool find_function(struct tokens *t, struct span text);

static const struct way {
    const char *name;
    find_function *find;
} ways[] = {{"plain", tokens_find_plain},
            {"avx2", tokens_find_avx2},
            {"avx512", tokens_find_avx512}};

static bool way_is_there(int way)
{
    return way == 0 || (way == 1 ? tokens_has_avx2() : tokens_has_avx512());
}

static bool same_span(struct span a, struct span b)
{
    return a.s == b.s && (!a.s || a.n == b.n);
}

/* Does v, on a tape, hold what json holds, read byte by byte? */
static bool same_value(struct value v, struct span json)
{
    struct span element, name, other_name;
    struct value child;
    size_t at = 0, other_at = 0;
    if (!same_span(v.json, json))
        return false;
    if (json_type(json) == JSON_ARRAY) {
        while (json_each(json, &other_at, &element))
            if (!value_each(v, &at, &child) || !same_value(child, element))
                return false;
        return !value_each(v, &at, &child);
    }
    if (json_type(json) != JSON_OBJECT)
        return !value_each(v, &at, &child) && !value_member(v, &at, &name, &child);
    while (json_member(json, &other_at, &other_name, &element))
        if (!value_member(v, &at, &name, &child) || !same_span(name, other_name) ||
            !same_value(child, element))
            return false;
    return !value_member(v, &at, &name, &child);
}

/* Are members found alike, by names that are likely to be there? */
static bool same_members(struct value v, struct span json)
{
    static const struct span names[] = {
        {"a", 1}, {"", 0}, {"id", 2}, {"a/b", 3}, {"qa", 2}};
    struct value found[5];
    value_pick(v, names, found, 5);
    for (int i = 0; i < 5; i++) {
        char name[8] = "";
        memcpy(name, names[i].s, names[i].n);
        if (!same_span(found[i].json, json_get(json, name)) ||
            !same_span(value_get(v, name).json, json_get(json, name)))
            return false;
    }
    return same_span(value_find(v, "a.id").json, json_find(json, "a.id"));
}

/* NULL if the fast ways agree with the plain one about text, which lies at the very end
 * of its memory; else what is wrong. */
static const char *compare(struct span text)
{
    struct tokens t[3] = {0};
    bool good[3] = {false};
    const char *wrong = NULL;
    const char *s = text.s, *end = s + text.n;
    while (s < end && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r')) s++;
    bool wanted = json_check(text) == 0 && *s == '{';
    for (int i = 0; i < 3 && !wrong; i++) {
        if (!way_is_there(i))
            continue;
        good[i] = ways[i].find(&t[i], text);
        if (good[i] != good[0] || t[i].count != t[0].count ||
            (good[0] && t[0].count &&
             memcmp(t[i].at, t[0].at, t[0].count * sizeof *t[0].at) != 0))
            wrong = ways[i].name;
    }
    struct tape_entry *tape = malloc((t[0].count + 1) * sizeof *tape);
    bool accepted = tape && good[0] && tape_make(tape, &t[0], text) > 0;
    if (!wrong && accepted != wanted)
        wrong = accepted ? "accepted wrongly" : "refused wrongly";
    if (!wrong && accepted) {
        struct value root = value_root(text, tape);
        struct span trimmed = {s, root.json.n};
        if (!same_value(root, trimmed) || !same_members(root, text))
            wrong = "read differently";
    }
    free(tape);
    for (int i = 0; i < 3; i++) tokens_free(&t[i]);
    return wrong;
}

/* compare() on a copy with nothing behind it, so that sanitizers see a read too far. */
static void check_text(const char *text, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, text, n);
    const char *wrong = compare((struct span){copy, n});
    CHECK(!wrong, "%s: %.*s", wrong, (int)n, text);
    free(copy);
}

/* -- Cases --------------------------------------------------------------------------- */

static void check_texts(const char *const *texts, int count)
{
    for (int i = 0; i < count; i++) check_text(texts[i], strlen(texts[i]));
}

static void chosen_texts_are_read_alike(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "{}",
        " {} ",
        "{} {}",
        "{}1",
        "{}\"\"",
        "[]",
        "[{}]",
        "\"a\"",
        "{\"a\":1}",
        "{\"a\" : 1 , \"id\" : [ ] }",
        "{\"a\":{\"id\":[1,2,{\"x\":null}]},\"a\":true}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1 2}",
        "{\"a\":1\"b\"}",
        "{\"a\":\"b\"1}",
        "{\"a\":\"b\"\"c\"}",
        "{\"a\":truex}",
        "{\"a\":true\"\"}",
        "{\"a\":tru}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1}",
        "{\"a\":{1]}",
        "{\"a\":1]",
        "{\"a\":[}",
        "{\"a\":-}",
        "{\"a\":-0}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":1E+5}",
        "{\"a\":1\f}",
        ("{\"a\":\x1A"
         "1}"),
        "{\"a\"\f1}",
        "{\"a\x01\":1}",
        "{\"a\":\"\\\"}",
        "{\"a\":\"\\\\\"}",
        "{\"a\":\"\\\\\\\"\"}",
        "{\\\"a\":1}",
        "{\"a\":\\}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\\/b\":1}",
        "{\"\\u0061\":1,\"\\u0069d\":2,\"i\\u0064\":3}",
        "{\"a\":\"\xC3\xA9\"}",
        "{\"a\":\"\xC3\"}",
        "{\"a\":\"\xED\xA0\x80\"}",
        "{\"a\":\xC3\xA9}",
        "\xEF\xBB\xBF{}",
        "{\"a\":Infinity}",
        "{\"a\":'b'}",
        "{\"a\":1}\x00",
    };
    check_texts(texts, sizeof texts / sizeof *texts);
    check_text("{\"a\":1}\0", 8);
    check_text("{\"a\0\":1}", 8);
}

/* Each byte at each place around the ends of blocks, in a string and outside. */
static void every_byte_is_judged_alike_at_every_place(void)
{
    char text[200];
    for (int at = 1; at < 140; at++) {
        for (int c = 0; c < 256; c++) {
            memset(text, 'x', sizeof text);
            memcpy(text, "{\"a\":\"", 6);
            memcpy(text + 150, "\"}", 2);
            text[at] = (char)c;
            check_text(text, 152);
            memset(text, ' ', sizeof text);
            text[0] = '{';
            text[151] = '}';
            text[at] = (char)c;
            check_text(text, 152);
        }
    }
}

/* Runs of backslashes of any length, ending anywhere in a block. */
static void runs_of_backslashes_are_read_alike(void)
{
    char text[400];
    for (int before = 0; before < 70; before++) {
        for (int run = 1; run < 140; run++) {
            memcpy(text, "{\"a\":\"", 6);
            memset(text + 6, 'x', (size_t)before);
            memset(text + 6 + before, '\\', (size_t)run);
            memcpy(text + 6 + before + run, "\"}", 2);
            check_text(text, (size_t)(6 + before + run + 2));
            memcpy(text + 6 + before + run, "\"\"}", 3);
            check_text(text, (size_t)(6 + before + run + 3));
        }
    }
}

static void nesting_is_limited_alike(void)
{
    char text[4000];
    for (int depth = 505; depth < 520; depth++) {
        size_t n = 0;
        for (int i = 0; i < depth; i++) {
            const char *open = i % 2 ? "[" : "{\"a\":";
            memcpy(text + n, open, strlen(open));
            n += strlen(open);
        }
        text[n++] = '1';
        for (int i = depth; i-- > 0;) text[n++] = i % 2 ? ']' : '}';
        check_text(text, n);
    }
}

/* A random value, well-formed. */
static size_t grow(char *to, uint64_t *state, int depth)
{
    static const char *const scalars[] = {"0",
                                          "-1.5e3",
                                          "true",
                                          "null",
                                          "\"\"",
                                          "\"a\\\\\"",
                                          "\"\xE2\x82\xAC\"",
                                          "12345",
                                          "false",
                                          "0.125",
                                          "\"xyz\"",
                                          "\"\\u00e9\\n\"",
                                          "1E9",
                                          "\"a b c d e f g\""};
    static const char *const keys[] = {"\"a\"",     "\"id\"",    "\"\"",       "\"qa\"",
                                       "\"b\\\"\"", "\"a\\/b\"", "\"\\u0061\""};
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r"};
    size_t n = 0;
    uint32_t kind = depth == 0 ? 0 : depth > 5 ? 9 : dice(state) % 10;
#define PUT(text) (strcpy(to + n, text), n += strlen(to + n))
    if (kind > 4) {
        PUT(scalars[dice(state) % 14]);
        return n;
    }
    bool object = kind < 3;
    PUT(object ? "{" : "[");
    for (int i = 0, count = (int)(dice(state) % 5); i < count; i++) {
        PUT(i ? "," : "");
        PUT(spaces[dice(state) % 6]);
        if (object) {
            PUT(keys[dice(state) % 7]);
            PUT(spaces[dice(state) % 6]);
            PUT(":");
            PUT(spaces[dice(state) % 6]);
        }
        n += grow(to + n, state, depth + 1);
        PUT(spaces[dice(state) % 6]);
    }
    PUT(object ? "}" : "]");
#undef PUT
    return n;
}

static void random_rows_and_their_mutations_are_read_alike(void)
{
    static char text[1 << 19];
    int rounds = getenv("LONG") ? 5000000 : 200000, good = 0;
    uint64_t state = 7;
    for (int round = 0; round < rounds; round++) {
        size_t n = grow(text, &state, 0);
        if (n > 4000)
            continue;
        for (int cuts = (int)(dice(&state) % 3); cuts > 0 && n > 0; cuts--) {
            size_t at = dice(&state) % n;
            switch (dice(&state) % 5) {
            case 0: text[at] = (char)dice(&state); break;
            case 1: text[at] = "{}[],:\"\\ 0-"[dice(&state) % 11]; break;
            case 2: memmove(text + at, text + at + 1, --n - at); break;
            case 3: memmove(text + at + 1, text + at, n++ - at); break;
            default: n = at; break;
            }
        }
        good += json_check((struct span){text, n}) == 0;
        check_text(text, n);
    }
    CHECK(good > rounds / 4 && good < rounds, "%d of %d are JSON", good, rounds);
}

int main(void)
{
    CASE(chosen_texts_are_read_alike);
    CASE(every_byte_is_judged_alike_at_every_place);
    CASE(runs_of_backslashes_are_read_alike);
    CASE(nesting_is_limited_alike);
    CASE(random_rows_and_their_mutations_are_read_alike);
    return check_end();
}
