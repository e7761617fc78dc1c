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

/* Rows and columns of the products that are measured: more where a product of the least
 * takes a device no time to speak of. */
enum { SIDE = 512, SIDE_MOST = 8192, TRIES = 6 };

static struct arr taken(const struct kernels *k, struct dev *dev, int64_t rows,
                        int64_t side)
{
    struct arr a = {.dev = dev, .type = k->act(dev), .rank = 2, .shape = {rows, side}};
    a.stride = side;
    a.data = k->alloc(dev, arr_type_bytes(a.type, rows * side));
    return a;
}

static void given_back(const struct kernels *k, struct dev *dev, struct arr a)
{
    if (a.data)
        k->release(dev, a.data, arr_type_bytes(a.type, arr_size(a)));
}

/* Seconds that a product [side / 2, side] by [side, side] takes, the best of some; 0
 * without memory. A device that is slow (a test's) is asked once. */
static double product_time(const struct kernels *k, struct dev *dev, int64_t side)
{
    struct arr x = taken(k, dev, side / 2, side), w = taken(k, dev, side, side),
               y = taken(k, dev, side / 2, side);
    double best = 0, all = 0;
    const char *why;
    if (x.data && w.data && y.data) {
        k->back->zero(dev, x);
        k->back->zero(dev, w);
        k->sync(dev, &why);
        for (int i = 0; i < TRIES && all < 0.1; i++) {
            double from = now();
            k->matmul(dev, y, x, w, arr_none(), MATMUL_SET);
            k->sync(dev, &why);
            double took = now() - from;
            all += took;
            best = i == 0 || took < best ? took : best;
        }
    }
    given_back(k, dev, x);
    given_back(k, dev, w);
    given_back(k, dev, y);
    return best;
}

static double product_rate(const struct kernels *k, struct dev *dev)
{
    double rate = 0, took = 0;
    for (int64_t side = SIDE; side <= SIDE_MOST && took < 1e-3; side *= 2) {
        took = product_time(k, dev, side);
        double reached = took > 0 ? (double)(side * side * side) / took : 0;
        rate = reached > rate ? reached : rate;
        if (took == 0)
            break;
    }
    return rate;
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
