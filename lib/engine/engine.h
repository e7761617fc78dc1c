/* engine.h: the local core: one loaded model, and the requests that it works on.
 *
 * Requests come from any number of threads and block until done. One thread inside does
 * the computing: it admits waiting requests (vision, then prefill), and decodes all
 * samples of all admitted requests together, a token each per step. On a GPU the tower
 * works on one request's pictures beside the steps of the others. Keys and values live
 * in pages of KV_PAGE positions; the samples of a request share the pages of its prompt,
 * and prompts of different requests those that they begin with alike, up to the first
 * picture (prefix.h). Nothing that a request gets depends on what else runs or ran
 * (kernels.h, order of summation).
 */
#ifndef ENGINE_H
#define ENGINE_H
#include "base/random.h"
#include "engine/compute.h"
#include "engine/config.h"
#include "text/ids.h"
#include <stdbool.h>
#include <stdint.h>

struct engine;

enum {
    ENGINE_BATCH = 16,       /* sequences decoded together, by default */
    ENGINE_BATCH_MAX = 4096, /* ... at most */
    ENGINE_THREADS_MAX = 1024,
};

struct engine_options {
    const char *device; /* "auto", "cpu", "cuda:N" */
    int threads;        /* 0: all processors this process may use */
    struct compute_options compute;
    int ctx;       /* positions a sequence may have; 0: the model's own limit. Lowered
                      to what half of the machine's memory holds: engine_ctx() */
    int max_batch; /* sequences decoded together at most, up to ENGINE_BATCH_MAX; 0:
                      default (16) */
    bool unshared; /* prompts of different requests share nothing (tests, benches) */
};

/* Load a model directory in Hugging Face layout, config.json and weights, or a GGUF file:
 * every tensor that the family needs present with its shape (a missing or wrong one is
 * named; in a GGUF file one too many as well). NULL
 * (class model; refused: options out of range, a device that is not there). */
struct engine *engine_open(const char *dir, const struct engine_options *options);
void engine_close(struct engine *e); /* no request may be under way */
/* Compute with the weights of another folder from now on, whose identity (engine_hash())
 * must be the same. Requests that have begun end with the old weights first. 0, or -1
 * (class model) with the old ones in use. */
int engine_reload(struct engine *e, const char *dir);
/* The same with a version that another process hands over in the device's memory: as
 * handover_take(), whose folder this is. HANDOVER_TORN: nothing may be asked before a
 * version is there. */
int engine_take(struct engine *e, const char *folder, int64_t version);
const struct model_config *engine_config(const struct engine *e);
const char *engine_hash(const struct engine *e);    /* hex, weights_hash() */
const char *engine_kernels(const struct engine *e); /* "cpu avx2" */
const char *engine_lacks(const struct engine *e);   /* vlm_lacks() */
int engine_ctx(const struct engine *e);

/* May a model be opened with this context? 0, or -1 (class refused). */
int engine_ctx_check(const struct model_config *mc, int ctx);

/* A picture for the tower. */
struct engine_picture {
    const float *patches; /* [t * h * w, 3 * frames * patch^2] as patches_cut() gives */
    int grid_t, grid_h, grid_w; /* in patches */
};

/* A prompt: ids with one run of image_id for each picture, grid_t * grid_h * grid_w /
 * merge^2 long, in order. Borrowed during the call. */
struct engine_prompt {
    const int32_t *ids;
    int len;
    const struct engine_picture *pictures;
    int picture_count;
};

struct sampling {
    double temperature;        /* 0: greedy */
    double top_p, min_p;       /* 1 and 0: off */
    int top_k;                 /* 0: off */
    double repetition_penalty; /* 1: off; over prompt and output (Keskar et al., arXiv
                                  1909.05858) */
    double presence_penalty;   /* 0: off; over output only */
    int max_tokens;            /* new tokens at most */
    bool ignore_eos;           /* go on behind an end token */
    bool loop_stop;            /* end a repeating cycle with finish "repetition" */
    bool logprobs; /* of each token, full distribution after temperature, before
                      penalties and filters (temperature 0 counts as 1) */
    int top;       /* alternatives reported per token */
    struct random_key key;
};

enum finish { FINISH_STOP, FINISH_LENGTH, FINISH_REPETITION, FINISH_STOP_TEXT };

