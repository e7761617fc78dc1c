/* cli_own.h: what stands behind struct cli, for the files of lib/row alone. */
#ifndef CLI_OWN_H
#define CLI_OWN_H
#include "row/cli.h"
#include "row/feed.h"
#include "row/keys.h"
#include "row/options.h"
#include "row/row_own.h"
#include "row/say.h"
#include "row/sink.h"

#include <time.h>

/* Why a run stops before its input ends. The first reason stays. */
enum stop {
    STOP_NOT,
    STOP_SIGNAL,   /* rows in flight are still written */
    STOP_ERRORS,   /* over --max-errors */
    STOP_OUTPUT,   /* a write failed, or memory is out */
    STOP_PIPE,     /* nobody reads our output any more */
    STOP_SETUP,    /* the output could not be opened */
    STOP_GIVEN_UP, /* cli_give_up(): rows in flight are still written */
};

/* Is nothing written any more? */
static inline bool stop_cuts_short(enum stop why)
{
    return why != STOP_NOT && why != STOP_SIGNAL && why != STOP_GIVEN_UP;
}

struct watch {
    pthread_t watcher, keeper;
    bool watching, keeping;
    int signal_fd, end_fd;
};

struct cli_private {
    struct options options;
    struct say say;
    bool verbose, unusable;
    struct buf identity; /* name=value lines: options, then cli_identity() */
    struct buf stamp; /* of cli_identity(); once begun, what _run and the journal get */
    struct buf given; /* once begun: hashes of the options given, for the journal */
    char hash[33];    /* of identity, once begun */
    const char *id_key;
    int64_t shard, shards, limit; /* limit -1: none */
    int64_t max_errors;           /* -1: none */
    double max_percent;           /* < 0: none */
    bool unordered, text_output, stamp_rows, progress;
    struct sink_plan plan;

    /* The main thread's */
    bool begun; /* output is open */
    bool ended; /* the input is at its end, or at --limit */
    bool lost;  /* some input could not be read */
    struct feed feed;
    struct stream_wait wait; /* wake_fd: readable once the run is to stop; -1 none */
    struct key_counts counts;
    struct tokens tokens; /* room for those of the row that is read */
    int64_t read, chosen; /* rows read; rows of this shard */
    int64_t worked;       /* rows that this run did */

    struct sink sink;
    struct watch watch;
    atomic_int stop;           /* enum stop */
    atomic_bool started;       /* the first row was asked for */
    atomic_bool waiting;       /* no complete input line is there */
    atomic_bool abandoned;     /* a row was left undone */
    atomic_bool given_up;      /* cli_give_up() was called */
    atomic_llong rows, failed; /* written by this run */
    int64_t passed, copied;    /* of rows: came in with an error; from an earlier run */
    struct timespec start;
};

/* cli.c */
void cli_stop(struct cli *cli, enum stop why); /* any thread */

/* rows.c: the next row of this run. 1: to be worked on; 2: to be handed on as it is; 0:
 * none (the end, or the run stops). */
int rows_take(struct cli *cli, struct row *row);
/* Have more rows failed than --max-errors allows, with no more to come (`last`) or so
 * far? A percentage says nothing about the first few. */
bool failed_too_often(const struct cli_private *own, bool last);
/* Write a row that is done, in its turn, with its message if it failed; free it. dropped:
 * there is nothing to write. One thread at a time. */
void rows_deliver(struct cli *cli, struct row *row, bool dropped);

/* watch.c: threads that wait for signals, show progress and make rows safe. */
int watch_start(struct cli *cli); /* 0 or -1 */
void watch_end(struct cli *cli);

/* progress.c */
struct progress {
    double next; /* seconds since the start: when to say something again */
};
void progress_show(struct cli *cli, struct progress *p, bool last);
#endif
