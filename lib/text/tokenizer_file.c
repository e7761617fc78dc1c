/* tokenizer_file.c: tokenizer_open(): tokenizer.json as the Hugging Face tokenizers
 * library writes it. What would change ids and is not done here is refused by name. */
#include "base/fail.h"
#include "gguf/gguf.h"
#include "row/json.h"
#include "text/alphabet.h"
#include "text/file.h"
#include "text/merges.h"
#include "text/nfc.h"
#include "text/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

/* The text of a JSON string, decoded into scratch only where it has escapes. */
static int text_of(struct span value, struct buf *scratch, struct span *text)
{
    if (json_type(value) == JSON_STRING && !memchr(value.s, '\\', value.n)) {
        *text = (struct span){value.s + 1, value.n - 2};
        return 0;
    }
    buf_clear(scratch);
    if (json_text(value, scratch) < 0 || buf_ok(scratch) < 0)
        return -1;
    *text = (struct span){scratch->data ? scratch->data : "", scratch->len};
    return 0;
}

static bool is_text(struct span value, const char *text)
{
    size_t n = strlen(text);
    return json_type(value) == JSON_STRING && value.n == n + 2 &&
           memcmp(value.s + 1, text, n) == 0;
}

/* Members of the file's object and of its model, found in one walk over each: they are
 * large. */
enum file_member { NORMALIZER, PRE_TOKENIZER, MODEL, DECODER, ADDED, FILE_MEMBERS };
static const char *const file_names[] = {"normalizer", "pre_tokenizer", "model",
                                         "decoder", "added_tokens"};
enum model_member {
    TYPE,
    VOCAB,
    MERGES,
    IGNORE_MERGES,
    DROPOUT,
    PREFIX,
    SUFFIX,
    MODEL_MEMBERS
};
static const char *const model_names[] = {"type",
                                          "vocab",
                                          "merges",
                                          "ignore_merges",
                                          "dropout",
                                          "continuing_subword_prefix",
                                          "end_of_word_suffix"};

/* The file being read. */
struct reader {
    struct tokenizer *t;
    size_t size; /* of the file, bytes */
    struct span file[FILE_MEMBERS], model[MODEL_MEMBERS];
    struct buf text, bytes; /* scratch */
};

/* value[i] = object's member names[i], the last one if it is there twice. */
static void find_members(struct span object, const char *const names[], size_t count,
                         struct span value[])
{
    struct span key, member;
    size_t at = 0;
    while (json_member(object, &at, &key, &member))
        for (size_t i = 0; i < count; i++)
            if (is_text(key, names[i]))
                value[i] = member;
}

static bool type_is(struct span object, const char *type)
{
    return is_text(json_get(object, "type"), type);
}

static bool is_nothing(struct span value)
{
    enum json_type type = json_type(value);
    return type == JSON_NONE || type == JSON_NULL;
}

/* Absent, null, false or "": a setting that is off. */
static bool is_off(struct span value)
{
    return is_nothing(value) || json_type(value) == JSON_FALSE || is_text(value, "");
}

/* Is a flag true? -1 (class model) if it is no flag. */
static int flag_is(struct span value, const char *name, bool *on)
{
    *on = json_type(value) == JSON_TRUE;
    if (*on || json_type(value) == JSON_FALSE || is_nothing(value))
        return 0;
    return fail(FAIL_MODEL, "\"%s\" is neither true nor false", name);
}

static int flag_of(struct span object, const char *name, bool *on)
{
    return flag_is(json_get(object, name), name, on);
}

/* An id: no id can be as large as the file, so nothing is ever sized by a wild number. */
static int read_id(const struct reader *r, struct span value, int32_t *id)
{
    int64_t n;
    if (json_int(value, &n) < 0)
        return fail(FAIL_MODEL, "a token id that is no integer: %.*s",
                    alphabet_shown(value), value.s ? value.s : "");
    if (n < 0 || n >= INT32_MAX / 4 || (size_t)n >= r->size)
        return fail(FAIL_MODEL, "token id %lld is out of range", (long long)n);
    *id = (int32_t)n;
    return 0;
}

