/* comm_own.h: what the files of comm share. */
#ifndef COMM_OWN_H
#define COMM_OWN_H
#include "comm/comm.h"

enum { COMM_MAGIC = 0x6d6c6c43, COMM_PROTOCOL = 1 };

enum frame_kind { FRAME_DATA = 1, FRAME_LEAVE };

/* Before each message. LEAVE: its bytes are a reason. */
struct frame {
    uint32_t magic, kind;
    uint64_t number; /* of the message on this connection, from 0 */
    uint64_t bytes;
};

/* A message on its way to or from a rank. */
struct flow {
    struct frame frame;
    size_t frame_done;
    char *data; /* borrowed */
    size_t bytes, done;
    bool on;
};

struct peer {
    int fd;                  /* -1: this rank itself, or not there yet */
    uint64_t sent, received; /* messages */
};

struct comm {
    int rank, world;
    double timeout;
    struct peer *peers;             /* [world] */
    struct flow *out, *in;          /* [world] */
    char *send_room, *receive_room; /* [world] pieces of PIECE numbers, for vectors */
    int64_t piece;
    uint64_t sent, received; /* bytes */
    bool lost, said;         /* a rank is gone; the others were told */
    char why[512];           /* ... the reason */
};

double comm_now(void); /* seconds */

/* The run is at its end: keep the reason that is in fail_text(). Returns -1. */
int comm_broken(struct comm *c);

/* Bytes to send to a rank and bytes to be received from one, in the next exchange. */
void exchange_send(struct comm *c, int rank, const void *bytes, size_t n);
void exchange_receive(struct comm *c, int rank, void *bytes, size_t n);
/* Do all that was asked for, at once. 0, or -1: timeout, refused (a rank is gone). */
int exchange(struct comm *c);

/* Fill c->peers: all connections. 0 or -1. */
int meet(struct comm *c, const struct comm_options *o);
#endif
