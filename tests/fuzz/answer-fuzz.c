/* answer-fuzz: any bytes as a prediction, by every rule: a score from 0 to 1, the same
 * again, and parts that lie inside of the prediction. The bytes behind the first line end
 * are a gold, too: its faults are failures, nothing worse. */
#include "answer/answer_own.h"
#include "base/buf.h"
#include "fuzz.h"

static void inside(struct span part, struct span of, const char *what)
{
    check(part.n == 0 || (part.s >= of.s && part.s + part.n <= of.s + of.n), what);
}

static void score(struct span gold, struct span prediction, int kind, int rules,
                  bool sane)
{
    static const struct span options[] = {{"a red car", 9}, {"A", 1}, {"42", 2}};
    struct answer_task task = {.kind = (enum answer_kind)kind,
                               .rules = (enum answer_rules)rules,
                               .golds = &gold,
                               .gold_count = 1,
                               .options = options,
                               .option_count = kind == ANSWER_CHOICE ? 3 : 0,
                               .fuel = 20000};
    struct answer_verdict v, again;
    int status = answer_score(&task, prediction, &v);
    check(status == 0 || !sane, "a gold without fault is one");
    if (status < 0)
        return;
    check(v.score >= 0 && v.score <= 1, "a score out of range");
    check(v.gold == (v.score > 0 ? 0 : -1), "the gold that gave it");
    check(answer_score(&task, prediction, &again) == 0 && again.score == v.score &&
              again.flags == v.flags,
          "another score the second time");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just this size, so that reading past its end is seen. */
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    struct span all = {text, size}, gold = {text, 0};
    const char *line = size ? memchr(text, '\n', size) : NULL;
    struct buf list = {0};
    size_t ends[LIST_MAX];
    bool cut;
    double x;
    if (line)
        gold = (struct span){line + 1, (size_t)(text + size - line) - 1};
    for (int kind = ANSWER_CHOICE; kind <= ANSWER_ITEMS; kind++)
        for (int rules = ANSWER_OURS; kind != ANSWER_JUDGE && rules <= ANSWER_PUBLISHED;
             rules++) {
            score((struct span){"42", 2}, all, kind, rules, true);
            score(gold, all, kind, rules, false);
        }
    inside(answer_part(all, &cut), all, "the part lies outside");
    inside(answer_boxed(all), all, "the box lies outside");
    inside(published_box(all), all, "X lies outside");
    check(number_read(all, &x) >= 0 && list_read(all, &list, ends) >= -1, "memory");
    buf_free(&list);
    free(text);
    return 0;
}
