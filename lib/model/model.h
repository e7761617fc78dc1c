/* model.h: what programs see of a model: open one by its SPEC, ask for generations, ask
 * for probabilities. A local directory and (later) an HTTP endpoint stand behind it
 * alike.
 */
#ifndef MODEL_H
#define MODEL_H
#include "base/buf.h"
#include "base/random.h"
#include "base/span.h"
#include "text/ids.h"
#include <stdbool.h>
#include <stdint.h>

struct model;

struct model_options {
    const char *device;  /* "auto", "cpu" */
    const char *compute; /* NULL or "fp32" */
    int threads;         /* 0: all */
    int ctx;             /* 0: the model's */
    int max_batch;       /* 0: default */
    const char *chat;    /* force a chat format; NULL: the model's own */
    int think;           /* 0 the template's default, 1 on, -1 off */
    bool vision_id;
    int64_t min_pixels, max_pixels; /* of a resized picture; 0: the model's */
};

/* Open SPEC: a path to a model directory, a name under share/ ("pocket"), or an endpoint
 * URL. NULL: class model (what is wrong with which file), refused (a kind of SPEC that
 * this version does not have). */
struct model *model_open(const char *spec, const struct model_options *options);
void model_close(struct model *m);
/* The folder that a SPEC of a local model names: itself, or one under share/. 0, or -1.
 */
int model_find(char *dir, size_t size, const char *spec);
const char *model_hash(const struct model *m); /* hex; identity of config and weights */
const char *model_chat_name(const struct model *m); /* "qwen3_vl" */
/* Limits on a resized picture in force, pixels; 0 and 0 for a text model. */
void model_pixels(const struct model *m, int64_t *least, int64_t *most);
/* Remarks for -v: how the chat format was found, what was ignored. "" if none. */
const char *model_notes(const struct model *m);
/* Requests worth having in flight at once. */
int model_workers(const struct model *m);

enum turn_role { TURN_SYSTEM, TURN_USER, TURN_ASSISTANT };

/* One part of a turn: text, or a picture's encoded bytes. */
struct turn_part {
    bool picture;
    struct span text; /* the text, or the file's bytes (JPEG, PNG, ...) */
    const char *name; /* picture: what messages call it */
};

struct turn {
    enum turn_role role;
    const struct turn_part *parts;
    int count;
};

/* A request: a conversation to go on with. Borrowed during the call. */
struct request {
    const struct turn *turns;
    int count;
    int64_t max_input_pixels; /* a picture with more is class too_large; 0: default */
    int n;                    /* samples */
    double temperature, top_p, min_p, repetition_penalty, presence_penalty;
    int top_k, max_tokens;
    const char *const *stop; /* stop strings; cut from the text */
    int stop_count;
    bool ignore_eos, loop_stop;
    bool want_ids, want_logprobs;
    int top_logprobs;
    struct random_key key;
    bool (*abandon)(void *context); /* true: give up (class refused); may be NULL */
    void *abandon_context;
};

/* One sample of an answer. */
struct completion {
    struct buf text;    /* UTF-8, specials left out */
    int tokens;         /* without specials */
    const char *finish; /* "stop", "length", "repetition" */
    struct ids ids;     /* with want_ids; an end token that was sampled is the last */
    float *logprobs;    /* [ids.n] with want_logprobs */
    struct token_chance *top; /* [ids.n][top_logprobs], best first; or NULL */
};

struct reply {
    struct completion *completions; /* [count] */
    int count;
    int prompt_tokens;
};
void reply_free(struct reply *r);

/* Blocking; any number of threads at once. 0, or -1 with class media, too_large,
 * too_long, type, model, refused. *reply is empty on failure. */
int model_generate(struct model *m, const struct request *request, struct reply *reply);

/* Natural log-probabilities of whole continuations as replies: sum over the tokens of
 * text (content, no specials), and of the end of the turn where end[i]. logprob[count] is
 * the caller's. The prompt is computed once for all. */
int model_score(struct model *m, const struct request *request, const struct span *texts,
                const bool *end, int count, double *logprob);

/* How a request would be prepared: --explain and --dry-run. Sizes in pixels and patches.
 */
struct picture_plan {
    int height, width, fit_height, fit_width, grid_h, grid_w, tokens;
};
struct request_plan {
    int prompt_tokens;
    struct picture_plan *pictures; /* owned: free() */
    int picture_count;
};
int model_plan(struct model *m, const struct request *request, struct request_plan *plan);
#endif
