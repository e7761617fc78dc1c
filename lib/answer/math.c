/* math.c: from two texts to a verdict. */
#include "answer/math.h"
#include "answer/math_own.h"
#include <flint/flint.h>

struct math_rules math_defaults(void)
{
    return (struct math_rules){
        .latex = true, .plain = true, .boxed = 50, .digits = 6, .strict = true};
}

static bool same_text(struct span a, struct span b)
{
    return a.n > 0 && a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

enum math_verdict math_verify(struct span gold, struct span prediction,
                              const struct math_rules *rules, struct fuel *fuel)
{
    struct math_work w = {.fuel = fuel};
    struct math_found right = math_extract(&w, gold, rules), got = {0};
    enum math_verdict verdict = MATH_DIFFERENT;
    if (w.spent) {
        verdict = MATH_GOLD_FUEL;
        goto out;
    }
    if (!right.value && !right.text.n) {
        verdict = MATH_NO_GOLD;
        goto out;
    }
    got = math_extract(&w, prediction, rules);
    if (!w.spent && same_text(right.text, got.text))
        verdict = MATH_EQUAL;
    else if (!w.spent && right.value && got.value &&
             math_compare(&w, rules->turned ? got.value : right.value,
                          rules->turned ? right.value : got.value, rules))
        verdict = MATH_EQUAL;
    else if (!w.spent && !got.value && !got.text.n)
        verdict = MATH_NO_PREDICTION;
    if (w.spent)
        verdict = MATH_FUEL;
out:
    math_work_free(&w);
    return verdict;
}

void math_thread_end(void)
{
    flint_cleanup();
}
