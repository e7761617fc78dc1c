/* score.c: a prediction against each of its golds, by the rule that is named. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"
#include "base/fail.h"

enum { FUEL_DEFAULT = 1000000 };

static const char *const names[] = {"choice", "relaxed", "anls",  "vqa",
                                    "math",   "exact",   "judge", "items"};

int answer_kind_named(const char *name, size_t size)
{
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (span_is((struct span){name, size}, names[i]))
            return i;
    return -1;
}

const char *answer_kind_name(enum answer_kind kind)
{
    return names[kind];
}

static int score_anls(struct span gold, struct span text, struct fuel *fuel,
                      double *score, unsigned *flags)
{
    double distance = 1;
    int status = anls_distance(text, gold, false, 0.5, fuel, &distance);
    if (status == 0 && distance < 0.5)
        *score = 1 - distance;
    if (status > 0)
        *flags |= ANSWER_NO_FUEL;
    return status < 0 ? -1 : 0;
}

static int score_vqa(struct span gold, struct span text, double *score)
{
    struct buf a = {0}, b = {0};
    int status = vqa_normalize(text, &a) < 0 || vqa_normalize(gold, &b) < 0 ? -1 : 0;
    if (status == 0)
        *score = a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
    buf_free(&a);
    buf_free(&b);
    return status;
}

static int score_exact(struct span gold, struct span text, double *score)
{
    gold = chars_strip(gold);
    text = chars_strip(text);
    *score = gold.n == text.n && (gold.n == 0 || memcmp(gold.s, text.s, gold.n) == 0);
    return 0;
}

/* The published readings of letters take the prediction as it is. */
static bool is_raw(const struct answer_task *task)
{
    return task->rules == ANSWER_PUBLISHED ||
           (task->kind == ANSWER_CHOICE && task->letter != LETTER_ALONE);
}

static int score_choice(const struct answer_task *task, struct span gold,
                        struct span text, double *score, struct answer_verdict *v)
{
    int right = choice_gold(gold, task->options, task->option_count);
    if (right < 0)
        return -1;
    if (!is_raw(task))
        text = answer_boxed(text);
    int place = choice_read(text, task->letter, task->options, task->option_count, right);
    if (place == -2)
        return -1;
    if (place < 0)
        v->flags |= ANSWER_NO_ANSWER;
    if (v->choice < 0 || place == right)
        v->choice = place;
    *score = place == right;
    return 0;
}

/* One gold by our rules. text: the part of the prediction that answers. */
static int score_ours(const struct answer_task *task, struct span gold, struct span text,
                      struct fuel *fuel, double *score, struct answer_verdict *v)
{
    int same;
    switch (task->kind) {
    case ANSWER_CHOICE: return score_choice(task, gold, text, score, v);
    case ANSWER_RELAXED:
        same = relaxed_equal(answer_boxed(text), gold);
        *score = same > 0;
        return same < 0 ? -1 : 0;
    case ANSWER_ANLS: return score_anls(gold, answer_boxed(text), fuel, score, &v->flags);
    case ANSWER_VQA: return score_vqa(gold, answer_boxed(text), score);
    case ANSWER_MATH:
        same = formula_equal(gold, text, fuel, &v->flags);
        *score = same > 0;
        return same < 0 ? -1 : 0;
    case ANSWER_ITEMS:
        return items_score(gold, answer_boxed(text), fuel, score, &v->flags);
    case ANSWER_EXACT: return score_exact(gold, answer_boxed(text), score);
    case ANSWER_JUDGE: break;
    }
    return fail(FAIL_REFUSED, "kind judge: needs a model that grades (-m)");
}

int answer_score(const struct answer_task *task, struct span prediction,
                 struct answer_verdict *verdict)
{
    bool cut = false, ours = task->rules == ANSWER_OURS;
    struct answer_verdict v = {.gold = -1, .choice = -1};
    struct span text = is_raw(task) ? prediction : answer_part_kept(prediction, &cut);
    if (task->gold_count < 1)
        return fail(FAIL_MISSING, "no answer to score against");
    if (task->kind == ANSWER_JUDGE)
        return fail(FAIL_REFUSED, "kind judge: needs a model that grades (-m)");
    for (int i = 0; i < task->gold_count; i++) {
        struct fuel fuel = {task->fuel > 0 ? task->fuel : FUEL_DEFAULT};
        double score = 0;
        int status =
            ours ? score_ours(task, task->golds[i], text, &fuel, &score, &v)
                 : published_score(task, task->golds[i], text, &fuel, &score, &v.flags);
        if (status < 0)
            return -1;
        if (score > v.score) {
            v.score = score;
            v.gold = i;
        }
    }
    if (v.score >= 1)
        v.flags &= ~(unsigned)(ANSWER_NO_FUEL | ANSWER_NO_ANSWER);
    if (cut) { /* it never came to an answer, so that none can be right */
        v = (struct answer_verdict){.gold = -1, .choice = -1};
        v.flags = ANSWER_NO_ANSWER | ANSWER_CUT;
    } else if (chars_strip(text).n == 0)
        v.flags |= ANSWER_NO_ANSWER;
    *verdict = v;
    return 0;
}
