/* replays.h: passes of a shape that comes again and again are recorded on the device
 * (kernels.h), and then asked for in one call. Of the latest shapes only.
 */
#ifndef REPLAYS_H
#define REPLAYS_H
#include "kernels.h"

enum { REPLAYS = 32 };

/* All that a pass's operations depend on beside what is in its arrays. */
struct replay_shape {
    const void *at; /* the arrays' memory */
    int rows, sequences, pages, wants;
};

struct replay {
    struct replay_shape shape;
    struct recording *recording; /* NULL: seen once, or it cannot be recorded */
    bool hopeless;
    int64_t used; /* when */
};

/* Zeroed is empty. */
struct replays {
    struct replay list[REPLAYS];
    int count;
    int64_t now;
    int64_t replayed; /* passes, so far */
};

/* Have the device do what call(with) asks of it. The first pass of a shape is just done
 * (libraries and kernels are loaded by it), the second is recorded. */
void replays_run(struct replays *r, const struct kernels *k, struct dev *dev,
                 const struct replay_shape *shape, void (*call)(void *with), void *with);

/* Forget all: the arrays or weights are no longer where they were. */
void replays_forget(struct replays *r, const struct kernels *k, struct dev *dev);
#endif
