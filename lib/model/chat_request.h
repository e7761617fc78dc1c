/* chat_request.h: a request as the JSON body of OpenAI's chat completions.
 *
 * Fields of the standard are sent as asked for; those that vLLM and others add
 * (repetition_penalty, top_k, min_p, ignore_eos, chat_template_kwargs), stop and
 * presence_penalty only where they differ from what a server does without them, so that a
 * strict server takes the body.
 */
#ifndef CHAT_REQUEST_H
#define CHAT_REQUEST_H
#include "model/model.h"

/* "KEY=JSON" of --extra, taken apart; borrows the text. */
struct chat_extra {
    struct span key, value;
};

/* What is the same in every body. Owns the list; borrows the texts. */
struct chat_settings {
    struct chat_extra *extra; /* [extra_count], keys differ */
    int extra_count;
    int think; /* as in struct model_options */
};

/* Check and keep the options' part. 0, or -1 (refused: an extra that is no KEY=JSON, or
 * that names what capmill has to set itself: messages, n, stream). Of equal keys the last
 * counts; the value null leaves a field out. */
int chat_settings_read(struct chat_settings *s, const struct model_options *options);
void chat_settings_free(struct chat_settings *s);

/* What differs from try to try. */
struct chat_try {
    const char *model;
    int n;      /* samples asked for */
    int round;  /* how many replies have brought some of them: draws another seed */
    bool score; /* one token and the likeliest instead of it, for model_score() */
};

/* Append the body. Pictures must have passed chat_request_check(). */
void chat_request_put(struct buf *out, const struct chat_settings *s,
                      const struct request *request, const struct chat_try *t);

/* The seed of a request's try: 31 bits, so that every server can hold it. */
int64_t chat_request_seed(const struct request *request, int round);

/* Are all pictures such, and within the limit on pixels? 0, or -1 (media, too_large).
 * before: a request that passed and may have the same pictures, or NULL. */
int chat_request_check(const struct request *request, const struct request *before);
#endif
