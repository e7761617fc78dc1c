/* optimizer.c: see optimizer.h. */
#include "train/optimizer.h"
#include "backward.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "train/shards.h"

#include <math.h>

double optimizer_norm(const struct params *p, const struct kernels *k, struct dev *dev,
                      double scale)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        if (one->kept > 0)
            sum += k->back->sum_squares(dev, arr_rows(one->grad, one->first, one->kept));
    }
    return comm_sum(p->comm, &sum, 1) < 0 ? NAN : sqrt(sum) * scale;
}

double optimizer_step(const struct params *p, const struct kernels *k, struct dev *dev,
                      const struct optimizer_options *o, int64_t step, double lr,
                      double scale)
{
    double norm = shards_reduce(p, k, dev) < 0 ? NAN : optimizer_norm(p, k, dev, scale);
    if (!isfinite(norm))
        return norm;
    double clip = o->clip > 0 && norm > o->clip ? o->clip / (norm + 1e-6) : 1;
    struct adamw how = {.lr = (float)lr,
                        .beta1 = (float)o->beta1,
                        .beta2 = (float)o->beta2,
                        .eps = (float)o->eps,
                        .scale = (float)(scale * clip),
                        .correct1 = 1 - pow(o->beta1, (double)step),
                        .correct2 = 1 - pow(o->beta2, (double)step)};
    for (int i = 0; i < p->count; i++) {
        struct param *one = &p->list[i];
        if (one->kept == 0)
            continue;
        struct arr w = arr_rows(one->w, one->first, one->kept);
        struct arr grad = arr_rows(one->grad, one->first, one->kept);
        how.decay = one->decayed ? (float)o->decay : 0;
        if (one->m.type == ARR_U8)
            k->back->adamw8(dev, w, grad, (struct moment){one->m, one->m_most},
                            (struct moment){one->v, one->v_most}, &how);
        else
            k->back->adamw(dev, w, grad, one->m, one->v, &how);
    }
    params_clear(p, k, dev);
    if (shards_gather(p, k, dev) < 0)
        return NAN;
    params_round(p, k, dev);
    return norm;
}

int optimizer_fail(const struct params *p, const struct kernels *k, struct dev *dev)
{
    const char *why;
    if (comm_lost(p->comm))
        return -1; /* the text is there */
    if (k->sync(dev, &why) < 0)
        return fail(FAIL_INTERNAL, "%s", why);
    return fail(FAIL_MODEL, "the gradient is not a number");
}
