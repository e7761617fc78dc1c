/* gguf-test: GGUF files, good and bad; metadata of every kind; tensors' places. */
#include "base/fail.h"
#include "check.h"
#include "gguf/gguf.h"
#include "golden.h"

#include <string.h>

/* One row of the malformed set. */
static void malformed_file(const char *file, const char *expect, const char *why)
{
    char relative[256], text[FAIL_TEXT_MAX];
    size_t size = 0;
    snprintf(relative, sizeof relative, "goldens2/gguf/malformed/%s", file);
    const char *path = golden_path(relative);
    NEED(path, "%s", file);
    struct gguf *g = gguf_open(path);
    snprintf(text, sizeof text, "%s", g ? "" : fail_text());
    if (strcmp(expect, "accept") == 0)
        CHECK(g, "%s: %s", file, text);
    if (strcmp(expect, "reject") == 0)
        CHECK(!g, "%s was taken: %s", file, why);
    if (!g)
        CHECK(fail_kind() == FAIL_MODEL && strstr(text, file), "%s: %s", file, text);
    /* The same bytes at the very end of an allocation: nothing is read behind them. */
    char *bytes = golden_file(path, &size), *tight = malloc(size ? size : 1);
    NEED(bytes && tight, "%s", file);
    memcpy(tight, bytes, size);
    struct gguf *again = gguf_read(tight, size, file);
    CHECK((g != NULL) == (again != NULL), "%s", file);
    CHECK(gguf_is(path) == (size >= 4 && memcmp(bytes, "GGUF", 4) == 0), "%s", file);
    gguf_close(again);
    gguf_close(g);
    free(tight);
    free(bytes);
}

static void malformed_files_are_refused(void)
{
    char *text = golden_file(golden_path("goldens2/gguf/malformed/index.json"), NULL);
    json_t *index = text ? json_loads(text, 0, NULL) : NULL, *row;
    size_t i;
    free(text);
    NEED(index, "no reference data");
    CHECK(json_array_size(index) >= 52, "%zu files", json_array_size(index));
    json_array_foreach(index, i, row)
        malformed_file(json_string_value(json_object_get(row, "file")),
                       json_string_value(json_object_get(row, "expect")),
                       json_string_value(json_object_get(row, "why")));
    json_decref(index);
}

/* Every way to cut a good file short of its end is an error, and so is a byte less. */
static void a_file_cut_anywhere_is_refused(void)
{
    size_t size = 0;
    char *bytes = golden_file(golden_path("goldens2/gguf/malformed/ok_v3.gguf"), &size);
    NEED(bytes, "no reference data");
    for (size_t n = 0; n < size; n++) {
        char *tight = malloc(n ? n : 1);
        NEED(tight, "memory");
        memcpy(tight, bytes, n);
        struct gguf *g = gguf_read(tight, n, "cut");
        CHECK(!g, "%zu of %zu bytes were taken", n, size);
        gguf_close(g);
        free(tight);
    }
    struct gguf *g = gguf_read(bytes, size, "whole");
    CHECK(g, "%s", fail_text());
    gguf_close(g);
    free(bytes);
}

/* What was taken although it was changed: its tensors are inside it all the same. */
static void inside(const char *bytes, size_t size, size_t at)
{
    struct gguf *g = gguf_read(bytes, size, "changed");
    CHECK(g || strncmp(fail_text(), "changed: ", 9) == 0, "%zu: %s", at, fail_text());
    for (int i = 0; g && i < gguf_count(g); i++) {
        const struct gguf_tensor *t = gguf_at(g, i);
        const char *data = t->data;
        CHECK(data >= bytes && t->bytes > 0 && t->bytes <= bytes + size - data,
              "%zu: tensor %d", at, i);
    }
    gguf_close(g);
}

/* Each place of the header with each bit turned over, and with the numbers that counts,
 * lengths, sizes and offsets are worst at. */
