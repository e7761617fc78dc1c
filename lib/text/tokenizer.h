/* tokenizer.h: byte-level BPE as tokenizer.json or a GGUF file describes it: that of
 * Qwen, Llama 3, GPT-2 and SmolLM. */
#ifndef TOKENIZER_H
#define TOKENIZER_H
#include "base/buf.h"
#include "base/span.h"
#include "text/ids.h"
#include <stdbool.h>

struct tokenizer; /* read-only once open: any number of threads may use it */

/* Which added tokens are recognised inside a text. */
enum token_mode {
    TOKEN_TEXT,    /* none: row text, where "<|im_end|>" is ten characters */
    TOKEN_KEEP,    /* those not marked special: <think>, <tool_call>, ... */
    TOKEN_SPECIAL, /* all: our own template text */
};

/* Open DIR/tokenizer.json, a file of that form, or a GGUF file. NULL (class model) if it
 * is missing, damaged or of a kind that is not byte-level BPE after one of the known
 * pre-tokenizers, or has a setting that would change ids and is not done here (named).
 * What it says of a text's ends (post_processor, truncation, padding) is not applied. */
struct tokenizer *tokenizer_open(const char *path);
void tokenizer_close(struct tokenizer *t);

/* A part of a text to encode. */
struct token_part {
    struct span text;
    enum token_mode mode;
};

/* Append the ids of the parts' texts as if joined into one string, where an added token
 * is recognised only if all of it lies in a part whose mode allows it. NFC, pre-tokenizer
 * and merges run over the joined text between recognised tokens, as the reference
 * tokenizer does. Invalid UTF-8 is read as U+FFFD. 0, or -1 (memory; class too_large for
 * 2 GB and more without a break; class model where an unknown pre-tokenizer pattern asks
 * for more than PCRE2 grants); then *out may have ids of the beginning. Thread-safe. */
int tokenizer_encode(const struct tokenizer *t, const struct token_part *parts,
                     size_t count, struct ids *out);

int tokenizer_size(const struct tokenizer *t); /* largest id + 1 */
int32_t tokenizer_find(const struct tokenizer *t,
                       const char *token); /* added or vocabulary
                                      token's id, or -1 */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
/* The bytes that id stands for; empty for ids beyond the tokenizer. Borrowed from t. */
struct span tokenizer_bytes(const struct tokenizer *t, int32_t id);

/* Streaming decode: bytes in, whole characters out. A zeroed decoder is at a start. Holds
 * back at most 3 bytes of an incomplete character; ill-formed bytes become U+FFFD, one
 * for each maximal ill-formed part (Unicode 15, section 3.9), as soon as they are known.
 */
struct decoder {
    unsigned char held[4];
    int held_count;
    bool skip_special; /* ids marked special give nothing */
};
void decoder_push(struct decoder *d, const struct tokenizer *t, int32_t id,
                  struct buf *out);
void decoder_end(struct decoder *d, struct buf *out); /* what is left, as U+FFFD */
#endif
