/* throughput.c: see throughput.h. */
#include "train/throughput.h"
#include "backward.h"

#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { ROWS = 256, SIDE = 512, TRIES = 6 };

static struct arr taken(const struct kernels *k, struct dev *dev, int64_t rows)
{
    struct arr a = {.dev = dev, .type = k->act(dev), .rank = 2, .shape = {rows, SIDE}};
    a.stride = SIDE;
    a.data = k->alloc(dev, arr_type_bytes(a.type, rows * SIDE));
    return a;
}

static void given_back(const struct kernels *k, struct dev *dev, struct arr a)
{
    if (a.data)
        k->release(dev, a.data, arr_type_bytes(a.type, arr_size(a)));
}

static double product_rate(const struct kernels *k, struct dev *dev)
{
    struct arr x = taken(k, dev, ROWS), w = taken(k, dev, SIDE), y = taken(k, dev, ROWS);
    double best = 0;
    const char *why;
    if (x.data && w.data && y.data) {
        k->back->zero(dev, x);
        k->back->zero(dev, w);
        for (int i = 0; i < TRIES; i++) {
            double from = now();
            k->matmul(dev, y, x, w, arr_none(), MATMUL_SET);
            k->sync(dev, &why);
            double rate = 2.0 * ROWS * SIDE * SIDE / (now() - from);
            best = rate > best ? rate : best;
        }
    }
    given_back(k, dev, x);
    given_back(k, dev, w);
    given_back(k, dev, y);
    return best;
}

void throughput_open(struct throughput *th, struct trainer *t)
{
    const struct params *p = trainer_params(t);
    bool tied = trainer_config(t)->text.tied;
    *th = (struct throughput){.peak = product_rate(trainer_kernels(t), trainer_dev(t))};
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        double n = (double)arr_size(one->w);
        if (one->rank < 2 || strstr(one->name, "pos_embed"))
            continue;
        switch (one->part) {
        case PART_TEXT: th->token += n * (one->trained ? 6 : 4); break;
        case PART_VISION: th->patch += n * (one->trained ? 6 : 2); break;
        case PART_MERGER: th->merged += n * (one->trained ? 6 : 4); break;
        default:
            if (tied || !strstr(one->name, "embed_tokens"))
                th->target += n * (one->trained ? 6 : 4);
        }
    }
}

double throughput_of(const struct throughput *th, const struct trainer *t,
                     const struct example *examples, int count)
{
    int merge = trainer_config(t)->vision.merge;
    double sum = 0;
    for (int i = 0; i < count; i++) {
        const struct example *e = &examples[i];
        sum += th->token * example_tokens(e) + th->target * e->targets;
        for (int j = 0; j < e->picture_count; j++) {
            const struct engine_picture *p = &e->pictures[j];
            double patches = (double)p->grid_t * p->grid_h * p->grid_w;
            sum += patches * (th->patch + th->merged / (merge * merge));
        }
    }
    return sum;
}
