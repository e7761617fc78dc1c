/* tokenizer.c: see tokenizer.h. A text is cut at its added tokens; what is between them
 * is normalised, cut into pieces and merged. */
#include "text/tokenizer.h"
#include "base/fail.h"
#include "text/bpe.h"
#include "text/nfc.h"
#include "text/tokenizer_parts.h"

#include <stdlib.h>

/* Where a part's text ends in the joined text. */
struct bound {
    size_t end;
    enum token_mode mode;
};

/* The work of one tokenizer_encode(). */
struct encoder {
    const struct tokenizer *t;
    struct span text;    /* the parts' texts, joined */
    struct bound *bound; /* owned; [bounds] */
    size_t bounds;
    struct buf joined, scratch;
    struct ids *out;
};

/* The ids of one piece. Most pieces are tokens of the vocabulary, and for most of those
 * the merges lead there; for which, each token remembers once it has been tried. */
static int encode_piece(const struct tokenizer *t, struct span piece, struct ids *out)
{
    int32_t id = vocab_find(&t->vocab, piece);
    if (id < 0)
        return bpe_encode(&t->vocab, piece, out);
    if (t->whole_first)
        return ids_add(out, id);
    _Atomic uint8_t *whole = &t->vocab.whole[id];
    int known = atomic_load_explicit(whole, memory_order_relaxed);
    if (known == 1)
        return ids_add(out, id);
    size_t before = out->n;
    if (bpe_encode(&t->vocab, piece, out) < 0)
        return -1;
    if (known == 0) {
        bool same = out->n == before + 1 && out->id[before] == id;
        atomic_store_explicit(whole, same ? 1 : 2, memory_order_relaxed);
    }
    return 0;
}

/* Encode text that holds no added token. */
static int encode_plain(struct encoder *e, struct span text)
{
    struct split_run run;
    struct span clean, piece;
    int more;
    if (text.n == 0)
        return 0;
    if (nfc_text(text, e->t->compose, &e->scratch, &clean) < 0 ||
        split_start(&run, e->t->splitter, clean) < 0)
        return -1;
    while ((more = split_next(&run, &piece)) > 0)
        if ((more = encode_piece(e->t, piece, e->out)) < 0)
            break;
    split_end(&run);
    return more;
}

/* The longest added token at `at` that lies in one part and that its mode allows. */
static const struct added_token *allowed_at(const struct encoder *e, size_t at,
                                            const struct bound *part)
{
    const struct added_token *found = NULL, *next;
    struct span rest = {e->text.s + at, part->end - at};
    struct added_cursor cursor = {0};
    while ((next = added_match(&e->t->added, rest, &cursor)))
        if (part->mode == TOKEN_SPECIAL || (part->mode == TOKEN_KEEP && !next->special))
            found = next;
    return found;
}

static int encode_text(struct encoder *e)
{
    size_t plain = 0, at = 0; /* text from `plain` to `at` has no allowed added token */
    for (size_t b = 0; b < e->bounds; b++) {
        const struct bound *part = &e->bound[b];
        if (part->mode == TOKEN_TEXT)
            continue;
        size_t start = b > 0 ? part[-1].end : 0;
        for (at = start > plain ? start : plain;
             (at = added_next(&e->t->added, e->text.s, at, part->end)) < part->end;) {
            const struct added_token *token = allowed_at(e, at, part);
            if (!token) {
                at++;
                continue;
            }
            if (encode_plain(e, (struct span){e->text.s + plain, at - plain}) < 0 ||
                ids_add(e->out, token->id) < 0)
                return -1;
            plain = at += token->content.n;
        }
    }
    return encode_plain(e, (struct span){e->text.s + plain, e->text.n - plain});
}

int tokenizer_encode(const struct tokenizer *t, const struct token_part *parts,
                     size_t count, struct ids *out)
{
    struct encoder e = {.t = t, .out = out};
    size_t total = 0;
    int result = -1;
    if (count == 0)
        return 0;
    e.bound = calloc(count, sizeof *e.bound);
    if (!e.bound)
        return fail_memory();
    for (size_t i = 0; i < count; i++) {
        total += parts[i].text.n;
        e.bound[i] = (struct bound){total, parts[i].mode};
        if (count > 1)
            buf_add(&e.joined, parts[i].text.s, parts[i].text.n);
    }
    e.bounds = count;
    e.text = count > 1 ? (struct span){e.joined.data, total} : parts[0].text;
    if (buf_ok(&e.joined) == 0)
        result = total > 0 ? encode_text(&e) : 0;
    free(e.bound);
    buf_free(&e.joined);
    buf_free(&e.scratch);
    return result;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    vocab_free(&t->vocab);
    added_free(&t->added);
    split_close(t->splitter);
    free(t);
}

int tokenizer_size(const struct tokenizer *t)
{
    return t->vocab.size;
}

static bool present(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->vocab.size && (t->vocab.token[id].flags & TOKEN_PRESENT);
}

int32_t tokenizer_find(const struct tokenizer *t, const char *token)
{
    struct span text = span_of(token);
    struct added_cursor cursor = {0};
    const struct added_token *added;
    while ((added = added_match(&t->added, text, &cursor)))
        if (added->content.n == text.n)
            return added->id;
    return vocab_find(&t->vocab, text);
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return present(t, id) && (t->vocab.token[id].flags & TOKEN_IS_SPECIAL);
}

struct span tokenizer_bytes(const struct tokenizer *t, int32_t id)
{
    return present(t, id) ? vocab_bytes(&t->vocab, id) : (struct span){"", 0};
}
