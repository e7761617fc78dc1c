/* answer.h: what a well-behaved OpenAI-compatible chat server would answer. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

enum answer_mode { ANSWER_AUTO, ANSWER_ECHO, ANSWER_JUDGE, ANSWER_QA };

struct answer_rules {
    enum answer_mode mode;
    bool no_logprobs;  /* heed neither logprobs nor top_logprobs */
    double sure;       /* probability of the letter picked, 0 to 1 */
    const char *reply; /* said to everything, whatever the mode; NULL: by the mode */
};

/* What may be wrong with an otherwise good answer. */
enum answer_flaw {
    FLAW_NONE,
    FLAW_NO_CHOICES,
    FLAW_EMPTY_CHOICES,
    FLAW_NULL_CONTENT,
    FLAW_FEWER,    /* one choice less than n */
    FLAW_SHUFFLED, /* choices in another order: good, by their index */
    FLAW_TWICE,    /* one index twice */
    FLAW_CUT_UTF8, /* text ends inside a character */
    FLAW_ERROR,    /* {"error": ...} with status 200 */
};

/* What a request says, as far as the server cares. */
struct question_seen {
    uint64_t hash;   /* of the body: tells requests apart */
    char marker[64]; /* the word behind "marker:" in any of its texts, or "-" */
};
void answer_look(struct span body, struct question_seen *seen);

/* Append the reply to a request's body. 200, or another status with an error body. */
int answer_chat(const struct answer_rules *rules, struct span body, enum answer_flaw flaw,
                struct buf *out);
#endif
