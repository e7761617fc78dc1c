/* choice_lead.c: see choice_lead.h. */
#include "answer/choice_lead.h"
#include "answer/chars.h"
#include "qa/letter.h"

/* Step over one of words (a NULL-ended list, longer ones first) and space behind it. */
static bool take(struct span *t, const char *const *words)
{
    for (; *words; words++) {
        size_t n = strlen(*words);
        if (t->n < n || memcmp(t->s, *words, n) != 0)
            continue;
        *t = chars_strip((struct span){t->s + n, t->n - n});
        return true;
    }
    return false;
}

/* "因此，正确答案是：": [so,] [the right | my ...] answer | option | choose [is] [:]. */
static struct span behind_chinese(struct span reply)
{
    static const char *const before[] = {
        "综上所述", "综上", "因此", "所以", "我的", "正确", "最终", "最佳",
        "故",       "的",   "我",   "本题", "，",   ",",    "**",   NULL};
    static const char *const noun[] = {"答案",   "选项", "选择", "应选",
                                       "应该选", "选",   "答",   NULL};
    static const char *const after[] = {"应该是", "应为", "应选", "选项", "是", "为",
                                        "选",     "：",   ":",    "**",   NULL};
    struct span t = chars_strip(reply);
    while (take(&t, before)) {
    }
    if (!take(&t, noun))
        return reply;
    while (take(&t, after)) {
    }
    return t;
}

struct span choice_behind_lead_in(struct span reply)
{
    struct span behind = letter_behind_lead_in(reply);
    return behind.n < reply.n ? behind : behind_chinese(reply);
}

struct span choice_boxed(struct span reply)
{
    static const char mark[] = "\\boxed{";
    enum { MARK = sizeof mark - 1 };
    size_t at = reply.n, depth = 1;
    if (reply.n < MARK)
        return (struct span){NULL, 0};
    for (at = reply.n - MARK; memcmp(reply.s + at, mark, MARK) != 0; at--)
        if (at == 0)
            return (struct span){NULL, 0};
    for (size_t i = at + MARK; i < reply.n; i++) {
        depth += reply.s[i] == '{';
        depth -= reply.s[i] == '}';
        if (depth == 0)
            return chars_strip((struct span){reply.s + at + MARK, i - at - MARK});
    }
    return (struct span){NULL, 0};
}
