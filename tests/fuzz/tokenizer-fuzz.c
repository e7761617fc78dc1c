/* tokenizer-fuzz.c: any bytes as a text: decode(encode(text)) is the text's NFC, and how
 * it is cut into parts does not matter; any bytes as a tokenizer.json: refused or read.
 */
#include "../c/golden.h"
#include "base/fail.h"
#include "fuzz.h"
#include "text/nfc.h"
#include "text/tokenizer_parts.h"

static void round_trip(const struct tokenizer *t, struct span text)
{
    struct ids ids = {0}, cut = {0};
    struct buf out = {0}, scratch = {0};
    struct span nfc;
    struct decoder d = {0};
    struct token_part whole = {text, TOKEN_TEXT};
    struct token_part parts[2] = {
        {{text.s, text.n / 2}, TOKEN_TEXT},
        {{text.s + text.n / 2, text.n - text.n / 2}, TOKEN_TEXT}};
    check(tokenizer_encode(t, &whole, 1, &ids) == 0, "encode");
    check(tokenizer_encode(t, parts, 2, &cut) == 0, "encode in parts");
    check(ids.n == cut.n && (ids.n == 0 || memcmp(ids.id, cut.id, ids.n * 4) == 0),
          "parts change the ids");
    for (size_t i = 0; i < ids.n; i++) {
        decoder_push(&d, t, ids.id[i], &out);
        check(d.held_count <= 3, "too much held back");
    }
    decoder_end(&d, &out);
    check(nfc_text(text, true, &scratch, &nfc) == 0, "nfc");
    check(out.len == nfc.n && (nfc.n == 0 || memcmp(out.data, nfc.s, nfc.n) == 0),
          "not the text");
    whole.mode = TOKEN_SPECIAL;
    ids.n = 0;
    check(tokenizer_encode(t, &whole, 1, &ids) == 0, "encode with added tokens");
    ids_free(&ids);
    ids_free(&cut);
    buf_free(&out);
    buf_free(&scratch);
}

static void any_ids(const struct tokenizer *t, const uint8_t *data, size_t size)
{
    struct decoder d = {.skip_special = size & 1};
    struct buf out = {0};
    for (size_t i = 0; i + 2 <= size; i += 2)
        decoder_push(&d, t, data[i] << 8 | data[i + 1], &out);
    decoder_end(&d, &out);
    struct buf scratch = {0};
    struct span same;
    check(nfc_text((struct span){out.data, out.len}, false, &scratch, &same) == 0 &&
              same.s == out.data,
          "decoded text is ill-formed");
    buf_free(&out);
    buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *t;
    if (!t)
        t = tokenizer_open(golden_path("goldens/tokenizer/tokenizer.json"));
    check(t, "open");
    struct span text = {(const char *)data, size};
    round_trip(t, text);
    any_ids(t, data, size);
    struct tokenizer *other = calloc(1, sizeof *other);
    if (other && tokenizer_read(other, text) == 0)
        round_trip(other, span_of("The quick brown fox\xCC\x81 <|im_end|> 123\n"));
    tokenizer_close(other);
    return 0;
}
