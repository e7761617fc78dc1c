/* model.h: what programs see of a model: open one by its SPEC, ask for generations, ask
 * for probabilities. A local directory and an HTTP endpoint stand behind it alike.
 */
#ifndef MODEL_H
#define MODEL_H
#include "base/buf.h"
#include "base/random.h"
#include "base/span.h"
#include "engine/compute.h"
#include "text/ids.h"
#include <stdbool.h>
#include <stdint.h>

struct model;

/* What only endpoints heed. */
struct endpoint_options {
    int concurrency;          /* requests in flight; 0: 32 */
    const char *key_file;     /* bearer token in a file; NULL: $OPENAI_API_KEY, if set */
    const char *const *extra; /* [extra_count] "KEY=JSON" set in each request's body */
    int extra_count;
    double timeout;        /* seconds for one try; 0: 600 */
    double row_timeout;    /* seconds for all of a row; 0: 3600 */
    int retries;           /* tries after the first; -1: 5 */
    const char *batch_out; /* write OpenAI Batch requests here, send nothing; or NULL */
    bool batch_force;      /* ... also where there is such a file */
    const char *batch_in;  /* take replies from here, send nothing; or NULL */
};

struct model_options {
    const char *device; /* "auto", "cpu", "cuda:N" */
    struct compute_options compute;
    int threads;      /* 0: all */
    int ctx;          /* 0: the model's */
    int max_batch;    /* 0: default */
    bool unshared;    /* engine_options.unshared */
    const char *chat; /* force a chat format; NULL: the model's own */
    int think;        /* 0 the template's default, 1 on, -1 off */
    bool vision_id;
    int64_t min_pixels, max_pixels; /* of a resized picture; 0: the model's */
    struct endpoint_options endpoint;
};

/* Open SPEC: a path to a model directory, a GGUF file (FILE.gguf), a name under share/
 * ("pocket"), or endpoints: "http://host:port/v1#name[,http://...]". NULL: class model
 * (what is wrong with which file), refused (a SPEC or an option that cannot be). Nothing
 * is sent yet. */
struct model *model_open(const char *spec, const struct model_options *options);
/* All has been asked: what is written besides (options.endpoint.batch_out) is made safe
 * and gets its name. 0, or -1 (class internal). Without it a batch file stays under its
 * temporary name: the run was cut short. */
int model_finish(struct model *m);
void model_close(struct model *m);

/* Go on with the weights of another folder, a local model's of the same config and shapes
 * (model_hash() stays); tokenizer, chat format and picture limits are kept. Requests that
 * have begun end with the old weights first. 0, or -1 (class model) with the old ones in
 * use. */
int model_reload(struct model *m, const char *dir);
/* The same with a version that its trainer hands over in the memory of the GPU that both
 * use; folder: where the trainer's versions lie (train/policy.h). 1; 0: it is not offered
 * that way; -1 (class refused): it cannot be reached from here, and the old weights are
 * in use; MODEL_TORN: the weights are now no model's, and nothing may be asked before
 * others are there. */
enum { MODEL_TORN = -2 };
int model_take(struct model *m, const char *folder, int64_t version);
bool model_is_endpoint(const char *spec); /* does SPEC name endpoints? */
/* The folder or GGUF file that a SPEC of a local model names: itself, or a folder under
 * share/. 0, or -1
 * (model, or refused: an endpoint). */
int model_find(char *dir, size_t size, const char *spec);
/* Hex; identity of config and weights; of endpoints: of their models' names, so that a
 * run may go on at other hosts. */
const char *model_hash(const struct model *m);
const char *model_chat_name(const struct model *m); /* "qwen3_vl"; "endpoint" */
/* Limits on a resized picture in force, pixels; 0 and 0 for a text model or endpoints. */
void model_pixels(const struct model *m, int64_t *least, int64_t *most);
/* Remarks for -v: how the chat format was found, what was ignored. "" if none. */
const char *model_notes(const struct model *m);
/* Rows worth having in flight at once. */
int model_workers(const struct model *m);

