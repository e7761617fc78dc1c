/* text.h: the language model's forward pass, one for all families and all purposes. */
#ifndef TEXT_H
#define TEXT_H
#include "engine/pass.h"
#include "engine/positions.h"
#include "engine/replays.h"
#include "engine/scratch.h"
#include "engine/vlm.h"

enum {
    TEXT_LOGITS = 64,    /* rows of logits at once */
    TEXT_PICKS = 256,    /* single numbers of them at once */
    TEXT_TABLE_STEP = 8, /* pages that a pass's table grows by */
};

/* What the tower made of a prompt's pictures: rows that take the place of image tokens.
 * Owns its memory: features_free(). Zeroed is none. */
struct features {
    struct arr rows[1 + CONFIG_LIST_MAX]; /* act [tokens, hidden]: the embeddings, then
                                             one for each deepstack feature */
    int64_t tokens;
    struct scratch memory;
    struct beside *beside; /* they are being made, beside other work; else NULL */
};

/* Run all pictures of a prompt through the tower. 0 or -1. */
int features_make(struct features *f, const struct vlm *m,
                  const struct engine_prompt *prompt, const struct probe *probe);
/* The same, beside what is asked for from now on, where the device can: the pictures are
 * no longer needed, and the features not there before features_done(). */
int features_begin(struct features *f, const struct vlm *m,
                   const struct engine_prompt *prompt);
bool features_done(const struct features *f); /* does not wait */
void features_join(struct features *f); /* what is asked for now comes behind them */
void features_free(struct features *f);

/* A model's forward pass in use: rotary frequencies and buffers. */
struct text {
    const struct vlm *m;
    struct kv *kv;           /* borrowed */
    const struct pass *pass; /* the latest, borrowed */
    struct rope_table rope;
    struct scratch scratch;
    struct arr sent; /* what the host says of a pass, in one piece: cos to want */
    char *host;      /* [host_size], owned: this is put together here */
    size_t host_size;
    struct replays replays;
    struct arr x, h;       /* f32, act [rows, hidden] */
    struct arr q, y, k, v; /* act [rows, heads * head_dim], ... kv_heads */
    struct arr gate, up;   /* act [rows, mlp] */
    struct arr cos, sin;   /* f32 [rows, head_dim / 2] */
    struct arr ids, slot, iota;
    struct kv_view view;
    struct arr want;         /* i32 [wants] */
    struct arr last, normed; /* f32, act [TEXT_LOGITS, hidden] */
    struct arr logits;       /* f32 [TEXT_LOGITS, vocab] */
    struct arr pick, picked; /* i32, f32 [TEXT_PICKS] */
    struct arr lse;          /* f32 [TEXT_LOGITS] */
};

int text_open(struct text *t, const struct vlm *m, struct kv *kv); /* 0 or -1 */
void text_close(struct text *t);

/* All layers over the rows of a pass; keys and values go to their pages. What is behind
 * the last layer stays in the buffers for text_logits(). 0 or -1 (memory, the device). */
int text_forward(struct text *t, const struct pass *p, const struct probe *probe);

/* The model's weights are to be others: forget what was made of where they lie. */
void text_forget(struct text *t);

/* Logits of wants [first, first + count) of the pass, count <= TEXT_LOGITS: an array in
 * the buffers, f32 [count, vocab], good until the next call. */
struct arr text_logits(struct text *t, int first, int count);

/* log(sum(exp(logits * scale))) of one row of what text_logits() gave. */
float text_logsumexp(struct text *t, struct arr logits, int row, float scale);

/* The same of each row, scaled by scale[row]; where that is 0, none is wanted. */
void text_logsumexps(struct text *t, struct arr logits, const float *scale, float *lse);

/* One log-probability asked for. */
struct text_pick {
    int row;    /* of the logits */
    int32_t id; /* in it */
    float *out; /* the caller's: where it goes */
};

/* For each pick, *out = logits[row][id] - log(sum(exp(logits[row]))). A row's sum is
 * taken once, however many of its ids are asked for. */
void text_logprobs(struct text *t, struct arr logits, const struct text_pick *picks,
                   int count);

/* The final norm of every row of the pass: "lm.norm", and "logits". For text_trace. */
int text_probe_output(struct text *t, const struct pass *p, const struct probe *probe);

/* Rows of prompts in a pass at most: what keeps the device busy, and, within so many
 * bytes (dev_memory.bound; 0: a CPU), takes no more than an eighth of them. */
int text_chunk(const struct text_config *tc, enum arr_type act, int64_t bound);

/* Bytes of buffers for a pass of so many rows, sequences and pages of each. */
int64_t text_scratch(const struct text_config *tc, enum arr_type act, int rows,
                     int sequences, int pages);
#endif
