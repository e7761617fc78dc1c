/* tokenizer.c: see tokenizer.h. A text is cut at its added tokens; what is between them
 * is normalised, cut at those added tokens that are looked for in normalised text, and
 * what is left is cut into pieces and merged. */
#include "text/tokenizer.h"
#include "base/fail.h"
#include "text/bpe.h"
#include "text/nfc.h"
#include "text/tokenizer_parts.h"
#include "text/utf8.h"

#include <stdlib.h>

/* Where a part's text ends in the joined text. */
struct bound {
    size_t end;
    enum token_mode mode;
};

/* The parts' texts, joined. */
struct joined {
    struct span text;
    const struct bound *bound; /* [bounds] */
    size_t bounds;
};

/* The work of one tokenizer_encode(). */
struct encoder {
    const struct tokenizer *t;
    struct buf scratch;
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

/* Encode normalised text that holds no added token. */
static int encode_clean(struct encoder *e, struct span text)
{
    struct split_run run;
    struct span piece;
    int more;
    if (text.n == 0)
        return 0;
    if (split_start(&run, e->t->splitter, text) < 0)
        return -1;
    while ((more = split_next(&run, &piece)) > 0)
        if ((more = encode_piece(e->t, piece, e->out)) < 0)
            break;
    split_end(&run);
    return more;
}

/* The longest added token at `at` that lies in one part and that its mode allows. */
static const struct added_token *allowed_at(const struct added *added, struct span text,
                                            size_t at, const struct bound *part)
{
    const struct added_token *found = NULL, *next;
    struct span rest = {text.s + at, part->end - at};
    struct added_cursor cursor = {0};
    while ((next = added_match(added, rest, &cursor)))
        if (part->mode == TOKEN_SPECIAL || (part->mode == TOKEN_KEEP && !next->special))
            found = next;
    return found;
}

/* Encodes what is between added tokens: bytes [from, to) of a joined text. */
typedef int encode_between(struct encoder *e, const struct joined *j, size_t from,
                           size_t to);

static int encode_joined(struct encoder *e, const struct joined *j,
                         const struct added *added, encode_between *between)
{
    size_t plain = 0, at = 0; /* text from `plain` to `at` has no allowed added token */
    for (size_t b = 0; b < j->bounds; b++) {
        const struct bound *part = &j->bound[b];
        if (part->mode == TOKEN_TEXT)
            continue;
        size_t start = b > 0 ? part[-1].end : 0;
        for (at = start > plain ? start : plain;
             (at = added_next(added, j->text.s, at, part->end)) < part->end;) {
            const struct added_token *token = allowed_at(added, j->text, at, part);
            if (!token) {
                at++;
                continue;
            }
            if (between(e, j, plain, at) < 0 || ids_add(e->out, token->id) < 0)
                return -1;
            plain = at += token->content.n;
        }
    }
    return between(e, j, plain, j->text.n);
}

static int encode_normal(struct encoder *e, const struct joined *j, size_t from,
                         size_t to)
{
    return encode_clean(e, (struct span){j->text.s + from, to - from});
}

/* Does normalization never cross this place, which is not the text's end? */
static bool stands_alone(struct span text, size_t at)
{
    uint32_t c;
    int cut;
    if (((unsigned char)text.s[at] & 0xC0) == 0x80)
        return false;
    utf8_next(text.s + at, text.n - at, &c, &cut);
    return nfc_is_stable(c);
}

/* The part that byte `at` lies in. */
static size_t part_of(const struct joined *j, size_t at)
{
    size_t low = 0, high = j->bounds;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (j->bound[mid].end <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Normalise part by part, so that it stays known what may be recognised where, and look
 * for the added tokens of normalised text. Parts that normalization joins are one, in
 * which none counts unless both allow the same. */
static int encode_normalized(struct encoder *e, const struct joined *j, size_t from,
                             size_t to)
{
    struct buf text = {0}, bounds = {0};
    int result = -1;
    while (from < to) {
        size_t b = part_of(j, from), start = from;
        struct bound part = {0, j->bound[b].mode};
        struct span clean;
        while ((from = j->bound[b].end) < to && !stands_alone(j->text, from))
            if (j->bound[++b].mode != part.mode)
                part.mode = TOKEN_TEXT;
        from = from < to ? from : to;
        if (nfc_text((struct span){j->text.s + start, from - start}, e->t->compose,
                     &e->scratch, &clean) < 0)
            goto out;
        buf_add(&text, clean.s, clean.n);
        part.end = text.len;
        buf_add(&bounds, &part, sizeof part);
    }
    if (buf_ok(&text) < 0 || buf_ok(&bounds) < 0)
        goto out;
    struct joined normal = {{text.data, text.len},
                            (const struct bound *)(const void *)bounds.data,
                            bounds.len / sizeof *normal.bound};
    result = encode_joined(e, &normal, &e->t->normalized, encode_normal);
out:
    buf_free(&text);
    buf_free(&bounds);
    return result;
}

static int encode_raw(struct encoder *e, const struct joined *j, size_t from, size_t to)
{
    struct span clean;
    if (from == to)
        return 0;
    if (e->t->normalized.count > 0)
        return encode_normalized(e, j, from, to);
    return nfc_text((struct span){j->text.s + from, to - from}, e->t->compose,
                    &e->scratch, &clean) < 0
               ? -1
               : encode_clean(e, clean);
}

int tokenizer_encode(const struct tokenizer *t, const struct token_part *parts,
                     size_t count, struct ids *out)
{
    struct encoder e = {.t = t, .out = out};
    struct buf text = {0};
    size_t total = 0;
    int result = -1;
    if (count == 0)
        return 0;
    struct bound *bound = calloc(count, sizeof *bound);
    if (!bound)
        return fail_memory();
    for (size_t i = 0; i < count; i++) {
        total += parts[i].text.n;
        bound[i] = (struct bound){total, parts[i].mode};
        if (count > 1)
            buf_add(&text, parts[i].text.s, parts[i].text.n);
    }
    if (buf_ok(&text) == 0) {
        struct span all = count > 1 ? (struct span){text.data, total} : parts[0].text;
        result = total > 0 ? encode_joined(&e, &(struct joined){all, bound, count},
                                           &t->added, encode_raw)
                           : 0;
    }
    free(bound);
    buf_free(&text);
    buf_free(&e.scratch);
    return result;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    vocab_free(&t->vocab);
    added_free(&t->added);
    added_free(&t->normalized);
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
    const struct added *const lists[] = {&t->added, &t->normalized};
    struct span text = span_of(token);
    const struct added_token *added;
    for (size_t i = 0; i < 2; i++) {
        struct added_cursor cursor = {0};
        while ((added = added_match(lists[i], text, &cursor)))
            if (added->content.n == text.n)
                return added->id;
    }
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
