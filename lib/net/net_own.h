/* net_own.h: what net.c (callers' threads) and drive.c (the net's thread) share.
 *
 * A batch is one net_post_all(); its jobs are the calls. Batches come in through `inbox`,
 * under the lock; from then on all but the fields marked so belongs to the net's thread.
 */
#ifndef NET_OWN_H
#define NET_OWN_H
#include "base/fail.h"
#include "base/random.h"
#include "net/endpoints.h"
#include "net/net.h"
#include "net/transfer.h"

#include <pthread.h>
#include <sys/queue.h>

struct batch;

enum job_state {
    JOB_READY,  /* waits for an endpoint, and for its turn */
    JOB_PAUSED, /* behind a try that failed */
    JOB_FLYING,
    JOB_DONE,    /* accepted */
    JOB_DROPPED, /* failed, or its batch did */
};

struct job {
    TAILQ_ENTRY(job) link; /* in the list of its state */
    struct batch *batch;
    struct net_call *call;
    enum job_state state;
    int failures;        /* tries that count against retries */
    int64_t due_ms;      /* paused until then */
    int endpoint;        /* of the try, or of the last one; -1: none yet */
    bool probe;          /* the try finds out whether its endpoint is back */
    struct transfer try; /* flying */
};
TAILQ_HEAD(job_list, job);

struct batch {
    struct batch *next; /* in the inbox */
    struct job *jobs;   /* [count] */
    int count;
    uint64_t number; /* tells batches apart */
    bool failed;
    struct failure failure;
    /* Under the lock: */
    int left;      /* jobs not done */
    bool given_up; /* by its caller */
    pthread_cond_t done;
};

struct net {
    pthread_mutex_t lock;
    pthread_t thread;
    CURLM *multi;
    struct transfer_rules rules;
    struct endpoints endpoints;
    int concurrency, retries;
    int64_t timeout_ms, backoff_ms;
    /* Under the lock: */
    struct batch *inbox, **inbox_end;
    bool stirred; /* some batch was given up */
    bool end, down;
    struct failure down_failure; /* why */
    /* The net's thread alone: */
    struct job_list ready, paused, flying;
    int in_flight;
    int64_t swept_ms; /* when deadlines were last looked at */
    uint64_t batches;
    struct random_key jitter;
    uint32_t draws;
};

void *net_drive(void *net); /* the thread; ends when `end` is set and no job is left */
#endif
