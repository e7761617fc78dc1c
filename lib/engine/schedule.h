/* schedule.h: which rows are computed next, and what becomes of their logits. All of it
 * runs on the engine's thread.
 *
 * A request is admitted, first come first served, when one sequence ("lane") and its
 * pages are free, and no sample of a request before it still waits for them: the samples
 * of a row decode together, and its answer comes before later rows are begun. Further
 * lanes follow while there are free ones, earlier requests first.
 * A lane reserves all pages that it may come to need, so whatever runs comes to its end,
 * and no request waits for another for ever. Each step is one pass: the next token of
 * every sample, and up to text_chunk() rows of prompts and continuations.
 *
 * With schedule_share(), a prompt takes over what it has in common with prompts before it
 * (prefix.h) when its turn for rows comes: by then all of the prompts of earlier requests
 * are computed, or in the same pass. Promises are made as if nothing were shared.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H
#include "engine/prefix.h"
#include "engine/request.h"

/* For whom a row's logits are. */
struct wanted {
    struct request *request;
    struct lane *lane; /* NULL: the end of the request's prompt */
    int token;         /* scoring: which of the continuation comes next */
};

/* Tokens of a step that the device draws. */
enum { DRAWING_TOP = 32 }; /* alternatives at most; beyond, the host draws */
struct drawing {
    struct draw how[TEXT_LOGITS];
    struct drawn drawn[TEXT_LOGITS * (1 + DRAWING_TOP)];
    int top;             /* alternatives of each, in drawn */
    int at[TEXT_LOGITS]; /* of each row of logits: its number in how; -1: none */
    float scale[TEXT_LOGITS], lse[TEXT_LOGITS]; /* of each row; 0: not wanted */
};

struct schedule {
    const struct vlm *m;
    int ctx, max_batch;
    struct kv kv;
    struct text text;
    struct pass pass;
    struct sampler_work work;
    struct drawing drawing;
    int chunk;               /* rows of prompts in a pass at most */
    struct wanted *wanted;   /* [chunk + max_batch], as the pass's wants */
    struct pass_list picks;  /* of struct text_pick: log-probabilities to read off */
    float *row;              /* [vocab]: logits of one row */
    int slots;               /* lanes in use or promised, at most max_batch */
    int rows_left;           /* of this step, for prompts and continuations */
    struct engine_rows rows; /* done so far */
    struct request *active;  /* in the order of admission */
};

enum { KV_LEAST = 2 }; /* pages */

/* Pages of keys and values that a device's memory, once the weights are there, is given
 * to at most: all lanes at full length, or what there is room for. On a device with a
 * bound that is what is left beside the buffers of the largest pass, and a quarter of it
 * for pictures if these need it. */
int64_t schedule_pages(const struct model_config *mc, enum arr_type act, int ctx,
                       int max_batch, const struct dev_memory *memory);

/* ctx 0: the model's own. Both are lowered to what memory can hold. 0 or -1. */
int schedule_open(struct schedule *s, const struct vlm *m, int ctx, int max_batch);
void schedule_close(struct schedule *s);

/* From now on prompts share what they begin with. 0, or -1 (memory). */
int schedule_share(struct schedule *s);

/* Is there room to take a request in now? */
bool schedule_room(const struct schedule *s, const struct request *r);

/* Take a request in, for which there is room. 0, or -1: it failed (request_fail() is
 * done) and is not taken. */
int schedule_admit(struct schedule *s, struct request *r);

/* One pass for all active requests. Those that ended (done or failed) are cut from the
 * active list and handed to ended. */
void schedule_step(struct schedule *s, void (*ended)(void *context, struct request *r),
                   void *context);

/* -- Between schedule.c and the kinds of requests ---------------------------------------
 */

/* A lane with its own pages behind the prompt, or behind the prompt and the first `fed`
 * tokens of another lane of the request (`from`; NULL: 0 of none), whose pages it shares.
 * NULL if none is free now. *failed: for want of memory. */
struct lane *schedule_lane(struct schedule *s, struct request *r, int index,
                           const struct lane *from, int fed, bool *failed);
void schedule_lane_end(struct schedule *s, struct lane *l);

/* Let a lane's pages cover so many tokens behind the prompt, and give it a place in the
 * pass: its sequence, or -1. */
int schedule_lane_pages(struct schedule *s, struct lane *l, int fed);

/* Put a lane's row into the pass: its token number fed. 0 or -1. */
int schedule_lane_row(struct schedule *s, struct lane *l, int sequence, int32_t id,
                      int fed);

/* Put the next row of a request's prompt into the pass. 0 or -1. */
int schedule_prompt_row(struct schedule *s, struct request *r, int sequence);

/* 0, or -1 (class model) if any logit is not finite. */
int schedule_finite(const float *logits, int n);

/* Ask for the last row's logits. 0 or -1. */
int schedule_want(struct schedule *s, struct request *r, struct lane *l, int token);

/* generate.c. Each 0, or -1: the request fails. */
int generate_start(struct schedule *s, struct request *r); /* lanes as there is room */
int generate_rows(struct schedule *s, struct request *r);  /* the next token of each */
int generate_logits(struct schedule *s, struct lane *l, struct arr logits, int row);
/* Draw for those of these rows of logits that generate, if the device can. 0, or -1: none
 * was drawn. generate_drawn() then takes what s->drawing.at[row] >= 0 tells. */
int generate_draw(struct schedule *s, struct arr logits, const struct wanted *wants,
                  int count);
int generate_drawn(struct schedule *s, struct lane *l, int row);

/* score.c */
int score_positions(const struct request *r); /* behind the prompt, that a lane takes */
int score_start(struct request *r);           /* the prompt is computed */
int score_rows(struct schedule *s, struct request *r);
/* What a row of the logits is asked for: into s->picks. Then, once these are there, what
 * follows from them. */
int score_picks(struct schedule *s, const struct wanted *w, int row);
int score_picked(struct schedule *s, const struct wanted *w);

/* trace.c: all of a prompt in one pass. */
int trace_run(struct schedule *s, struct request *r);
#endif
