/* plan.h: which request meets which fault. A fault is a name and when it strikes:
 *   10%       a share of the tries, drawn from seed, request and try: the same run, the
 *             same faults, whatever the order
 *   always    each try
 *   first:K   the first K tries of each request
 *   every:K   each K-th try that the server sees, in order
 *   start:K   the first K tries that the server sees
 *   after:K   all but these
 * The first rule that strikes counts; shares add up.
 */
#ifndef SERVER_PLAN_H
#define SERVER_PLAN_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PLAN_MAX = 64, PLAN_NAME = 40 };

struct plan_rule {
    char name[PLAN_NAME];
    enum { PLAN_SHARE, PLAN_FIRST, PLAN_EVERY, PLAN_START, PLAN_AFTER } when;
    double x; /* the share, or K */
};

struct plan {
    struct plan_rule rules[PLAN_MAX];
    int count;
    uint64_t seed;
    pthread_mutex_t lock;
    uint64_t tries; /* that the server saw */
    struct plan_seen {
        uint64_t hash;
        int tries;
    } * seen; /* open addressing, [cap] */
    uint64_t used, cap;
};

/* Add "NAME=WHEN" ("=always" where WHEN is left out). false: it is no rule. */
bool plan_add(struct plan *p, const char *rule);

/* The fault for a try of the request with this hash, "" for none; *try counts its tries
 * from 0, of those that come through here. Thread-safe. */
const char *plan_choose(struct plan *p, uint64_t hash, int *try);
#endif
