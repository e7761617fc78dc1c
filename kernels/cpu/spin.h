/* spin.h: how long idle threads of OpenMP spin before they sleep, by what else the
 * processors have to do. */
#ifndef SPIN_H
#define SPIN_H
#include <stdbool.h>
#include <stdint.h>

/* Counts of libgomp's: some tens of microseconds, some microseconds. */
enum { SPIN_ALONE = 10000, SPIN_SHARED = 1000 };

struct spin {
    int64_t from_ns; /* of the window that is measured; 0: none yet */
    long pushed;     /* involuntary switches of the process until then */
    int quiet;       /* windows since the last one of many switches */
    bool fixed;      /* the user's setting stays */
};

/* Begin; reads the environment. */
void spin_start(struct spin *s);

/* At a time, the process has been pushed off a processor so often: is it worth SPIN_ALONE
 * or SPIN_SHARED from here on? 0: as it is, the window is not over. */
int spin_judge(struct spin *s, int64_t now_ns, long pushed);

/* Look at the clock and set libgomp's count; costs some 50 ns, a call of getrusage() each
 * 50 ms. */
void spin_look(struct spin *s);
#endif