/* One sample. Owned by the caller; sample_free(). An end token is not among ids. */
struct sample {
    struct ids ids;
    float *logprobs; /* [ids.n] with sampling.logprobs, else NULL; with FINISH_STOP one
                        more: the end token's */
    struct token_chance *top; /* [ids.n][sampling.top] best first, or NULL; one more as
                               logprobs */
    int32_t end_id;           /* the end token, FINISH_STOP; else -1 */
    enum finish finish;
};
void sample_free(struct sample *s);

struct engine_generation {
    const struct engine_prompt *prompt;
    const struct sampling *sampling;
    int n; /* samples */
    /* Called on the engine's thread after each new token; nonzero ends the sample with
     * FINISH_STOP_TEXT (a stop string was seen). May be NULL. */
    bool (*stop)(void *context, int sample, const int32_t *ids, int count);
    void *stop_context;
    /* Called on the engine's thread once the pictures are no longer needed: the caller
     * may release their patches. Not called for a request that fails before. May be NULL.
     */
    void (*pictures_done)(void *context);
    void *pictures_context;
    /* Asked between steps; true abandons the request (class refused, "interrupted"). */
    bool (*abandon)(void *context);
    void *abandon_context;
};

/* Fill samples[n]. 0, or -1: too_long (the context does not hold the prompt and a token
 * behind it: the prompt's token count is named), model (ids or pictures do not fit,
 * numbers not finite), internal (memory). New tokens are limited to what the context
 * leaves; the sample then ends as "length". */
int engine_generate(struct engine *e, const struct engine_generation *g,
                    struct sample *samples);

/* Log-probabilities (temperature 1) of given continuations behind one prompt, which is
 * computed once. logprobs[i] is the caller's, [continuations[i].len]: of each token given
 * all before it. 0 or -1 as above. (Judging: sum or compare them.) */
struct engine_continuation {
    const int32_t *ids;
    int len;
};
int engine_score(struct engine *e, const struct engine_prompt *prompt,
                 const struct engine_continuation *continuations, int count,
                 float *const *logprobs);

/* Several questions behind one prompt: each branch's ids follow the prompt, and its
 * continuations follow the branch. Prompt and branches are computed once, as many
 * branches side by side as there are lanes (max_batch) and pages; every number has the
 * same bits as from engine_score() with prompt and branch as its prompt. A branch may be
 * empty, and then its continuations follow the prompt. */
struct engine_branch {
    const int32_t *ids;
    int len;
    const struct engine_continuation *continuations; /* [count] */
    int count;
    float *const *logprobs; /* the caller's, [count][continuations[i].len] */
};

struct engine_scoring {
    const struct engine_prompt *prompt;
    const struct engine_branch *branches; /* [count] */
    int count;
    void (*pictures_done)(void *context); /* as in struct engine_generation */
    void *pictures_context;
    bool (*abandon)(void *context);
    void *abandon_context;
};
int engine_score_branches(struct engine *e, const struct engine_scoring *s);

/* What a model will need, before it is loaded. Bytes. */
struct engine_memory {
    int64_t weights, parameters; /* as stored; number of elements */
    int64_t kv_per_token;
    int64_t kv_pool; /* what a GPU gives to keys and values at once */
    int64_t scratch; /* activations of the largest pass */
    int chunk;       /* rows of prompts in it at most */
};
int engine_plan(const char *dir, const struct engine_options *options,
                struct engine_memory *memory);

/* Rows that the language model has computed for all requests so far, and rows of prompts
 * that were taken over from other requests instead; passes that the device had recorded
 * (replays.h). Any thread; what has ended is counted.
 */
struct engine_rows {
    int64_t computed, shared, replayed;
};
struct engine_rows engine_rows(struct engine *e);

/* -- For tests and tools: one pass, everything visible. ---------------------------------
 */

/* Named intermediate results of a pass over one prompt: called with each tensor in turn
 * (names as in the tests' reference data: "img.patch_embed", "img.block_0", "img.merged",
 * "img.deepstack_0", "lm.hidden_0", "lm.norm", "logits"). data is borrowed, [rows, dim].
 */
typedef void engine_probe(void *context, const char *name, const float *data,
                          int64_t rows, int64_t dim);
int engine_trace(struct engine *e, const struct engine_prompt *prompt,
                 engine_probe *probe, void *context);
/* Position ids of a prompt, positions[3][len] (t, h, w), and the delta to the next one.
 */
int engine_positions(const struct model_config *mc, const struct engine_prompt *prompt,
                     int32_t *positions, int *rope_delta);
#endif