static void a_header_changed_anywhere_does_no_harm(void)
{
    static const uint64_t worst[] = {0,
                                     1,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     UINT64_MAX - 31,
                                     (uint64_t)1 << 63,
                                     ((uint64_t)1 << 63) - 1,
                                     (uint64_t)1 << 61,
                                     (uint64_t)1 << 32,
                                     (uint64_t)1 << 31,
                                     ((uint64_t)1 << 31) - 1};
    static const char *const files[] = {"malformed/ok_v3.gguf",
                                        "malformed/ok_align64.gguf", "all_types.gguf"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char relative[128];
        size_t size = 0;
        snprintf(relative, sizeof relative, "goldens2/gguf/%s", files[f]);
        char *bytes = golden_file(golden_path(relative), &size), kept[8];
        NEED(bytes, "no reference data");
        for (size_t at = 0; at + 8 <= size && at < 2400; at++) {
            memcpy(kept, bytes + at, 8);
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = (char)(kept[0] ^ (1 << bit));
                inside(bytes, size, at);
            }
            for (size_t i = 0; i < sizeof worst / sizeof *worst; i++) {
                memcpy(bytes + at, &worst[i], 8);
                inside(bytes, size, at);
                memcpy(bytes + at, kept, 8);
                memcpy(bytes + at, &worst[i], 4);
                inside(bytes, size, at);
                memcpy(bytes + at, kept, 8);
            }
        }
        free(bytes);
    }
}

static struct gguf *all_types(void)
{
    const char *path = golden_path("goldens2/gguf/all_types.gguf");
    struct gguf *g = path ? gguf_open(path) : NULL;
    CHECK(g, "%s", path ? fail_text() : "no reference data");
    return g;
}

static void integers_of_any_width_are_read(void)
{
    static const struct {
        const char *key;
        int64_t value;
    } want[] = {{"t.u8", 200},       {"t.i8", -100},        {"t.u16", 60000},
                {"t.i16", -30000},   {"t.u32", 4000000000}, {"t.i32", -2000000000},
                {"t.i64", INT64_MIN}};
    struct gguf *g = all_types();
    NEED(g, "no file");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        int64_t n;
        double x;
        bool b;
        struct span s;
        CHECK(gguf_int(g, want[i].key, &n) && n == want[i].value, "%s", want[i].key);
        CHECK(!gguf_real(g, want[i].key, &x), "%s is no real", want[i].key);
        CHECK(!gguf_text(g, want[i].key, &s), "%s is no text", want[i].key);
        CHECK(!gguf_bool(g, want[i].key, &b), "%s is no bool", want[i].key);
    }
    int64_t n = 7;
    CHECK(!gguf_int(g, "t.u64", &n) && n == 7, "2^64 - 1 is no int64");
    CHECK(!gguf_int(g, "t.absent", &n) && !gguf_int(g, "t.f32", &n), "no integers");
    gguf_close(g);
}

static void other_values_are_read(void)
{
    struct gguf *g = all_types();
    double x;
    bool b = false;
    struct span s;
    NEED(g, "no file");
    CHECK(gguf_real(g, "t.f32", &x) && (float)x == 0.1f, "%g", x);
    CHECK(gguf_real(g, "t.f64", &x) && x == 0.1, "%g", x);
    CHECK(gguf_bool(g, "t.bool", &b) && b, "bool");
    CHECK(gguf_text(g, "t.str", &s) && span_is(s, "h\u00e9llo \u4e16\u754c"), "text");
    CHECK(gguf_text(g, "general.architecture", &s) && span_is(s, "llama"), "text");
    CHECK(!gguf_text(g, "t.arr_str", &s) && !gguf_text(g, "t", &s), "no texts");
    gguf_close(g);
}

