/* format-fuzz: a libFuzzer target: time stamps, words and flags of any bytes.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Ilib ... */
#include "reward/reward.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_share(double x)
{
    return x >= 0 && x <= 1 + 1e-12;
}

static const char *wrong_with(const struct reward_format *f, size_t size)
{
    if (!is_share(f->validity) || !is_share(f->coverage) || !is_share(f->score))
        return "a share is none";
    if (f->order != 0 && f->order != 1)
        return "order is neither 0 nor 1";
    if (f->matches < 0 || f->valid < 0 || f->valid > f->matches)
        return "counts do not fit";
    if ((size_t)f->matches * 6 > size) /* "[0:00]" */
        return "more stamps than fit in";
    if ((f->valid == 0) != (f->score == 0))
        return "a score for nothing, or nothing for a stamp";
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just this size, so that reading past its end is seen. */
    char *text = malloc(size ? size : 1);
    unsigned flags;
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    struct reward_format f = reward_format((struct span){text, size});
    const char *wrong = wrong_with(&f, size);
    if (reward_flags((struct span){text, size}, &flags) == 0 && flags >> REWARD_FLAGS)
        wrong = "a flag without a name";
    if (wrong) {
        fprintf(stderr, "%s: %.*s\n", wrong, (int)size, text);
        abort();
    }
    free(text);
    return 0;
}
