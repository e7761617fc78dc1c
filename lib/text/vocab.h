/* vocab.h: the tokens of a byte-level BPE tokenizer: bytes by id, id by bytes, and what
 * each pair of tokens merges into. Inside lib/text. */
#ifndef VOCAB_H
#define VOCAB_H
#include "base/span.h"
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum token_flag {
    TOKEN_PRESENT = 1,   /* the id is in use */
    TOKEN_ADDED = 2,     /* in added_tokens: never made by merges */
    TOKEN_IS_SPECIAL = 4 /* an added token marked special */
};

struct vocab_token {
    uint32_t at, n; /* its bytes, in vocab.bytes */
    uint8_t flags;
};

/* One pair of token ids that merges. */
struct vocab_merge {
    uint64_t pair; /* left << 32 | right; VOCAB_NO_PAIR where the slot is free */
    uint32_t rank; /* place in the list of merges: the lowest goes first */
    int32_t id;    /* what the two become */
};
#define VOCAB_NO_PAIR UINT64_MAX

/* A token's place in the table by bytes. Tokens of up to 8 bytes, the most used, are
 * known by the slot alone. */
struct vocab_slot {
    uint64_t key; /* of the bytes: see vocab.c */
    uint32_t tag; /* hash and length */
    int32_t id;   /* -1: free */
};

struct vocab {
    char *bytes; /* all tokens' bytes, owned */
    size_t used, room;
    struct vocab_token *token; /* [size], owned */
    int32_t size;              /* largest id + 1 */
    int32_t capacity;
    /* Is a token what BPE makes of its own bytes? 0 not known yet, 1 yes, 2 no. Found out
     * when first needed; whoever does finds the same. [size], owned */
    _Atomic uint8_t *whole;
    struct vocab_slot *slot; /* by bytes, without added tokens; [slot_mask + 1], owned */
    uint32_t slot_mask;
    struct vocab_merge *merge; /* [merge_mask + 1], owned */
    uint32_t merge_mask;
    int32_t byte[256]; /* id of each single byte */
};

/* Make room for ids below `ids`, `bytes` bytes in all; then for merges. 0, or -1 (class
 * model: too many; or memory). vocab_free() also after a failure. */
int vocab_start(struct vocab *v, size_t ids, size_t bytes);
int vocab_start_merges(struct vocab *v, size_t merges);
void vocab_free(struct vocab *v);

/* Put a token in. -1 (class model) if the id is out of the room or taken, or the bytes
 * are there already (those of TOKEN_ADDED tokens are not looked at nor found). */
int vocab_add(struct vocab *v, int32_t id, struct span bytes, uint8_t flags);

/* Put a merge in; a pair that is there already takes the new rank. The ids must be in. */
void vocab_add_merge(struct vocab *v, int32_t left, int32_t right, uint32_t rank,
                     int32_t id);

/* Has every byte that occurs in UTF-8 its token? 0, or -1 (class model) that names one.
 */
int vocab_check_bytes(const struct vocab *v);

/* The id of a token of the vocabulary proper, or -1. */
int32_t vocab_find(const struct vocab *v, struct span bytes);

/* What left and right merge into, or NULL. */
static inline const struct vocab_merge *vocab_merge_of(const struct vocab *v,
                                                       int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t mixed = pair * 0x9E3779B97F4A7C15u;
    for (uint32_t i = (uint32_t)(mixed >> 32);; i++) {
        const struct vocab_merge *m = &v->merge[i & v->merge_mask];
        if (m->pair == pair)
            return m;
        if (m->pair == VOCAB_NO_PAIR)
            return NULL;
    }
}

static inline struct span vocab_bytes(const struct vocab *v, int32_t id)
{
    const struct vocab_token *t = &v->token[id];
    return (struct span){v->bytes + t->at, t->n};
}

/* Are bytes those of token id, an id below size? */
static inline bool vocab_is(const struct vocab *v, int32_t id, struct span bytes)
{
    const struct vocab_token *t = &v->token[id];
    return t->n == bytes.n && memcmp(v->bytes + t->at, bytes.s, bytes.n) == 0;
}
#endif
