/* ask.c: see ask.h. The way of one ask(): plan, write, judge, sum up. */
#include "qa/ask.h"
#include "base/fail.h"
#include "qa/ask_own.h"
#include "qa/match.h"

#include <math.h>
#include <stdlib.h>

bool ask_is_right(const struct question *q, int option)
{
    return option >= 0 && option < q->count &&
           match_same(q->options[option], q->options[q->answer]);
}

int ask_possible(const struct model *model, const struct ask_rules *rules)
{
    enum model_scores scores = model_scores(model);
    if (rules->score == ASK_SAMPLED || scores == MODEL_SCORES_TEXTS)
        return 0;
    if (scores == MODEL_SCORES_NONE)
        return fail(FAIL_REFUSED,
                    "this model tells no probabilities: use --score sampled");
    if (rules->form == ASK_TEXT)
        return fail(FAIL_REFUSED, "an endpoint tells no probabilities of whole replies: "
                                  "use --score sampled, or --answer letter");
    return 0;
}

enum ask_score ask_best_score(const struct model *model)
{
    return model_scores(model) == MODEL_SCORES_TEXTS ? ASK_EXPECTED : ASK_SAMPLED;
}

/* A key for this subject alone, which no draw of another subject, nor of whoever else
 * uses the row's key, shares. */
static struct random_key subject_key(struct random_key key, int part)
{
    static const uint64_t purpose = 0x61736b; /* "ask" */
    uint64_t from[3] = {key.lo, key.hi, (uint64_t)part};
    return random_key_of(purpose, from, sizeof from);
}

/* Mean and its standard error of x[n]. */
static void sum_up(struct ask_result *result, const double *x, int n)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    result->acc = sum / n;
    for (int i = 0; i < n; i++) squares += (x[i] - result->acc) * (x[i] - result->acc);
    result->se = n > 1 ? sqrt(squares / (n - 1) / n) : 0;
}

/* From answers to acc and se. Questions count alike, however many options they have. */
static int finish(const struct asking *a, struct ask_result *result)
{
    const struct ask_rules *r = a->rules;
    bool rounds = r->score == ASK_SAMPLED && !r->all_qa && r->rounds > 0;
    double *x = calloc((size_t)a->count + 1, sizeof *x);
    int n = 0;
    if (!x)
        return fail_memory();
    if (rounds || a->question_count == 1) {
        for (; n < a->count; n++) x[n] = a->answers[n].p;
    } else {
        for (int i = 0, end; i < a->count; i = end, n++) {
            double sum = 0;
            for (end = i;
                 end < a->count && a->answers[end].question == a->answers[i].question;
                 end++)
                sum += a->answers[end].p;
            x[n] = sum / (end - i);
        }
    }
    sum_up(result, x, n);
    free(x);
    return 0;
}

static int put(struct asking *a)
{
    if (ask_possible(a->model, a->rules) < 0 || ask_plan(a) < 0 || ask_write(a) < 0)
        return -1;
    if (!(a->answers = calloc((size_t)a->count + 1, sizeof *a->answers)))
        return fail_memory();
    for (int i = 0; i < a->count; i++)
        a->answers[i] = (struct ask_answer){.question = a->judgements[i].question,
                                            .order = a->judgements[i].order,
                                            .chosen = -1};
    return a->rules->score == ASK_EXPECTED ? ask_expected(a) : ask_sampled(a);
}

int ask(struct model *model, const struct ask_rules *rules,
        const struct ask_subject *subject, const struct question *questions, int count,
        struct random_key key, int part, struct ask_result *result)
{
    struct asking a = {.model = model,
                       .rules = rules,
                       .subject = subject,
                       .questions = questions,
                       .question_count = count,
                       .key = subject_key(key, part)};
    *result = (struct ask_result){0};
    if (count < 1)
        return fail(FAIL_MISSING, "no question to ask");
    int status = put(&a);
    if (status == 0)
        status = finish(&a, result);
    if (status == 0) {
        result->answers = a.answers;
        result->count = a.count;
        result->tokens = a.tokens;
        a.answers = NULL;
    } else {
        *result = (struct ask_result){0};
    }
    free(a.judgements);
    free(a.turns);
    free(a.parts);
    free(a.answers);
    buf_free(&a.text);
    return status;
}

void ask_result_free(struct ask_result *r)
{
    free(r->answers);
    *r = (struct ask_result){0};
}
