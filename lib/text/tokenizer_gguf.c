/* tokenizer_gguf.c: a tokenizer from a GGUF file's metadata (ggml's docs/gguf.md,
 * "Tokenizer"): tokens and merges are those of tokenizer.json, the pre-tokenizer is a
 * name. */
#include "base/fail.h"
#include "gguf/gguf.h"
#include "text/alphabet.h"
#include "text/merges.h"
#include "text/tokenizer_parts.h"

#include <stdlib.h>

#define KEY "tokenizer.ggml."

/* tokenizer.ggml.token_type, as llama.cpp numbers them. */
enum token_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

/* What a name of tokenizer.ggml.pre means. */
static const struct pre {
    const char *name, *pattern;
    bool compose, whole_first;
} pres[] = {
    {"qwen2", SPLIT_QWEN, true, false},
    {"llama-bpe", SPLIT_LLAMA3, false, true},
    {"gpt-2", SPLIT_GPT2, false, false},
    {"smollm", SPLIT_SMOLLM, false, false},
};

static int read_pre(struct tokenizer *t, const struct gguf *g)
{
    struct span model, pre;
    if (!gguf_text(g, KEY "model", &model))
        return fail(FAIL_MODEL, KEY "model is missing");
    if (!span_is(model, "gpt2"))
        return fail(FAIL_MODEL, KEY "model \"%.*s\" is not supported: only gpt2 is",
                    alphabet_shown(model), model.s);
    if (!gguf_text(g, KEY "pre", &pre))
        return fail(FAIL_MODEL, KEY "pre is missing");
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        if (!span_is(pre, pres[i].name))
            continue;
        t->compose = pres[i].compose;
        t->whole_first = pres[i].whole_first;
        t->splitter = split_open(span_of(pres[i].pattern), true);
        return t->splitter ? 0 : -1;
    }
    return fail(FAIL_MODEL,
                KEY "pre \"%.*s\" is not supported: qwen2, llama-bpe, gpt-2 and smollm "
                    "are",
                alphabet_shown(pre), pre.s);
}

/* Room for all tokens. 0 or -1. */
static int start(struct tokenizer *t, const struct gguf *g)
{
    struct gguf_walk w;
    struct span token;
    size_t bytes = 0;
    int64_t count = gguf_array_count(g, KEY "tokens");
    if (count < 0 || !gguf_walk_begin(&w, g, KEY "tokens"))
        return fail(FAIL_MODEL, KEY "tokens is missing");
    if (gguf_array_count(g, KEY "token_type") != count)
        return fail(FAIL_MODEL, KEY "token_type is not one number for each token");
    while (gguf_walk_text(&w, &token)) bytes += token.n;
    if (w.left > 0)
        return fail(FAIL_MODEL, KEY "tokens is no list of texts");
    if (vocab_start(&t->vocab, (size_t)count, bytes) < 0)
        return -1;
    t->added.token = calloc((size_t)count + 1, sizeof *t->added.token);
    return t->added.token ? 0 : fail_memory();
}

static int add_special(struct tokenizer *t, int32_t id, struct span token, bool special)
{
    if (token.n == 0 || token.n > ADDED_LENGTH_MAX)
        return fail(FAIL_MODEL, "token %ld: an added token of %zu bytes", (long)id,
                    token.n);
    uint8_t flags = TOKEN_ADDED | (special ? TOKEN_IS_SPECIAL : 0);
    if (vocab_add(&t->vocab, id, token, flags) < 0)
        return -1;
    t->added.token[t->added.count++] =
        (struct added_token){vocab_bytes(&t->vocab, id), id, special};
    return 0;
}

/* One token. Those that are unused, which fill the vocabulary up, are none. */
static int add_token(struct tokenizer *t, int32_t id, struct span token, int64_t type,
                     struct buf *bytes)
{
    switch (type) {
    case UNUSED: return 0;
    case UNKNOWN:
    case CONTROL: return add_special(t, id, token, true);
    case USER_DEFINED: return add_special(t, id, token, false);
    case NORMAL: break;
    default:
        return fail(FAIL_MODEL, "token %ld: type %lld is not supported", (long)id,
                    (long long)type);
    }
    buf_clear(bytes);
    if (alphabet_bytes(token, bytes) < 0)
        return -1;
    if (bytes->len == 0)
        return fail(FAIL_MODEL, "token %ld is empty", (long)id);
    return vocab_add(&t->vocab, id, (struct span){bytes->data, bytes->len}, 0);
}

static int read_tokens(struct tokenizer *t, const struct gguf *g)
{
    struct gguf_walk tokens, types;
    struct buf bytes = {0};
    struct span token;
    int64_t type;
    int result = 0;
    if (!gguf_walk_begin(&tokens, g, KEY "tokens") ||
        !gguf_walk_begin(&types, g, KEY "token_type"))
        return fail(FAIL_MODEL, KEY "tokens is no list of texts");
    for (int32_t id = 0; result == 0 && gguf_walk_text(&tokens, &token); id++)
        result = gguf_walk_int(&types, &type)
                     ? add_token(t, id, token, type, &bytes)
                     : fail(FAIL_MODEL, KEY "token_type is no list of integers");
    buf_free(&bytes);
    if (result < 0 || added_prepare(&t->added) < 0)
        return -1;
    return vocab_check_bytes(&t->vocab);
}

static int read_merges(struct tokenizer *t, const struct gguf *g)
{
    struct gguf_walk w;
    struct merges merges = {0};
    struct span line;
    int result = 0;
    if (!gguf_walk_begin(&w, g, KEY "merges"))
        return fail(FAIL_MODEL, KEY "merges is missing");
    while (result == 0 && gguf_walk_text(&w, &line))
        result = merges_add_line(&merges, &t->vocab, line);
    if (result == 0 && w.left > 0) /* an array of something else */
        result = fail(FAIL_MODEL, KEY "merges is no list of texts");
    if (result == 0)
        result = merges_finish(&merges, &t->vocab);
    merges_free(&merges);
    return result;
}

int tokenizer_read_gguf(struct tokenizer *t, const struct gguf *g)
{
    if (read_pre(t, g) == 0 && start(t, g) == 0 && read_tokens(t, g) == 0 &&
        read_merges(t, g) == 0)
        return 0;
    return fail_in("%s", gguf_name(g));
}