static int read_normalizer(struct reader *r)
{
    struct span n = r->file[NORMALIZER], step;
    size_t at = 0;
    if (is_nothing(n))
        return 0;
    if (type_is(n, "NFC")) {
        r->t->compose = true;
        return 0;
    }
    if (!type_is(n, "Sequence"))
        return fail(FAIL_MODEL, "normalizer: only NFC is supported");
    while (json_each(json_get(n, "normalizers"), &at, &step)) {
        if (!type_is(step, "NFC"))
            return fail(FAIL_MODEL, "normalizer: only NFC is supported");
        r->t->compose = true;
    }
    return 0;
}

/* What a ByteLevel step does: does it split by GPT-2's pattern? */
static int read_byte_level(struct span step, bool *splits)
{
    bool prefix;
    if (flag_of(step, "add_prefix_space", &prefix) < 0 ||
        flag_of(step, "use_regex", splits) < 0)
        return -1;
    if (is_nothing(json_get(step, "use_regex")))
        *splits = true; /* the library's default */
    if (prefix)
        return fail(FAIL_MODEL,
                    "pre_tokenizer: ByteLevel with add_prefix_space is not supported");
    return 0;
}

/* The pattern of a Split step into r->text. */
static int read_split(struct reader *r, struct span step, struct span *pattern)
{
    bool invert;
    *pattern = json_find(step, "pattern.Regex");
    if (json_type(*pattern) != JSON_STRING)
        return fail(FAIL_MODEL, "pre_tokenizer: the Split has no Regex");
    if (flag_of(step, "invert", &invert) < 0)
        return -1;
    if (invert || !is_text(json_get(step, "behavior"), "Isolated"))
        return fail(FAIL_MODEL, "pre_tokenizer: only the Split behavior Isolated is "
                                "supported");
    return text_of(*pattern, &r->text, pattern);
}

/* The forms there are: a Split by a regular expression and then ByteLevel (Qwen, Llama
 * 3), ByteLevel that splits by itself (GPT-2), and Digits one by one before it (SmolLM).
 */
static int read_pre_tokenizer(struct reader *r)
{
    struct span p = r->file[PRE_TOKENIZER], level = p, first, more, pattern;
    struct span steps = json_get(p, "pretokenizers");
    bool splits, alone = type_is(p, "ByteLevel"), single = false;
    size_t at = 0;
    if (!alone && (!type_is(p, "Sequence") || !json_each(steps, &at, &first) ||
                   !(type_is(first, "Split") || type_is(first, "Digits")) ||
                   !json_each(steps, &at, &level) || !type_is(level, "ByteLevel") ||
                   json_each(steps, &at, &more)))
        return fail(FAIL_MODEL, "pre_tokenizer: only ByteLevel, or a Split or Digits "
                                "followed by ByteLevel, is supported");
    if (read_byte_level(level, &splits) < 0)
        return -1;
    if (!alone && type_is(first, "Split")) {
        if (splits)
            return fail(FAIL_MODEL, "pre_tokenizer: ByteLevel with use_regex behind a "
                                    "Split is not supported");
        if (read_split(r, first, &pattern) < 0)
            return -1;
    } else {
        if (!alone && flag_of(first, "individual_digits", &single) < 0)
            return -1;
        if (!splits || (!alone && !single))
            return fail(FAIL_MODEL, "pre_tokenizer: ByteLevel without use_regex, or "
                                    "Digits without individual_digits, is not supported");
        pattern = span_of(alone ? SPLIT_GPT2 : SPLIT_SMOLLM);
    }
    r->t->splitter = split_open(pattern, true);
    return r->t->splitter ? 0 : -1;
}

/* A member of the vocabulary, before there is a place for it. */
struct entry {
    struct span key;
    int32_t id;
};

/* List the vocabulary's members; *most becomes the largest id where that is larger. */
static int list_vocab(struct reader *r, struct buf *entries, int32_t *most)
{
    struct span vocab = r->model[VOCAB], key, value;
    size_t at = 0;
    if (json_type(vocab) != JSON_OBJECT)
        return fail(FAIL_MODEL, "model: \"vocab\" is no object");
    while (json_member(vocab, &at, &key, &value)) {
        struct entry entry = {key, 0};
        if (read_id(r, value, &entry.id) < 0)
            return -1;
        if (entry.id > *most)
            *most = entry.id;
        buf_add(entries, &entry, sizeof entry);
    }
    return buf_ok(entries);
}

