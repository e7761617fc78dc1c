/* pretokenizer-test: small tokenizers with the pre-tokenizers of Llama 3, GPT-2 and
 * SmolLM, from tokenizer.json and from a GGUF file, against ids that the tokenizers
 * library gave (0.22) for texts of odd pieces; the scanners against PCRE2. */
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "text/split.h"
#include "text/tokenizer.h"

static const char *const names[] = {"llama-bpe", "gpt-2", "smollm"};
static const char *const patterns[] = {SPLIT_LLAMA3, SPLIT_GPT2, SPLIT_SMOLLM};

/* The file of one of the tokenizers; good until 8 calls later. */
static const char *file_of(const char *name, const char *file)
{
    char relative[128];
    snprintf(relative, sizeof relative, "tokenizers/%s/%s", name, file);
    return golden_path(relative);
}

static void check_ids(const struct tokenizer *t, const char *rows, const char *name)
{
    int count = 0;
    for (json_t *row; (row = golden_row(&rows)); json_decref(row), count++) {
        json_t *want = json_object_get(row, "ids"), *text = json_object_get(row, "text");
        struct ids got = {0};
        struct token_part part = {{json_string_value(text), json_string_length(text)},
                                  TOKEN_SPECIAL};
        CHECK(tokenizer_encode(t, &part, 1, &got) == 0, "%s", fail_text());
        bool same = got.n == json_array_size(want);
        for (size_t i = 0; same && i < got.n; i++)
            same = got.id[i] == json_integer_value(json_array_get(want, i));
        CHECK(same, "%s: \"%s\"", name, json_string_value(text));
        ids_free(&got);
    }
    CHECK(count == 100, "%d rows", count);
}

static void both_files_give_the_reference_ids(void)
{
    for (size_t i = 0; i < 3; i++) {
        char gguf[32];
        snprintf(gguf, sizeof gguf, "%s.gguf", names[i]);
        const char *files[] = {"tokenizer.json", gguf};
        char *rows = golden_file(file_of(names[i], "encode.jsonl"), NULL);
        NEED(rows, "no reference data");
        for (int f = 0; f < 2; f++) {
            struct tokenizer *t = tokenizer_open(file_of(names[i], files[f]));
            NEED(t, "%s", fail_text());
            check_ids(t, rows, files[f]);
            CHECK(tokenizer_is_special(t, tokenizer_find(t, "<|end|>")), "%s", files[f]);
            CHECK(tokenizer_find(t, "<tool>") == tokenizer_size(t) - 1, "%d of %d",
                  tokenizer_find(t, "<tool>"), tokenizer_size(t)); /* no [PAD] */
            CHECK(!tokenizer_is_special(t, tokenizer_find(t, "<tool>")), "%s", files[f]);
            tokenizer_close(t);
        }
        free(rows);
    }
}

static uint32_t draw(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)*state * n) >> 32);
}

/* Texts of pieces that the patterns tell apart, all of characters that PCRE2 knows. */
static size_t make_text(char *text, uint32_t *state)
{
    static const char *const pieces[] = {
        "a",      "Z", "\u00e9", "\u6771", "1",   "23",     "\u00bd",  "\u2167",
        " ",      " ", "  ",     "\n",     "\r",  "\t",     "\u00a0",  "\xc2\x85",
        "\u3000", "'", "'s",     "'T",     "'ll", "'Ve",    "'\u017f", "!",
        "..",     "_", "\u200b", "\x1c",   "'re", "\u0301", "x "};
    size_t n = 0;
    for (uint32_t k = 1 + draw(state, 12); k > 0; k--) {
        const char *piece = pieces[draw(state, sizeof pieces / sizeof *pieces)];
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

static void scanners_equal_pcre2(void)
{
    uint32_t state = 1;
    for (size_t p = 0; p < 3; p++) {
        struct splitter *scan = split_open(span_of(patterns[p]), true);
        struct splitter *pcre = split_open(span_of(patterns[p]), false);
        NEED(scan && pcre, "%s", fail_text());
        for (int i = 0; i < 50000; i++) {
            char text[128];
            struct span all = {text, make_text(text, &state)}, x, y;
            struct split_run a, b;
            int more = 1;
            NEED(split_start(&a, scan, all) == 0 && split_start(&b, pcre, all) == 0, "%s",
                 fail_text());
            while (more > 0) {
                more = split_next(&a, &x);
                CHECK(split_next(&b, &y) == more, "\"%.*s\"", (int)all.n, all.s);
                if (more > 0 && x.n != y.n) {
                    CHECK(0, "%s \"%.*s\": \"%.*s\", PCRE2 \"%.*s\"", names[p],
                          (int)all.n, all.s, (int)x.n, x.s, (int)y.n, y.s);
                    break;
                }
            }
            split_end(&a);
            split_end(&b);
        }
        split_close(scan);
        split_close(pcre);
    }
}

int main(void)
{
    CASE(both_files_give_the_reference_ids);
    CASE(scanners_equal_pcre2);
    return check_end();
}
