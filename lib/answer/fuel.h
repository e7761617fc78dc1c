/* fuel.h: a bound on work that is counted, not timed: the same text always takes the same
 * path, on any machine. */
#ifndef FUEL_H
#define FUEL_H
#include <stdbool.h>
#include <stdint.h>

struct fuel {
    int64_t left; /* steps; a step is some tens of nanoseconds of work */
};

/* Take steps; false once there are none left (left then stays at 0). */
static inline bool fuel_burn(struct fuel *f, int64_t steps)
{
    f->left = f->left > steps ? f->left - steps : 0;
    return f->left > 0;
}
#endif
