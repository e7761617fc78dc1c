/* peers.h: devices of several processes that send each other arrays directly (NCCL), not
 * through their hosts. A device's table has these behind .peers, or NULL.
 *
 *     id()                       on rank 0; its bytes are brought to all by other means
 *     open(d, id, rank, world)   on all ranks at once
 *     begin(); reduce() or broadcast() of some arrays; end()
 *
 * Calls between begin() and end() are the same on all ranks, in the same order. They
 * stand in the device's stream behind what was asked for before.
 */
#ifndef PEERS_H
#define PEERS_H
#include "kernels.h"

struct peers;

enum { PEERS_ID_BYTES = 128 };

struct peer_ops {
    const char *name; /* "nccl": for messages */

    /* Is the library there? open() must not be called while some rank's is not: it waits
     * for all. 0, or -1 with the reason in *why (static). */
    int (*ready)(const char **why);
    /* A new group's identity. 0, or -1 with the reason in *why (static). */
    int (*id)(char id[PEERS_ID_BYTES], const char **why);
    /* NULL with the reason in *why (static). d is borrowed. */
    struct peers *(*open)(struct dev *d, const char id[PEERS_ID_BYTES], int rank,
                          int world, const char **why);
    void (*close)(struct peers *p);

    void (*begin)(struct peers *p);
    /* a f32, contiguous: on rank root the sum over ranks, in a fixed order of the
     * library's own; what others have there is undefined then. */
    void (*reduce)(struct peers *p, struct arr a, int root);
    /* a, of any type but blocks, contiguous: as on rank root. */
    void (*broadcast)(struct peers *p, struct arr a, int root);
    /* Do it, and wait until it is done. gone(context) is asked now and then: true ends
     * the waiting, for good. 0, or -1 with the reason in *why (valid until close()): no
     * call but close() may follow. */
    int (*end)(struct peers *p, bool (*gone)(void *context), void *context,
               const char **why);
};
#endif
