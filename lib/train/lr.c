/* lr.c: see lr.h. */
#include "train/lr.h"
#include "base/fail.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {"constant", "cosine", "linear"};

const char *lr_name(enum lr_kind kind)
{
    return names[kind];
}

int lr_kind(enum lr_kind *kind, const char *name)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *kind = (enum lr_kind)i;
            return 0;
        }
    return fail(FAIL_REFUSED, "\"%s\" is not constant, cosine or linear", name);
}

double lr_at(const struct lr *lr, int64_t step)
{
    if (step <= lr->warmup)
        return lr->peak * (double)step / (double)lr->warmup;
    int64_t rest = lr->steps - lr->warmup;
    double x = rest > 0 ? (double)(step - lr->warmup - 1) / (double)rest : 0;
    x = x > 1 ? 1 : x;
    switch (lr->kind) {
    case LR_COSINE:
        return lr->least + (lr->peak - lr->least) * (1 + cos(3.141592653589793 * x)) / 2;
    case LR_LINEAR: return lr->peak + (lr->least - lr->peak) * x;
    case LR_CONSTANT: break;
    }
    return lr->peak;
}
