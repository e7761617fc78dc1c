/* ask_sampled.c: judgements by reply: the model answers, and its letter or its words are
 * read. */
#include "base/fail.h"
#include "qa/ask_own.h"
#include "qa/match.h"

#include <stdlib.h>

/* The option that a reply picks: its number in the question, -1 for none; -2: memory. */
static int read_reply(const struct asking *a, const struct judgement *j,
                      struct span reply)
{
    const struct question *q = &a->questions[j->question];
    struct span texts[SHOWN_MAX];
    int place, right = -1;
    if (a->rules->form == ASK_LETTER) {
        place = letter_read(reply, a->rules->letter);
        return place >= 0 && place < j->shown ? j->options[place] : -1;
    }
    for (int p = 0; p < j->shown; p++) {
        texts[p] = ask_option(a, q, j->options[p]);
        if (j->options[p] == q->answer)
            right = p;
    }
    place = match_option(reply, texts, j->shown, right);
    return place < 0 ? place : j->options[place];
}

static int judge(struct asking *a, int i, const struct reply *reply)
{
    struct ask_answer *answer = &a->answers[i];
    if (reply->count < 1)
        return fail(FAIL_MODEL, "qa[%d]: no reply", answer->question);
    const struct completion *c = &reply->completions[0];
    answer->chosen =
        read_reply(a, &a->judgements[i], (struct span){c->text.data, c->text.len});
    if (answer->chosen == -2)
        return -1;
    answer->right = ask_is_right(&a->questions[answer->question], answer->chosen);
    answer->p = answer->right;
    a->tokens += reply->prompt_tokens + c->tokens;
    return 0;
}

/* Each judgement draws from a key of its own: two that ask the same are two draws. */
static struct random_key key_of(const struct asking *a, int judgement)
{
    uint64_t from[2] = {a->key.lo, a->key.hi};
    return random_key_of((uint64_t)judgement, from, sizeof from);
}

int ask_sampled(struct asking *a)
{
    size_t n = (size_t)a->count;
    struct request *requests = calloc(n + 1, sizeof *requests);
    struct reply *replies = calloc(n + 1, sizeof *replies);
    int status = -1;
    if (!requests || !replies) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < a->count; i++) {
        requests[i] = a->rules->request;
        requests[i].turns = a->turns + i * a->turns_each;
        requests[i].count = a->turns_each;
        requests[i].n = 1;
        requests[i].key = key_of(a, i);
        requests[i].part = i;
    }
    status = model_generate_all(a->model, requests, replies, a->count);
    for (int i = 0; i < a->count && status == 0; i++) status = judge(a, i, &replies[i]);
out:
    for (size_t i = 0; replies && i < n; i++) reply_free(&replies[i]);
    free(requests);
    free(replies);
    return status;
}
