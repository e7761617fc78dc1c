/* split.h: the pre-tokenizer: text into the pieces inside which merges happen. */
#ifndef SPLIT_H
#define SPLIT_H
#include "base/span.h"
#include <stdbool.h>

/* The pattern of Qwen's tokenizers, which a scanner of our own runs. */
#define SPLIT_QWEN                                                                       \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Those of Llama 3, of GPT-2 (Radford et al., 2019), and of SmolLM: GPT-2's behind a step
 * that cuts out each digit. (A space before a digit ends its piece there.) */
#define SPLIT_LLAMA3                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "           \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SPLIT_GPT2                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SPLIT_SMOLLM                                                                     \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+|"                    \
    "\\s+(?![^\\s\\p{N}])|\\s+"

struct splitter; /* read-only: any number of threads may use it */

/* For a pattern: the scanner if it is a known one (and scan is true), else PCRE2, where
 * \s means Unicode's White_Space as in the reference. NULL (class model). */
struct splitter *split_open(struct span pattern, bool scan);
void split_close(struct splitter *s);

/* One text being cut. */
struct split_run {
    const struct splitter *splitter;
    struct span text;        /* borrowed: well-formed UTF-8 */
    size_t at;               /* where the next piece begins */
    size_t match, match_end; /* PCRE2: a match that begins behind `at` */
    void *data, *context;    /* PCRE2's: owned until split_end() */
};

int split_start(struct split_run *run, const struct splitter *s, struct span text);
/* The next piece: all pieces joined are the text. 1, or 0 at the end, or -1 (class model:
 * the pattern asks for more time or memory than PCRE2 grants; or memory). */
int split_next(struct split_run *run, struct span *piece);
void split_end(struct split_run *run);
#endif
