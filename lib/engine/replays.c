/* replays.c: see replays.h. */
#include "engine/replays.h"

static bool is_same(const struct replay_shape *a, const struct replay_shape *b)
{
    return a->at == b->at && a->rows == b->rows && a->sequences == b->sequences &&
           a->pages == b->pages && a->wants == b->wants;
}

static struct replay *find(struct replays *r, const struct replay_shape *shape)
{
    for (int i = 0; i < r->count; i++)
        if (is_same(&r->list[i].shape, shape))
            return &r->list[i];
    return NULL;
}

/* A place for a new shape: the one that was not asked for for the longest time. */
static struct replay *oldest(struct replays *r, const struct kernels *k, struct dev *dev)
{
    struct replay *old = &r->list[0];
    if (r->count < REPLAYS)
        return &r->list[r->count++];
    for (int i = 1; i < REPLAYS; i++)
        if (r->list[i].used < old->used)
            old = &r->list[i];
    if (old->recording)
        k->forget(dev, old->recording);
    return old;
}

void replays_run(struct replays *r, const struct kernels *k, struct dev *dev,
                 const struct replay_shape *shape, void (*call)(void *with), void *with)
{
    struct replay *one = find(r, shape);
    if (!one) {
        one = oldest(r, k, dev);
        *one = (struct replay){.shape = *shape};
    } else if (!one->recording && !one->hopeless && k->record(dev)) {
        call(with);
        one->recording = k->recorded(dev);
        one->hopeless = !one->recording;
    }
    one->used = ++r->now;
    if (one->recording) {
        k->replay(dev, one->recording);
        r->replayed++;
    } else {
        call(with);
    }
}

void replays_forget(struct replays *r, const struct kernels *k, struct dev *dev)
{
    for (int i = 0; i < r->count; i++)
        if (r->list[i].recording)
            k->forget(dev, r->list[i].recording);
    r->count = 0;
}
