/* tokenizer-test.c: ids, decoding and damaged files against the reference tokenizer. */
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "text/nfc.h"
#include "text/split.h"
#include "text/split_scan.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <time.h>
#include <utf8proc.h>
#include <zstd.h>

static struct ids encode(const struct tokenizer *t, struct span text,
                         enum token_mode mode)
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
    for (json_t * row; (row = golden_row(&row##_at)); json_decref(row))

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

/* A row's ids through a decoder: what each id gave out against `stream`, if that is
 * there, and the end against stream_tail; all of it against `text`. */
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
        CHECK(!stream ||
                  (out.len - before == want.n &&
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

/* The full-size tokenizer is carried packed: unpack it to where golden_path() looks. */
static void unpack(void)
{
    static const char to[] = "build/data/tokenizers/qwen3/tokenizer.json";
    const char *packed = golden_path("tokenizers/qwen3/tokenizer.json.zst");
    size_t size = 0;
    char *from = golden_file(packed, &size);
    if (!from || access(to, R_OK) == 0) {
        free(from);
        return;
    }
    size_t room = (size_t)ZSTD_getFrameContentSize(from, size);
    char *text = malloc(room), temporary[128];
    size_t n = text ? ZSTD_decompress(text, room, from, size) : 0;
    mkdir("build", 0777);
    mkdir("build/data", 0777);
    mkdir("build/data/tokenizers", 0777);
    mkdir("build/data/tokenizers/qwen3", 0777);
    snprintf(temporary, sizeof temporary, "%s.%ld", to, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    if (f && n == room && fwrite(text, 1, n, f) == n && fclose(f) == 0)
        rename(temporary, to);
    free(text);
    free(from);
}

/* A repeatable stream of numbers for made-up texts. */
static uint32_t draw(uint32_t below)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void put(struct buf *b, uint32_t c)
{
    b->len += utf8_put(buf_room(b, 4), c);
}

/* A text of n characters: from one of a few alphabets that meet the rules' corners. */
static void make_text(struct buf *b, int n)
{
    static const uint32_t odd[] = {
        ' ',    ' ',    '\n',   '\r',   '\t',   '\'',   's',    'T',    'l',     'L',
        'r',    'e',    'v',    'm',    'd',    0x17F,  0x212A, 0x85,   0xA0,    0x180E,
        0x200B, 0x2028, 0x3000, 0xFEFF, 0x1C,   0x1F,   '1',    0xB2,   0x2163,  0x0E01,
        0x0E34, 0x0301, 0x0316, 0x0338, 0x1100, 0x1161, 0x11A8, 0xAC00, 0x4E2D,  0x1F600,
        '.',    ',',    '!',    '<',    '|',    '>',    'a',    'Z',    0,       0x0958,
        0x212B, 0x0344, 0x1E69, 0x0323, 0x0307, 0x2ADC, 0xFB1D, 0x0915, 0x1D15F, 0xFFFD};
    uint32_t kind = draw(3);
    buf_clear(b);
    for (int i = 0; i < n; i++) {
        uint32_t c = kind == 0   ? odd[draw(sizeof odd / sizeof *odd)]
                     : kind == 1 ? draw(0x250)
                                 : draw(0x11000);
        put(b, c >= 0xD800 && c < 0xE000 ? 'x' : c);
    }
}

/* Pieces of text by the scanner against those by PCRE2. */
static void check_split(const struct splitter *scan, const struct splitter *pcre,
                        struct span text)
{
    struct split_run a, b;
    struct span x, y;
    int more = 1;
    if (split_start(&a, scan, text) < 0 || split_start(&b, pcre, text) < 0)
        abort();
    while (more > 0) {
        more = split_next(&a, &x);
        CHECK(split_next(&b, &y) == more, "of \"%.*s\"", (int)text.n, text.s);
        if (more > 0 && (x.s != y.s || x.n != y.n)) {
            CHECK(0, "\"%.*s\": \"%.*s\", PCRE2 \"%.*s\"", (int)text.n, text.s, (int)x.n,
                  x.s, (int)y.n, y.s);
            break;
        }
    }
    split_end(&a);
    split_end(&b);
}

/* A pattern that a code point of a younger Unicode than PCRE2's own does not match. */
static bool known_to_pcre(pcre2_code *assigned, pcre2_match_data *data, struct span c)
{
    return pcre2_match(assigned, (PCRE2_SPTR)c.s, c.n, 0, 0, data, NULL) >= 0;
}

/* What the scanner takes a character for: 'L', 'N' or, all else, 'O'. */
static char scanned_as(struct span c)
{
    char text[5];
    text[0] = 'a';
    memcpy(text + 1, c.s, c.n);
    if (split_scan_of(span_of(SPLIT_QWEN))((struct span){text, 1 + c.n}) == 1 + c.n)
        return 'L';
    memcpy(text, c.s, c.n);
    text[c.n] = 'a'; /* a number stands alone, anything else but a newline takes it on */
    return split_scan_of(span_of(SPLIT_QWEN))((struct span){text, c.n + 1}) == c.n &&
                   *c.s != '\r' && *c.s != '\n'
               ? 'N'
               : 'O';
}

/* How many letters and numbers there are for the reference tokenizer (Unicode 16.0). */
static void scanner_knows_letters(void)
{
    int letters = 0, numbers = 0;
    for (uint32_t c = 1; c < 0x110000; c++) {
        char text[4];
        if (c >= 0xD800 && c < 0xE000)
            continue;
        char kind = scanned_as((struct span){text, utf8_put(text, c)});
        letters += kind == 'L';
        numbers += kind == 'N';
    }
    CHECK(letters == 141028 && numbers == 1911, "%d letters, %d numbers", letters,
          numbers);
}

static void scanner_equals_pcre2(void)
{
    struct splitter *scan = split_open(span_of(SPLIT_QWEN), true);
    struct splitter *pcre = split_open(span_of(SPLIT_QWEN), false);
    NEED(scan && pcre, "%s", fail_text());
    int error;
    PCRE2_SIZE where;
    pcre2_code *assigned = pcre2_compile((PCRE2_SPTR) "\\P{Cn}", PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF, &error, &where, NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(assigned, NULL);
    struct buf b = {0};
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        if (c >= 0xD800 && c < 0xE000)
            continue;
        struct span one = {text, utf8_put(text, c)};
        if (!known_to_pcre(assigned, data, one) && scanned_as(one) != 'O')
            continue;
        buf_clear(&b); /* every branch, the character in each of its places */
        for (const char *form = "a@b 1@ @@. @\n @' @s\r@'@"; *form; form++)
            buf_add(&b, *form == '@' ? text : form, *form == '@' ? one.n : 1);
        check_split(scan, pcre, (struct span){b.data, b.len});
    }
    for (int i = 0; i < 50000; i++) {
        make_text(&b, 1 + (int)draw(40));
        bool known = true; /* no matter: odd texts have assigned characters mostly */
        for (size_t at = 0; known && at < b.len;) {
            uint32_t c;
            int cut;
            struct span one = {b.data + at, utf8_next(b.data + at, b.len - at, &c, &cut)};
            known = known_to_pcre(assigned, data, one) || scanned_as(one) == 'O';
            at += one.n;
        }
        if (known)
            check_split(scan, pcre, (struct span){b.data, b.len});
    }
    buf_free(&b);
    pcre2_match_data_free(data);
    pcre2_code_free(assigned);
    split_close(scan);
    split_close(pcre);
}

/* What nfc_is_stable() promises, against utf8proc's data. */
static void stable_characters_are(void)
{
    for (int32_t c = 0; c < 0x110000; c++) {
        int32_t parts[8];
        int boundary = 0;
        const utf8proc_property_t *p = utf8proc_get_property(c);
        int n = (int)utf8proc_decompose_char(c, parts, 8, UTF8PROC_DECOMPOSE, &boundary);
        bool young = nfc_is_stable((uint32_t)c) && p->combining_class != 0;
        if (young || c == 0x11938 || !nfc_is_stable((uint32_t)c))
            continue; /* younger than Unicode 9.0: the reference's rows check those */
        if (n > 1) {
            parts[n] = 0;
            utf8proc_ssize_t back = utf8proc_normalize_utf32(parts, n, UTF8PROC_COMPOSE);
            CHECK(back == 1 && parts[0] == c, "U+%04X is not its own NFC", (unsigned)c);
        } else {
            CHECK(n == 1 && parts[0] == c, "U+%04X changes", (unsigned)c);
        }
    }
    for (int32_t c = 0; c < 0x110000; c++) { /* second halves of pairs */
        int32_t parts[8];
        int boundary = 0;
        int n = (int)utf8proc_decompose_char(c, parts, 8, UTF8PROC_DECOMPOSE, &boundary);
        for (int i = 1; i < n && c != 0x11938; i++)
            CHECK(!nfc_is_stable((uint32_t)parts[i]), "U+%04X joins into U+%04X",
                  (unsigned)parts[i], (unsigned)c);
    }
}

static void nfc_equals_utf8proc(void)
{
    struct buf text = {0}, scratch = {0};
    for (int i = 0; i < 50000; i++) {
        make_text(&text, 1 + (int)draw(60));
        bool young = false;
        for (size_t at = 0; at < text.len;) {
            uint32_t c;
            int cut;
            at += utf8_next(text.data + at, text.len - at, &c, &cut);
            young |= nfc_is_stable(c) &&
                     utf8proc_get_property((utf8proc_int32_t)c)->combining_class != 0;
        }
        if (young)
            continue;
        utf8proc_uint8_t *want = NULL;
        utf8proc_ssize_t n =
            utf8proc_map((utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.len, &want,
                         UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        struct span got;
        CHECK(nfc_text((struct span){text.data, text.len}, true, &scratch, &got) == 0,
              "%s", fail_text());
        CHECK(n >= 0 && got.n == (size_t)n && memcmp(got.s, want, got.n) == 0, "\"%.*s\"",
              (int)text.len, text.data);
        free(want);
    }
    buf_free(&text);
    buf_free(&scratch);
}

static bool same_ids(const struct ids *a, const struct ids *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->id, b->id, a->n * sizeof *a->id) == 0);
}

static void ill_formed_text_is_replaced(void)
{
    static const struct {
        const char *text, *as;
        size_t n;
    } cases[] = {
        {"a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b",
         3},
        {"\xE4\xB8", "\xEF\xBF\xBD", 2},
        {"\xE4\xB8"
         "e\xCC\x81",
         "\xEF\xBF\xBD\xC3\xA9", 5},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD", 2},
        {"\xF0\x9F\x98x", "\xEF\xBF\xBDx", 4},
        {"\xF0\xBF\x92x", "\xEF\xBF\xBDx", 4},
        {"\xEF\xBF\xBDx", "\xEF\xBF\xBDx", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ids a =
            encode(full, (struct span){cases[i].text, cases[i].n}, TOKEN_SPECIAL);
        struct ids b = encode(full, span_of(cases[i].as), TOKEN_SPECIAL);
        CHECK(same_ids(&a, &b), "case %zu", i);
        ids_free(&a);
        ids_free(&b);
    }
}

/* Texts that trap quadratic methods: all of them in seconds, even under a sanitizer. */
static void long_texts_take_linear_time(void)
{
    static const char *const unit[] = {"a",
                                       " ",
                                       "\n ",
                                       "\xCC\x81\xCC\x96",
                                       "<",
                                       "<|im_",
                                       "!",
                                       "ab",
                                       "\xFF",
                                       "1",
                                       "\xE4\xB8\xAD\xE6\x96\x87",
                                       "e\xCC\x81",
                                       "'s",
                                       " \t",
                                       "\xE1\x84\x80"};
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        struct buf b = {0};
        struct timespec from, to;
        while (b.len < 1000000) buf_text(&b, unit[i]);
        clock_gettime(CLOCK_MONOTONIC, &from);
        struct ids ids = encode(full, (struct span){b.data, b.len}, TOKEN_SPECIAL);
        clock_gettime(CLOCK_MONOTONIC, &to);
        CHECK(to.tv_sec - from.tv_sec < 8, "\"%s\": %ld s", unit[i],
              (long)(to.tv_sec - from.tv_sec));
        CHECK(ids.n > 0 && ids.n <= b.len, "%zu ids", ids.n);
        ids_free(&ids);
        buf_free(&b);
    }
}

/* An added token counts only where all of it lies in a part that allows it; the rest of
 * the text is one. */
static void parts_are_joined(void)
{
    struct token_part parts[] = {{span_of("<|im_"), TOKEN_SPECIAL},
                                 {span_of("end|>x<|im_end|>hel"), TOKEN_TEXT},
                                 {span_of("lo<|im_end|>"), TOKEN_SPECIAL},
                                 {span_of("<think>"), TOKEN_KEEP},
                                 {span_of("<|im_end|>"), TOKEN_KEEP}};
    struct ids ids = {0}, head = {0};
    CHECK(tokenizer_encode(full, parts, 5, &ids) == 0, "%s", fail_text());
    struct token_part plain[] = {{span_of("<|im_end|>x<|im_end|>hello"), TOKEN_TEXT}};
    tokenizer_encode(full, plain, 1, &head);
    size_t n = head.n;
    ids_add(&head, tokenizer_find(full, "<|im_end|>"));
    ids_add(&head, tokenizer_find(full, "<think>"));
    plain[0].text = span_of("<|im_end|>");
    tokenizer_encode(full, plain, 1, &head);
    CHECK(same_ids(&ids, &head), "%zu and %zu ids, %zu before the token", ids.n, head.n,
          n);
    CHECK(tokenizer_encode(full, NULL, 0, &ids) == 0 && ids.n == head.n, "no parts");
    ids_free(&ids);
    ids_free(&head);
}

static void tokens_are_found(void)
{
    int32_t end = tokenizer_find(full, "<|im_end|>"),
            think = tokenizer_find(full, "<think>");
    CHECK(end == 151645 && tokenizer_is_special(full, end), "<|im_end|> is %d", end);
    CHECK(think == 151667 && !tokenizer_is_special(full, think), "<think> is %d", think);
    CHECK(tokenizer_find(full, "hello") == 14990, "%d", tokenizer_find(full, "hello"));
    CHECK(tokenizer_find(full, "<|im_end") < 0, "no such token");
    CHECK(tokenizer_size(full) == 151669, "%d", tokenizer_size(full));
    CHECK(tokenizer_bytes(full, -1).n == 0 && tokenizer_bytes(full, 151669).n == 0 &&
              tokenizer_bytes(full, INT32_MAX).n == 0,
          "bytes of no token");
    CHECK(span_is(tokenizer_bytes(full, end), "<|im_end|>"), "its bytes");
}

static void *encode_many(void *unused)
{
    (void)unused;
    struct ids *all = calloc(1, sizeof *all);
    for (int i = 0; i < 300; i++) {
        char text[64];
        snprintf(text, sizeof text, "unbelievably %d strangeish wordlets, %x!", i,
                 i * 7919);
        struct token_part part = {span_of(text), TOKEN_TEXT};
        if (tokenizer_encode(full, &part, 1, all) < 0)
            abort();
    }
    return all;
}

static void threads_share_a_tokenizer(void)
{
    pthread_t thread[4];
    struct ids *got[4];
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, encode_many, NULL);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], (void **)&got[i]);
    for (int i = 0; i < 4; i++) {
        CHECK(same_ids(got[i], got[0]), "thread %d", i);
        if (i > 0) {
            ids_free(got[i]);
            free(got[i]);
        }
    }
    ids_free(got[0]);
    free(got[0]);
}

/* The small tokenizer's file, changed, and written where tokenizer_open() reads it. */
static const char changed[] = "build/data/changed-tokenizer.json";

static struct tokenizer *open_text(const char *text, size_t n)
{
    mkdir("build", 0777);
    mkdir("build/data", 0777);
    FILE *f = fopen(changed, "wb");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0)
        abort();
    return tokenizer_open(changed);
}

/* file with its first `from` replaced by `to`. */
static struct buf replaced(const char *file, const char *from, const char *to)
{
    struct buf b = {0};
    const char *at = strstr(file, from);
    CHECK(at, "\"%s\" is not in the file", from);
    if (at) {
        buf_add(&b, file, (size_t)(at - file));
        buf_text(&b, to);
        buf_text(&b, at + strlen(from));
    }
    buf_string(&b);
    return b;
}

static void damaged_files_are_refused(void)
{
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"\"vocab\":", "\"vacob\":", "\"vocab\" is no object"},
        {"\"merges\":", "\"emerges\":", "\"merges\" is no array"},
        {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "only BPE"},
        {"\"type\":\"BPE\"", "\"type\":7", "only BPE"},
        {"\"dropout\":null", "\"dropout\":0.1", "dropout"},
        {"\"type\":\"NFC\"", "\"type\":\"NFKC\"", "only NFC"},
        {"\"Isolated\"", "\"Removed\"", "Isolated"},
        {"\"invert\":false", "\"invert\":true", "Isolated"},
        {"\"Regex\":\"", "\"String\":\"", "no Regex"},
        {"\"Regex\":\"", "\"Regex\":\"(", "pattern"},
        {"\"use_regex\":false", "\"use_regex\":true", "use_regex"},
        {"\"use_regex\":false", "\"use_regex\":\"\"", "neither true nor false"},
        {"\"add_prefix_space\":false", "\"add_prefix_space\":true", "add_prefix_space"},
        {"\"Split\"", "\"Whitespace\"", "only ByteLevel"},
        {"\"!\":0,", "\"!\":-1,", "out of range"},
        {"\"!\":0,", "\"!\":1,", "twice"},
        {"\"!\":0,", "\"!\":123456789,", "out of range"},
        {"\"!\":0,", "\"!\":99999999999999999999,", "integer"},
        {"\"!\":0,", "\"!\":0.5,", "integer"},
        {"\"!\":0,", "\"!\":\"0\",", "integer"},
        {"\"!\":0,", "\"\":0,", "empty"},
        {"\"!\":0,", "\" \":0,", "not a byte-level token"},
        {"\"!\":0,", "\"aaaaaaaaaaaa\":0,", "no token for the byte 0x21"},
        {"\"!\":0,", "\"!\":0,\"!\":1989,", "the same"},
        {"\"merges\":[[", "\"merges\":[[\"a\"],[", "not two tokens"},
        {"\"merges\":[[", "\"merges\":[7,[", "not two tokens"},
        {"\"merges\":[[", "\"merges\":[\"ab\",[", "not two tokens"},
        {"\"merges\":[[", "\"merges\":[\"! zzzzzz\",[", "not in the vocabulary"},
        {"\"merges\":[[", "\"merges\":[[\"a\",7],[", "not two tokens"},
        {"\"added_tokens\":[", "\"added_tokens\":[7,", "integer"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":1990},", "content"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":5,\"content\":\"xyzzy\"},",
         "twice"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":2016,\"content\":\"!\"},",
         "also"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":2016,\"content\":\"\"},",
         "0 bytes"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":2016,\"content\":\"<think>\"},",
         "the same"},
        {"\"lstrip\":false", "\"lstrip\":true", "lstrip"},
        {"\"added_tokens\":[",
         "\"added_tokens\":[{\"id\":2016,\"content\":\"e\\u0301\",\"normalized\":true},",
         "not in normal form"},
        {"\"single_word\":false", "\"single_word\":true", "single_word"},
        {"\"special\":true", "\"special\":1", "neither true nor false"},
        {"\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":{\"type\":\"WordPiece\"",
         "decoder"},
    };
    char *file = golden_file(golden_path("goldens/tokenizer/tokenizer.json"), NULL);
    NEED(file, "no file");
    json_t *value = json_loads(file, 0, NULL); /* without white space: easy to change */
    char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = replaced(text, cases[i].from, cases[i].to);
        struct tokenizer *t = open_text(b.data, b.len);
        CHECK(!t, "opened with %s", cases[i].to);
        CHECK(t || (fail_kind() == FAIL_MODEL && strstr(fail_text(), cases[i].why) &&
                    strstr(fail_text(), changed)),
              "%s: %s", cases[i].to, fail_text());
        tokenizer_close(t);
        buf_free(&b);
    }
    size_t n = strlen(text);
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 7 : n / 40) {
        struct tokenizer *t = open_text(text, cut);
        CHECK(!t && fail_kind() == FAIL_MODEL, "opened %zu bytes", cut);
        tokenizer_close(t);
    }
    static const char *const not [] = {"",  "{}",  "[]", "null", "{\"model\":{}}",
                                       "7", "\xFF"};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        CHECK(!open_text(not [i], strlen(not [i])) && fail_kind() == FAIL_MODEL, "%s",
              not [i]);
    remove(changed);
    CHECK(!tokenizer_open(changed) && fail_kind() == FAIL_MODEL &&
              strstr(fail_text(), "No such file"),
          "%s", fail_text());
    CHECK(!tokenizer_open("/dev/zero") && strstr(fail_text(), "regular"), "%s",
          fail_text());
    free(text);
    free(file);
    json_decref(value);
}

