/* chat_reply.h: what an OpenAI-compatible server's reply says.
 *
 * Bodies come from outside and may be anything. A choice counts only if it holds a text;
 * nothing is ever put in the place of one that is missing. Messages repeat what a server
 * says, but never `key`, the API key (NULL: none).
 */
#ifndef CHAT_REPLY_H
#define CHAT_REPLY_H
#include "model/model.h"

enum {
    CHAT_AGAIN = -1, /* failed; another try may do better (class parse, http) */
    CHAT_FINAL = -2, /* failed, and would again: the row's failure (refused, parse) */
};

/* n samples on their way. Those still missing have completions[i].finish NULL. */
struct chat_samples {
    struct completion *completions; /* [n], zeroed at first */
    int n, missing;
    int prompt_tokens; /* as the server counts; 0: it does not say */
};

/* Take the choices of a reply to a request for the missing samples: the choice of index i
 * is the i-th that was missing (a choice without index: by its place; one that is there
 * twice: the first). Returns how many came, at least 1; CHAT_AGAIN where none did;
 * CHAT_FINAL (refused) where the server's filter or the model itself refused one.
 *
 * A choice that the server broke off is none. A sample's finish is "length" or "stop"
 * (also for reasons of a server's own). Its
 * tokens are those of `usage` where one sample was asked for (less those of hidden
 * reasoning), else counted in its logprobs, else -1. */
int chat_reply_take(struct chat_samples *s, struct span body, const char *key);

/* Natural log-probabilities of texts as the first token, from top_logprobs: the sum over
 * the tokens listed that equal a text, spaces before both left out; -INFINITY for a text
 * that is not listed. 0; CHAT_AGAIN; CHAT_FINAL: refused (the server gives no
 * log-probabilities), parse (it lists none of the texts, or one of them without a number
 * that is a log-probability). */
int chat_reply_score(struct span body, const struct span *texts, int count,
                     double *logprob, const char *key);

/* Append what an error value says, in short (said.h): a text, or {"message"}, {"code"}.
 */
void chat_error_put(struct buf *out, struct span error, const char *key);
#endif
