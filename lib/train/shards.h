/* shards.h: training that is shared by ranks (comm.h): each has all weights and makes
 * gradients of its own examples; of the optimizer's work and memory each has a part (ZeRO
 * stage 1; Rajbhandari et al., arXiv 1910.02054). A step is
 *
 *     shards_reduce()    each rank's part of the gradients = sums over ranks
 *     ... each rank steps its part of the weights ...
 *     shards_gather()    all ranks get all parts of the weights
 *
 * and optimizer_step() does all three. Parts are equal shares of all trained elements,
 * cut at multiples of MOMENT_BLOCK from a parameter's beginning.
 *
 * Numbers go from device to device where both can (kernels/peers.h); then sums are taken
 * in an order that is fixed for a set of machines, but not known here. Else they go
 * through the hosts and comm, in the order of ranks.
 */
#ifndef SHARDS_H
#define SHARDS_H
#include "train/params.h"

/* Fill p->cut, and at, first and kept of each parameter, for p->comm; and p->peers, where
 * all ranks' devices have such. 0 or -1 (memory; a rank is gone). */
int shards_make(struct params *p, const struct kernels *k, struct dev *dev);
void shards_free(struct params *p, const struct kernels *k);

/* What rank r keeps of parameter i: elements [*first, *first + count). Returns count. */
int64_t shards_part(const struct params *p, int i, int r, int64_t *first);

/* 0, or -1: a rank is gone, or the way between devices (comm_lost()). Nothing to do where
 * p->comm is NULL. Of gradients that are not this rank's nothing is said then. */
int shards_reduce(const struct params *p, const struct kernels *k, struct dev *dev);
int shards_gather(const struct params *p, const struct kernels *k, struct dev *dev);
#endif