/* Merges as strings, another but equal pattern, a Sequence of one NFC, many added tokens:
 * all read, and the ids stay. */
static void other_forms_are_read(void)
{
    char *file = golden_file(golden_path("goldens/tokenizer/tokenizer.json"), NULL);
    NEED(file, "no file");
    json_t *value = json_loads(file, 0, NULL), *model = json_object_get(value, "model");
    json_t *strings = json_array(), *pair;
    size_t i;
    json_array_foreach(json_object_get(model, "merges"), i, pair)
    {
        char both[256];
        snprintf(both, sizeof both, "%s %s", json_string_value(json_array_get(pair, 0)),
                 json_string_value(json_array_get(pair, 1)));
        json_array_append_new(strings, json_string(both));
    }
    json_object_set_new(model, "merges", strings);
    json_object_set_new(
        value, "normalizer",
        json_pack("{s:s,s:[{s:s}]}", "type", "Sequence", "normalizers", "type", "NFC"));
    for (int k = 0; k < 20000; k++) {
        char name[32];
        snprintf(name, sizeof name, "<extra_%d>", k);
        json_array_append_new(json_object_get(value, "added_tokens"),
                              json_pack("{s:i,s:s,s:b}", "id", 2016 + k, "content", name,
                                        "special", k & 1));
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    struct buf b = replaced(text, "\"Regex\":\"", "\"Regex\":\"(?#same)");
    struct tokenizer *t = open_text(b.data, b.len);
    remove(changed);
    NEED(t, "%s", fail_text());
    EACH_ROW(golden_path("goldens/tokenizer/cases.jsonl"), row)
    check_ids(t, row, "ids", TOKEN_SPECIAL);
    struct ids ids = encode(t, span_of("<extra_19999><extra_1>"), TOKEN_SPECIAL);
    CHECK(ids.n == 2 && ids.id[0] == 2016 + 19999 && ids.id[1] == 2017, "%zu ids", ids.n);
    ids_free(&ids);
    tokenizer_close(t);
    buf_free(&b);
    free(row_file);
    free(text);
    free(file);
    json_decref(value);
}

/* Tokens that are looked for in normalised text: what add_tokens() makes of a text. The
 * ids are the reference's. */
static void added_tokens_of_normalised_text(void)
{
    static const char more[] =
        "\"added_tokens\":["
        "{\"id\":2016,\"content\":\"<foo>\",\"normalized\":true,\"special\":false},"
        "{\"id\":2017,\"content\":\"n\\u00e9\",\"normalized\":true,\"special\":false},"
        "{\"id\":2018,\"content\":\"<end>\",\"normalized\":true,\"special\":true},";
    static const struct {
        const char *text;
        enum token_mode mode;
        const char *ids;
    } cases[] = {
        {"a<foo>b<end>", TOKEN_SPECIAL, "[64,2016,65,2018]"},
        {"a<foo>b<end>", TOKEN_KEEP, "[64,2016,65,27,1186,29]"},
        {"<foo>\u0338", TOKEN_SPECIAL, "[27,69,78,78,158,231,107]"},
        {"<foo>\u0301 x", TOKEN_SPECIAL, "[2016,136,223,220,87]"},
        {"ne\u0301e\u0301", TOKEN_SPECIAL, "[2017,298]"},
        {"<fo<|im_end|>o><foo><|im_end|>", TOKEN_SPECIAL,
         "[27,69,78,1992,78,29,2016,1992]"},
        {"<foo><end>\n\n", TOKEN_SPECIAL, "[2016,2018,310]"},
    };
    char *file = golden_file(golden_path("goldens/tokenizer/tokenizer.json"), NULL);
    NEED(file, "no file");
    json_t *value = json_loads(file, 0, NULL);
    char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    struct buf b = replaced(text, "\"added_tokens\":[", more);
    struct tokenizer *t = open_text(b.data, b.len);
    struct tokenizer *old = open_text(text, strlen(text));
    remove(changed);
    NEED(t && old, "%s", fail_text());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ids ids = encode(t, span_of(cases[i].text), cases[i].mode);
        json_t *want = json_loads(cases[i].ids, 0, NULL);
        CHECK(ids_are(&ids, want), "%s: %zu ids", cases[i].text, ids.n);
        json_decref(want);
        ids_free(&ids);
    }
    CHECK(tokenizer_find(t, "<foo>") == 2016, "found by name");
    /* Contents stay text, and parts are joined as ever: also where a mark joins them. */
    const struct token_part parts[] = {{span_of("<foo>hel"), TOKEN_TEXT},
                                       {span_of("lo<foo"), TOKEN_SPECIAL},
                                       {span_of(">\n"), TOKEN_TEXT},
                                       {span_of("\n<foo>"), TOKEN_SPECIAL},
                                       {span_of("\u0301\u0302<end>"), TOKEN_TEXT}};
    struct ids ids = {0};
    struct ids want =
        encode(old, span_of("<foo>hello<foo>\n\n<foo>\u0301\u0302<end>"), TOKEN_TEXT);
    CHECK(tokenizer_encode(t, parts, 5, &ids) == 0 && same_ids(&ids, &want), "parts");
    ids_free(&ids);
    ids_free(&want);
    want = encode(old, span_of("e\u0301\n\n"), TOKEN_TEXT);
    ids_add(&want, 2016);
    const struct token_part own[] = {{span_of("e"), TOKEN_TEXT},
                                     {span_of("\u0301\n"), TOKEN_SPECIAL},
                                     {span_of("\n<foo>"), TOKEN_SPECIAL}};
    CHECK(tokenizer_encode(t, own, 3, &ids) == 0 && same_ids(&ids, &want), "own parts");
    ids_free(&ids);
    ids_free(&want);
    tokenizer_close(t);
    tokenizer_close(old);
    buf_free(&b);
    free(text);
    free(file);
    json_decref(value);
}

int main(void)
{
    unpack();
    full = tokenizer_open(golden_path("tokenizers/qwen3/tokenizer.json"));
    if (!full) {
        printf("not ok the full tokenizer does not open: %s\n", fail_text());
        return 1;
    }
    CASE(full_encode);
    CASE(full_encode_nul);
    CASE(full_encode_special);
    CASE(full_decode);
    CASE(full_cases);
    CASE(small_cases);
    CASE(scanner_knows_letters);
    CASE(scanner_equals_pcre2);
    CASE(stable_characters_are);
    CASE(nfc_equals_utf8proc);
    CASE(ill_formed_text_is_replaced);
    CASE(long_texts_take_linear_time);
    CASE(parts_are_joined);
    CASE(tokens_are_found);
    CASE(threads_share_a_tokenizer);
    CASE(damaged_files_are_refused);
    CASE(other_forms_are_read);
    CASE(added_tokens_of_normalised_text);
    tokenizer_close(full);
    return check_end();
}
