/* format.c: the format term of video captions, from their time stamps (CapRL++).
 *
 * A stamp is `[`, one to three digits, `:`, two digits, then perhaps `-` (space around it
 * or not) and such a time again, and `]`. It is valid where each time has at most 59
 * seconds and 599 minutes, and the second is not before the first. With m stamps, of
 * which v are valid:
 *
 *     validity = v / m
 *     coverage = min(1, v / 3)
 *     order    = 1 if no valid stamp begins before the one in front of it, else 0
 *     score    = 0.45 coverage validity + 0.25 validity + 0.30 order validity
 *
 * and all of them are 0 where v is 0.
 */
#include "reward/reward.h"
#include "reward/words.h"

enum { MINUTES_MAX = 599, SECONDS_MAX = 59, STAMPS_ENOUGH = 3 };

/* What is left to read. */
struct cursor {
    const char *s, *end;
};

static bool eat(struct cursor *c, char wanted)
{
    if (c->s == c->end || *c->s != wanted)
        return false;
    c->s++;
    return true;
}

/* At most `most` digits of any script into *number; how many there were. */
static int eat_digits(struct cursor *c, int most, int *number)
{
    int count = 0;
    for (*number = 0; count < most && c->s < c->end; count++) {
        uint32_t code;
        size_t n = words_char(c->s, c->end, &code);
        int digit = words_digit(code);
        if (digit < 0)
            break;
        *number = 10 * *number + digit;
        c->s += n;
    }
    return count;
}

static void eat_space(struct cursor *c)
{
    uint32_t code;
    while (c->s < c->end) {
        size_t n = words_char(c->s, c->end, &code);
        if (!words_space(code))
            break;
        c->s += n;
    }
}

/* "mm:ss" into seconds; *valid becomes false if they name no time. */
static bool eat_time(struct cursor *c, int *time, bool *valid)
{
    int minutes, seconds;
    if (eat_digits(c, 3, &minutes) == 0 || !eat(c, ':') ||
        eat_digits(c, 2, &seconds) != 2)
        return false;
    *valid = *valid && minutes <= MINUTES_MAX && seconds <= SECONDS_MAX;
    *time = 60 * minutes + seconds;
    return true;
}

/* A stamp, behind its `[`. Bytes that were read and are no stamp hold no other `[`, so
 * that nothing is read twice. */
static bool eat_stamp(struct cursor *c, int *start, bool *valid)
{
    int stop;
    *valid = true;
    if (!eat_time(c, start, valid))
        return false;
    if (eat(c, ']'))
        return true;
    eat_space(c);
    if (!eat(c, '-'))
        return false;
    eat_space(c);
    if (!eat_time(c, &stop, valid))
        return false;
    *valid = *valid && stop >= *start;
    return eat(c, ']');
}

struct reward_format reward_format(struct span caption)
{
    struct reward_format f = {0};
    if (caption.n == 0)
        return f;
    struct cursor c = {caption.s, caption.s + caption.n};
    bool ordered = true, valid;
    int last = 0, start;
    while ((c.s = memchr(c.s, '[', (size_t)(c.end - c.s)))) {
        c.s++;
        if (!eat_stamp(&c, &start, &valid))
            continue;
        f.matches++;
        if (!valid)
            continue;
        ordered = ordered && (f.valid == 0 || start >= last);
        last = start;
        f.valid++;
    }
    if (f.valid == 0)
        return f;
    f.validity = (double)f.valid / f.matches;
    f.coverage = f.valid >= STAMPS_ENOUGH ? 1 : (double)f.valid / STAMPS_ENOUGH;
    f.order = ordered;
    f.score =
        0.45 * f.coverage * f.validity + 0.25 * f.validity + 0.30 * f.order * f.validity;
    return f;
}