static void arrays_are_walked(void)
{
    struct gguf *g = all_types();
    struct gguf_walk w;
    struct span s;
    int64_t n;
    double x;
    NEED(g, "no file");
    CHECK(gguf_array_count(g, "t.arr_i32") == 3, "count");
    CHECK(gguf_array_count(g, "t.arr_nested") == 2, "count");
    CHECK(gguf_array_count(g, "t.i32") == -1 && gguf_array_count(g, "x") == -1, "none");
    static const int64_t ints[] = {1, -2, 3};
    CHECK(gguf_walk_begin(&w, g, "t.arr_i32"), "begin");
    for (int i = 0; i < 3; i++) {
        CHECK(!gguf_walk_text(&w, &s) && !gguf_walk_real(&w, &x), "another kind");
        CHECK(gguf_walk_int(&w, &n) && n == ints[i], "%d", i);
    }
    CHECK(!gguf_walk_int(&w, &n), "the end");
    static const char *const texts[] = {"a", "", "\u6f22"};
    CHECK(gguf_walk_begin(&w, g, "t.arr_str"), "begin");
    for (int i = 0; i < 3; i++)
        CHECK(gguf_walk_text(&w, &s) && span_is(s, texts[i]), "%d", i);
    CHECK(!gguf_walk_text(&w, &s), "the end");
    CHECK(gguf_walk_begin(&w, g, "t.arr_f32"), "begin");
    CHECK(gguf_walk_real(&w, &x) && x == 1.5 && gguf_walk_real(&w, &x) && x == -2.25 &&
              !gguf_walk_real(&w, &x),
          "reals");
    CHECK(gguf_walk_begin(&w, g, "t.arr_nested") && !gguf_walk_int(&w, &n), "nested");
    CHECK(!gguf_walk_begin(&w, g, "t.str") && !gguf_walk_begin(&w, g, "x"), "no arrays");
    gguf_close(g);
}

static void tensors_are_found(void)
{
    struct gguf *g = all_types();
    NEED(g, "no file");
    CHECK(gguf_count(g) == 26, "%d", gguf_count(g));
    const struct gguf_tensor *t = gguf_find(g, "w.f32_3d");
    NEED(t && t->rank == 3, "w.f32_3d");
    CHECK(t->shape[0] == 3 && t->shape[1] == 2 && t->shape[2] == 5, "rows first");
    CHECK(t->type == GGUF_F32 && t->bytes == 120, "%lld bytes", (long long)t->bytes);
    CHECK((t = gguf_find(g, "w.q4_k")) && t->bytes == 2 * 288, "w.q4_k");
    CHECK(strcmp(gguf_type_name(t->type), "Q4_K") == 0, "%s", gguf_type_name(t->type));
    CHECK(!gguf_find(g, "w.q4") && !gguf_find(g, ""), "no such tensors");
    CHECK(strcmp(gguf_type_name(99), "unknown") == 0, "%s", gguf_type_name(99));
    for (int i = 0; i < gguf_count(g); i++)
        CHECK(gguf_find(g, gguf_at(g, i)->name) == gguf_at(g, i), "%d", i);
    gguf_close(g);
}

/* One byte of the header changed is another file; one of the weights is not looked at. */
static void the_hash_is_of_the_header(void)
{
    size_t size = 0;
    char first[33], same[33], other[33];
    char *bytes = golden_file(golden_path("goldens2/gguf/all_types.gguf"), &size);
    NEED(bytes, "no reference data");
    struct gguf *g = gguf_read(bytes, size, "g");
    NEED(g, "%s", fail_text());
    gguf_hash(g, first);
    bytes[size - 1] ^= 1;
    gguf_hash(g, same);
    char *name = memmem(bytes, size, "one tensor", 10);
    NEED(name, "its name");
    *name = 'O';
    gguf_hash(g, other);
    CHECK(strlen(first) == 32 && strcmp(first, same) == 0, "%s %s", first, same);
    CHECK(strcmp(first, other) != 0, "%s", other);
    gguf_close(g);
    free(bytes);
}

static void what_is_no_file_is_named(void)
{
    CHECK(!gguf_open("no/such.gguf") && strstr(fail_text(), "no/such.gguf"), "%s",
          fail_text());
    CHECK(!gguf_open("tests") && strstr(fail_text(), "not a regular file"), "%s",
          fail_text());
    CHECK(!gguf_is("no/such.gguf") && !gguf_is("tests") && !gguf_is("Makefile"), "is");
}

int main(void)
{
    CASE(malformed_files_are_refused);
    CASE(a_file_cut_anywhere_is_refused);
    CASE(a_header_changed_anywhere_does_no_harm);
    CASE(integers_of_any_width_are_read);
    CASE(other_values_are_read);
    CASE(arrays_are_walked);
    CASE(tensors_are_found);
    CASE(the_hash_is_of_the_header);
    CASE(what_is_no_file_is_named);
    return check_end();
}
