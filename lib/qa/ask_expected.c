/* ask_expected.c: judgements by probability. The model scores what can be replied (the
 * letters on show; or the options as whole replies), and the probabilities are taken
 * relative to their sum. */
#include "base/fail.h"
#include "qa/ask_own.h"
#include "qa/match.h"

#include <math.h>
#include <stdlib.h>

/* A judgement's replies: options of equal text are one reply in words, and share it. */
struct replies {
    struct span texts[SHOWN_MAX];
    bool end[SHOWN_MAX];
    double logprob[SHOWN_MAX];
    int option[SHOWN_MAX]; /* the option a reply picks: the right one of equal ones */
    int count;
};

static void add_reply(struct replies *r, struct span text, bool end, int option)
{
    r->texts[r->count] = text;
    r->end[r->count] = end;
    r->option[r->count++] = option;
}

static void list_letters(struct replies *r, const struct judgement *j)
{
    static const char letters[] = "ABCDEFGHI";
    for (int p = 0; p < j->shown; p++)
        add_reply(r, (struct span){letters + p, 1}, false, j->options[p]);
}

static void list_texts(struct replies *r, const struct asking *a,
                       const struct judgement *j)
{
    const struct question *q = &a->questions[j->question];
    for (int p = 0; p < j->shown; p++) {
        struct span text = ask_option(a, q, j->options[p]);
        int same = 0;
        while (same < r->count && !match_same(r->texts[same], text)) same++;
        if (same == r->count)
            add_reply(r, text, true, j->options[p]);
        else if (j->options[p] == q->answer)
            r->option[same] = q->answer;
    }
}

/* The verdict from the replies' log-probabilities. */
static int judge(struct ask_answer *answer, const struct replies *r,
                 const struct question *q)
{
    double most = -INFINITY, sum = 0, right = 0;
    for (int i = 0; i < r->count; i++)
        if (r->logprob[i] > most) {
            most = r->logprob[i];
            answer->chosen = r->option[i];
        }
    if (!isfinite(most))
        return fail(FAIL_MODEL, "qa[%d]: no reply has a probability", answer->question);
    for (int i = 0; i < r->count; i++) {
        double p = exp(r->logprob[i] - most);
        sum += p;
        right += ask_is_right(q, r->option[i]) ? p : 0;
    }
    answer->p = right / sum;
    answer->right = ask_is_right(q, answer->chosen);
    /* a NaN among finite ones is caught here */
    return isfinite(answer->p)
               ? 0
               : fail(FAIL_MODEL, "qa[%d]: a reply's probability is no number",
                      answer->question);
}

int ask_expected(struct asking *a)
{
    size_t n = (size_t)a->count;
    struct replies *replies = calloc(n + 1, sizeof *replies);
    struct score_item *items = calloc(n + 1, sizeof *items);
    int status = -1;
    if (!replies || !items) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < a->count; i++) {
        struct replies *r = &replies[i];
        if (a->rules->form == ASK_LETTER)
            list_letters(r, &a->judgements[i]);
        else
            list_texts(r, a, &a->judgements[i]);
        items[i] = (struct score_item){.turns = a->turns + i * a->turns_each,
                                       .count = a->turns_each,
                                       .texts = r->texts,
                                       .end = r->end,
                                       .text_count = r->count,
                                       .logprob = r->logprob};
    }
    struct request request = a->rules->request;
    request.key = a->key;
    request.part = 0;
    status = model_score_all(a->model, &request, items, a->count);
    for (int i = 0; i < a->count && status == 0; i++)
        status =
            judge(&a->answers[i], &replies[i], &a->questions[a->judgements[i].question]);
out:
    free(replies);
    free(items);
    return status;
}
