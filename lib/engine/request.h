/* request.h: one request at work inside the engine, and the sequences it is made of. */
#ifndef REQUEST_H
#define REQUEST_H
#include "base/fail.h"
#include "engine/loop.h"
#include "engine/sampler.h"
#include "engine/text.h"

#include <pthread.h>

struct request;

/* A sequence behind a request's prompt: a sample being made, or a branch and, behind it,
 * one of its continuations after the other. */
struct lane {
    struct request *request;
    int index;             /* sample or branch */
    int continuation;      /* of the branch; -1: the branch itself is being computed */
    struct kv_pages pages; /* begin with the prompt's */
    int reserved;  /* pages promised to this lane alone; -1: it uses its request's */
    int fed;       /* tokens behind the prompt whose keys and values are there */
    int32_t token; /* generating: the next one to feed */
    struct sampler sampler;
    void *seen; /* sampler.seen on the device, where that draws; owned */
    struct loop loop;
    bool finished;
    struct lane *next;
};

enum request_kind { REQUEST_GENERATE, REQUEST_SCORE, REQUEST_TRACE };

/* Filled by the thread that asks, then the engine thread's until done. */
struct request {
    enum request_kind kind;
    const struct engine_prompt *prompt;

    const struct engine_generation *generation; /* generate */
    struct sample *samples;

    const struct engine_branch *branches; /* score */
    int count;
    int *taken; /* [count]: continuations of a branch that a lane has, or had */

    struct probe probe; /* trace */

    void (*pictures_done)(void *context); /* engine.h; both may be NULL */
    void *pictures_context;
    bool (*abandon)(void *context);
    void *abandon_context;

    /* The engine thread's. */
    int32_t *positions; /* [3][prompt->len] */
    int rope_delta;
    struct features features;
    struct kv_pages pages; /* the prompt's */
    int fed;               /* tokens of the prompt whose keys and values are there */
    int pictured;          /* image tokens among them */
    float *logits;         /* [vocab] behind the prompt, from the end of prefill on */
    float lse;             /* of these, scaled as logprobs want it */
    int prompt_pages;      /* promised for the prompt */
    int lane_pages;        /* promised for one lane: room for the longest */
    bool lane_free;        /* nobody uses that promise now */
    struct lane *lanes;
    int started, finished; /* samples; branches and continuations */
    int all;               /* samples or continuations */

    bool failed, done;
    struct failure failure;
    pthread_cond_t wake; /* done */
    struct request *next;
};

/* New tokens that a sample may have. */
int request_limit(const struct request *r, int ctx);

/* Keep this thread's failure as the request's. */
void request_fail(struct request *r);
#endif
