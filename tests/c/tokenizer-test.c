/* tokenizer-test.c: ids, decoding and damaged files against the reference tokenizer. */
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "text/tokenizer.h"

static struct ids encode(const struct tokenizer *t, struct span text, enum token_mode mode)
{
    struct ids ids = {0};
    struct token_part part = {text, mode};
    CHECK(tokenizer_encode(t, &part, 1, &ids) == 0, "%s", fail_text());
    return ids;
}

static struct span text_of(json_t *value)
{
    return (struct span){json_string_value(value), json_string_length(value)};
}

static bool ids_are(const struct ids *ids, json_t *want)
{
    if (ids->n != json_array_size(want))
        return false;
    for (size_t i = 0; i < ids->n; i++)
        if (ids->id[i] != json_integer_value(json_array_get(want, i)))
            return false;
    return true;
}

static void check_ids(const struct tokenizer *t, json_t *row, const char *key,
                      enum token_mode mode)
{
    struct span text = text_of(json_object_get(row, "text"));
    struct ids ids = encode(t, text, mode);
    CHECK(ids_are(&ids, json_object_get(row, key)), "%s of \"%.*s\": %zu ids", key,
          (int)text.n, text.s, ids.n);
    ids_free(&ids);
}

#define EACH_ROW(path, row)                                                              \
    char *row##_file = golden_file(path, NULL);                                          \
    const char *row##_at = row##_file ? row##_file : "";                                 \
    CHECK(row##_file, "no file");                                                        \
    for (json_t *row; (row = golden_row(&row##_at)); json_decref(row))

static struct tokenizer *full;

static void full_encode(void)
{
    EACH_ROW(golden_path("goldens2/tokenizer/encode.jsonl"), row)
    check_ids(full, row, "ids", TOKEN_SPECIAL);
    free(row_file);
}

static void full_encode_nul(void)
{
    EACH_ROW(golden_path("goldens2/tokenizer/encode_nul.jsonl"), row)
    check_ids(full, row, "ids", TOKEN_SPECIAL);
    free(row_file);
}

static void full_encode_special(void)
{
    EACH_ROW(golden_path("goldens2/tokenizer/encode_special.jsonl"), row)
    {
        check_ids(full, row, "ids", TOKEN_SPECIAL);
        check_ids(full, row, "ids_plain", TOKEN_KEEP);
        check_ids(full, row, "ids_no_added", TOKEN_TEXT);
    }
    free(row_file);
}

/* A row's ids through a decoder: what each id gave out against `stream`, if that is there,
 * and the end against stream_tail; all of it against `text`. */
static void check_decode(const struct tokenizer *t, json_t *row, const char *ids_key,
                         const char *text_key, bool skip_special)
{
    struct decoder d = {.skip_special = skip_special};
    struct buf out = {0};
    json_t *ids = json_object_get(row, ids_key);
    json_t *stream = skip_special ? NULL : json_object_get(row, "stream");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        size_t before = out.len;
        decoder_push(&d, t, (int32_t)json_integer_value(json_array_get(ids, i)), &out);
        struct span want = text_of(json_array_get(stream, i));
        CHECK(!stream || (out.len - before == want.n &&
                          (want.n == 0 || memcmp(out.data + before, want.s, want.n) == 0)),
              "step %zu: not \"%.*s\"", i, (int)want.n, want.s);
        CHECK(d.held_count <= 3, "%d bytes held", d.held_count);
    }
    size_t before = out.len;
    decoder_end(&d, &out);
    struct span tail = text_of(json_object_get(row, "stream_tail"));
    CHECK(!stream || out.len - before == tail.n, "tail of %zu bytes", out.len - before);
    struct span want = text_of(json_object_get(row, text_key));
    CHECK(out.len == want.n && (want.n == 0 || memcmp(out.data, want.s, want.n) == 0),
          "%s: \"%.*s\", not \"%.*s\"", text_key, (int)out.len, out.data, (int)want.n,
          want.s);
    buf_free(&out);
}

static void full_decode(void)
{
    EACH_ROW(golden_path("goldens2/tokenizer/decode.jsonl"), row)
    {
        check_decode(full, row, "ids", "text", false);
        check_decode(full, row, "ids", "text_skip_special", true);
        json_t *ids = json_object_get(row, "ids");
        json_t *bytes = json_object_get(row, "token_bytes_hex");
        for (size_t i = 0; i < json_array_size(ids); i++) {
            struct span is = tokenizer_bytes(
                full, (int32_t)json_integer_value(json_array_get(ids, i)));
            const char *hex = json_string_value(json_array_get(bytes, i));
            bool same = strlen(hex) == 2 * is.n;
            for (size_t k = 0; same && k < is.n; k++) {
                char pair[3];
                snprintf(pair, sizeof pair, "%02x", (unsigned char)is.s[k]);
                same = memcmp(pair, hex + 2 * k, 2) == 0;
            }
            CHECK(same, "bytes of id %zu: not %s", i, hex);
        }
    }
    free(row_file);
}

static void full_cases(void)
{
    EACH_ROW(golden_path("goldens/tokenizer/cases_full_qwen3.jsonl"), row)
    {
        check_ids(full, row, "ids", TOKEN_SPECIAL);
        check_decode(full, row, "ids", "decoded", false);
    }
    free(row_file);
}

static void small_cases(void)
{
    struct tokenizer *t = tokenizer_open(golden_path("goldens/tokenizer/tokenizer.json"));
    NEED(t, "%s", fail_text());
    EACH_ROW(golden_path("goldens/tokenizer/cases.jsonl"), row)
    {
        check_ids(t, row, "ids", TOKEN_SPECIAL);
        check_decode(t, row, "ids", "decoded", false);
        check_decode(t, row, "ids", "decoded_skip_special", true);
    }
    free(row_file);
    tokenizer_close(t);
}

int main(void)
{
    full = tokenizer_open(golden_path("tokenizers/qwen3"));
    if (full) {
        CASE(full_encode);
        CASE(full_encode_nul);
        CASE(full_encode_special);
        CASE(full_decode);
        CASE(full_cases);
    } else fprintf(stderr, "%s\n", fail_text());
    CASE(small_cases);
    tokenizer_close(full);
    return check_end();
}
