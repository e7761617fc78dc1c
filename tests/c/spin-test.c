/* spin-test: idle threads spin where the processors are ours, and sleep soon where others
 * want them. */
#include "check.h"
#include "cpu/spin.h"

#include <omp.h>
#include <stdlib.h>

enum { MS = 1000000 };

static int after(struct spin *s, int64_t *now, int ms, long *pushed, long more)
{
    *now += (int64_t)ms * MS;
    *pushed += more;
    return spin_judge(s, *now, *pushed);
}

static void a_process_that_is_pushed_off_spins_shortly_until_it_is_calm(void)
{
    struct spin s = {0};
    int64_t now = 5000 * (int64_t)MS;
    long pushed = 100000; /* from before it began: of no account */
    CHECK(after(&s, &now, 0, &pushed, 0) == 0, "nothing is measured yet");
    CHECK(after(&s, &now, 10, &pushed, 50) == 0, "the window is not over");
    CHECK(after(&s, &now, 50, &pushed, 10) == SPIN_SHARED, "1000 a second");
    for (int i = 0; i < 19; i++)
        CHECK(after(&s, &now, 50, &pushed, 1) == 0, "calm for %d windows", i + 1);
    CHECK(after(&s, &now, 50, &pushed, 1) == SPIN_ALONE, "calm for a second");
    CHECK(after(&s, &now, 50, &pushed, 2) == SPIN_ALONE, "a timer now and then");
    CHECK(after(&s, &now, 50, &pushed, 4) == SPIN_SHARED, "80 a second");
    CHECK(after(&s, &now, 20000, &pushed, 400) == 0, "20 a second, over a long window");
}

static void what_the_user_has_set_stays(void)
{
    struct spin s;
    NEED(omp_get_num_procs() > 0, "libgomp is linked in, as where there are threads");
    setenv("GOMP_SPINCOUNT", "777", 1);
    spin_start(&s);
    CHECK(s.fixed, "GOMP_SPINCOUNT");
    setenv("GOMP_SPINCOUNT", "10000", 1); /* what the library itself begins with */
    setenv("OMP_WAIT_POLICY", "active", 1);
    spin_start(&s);
    CHECK(s.fixed, "OMP_WAIT_POLICY");
    unsetenv("OMP_WAIT_POLICY");
#ifndef __clang__ /* another OpenMP */
    spin_start(&s);
    CHECK(!s.fixed, "nothing was set, and nothing is changed");
#endif
}

int main(void)
{
    CASE(a_process_that_is_pushed_off_spins_shortly_until_it_is_calm);
    CASE(what_the_user_has_set_stays);
    return check_end();
}
