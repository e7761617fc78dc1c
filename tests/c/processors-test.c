/* processors-test: "all processors" are those that this process is bound to. */
#include "base/processors.h"
#include "check.h"

#include <sched.h>

static void a_bound_process_counts_what_it_is_bound_to(void)
{
    cpu_set_t all, some;
    NEED(sched_getaffinity(0, sizeof all, &all) == 0, "more than %d", CPU_SETSIZE);
    int there = CPU_COUNT(&all), bound = 0;
    CHECK(processors_usable() == there, "%d, not %d", processors_usable(), there);
    CPU_ZERO(&some);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_SET(i, &some);
        bound++;
        NEED(sched_setaffinity(0, sizeof some, &some) == 0, "cannot bind");
        CHECK(processors_usable() == bound, "%d, not %d", processors_usable(), bound);
    }
}

int main(void)
{
    CASE(a_bound_process_counts_what_it_is_bound_to);
    return check_end();
}
