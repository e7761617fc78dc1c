/* endpoints.h: several servers that do the same work: which one is asked next, which one
 * is down, when it is probed again. No clock and no sockets: times are handed in, in ms.
 *
 * An endpoint that nobody can reach, or that breaks off its work, is struck; after
 * ENDPOINT_STRIKES in a row it is down. Breaking off may be a row's fault (a picture that
 * kills the server's worker), so of one call's tries only one counts; not being reached
 * never is. A down endpoint is probed with a request after a pause that doubles; any
 * answer, even one that refuses the request, brings it back.
 */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H
#include <stdbool.h>
#include <stdint.h>

enum { ENDPOINT_STRIKES = 5, ENDPOINT_DOUBT_MAX = 15 };

struct endpoint {
    char *base; /* owned; its URL without a slash at the end */
    int in_flight;
    int doubt; /* useless answers in a row: it is asked less while others do better */
    int unreached;
    uint64_t struck_by[ENDPOINT_STRIKES]; /* [struck] calls that it broke off */
    int struck;
    bool down, probing;
    int64_t down_ms;  /* since when */
    int64_t probe_ms; /* when the next probe is due */
    int64_t pause_ms; /* the pause before it */
};

struct endpoints {
    struct endpoint *items; /* [count], owned */
    int count;
    int turn;          /* equals are asked in turn */
    int64_t pause_ms;  /* first pause before a probe */
    int64_t linger_ms; /* all down for longer than this: lost */
};

enum endpoint_result {
    ENDPOINT_GOOD,      /* an answer that was taken */
    ENDPOINT_POOR,      /* an answer, of no use */
    ENDPOINT_STRUCK,    /* broke off, timed out, 5xx */
    ENDPOINT_UNREACHED, /* no connection */
};

/* 0, or -1: refused (a URL that will not do), internal. */
int endpoints_open(struct endpoints *e, const char *const *urls, int count);
void endpoints_close(struct endpoints *e);

/* The endpoint for a try, which counts as in flight from now on; -1 if none is up or due
 * for a probe. Not `avoid` (-1: none) where there is another. *probe: it was down. */
int endpoints_pick(struct endpoints *e, int avoid, int64_t now_ms, bool *probe);

/* A try came to its end. probe: as endpoints_pick() said; call: a number that tells calls
 * apart. */
void endpoints_done(struct endpoints *e, int which, bool probe,
                    enum endpoint_result result, uint64_t call, int64_t now_ms);
/* A try was given up: it says nothing. */
void endpoints_return(struct endpoints *e, int which, bool probe);

bool endpoints_all_down(const struct endpoints *e);
/* All down, for long enough, and nothing under way that could prove otherwise. */
bool endpoints_lost(const struct endpoints *e, int64_t now_ms);
/* When the next probe is due; INT64_MAX: none. */
int64_t endpoints_next(const struct endpoints *e);
#endif
