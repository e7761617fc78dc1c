/* handover.h: a model's weights handed from the process that makes them (a trainer) to
 * others on the same GPU, in that GPU's memory: nothing goes through a file or over the
 * bus.
 *
 * FOLDER/hand-over is a small record, mapped by all: where the memory is (struct
 * dev_handle), what lies where in it, and which versions the two places hold that are
 * written by turns. A place whose version is -1 is being written. A reader that finds
 * the version changed behind its copy has a mixture, and knows it; nobody waits for
 * anybody. The record is locked (flock) for as long as its writer lives: one whose writer
 * has gone is not looked at, and an earlier writer's record is replaced.
 */
#ifndef HANDOVER_H
#define HANDOVER_H
#include "kernels.h"
#include <stdint.h>

struct handover;
struct vlm;

struct handover_tensor {
    const char *name; /* as weight files call it */
    struct arr from;  /* [elements], contiguous; its numbers are read at each put */
    bool fixed;       /* ... at the first one only: they never change */
};

/* Make the record and room for `count` tensors, twice for those that change. identity:
 * engine_hash() of models that may take them. Names and arrays are borrowed. NULL
 * (refused: this device shares no memory, or has too little). */
struct handover *handover_open(const char *folder, const struct kernels *k,
                               struct dev *dev, const char *identity,
                               const struct handover_tensor *list, int count);
/* Copy the tensors as this version. 0, or -1 (internal: the device). */
int handover_put(struct handover *h, int64_t version);
/* How often versions were taken, by anybody, so far. */
int64_t handover_taken(const struct handover *h);
/* Removes the record and gives the memory back. */
void handover_close(struct handover *h);

enum { HANDOVER_TAKEN = 1, HANDOVER_TORN = -2 };

/* Copy a version's tensors into a model's own, on its device. HANDOVER_TAKEN; 0: it is
 * not offered here (no record, its writer has gone, other versions); -1 (refused: the
 * memory cannot be reached, other tensors) with m as it was; HANDOVER_TORN (internal): it
 * was written over meanwhile, or its writer has gone, and m's weights are no model's. */
int handover_take(const char *folder, struct vlm *m, const char *identity,
                  int64_t version);
#endif