static int read_vocab(struct reader *r, const struct buf *entries)
{
    struct vocab *v = &r->t->vocab;
    for (size_t i = 0; i < entries->len; i += sizeof(struct entry)) {
        struct entry entry;
        struct span text;
        memcpy(&entry, entries->data + i, sizeof entry);
        buf_clear(&r->bytes);
        if (text_of(entry.key, &r->text, &text) < 0 ||
            alphabet_bytes(text, &r->bytes) < 0)
            return -1;
        struct span bytes = {r->bytes.data, r->bytes.len};
        if (bytes.n == 0)
            return fail(FAIL_MODEL, "token %ld is empty", (long)entry.id);
        if (vocab_add(v, entry.id, bytes, 0) < 0)
            return -1;
    }
    return vocab_check_bytes(v);
}

/* Merge number n: "left right" or ["left", "right"]. */
static int read_merge(struct reader *r, struct span merge, struct merges *merges,
                      struct buf *other)
{
    struct span left, right, more;
    size_t at = 0;
    if (json_type(merge) == JSON_STRING)
        return text_of(merge, &r->text, &left) < 0
                   ? -1
                   : merges_add_line(merges, &r->t->vocab, left);
    if (!json_each(merge, &at, &left) || !json_each(merge, &at, &right) ||
        json_each(merge, &at, &more) || json_type(left) != JSON_STRING ||
        json_type(right) != JSON_STRING)
        return fail(FAIL_MODEL, "merge %zu: not two tokens", merges->count);
    if (text_of(left, &r->text, &left) < 0 || text_of(right, other, &right) < 0)
        return -1;
    return merges_add(merges, &r->t->vocab, left, right);
}

static int read_merges(struct reader *r)
{
    struct span list = r->model[MERGES], value;
    struct merges merges = {0};
    struct buf other = {0};
    size_t at = 0;
    int result = 0;
    if (json_type(list) != JSON_ARRAY)
        return fail(FAIL_MODEL, "model: \"merges\" is no array");
    while (result == 0 && json_each(list, &at, &value))
        result = read_merge(r, value, &merges, &other);
    if (result == 0)
        result = merges_finish(&merges, &r->t->vocab);
    merges_free(&merges);
    buf_free(&other);
    return result;
}

/* Flags of an added token that would change where it is found: refused. */
static int check_added(struct span token, struct span content)
{
    static const char *const refused[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bool on;
        if (flag_of(token, refused[i], &on) < 0)
            return -1;
        if (on)
            return fail(FAIL_MODEL, "added token \"%.*s\": \"%s\" is not supported",
                        alphabet_shown(content), content.s, refused[i]);
    }
    if (content.n == 0 || content.n > ADDED_LENGTH_MAX)
        return fail(FAIL_MODEL, "an added token of %zu bytes", content.n);
    return 0;
}

/* One that is looked for in normalised text must be such itself, or it is never found. */
static int check_normal(struct reader *r, struct span content)
{
    struct span clean;
    if (nfc_text(content, r->t->compose, &r->bytes, &clean) < 0)
        return -1;
    if (clean.n != content.n || memcmp(clean.s, content.s, clean.n) != 0)
        return fail(FAIL_MODEL,
                    "added token \"%.*s\": \"normalized\", but not in normal form, is "
                    "not supported",
                    alphabet_shown(content), content.s);
    return 0;
}

/* Put an added token into the vocabulary and into its list. */
static int add_token(struct reader *r, struct span token)
{
    struct vocab *v = &r->t->vocab;
    struct span content = json_get(token, "content");
    bool special, normalized;
    int32_t id;
    if (json_type(content) != JSON_STRING)
        return fail(FAIL_MODEL, "an added token without \"content\"");
    if (text_of(content, &r->text, &content) < 0 ||
        read_id(r, json_get(token, "id"), &id) < 0 || check_added(token, content) < 0 ||
        flag_of(token, "special", &special) < 0 ||
        flag_of(token, "normalized", &normalized) < 0 ||
        (normalized && check_normal(r, content) < 0))
        return -1;
    buf_clear(&r->bytes); /* is it a token of the vocabulary too? Then it is that one */
    int32_t same = alphabet_bytes(content, &r->bytes) < 0
                       ? -1
                       : vocab_find(v, (struct span){r->bytes.data, r->bytes.len});
    uint8_t flags = TOKEN_ADDED | (special ? TOKEN_IS_SPECIAL : 0);
    if (same >= 0 && same != id)
        return fail(FAIL_MODEL, "added token %ld is also token %ld", (long)id,
                    (long)same);
    if (same >= 0 && !(v->token[id].flags & TOKEN_ADDED))
        v->token[id].flags |= flags;
    else if (vocab_add(v, id, content, flags) < 0)
        return -1;
    struct added *list = normalized ? &r->t->normalized : &r->t->added;
    list->token[list->count++] = (struct added_token){vocab_bytes(v, id), id, special};
    return 0;
}

