/* processors.c: see processors.h. */
#include "base/processors.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

enum { MOST = 1 << 16 }; /* processors that a set is made for at most */

int processors_usable(void)
{
    /* The kernel refuses a set smaller than its own, whose size it does not tell. */
    for (int room = CPU_SETSIZE; room <= MOST; room *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)room);
        size_t size = CPU_ALLOC_SIZE((size_t)room);
        if (!set)
            break;
        int status = sched_getaffinity(0, size, set), error = errno;
        int count = status == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
        if (error != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}
