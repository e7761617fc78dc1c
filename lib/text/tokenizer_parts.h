/* tokenizer_parts.h: what a struct tokenizer is made of. Inside lib/text. */
#ifndef TOKENIZER_PARTS_H
#define TOKENIZER_PARTS_H
#include "text/added.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

struct gguf;

struct tokenizer {
    struct vocab vocab;
    struct added added;        /* looked for in a text as it comes, ... */
    struct added normalized;   /* ... and these in what is left, normalised */
    struct splitter *splitter; /* owned */
    bool compose;              /* NFC first */
    bool whole_first; /* a piece in the vocabulary is not merged ("ignore_merges") */
};

/* Fill *t from the bytes of a tokenizer.json. 0, or -1 (class model); tokenizer_close()
 * frees what is there either way. */
int tokenizer_read(struct tokenizer *t, struct span file);
/* The same from a GGUF file's metadata; the message names the file. */
int tokenizer_read_gguf(struct tokenizer *t, const struct gguf *g);
#endif