static int read_added(struct reader *r, size_t count)
{
    struct added *const lists[] = {&r->t->added, &r->t->normalized};
    struct span token;
    size_t at = 0;
    for (size_t i = 0; i < 2; i++)
        if (!(lists[i]->token = calloc(count + 1, sizeof *lists[i]->token)))
            return fail_memory();
    while (json_each(r->file[ADDED], &at, &token))
        if (add_token(r, token) < 0)
            return -1;
    return added_prepare(lists[0]) < 0 ? -1 : added_prepare(lists[1]);
}

static int check_model(const struct reader *r)
{
    struct span type = r->model[TYPE];
    if (json_type(r->file[MODEL]) != JSON_OBJECT)
        return fail(FAIL_MODEL, "no \"model\"");
    if (!is_nothing(type) && !is_text(type, "BPE"))
        return fail(FAIL_MODEL, "model: only BPE is supported, not %.*s",
                    alphabet_shown(type), type.s);
    for (int i = DROPOUT; i <= SUFFIX; i++)
        if (!is_off(r->model[i]))
            return fail(FAIL_MODEL, "model: \"%s\" is not supported", model_names[i]);
    if (!type_is(r->file[DECODER], "ByteLevel"))
        return fail(FAIL_MODEL, "decoder: only ByteLevel is supported");
    return flag_is(r->model[IGNORE_MERGES], "ignore_merges", &r->t->whole_first);
}

static int read_tokens(struct reader *r)
{
    struct buf entries = {0};
    struct span token;
    int32_t most = -1, id;
    size_t at = 0, count = 0;
    int result = -1;
    if (!is_nothing(r->file[ADDED]) && json_type(r->file[ADDED]) != JSON_ARRAY)
        return fail(FAIL_MODEL, "\"added_tokens\" is no array");
    if (list_vocab(r, &entries, &most) < 0)
        goto out;
    for (; json_each(r->file[ADDED], &at, &token); count++) {
        if (read_id(r, json_get(token, "id"), &id) < 0)
            goto out;
        most = id > most ? id : most;
    }
    /* A token's bytes are at most the bytes it takes in the file. */
    if (vocab_start(&r->t->vocab, (size_t)most + 1, r->size) < 0 ||
        read_vocab(r, &entries) < 0 || read_merges(r) < 0 || read_added(r, count) < 0)
        goto out;
    result = 0;
out:
    buf_free(&entries);
    return result;
}

int tokenizer_read(struct tokenizer *t, struct span file)
{
    struct reader r = {.t = t, .size = file.n};
    int result = -1;
    if (json_check(file) < 0)
        return fail(FAIL_MODEL, "%s", fail_text());
    if (json_type(file) != JSON_OBJECT)
        return fail(FAIL_MODEL, "not a JSON object");
    find_members(file, file_names, FILE_MEMBERS, r.file);
    find_members(r.file[MODEL], model_names, MODEL_MEMBERS, r.model);
    if (check_model(&r) == 0 && read_normalizer(&r) == 0 && read_pre_tokenizer(&r) == 0)
        result = read_tokens(&r);
    buf_free(&r.text);
    buf_free(&r.bytes);
    return result;
}

/* Read tokenizer.json, or a GGUF file, into *t. 0, or -1 with the file's name. */
static int open_into(struct tokenizer *t, const char *path)
{
    struct buf name = {0}, file = {0};
    int result = -1;
    if (gguf_is(path)) {
        struct gguf *g = gguf_open(path);
        result = g ? tokenizer_read_gguf(t, g) : -1;
        gguf_close(g);
    } else if (file_find(path, "tokenizer.json", &name) == 0 &&
               (result = file_read(buf_string(&name), &file)) == 0) {
        result = tokenizer_read(t, (struct span){file.data, file.len});
        if (result < 0)
            fail_in("%s", buf_string(&name));
    }
    buf_free(&name);
    buf_free(&file);
    return result;
}

struct tokenizer *tokenizer_open(const char *path)
{
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    if (open_into(t, path) < 0) {
        tokenizer_close(t);
        return NULL;
    }
    return t;
}