/* What model_score_all() can tell: the probability of any continuation (local models), of
 * single tokens that the server lists among the likeliest (endpoints), or nothing. */
enum model_scores { MODEL_SCORES_NONE, MODEL_SCORES_TOKENS, MODEL_SCORES_TEXTS };
enum model_scores model_scores(const struct model *m);

/* Every endpoint is down, or the batch file cannot be written: a failure now says nothing
 * about its row. Abandon the row and give the run up: model_failed() in work.h does both.
 * Never true of a local model. */
bool model_down(struct model *m);
/* When a row that starts now must be done: request.deadline_ms. 0: no limit. */
int64_t model_deadline(const struct model *m);

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
    int part; /* which of a row's requests: with the key it names one request for good
                 (batch files), and keeps draws of one row apart */
    bool (*abandon)(void *context); /* true: give up (class refused); may be NULL */
    void *abandon_context;
    int64_t deadline_ms; /* of the row, monotonic (model_deadline()); 0: none */
    int *attempts;       /* tries spent are added (endpoints); may be NULL */
};

/* One sample of an answer. */
struct completion {
    struct buf text; /* UTF-8, specials left out */
    int tokens;      /* without specials; as an endpoint counts them, -1 if it doesn't */
    const char *finish; /* "stop", "length", "repetition" */
    struct ids ids;     /* with want_ids; an end token that was sampled is the last */
    float *logprobs;    /* [ids.n] with want_logprobs */
    struct token_chance *top; /* [ids.n][top_logprobs], best first; or NULL */
};

struct reply {
    struct completion *completions; /* [count] */
    int count;
    int prompt_tokens; /* 0 where an endpoint does not say */
};
void reply_free(struct reply *r);

/* Not an answer and no failure: the request was written to --batch-out. */
enum { MODEL_DEFERRED = 1 };

/* Blocking; any number of threads at once. 0, or -1 with class media, too_large,
 * too_long, type, model, refused, http, timeout, parse; or MODEL_DEFERRED. *reply is
 * empty unless 0. */
int model_generate(struct model *m, const struct request *request, struct reply *reply);

/* The same for count requests of one row, side by side where the model is an endpoint:
 * all or nothing. */
int model_generate_all(struct model *m, const struct request *requests,
                       struct reply *replies, int count);

/* Natural log-probabilities of whole continuations as replies: sum over the tokens of
 * text (content, no specials), and of the end of the turn where end[i]. logprob[count] is
 * the caller's. The prompt is computed once for all. */
int model_score(struct model *m, const struct request *request, const struct span *texts,
                const bool *end, int count, double *logprob);

/* One prompt of several that begin alike, and the continuations to score behind it. */
struct score_item {
    const struct turn *turns; /* [count] */
    int count;
    const struct span *texts; /* [text_count] as in model_score() */
    const bool *end;
    int text_count;
    double *logprob; /* the caller's, [text_count] */
};

/* model_score() for several prompts at once; request gives all but turns, and its part is
 * the first item's (the i-th's is part + i). What the prompts have in common at their
 * start is computed once for all of them (local models), with the same bits as if each
 * were scored alone; pictures must be in that common part. An endpoint is sent one
 * request an item, and gives a text that the server does not list logprob -INFINITY; if
 * it lists none of an item's texts, or no log-probabilities at all, that is a failure
 * (class parse, refused). All or nothing; 0, -1, MODEL_DEFERRED. */
int model_score_all(struct model *m, const struct request *request,
                    struct score_item *items, int count);

/* How a request would be prepared: --explain and --dry-run. Sizes in pixels and patches.
 */
struct picture_plan {
    int height, width, fit_height, fit_width, grid_h, grid_w, tokens;
};
struct request_plan {
    int prompt_tokens;             /* 0: not known (endpoints) */
    struct picture_plan *pictures; /* owned: free(); endpoints: height and width alone */
    int picture_count;
};
int model_plan(struct model *m, const struct request *request, struct request_plan *plan);
#endif
