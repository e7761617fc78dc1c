/* formula.c: answers that are mathematical objects: what is asked of math.h. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "answer/math.h"
#include "base/buf.h"
#include "base/fail.h"

/* Append "$text$". */
static int in_dollars(struct span text, struct buf *out)
{
    buf_char(out, '$');
    buf_add(out, text.s, text.n);
    buf_char(out, '$');
    return buf_ok(out);
}

/* For messages: the gold's beginning. */
static int shown(struct span gold)
{
    size_t n = gold.n < 60 ? gold.n : 60;
    while (n < gold.n && n > 0 && (gold.s[n] & 0xC0) == 0x80) n--;
    return (int)n;
}

static int judge(enum math_verdict verdict, struct span gold, unsigned *flags)
{
    switch (verdict) {
    case MATH_EQUAL: return 1;
    case MATH_NO_GOLD:
        return fail(FAIL_TYPE, "answer: no number or formula: \"%.*s\"", shown(gold),
                    gold.s);
    case MATH_GOLD_FUEL:
        return fail(FAIL_REFUSED, "answer: takes too many steps to read: \"%.*s\"",
                    shown(gold), gold.s);
    case MATH_FUEL: *flags |= ANSWER_NO_FUEL; return 0;
    case MATH_NO_PREDICTION: *flags |= ANSWER_NO_ANSWER; return 0;
    default: return 0;
    }
}

int formula_equal(struct span gold, struct span prediction, struct fuel *fuel,
                  unsigned *flags)
{
    struct math_rules rules = math_defaults();
    enum math_verdict verdict = math_verify(gold, prediction, &rules, fuel);
    if (verdict == MATH_NO_GOLD && chars_strip(gold).n > 0) {
        struct buf wrapped = {0};
        int status = in_dollars(gold, &wrapped);
        if (status == 0)
            verdict = math_verify((struct span){wrapped.data, wrapped.len}, prediction,
                                  &rules, fuel);
        buf_free(&wrapped);
        if (status < 0)
            return -1;
    }
    return judge(verdict, gold, flags);
}

/* LaTeX alone, the first match; verify() is called with the prediction in gold's place.
 */
static struct math_rules published_rules(void)
{
    struct math_rules rules = math_defaults();
    rules.plain = false;
    rules.first = true;
    rules.turned = true;
    return rules;
}

int formula_text(struct span x, struct fuel *fuel, struct buf *out)
{
    struct math_rules rules = published_rules();
    struct buf wrapped = {0};
    int status = in_dollars(x, &wrapped);
    if (status == 0)
        status = math_text((struct span){wrapped.data, wrapped.len}, &rules, fuel, out);
    buf_free(&wrapped);
    return status;
}

/* Is x, as it is, the text that gold comes to? 1, 0, -1. */
static int same_text(struct span gold, struct span x, struct fuel *fuel)
{
    struct buf text = {0};
    int status = formula_text(gold, fuel, &text);
    struct span g = {text.data, text.len};
    x = chars_strip(x);
    if (status > 0)
        status = fail(FAIL_REFUSED, "answer: takes too many steps to read");
    else if (status == 0)
        status = x.n > 0 && x.n == g.n && memcmp(x.s, g.s, x.n) == 0;
    buf_free(&text);
    return status;
}

int formula_published(struct span gold, struct span x, struct fuel *fuel, unsigned *flags)
{
    struct math_rules rules = published_rules();
    struct buf g = {0}, p = {0};
    int status = same_text(gold, x, fuel);
    if (status != 0)
        return status;
    status = in_dollars(gold, &g) < 0 || in_dollars(x, &p) < 0 ? -1 : 0;
    if (status == 0) {
        enum math_verdict verdict = math_verify(
            (struct span){g.data, g.len}, (struct span){p.data, p.len}, &rules, fuel);
        status = verdict == MATH_NO_GOLD ? 1 : judge(verdict, gold, flags);
    }
    buf_free(&g);
    buf_free(&p);
    return status;
}
