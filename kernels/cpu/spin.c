/* spin.c: see spin.h.
 *
 * By default libgomp lets idle threads spin for milliseconds: beside threads that decode
 * pictures, or another process on the same cores, that takes the very cores that the work
 * needs. To wake a sleeping thread costs as much as a product, in virtual machines above
 * all: decode of a 2B model alone on two cores makes 9 tokens a second at a count of 2000
 * and 14 at 10000; three programs at once on the same two cores take 4 s and 15 s. Alone
 * a thread is hardly ever pushed off its processor; where processors are shared, tens or
 * hundreds of times a second, and then spinning keeps others from their work. */
#include "spin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    WINDOW_NS = 50000000,
    MANY = 60,   /* switches a second */
    CALM = 1000, /* milliseconds of few switches until it spins again */
};

static const char alone[] = "10000"; /* SPIN_ALONE */

/* libgomp's own, read at each wait. It is linked statically (Makefile), where a hidden
 * name can be met; NULL with another OpenMP. */
extern unsigned long long gomp_spin_count_var __attribute__((weak));

/* libgomp reads its settings in its constructor: this one, of a higher priority, comes
 * before. What the user has set stays. */
__attribute__((constructor(101))) static void spin_first(void)
{
    if (!getenv("OMP_WAIT_POLICY"))
        setenv("GOMP_SPINCOUNT", alone, 0);
}

void spin_start(struct spin *s)
{
    const char *count = getenv("GOMP_SPINCOUNT");
    *s = (struct spin){.fixed = &gomp_spin_count_var == NULL ||
                                getenv("OMP_WAIT_POLICY") || !count ||
                                strcmp(count, alone) != 0};
}

int spin_judge(struct spin *s, int64_t now_ns, long pushed)
{
    int64_t took = now_ns - s->from_ns;
    if (s->from_ns != 0 && took < WINDOW_NS)
        return 0;
    bool many =
        s->from_ns != 0 && (double)(pushed - s->pushed) * 1e9 > MANY * (double)took;
    s->quiet = many ? 0 : s->quiet + 1;
    s->from_ns = now_ns;
    s->pushed = pushed;
    return many ? SPIN_SHARED : s->quiet >= CALM / (WINDOW_NS / 1000000) ? SPIN_ALONE : 0;
}

void spin_look(struct spin *s)
{
    struct timespec t;
    struct rusage used;
    if (s->fixed)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (s->from_ns != 0 && now - s->from_ns < WINDOW_NS)
        return;
    getrusage(RUSAGE_SELF, &used);
    int count = spin_judge(s, now, used.ru_nivcsw);
    if (count > 0)
        __atomic_store_n(&gomp_spin_count_var, (unsigned long long)count,
                         __ATOMIC_RELAXED);
}
