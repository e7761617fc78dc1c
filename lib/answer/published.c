/* published.c: answers as CapRL's Prism evaluation scores them (InternLM/CapRL,
 * Prism_Evaluation/Eval_CapRL.py), faults included, so that its figures can be compared
 * with: a gold that does not parse is worth 1, the box swallows braces behind it, and 5%
 * are taken of the prediction. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"

#include <math.h>
#include <stdlib.h>

static const char *behind(const char *s, const char *end, const char *what)
{
    const char *at = s < end ? memmem(s, (size_t)(end - s), what, strlen(what)) : NULL;
    return at ? at + strlen(what) : NULL;
}

static const char *last_of(const char *s, const char *end, const char *what)
{
    size_t n = strlen(what);
    for (const char *at = end; at - s >= (ptrdiff_t)n; at--)
        if (memcmp(at - n, what, n) == 0)
            return at - n;
    return NULL;
}

/* Behind the first </think>, white space, <answer>. */
static const char *behind_opening(const char *s, const char *end)
{
    static const char tag[] = "<answer>";
    while ((s = behind(s, end, "</think>"))) {
        struct span rest = {s, (size_t)(end - s)};
        uint32_t c;
        for (size_t n; rest.n > 0; rest.s += n, rest.n -= n) {
            n = chars_next(rest.s, rest.n, &c);
            if (!chars_space(c))
                break;
        }
        if (rest.n >= sizeof tag - 1 && memcmp(rest.s, tag, sizeof tag - 1) == 0)
            return rest.s + sizeof tag - 1;
    }
    return NULL;
}

/* The pattern's parts but for the first two are greedy or reach as far as they must, so
 * there is one match at most: from the first \boxed{ to the last } that has an </answer>
 * behind it. */
struct span published_box(struct span reply)
{
    const char *s = reply.s, *end = s + reply.n;
    const struct span none = {NULL, 0};
    if (reply.n == 0 || !(s = behind_opening(s, end)) ||
        !(s = behind(s, end, "\\boxed{")))
        return none;
    end = last_of(s, end, "</answer>");
    end = end ? last_of(s, end, "}") : NULL;
    return end ? (struct span){s, (size_t)(end - s)} : none;
}

/* The form for charts, or with `info` for infographics, of one gold. */
static int chart_one(struct span text, struct span gold, bool info, struct fuel *fuel,
                     double *score)
{
    static const double scales[] = {1, 0.01, 100};
    double x, distance = 1;
    int is_number = number_read(text, &x), same = 0;
    if (is_number < 0)
        return -1;
    for (int i = 0; is_number && i < 3 && same == 0; i++) {
        double gold_x, p = scales[i] * x;
        int known = p == 0 ? 0 : number_percent(gold, &gold_x);
        if (known < 0)
            return -1;
        if (known)
            same = fabs(gold_x - p) / fabs(p) <= 0.05;
        else if (p == 0) /* 0 is taken for no number: as texts, then */
            same = span_is(gold, signbit(p) ? "-0.0" : "0.0");
    }
    if (!is_number && (same = relaxed_equal(gold, chars_strip(text))) < 0)
        return -1;
    *score = same;
    if (!info || same)
        return 0;
    int status = anls_distance(gold, text, true, 0.5001, fuel, &distance);
    if (status == 0 && 1 - distance >= 0.5)
        *score = 1 - distance;
    return status;
}

static int chart(struct span text, struct span gold, bool info, struct fuel *fuel,
                 double *score, unsigned *flags)
{
    struct buf texts = {0};
    size_t *ends = malloc(LIST_MAX * sizeof *ends);
    int count = ends ? list_read(gold, &texts, ends) : -2, status = count == -2 ? -1 : 0;
    *score = 0;
    for (int i = 0; i < (count < 0 ? 1 : count) && status >= 0; i++) {
        size_t from = i ? ends[i - 1] : 0;
        struct span one =
            count < 0 ? gold : (struct span){texts.data + from, ends[i] - from};
        double found = 0;
        status = chart_one(text, one, info, fuel, &found);
        if (status > 0)
            *flags |= ANSWER_NO_FUEL;
        if (status >= 0 && found > *score)
            *score = found;
    }
    buf_free(&texts);
    free(ends);
    return status < 0 ? -1 : 0;
}

int published_score(const struct answer_task *task, struct span gold,
                    struct span prediction, struct fuel *fuel, double *score,
                    unsigned *flags)
{
    struct span x = published_box(prediction);
    struct buf text = {0};
    double found = 0;
    if (!x.s) {
        x = (struct span){"", 0};
        *flags |= ANSWER_NO_ANSWER;
    }
    int status = formula_published(gold, x, fuel, flags);
    *score = status > 0;
    if (status < 0 || (task->kind != ANSWER_RELAXED && task->kind != ANSWER_ANLS &&
                       task->kind != ANSWER_ITEMS))
        return status < 0 ? -1 : 0;
    status = formula_text(x, fuel, &text);
    if (status == 0)
        status = chart((struct span){text.data, text.len}, gold,
                       task->kind == ANSWER_ANLS, fuel, &found, flags);
    else if (status > 0)
        *flags |= ANSWER_NO_FUEL;
    if (found > *score)
        *score = found;
    buf_free(&text);
    return status < 0 ? -1 : 0;
}
