/* loop.c: see loop.h. */
#include "engine/loop.h"

bool loop_add(struct loop *l, int32_t id)
{
    bool loops = false;
    int known = l->count < LOOP_PERIOD_MAX ? l->count : LOOP_PERIOD_MAX;
    for (int p = 1; p <= known; p++) {
        bool same = l->last[(l->count - p) % LOOP_PERIOD_MAX] == id;
        l->run[p] = same ? l->run[p] + 1 : 0;
        int tail = l->run[p] + p; /* the first cycle equals nothing before it */
        loops |= same && tail >= LOOP_TIMES * p && tail >= LOOP_TOKENS;
    }
    l->last[l->count % LOOP_PERIOD_MAX] = id;
    l->count++;
    return loops;
}
