/* optimizer.c: see optimizer.h. */
#include "train/optimizer.h"
#include "backward.h"

#include <math.h>

double optimizer_norm(const struct params *p, const struct kernels *k, struct dev *dev,
                      double scale)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        if (p->list[i].trained)
            sum += k->back->sum_squares(dev, p->list[i].grad);
    return sqrt(sum) * scale;
}

double optimizer_step(const struct params *p, const struct kernels *k, struct dev *dev,
                      const struct optimizer_options *o, int64_t step, double lr,
                      double scale)
{
    double norm = optimizer_norm(p, k, dev, scale);
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
        if (!one->trained)
            continue;
        how.decay = one->decayed ? (float)o->decay : 0;
        if (one->m.type == ARR_U8)
            k->back->adamw8(dev, one->w, one->grad, (struct moment){one->m, one->m_most},
                            (struct moment){one->v, one->v_most}, &how);
        else
            k->back->adamw(dev, one->w, one->grad, one->m, one->v, &how);
    }
    params_round(p, k, dev);
    params_clear(p, k, dev);
    return norm;
}
