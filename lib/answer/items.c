/* items.c: lists of answers, scored item by item as ChartQA-Pro's own script does
 * (vis-nlp/ChartQAPro, evaluate_predictions.py; Masry et al., arXiv 2504.05506): a number
 * is right within 5%, another text is worth its ANLS; what one list has more than the
 * other counts as wrong. An answer that is no list is a list of one.
 *
 * Elements without quotes are read too, as that script does with gold lists; here also in
 * a prediction, and there without brackets where the gold is a list.
 */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"
#include "base/fail.h"

#include <math.h>
#include <stdlib.h>

struct items {
    struct buf texts;
    size_t *ends;
    int count;
};

static void items_free(struct items *l)
{
    buf_free(&l->texts);
    free(l->ends);
}

static struct span item(const struct items *l, int i)
{
    size_t from = i ? l->ends[i - 1] : 0;
    if (!l->texts.data) /* one item, and that is empty */
        return (struct span){"", 0};
    return (struct span){l->texts.data + from, l->ends[i] - from};
}

/* Without white space, and bytes of marks, at both ends. */
static struct span strip(struct span t, const char *marks)
{
    for (size_t before = t.n + 1; t.n < before;) {
        before = t.n;
        t = chars_strip(t);
        while (t.n > 0 && *t.s && strchr(marks, *t.s)) t.s++, t.n--;
        while (t.n > 0 && t.s[t.n - 1] && strchr(marks, t.s[t.n - 1])) t.n--;
    }
    return t;
}

static void put(struct items *l, struct span text)
{
    buf_add(&l->texts, text.s, text.n);
    l->ends[l->count++] = l->texts.len;
}

/* A text's items; split: at its commas, though it has no brackets. 0 or -1 (memory). */
static int items_read(struct items *l, struct span text, bool split)
{
    *l = (struct items){.ends = malloc(LIST_MAX * sizeof *l->ends)};
    if (!l->ends)
        return fail_memory();
    text = strip(text, ".");
    if ((l->count = list_read(text, &l->texts, l->ends)) == -2)
        return -1;
    if (l->count > 0)
        return 0;
    l->count = 0;
    buf_clear(&l->texts);
    bool brackets = text.n > 1 && *text.s == '[' && text.s[text.n - 1] == ']';
    if (brackets)
        text = (struct span){text.s + 1, text.n - 2};
    for (const char *comma; (brackets || split) && l->count < LIST_MAX - 1 &&
                            (comma = memchr(text.s, ',', text.n));) {
        put(l, (struct span){text.s, (size_t)(comma - text.s)});
        text.n -= (size_t)(comma + 1 - text.s);
        text.s = comma + 1;
    }
    put(l, text);
    return buf_ok(&l->texts);
}

/* 0 (with *score), 1: out of fuel, -1 (memory). */
static int score_item(struct span gold, struct span text, struct fuel *fuel,
                      double *score)
{
    double g, x, distance = 1;
    gold = strip(gold, "'\"%");
    text = strip(text, "'\"%");
    int number = number_read(gold, &g);
    if (number > 0)
        number = number_read(text, &x);
    if (number < 0)
        return -1;
    *score = 0;
    if (number > 0) {
        *score = g == 0 ? x == 0 : fabs(x - g) / fabs(g) <= 0.05;
        return 0;
    }
    int status = anls_distance(text, gold, false, 0.5, fuel, &distance);
    if (status == 0 && distance < 0.5)
        *score = 1 - distance;
    return status;
}

int items_score(struct span gold, struct span text, struct fuel *fuel, double *score,
                unsigned *flags)
{
    struct items right, given = {.ends = NULL};
    int status = items_read(&right, gold, false);
    if (status == 0)
        status = items_read(&given, text, right.count > 1);
    double sum = 0;
    for (int i = 0; status == 0 && i < right.count && i < given.count; i++) {
        double one;
        status = score_item(item(&right, i), item(&given, i), fuel, &one);
        if (status > 0)
            *flags |= ANSWER_NO_FUEL;
        sum += status == 0 ? one : 0;
    }
    int most = right.count > given.count ? right.count : given.count;
    *score = status == 0 && most > 0 ? sum / most : 0;
    items_free(&right);
    items_free(&given);
    return status < 0 ? -1 : 0;
}
