/* policy.h: the hand-over of a policy from the trainer to whoever samples from it.
 *
 *   POLICY                  a symbolic link to POLICY.d/v000012, the newest version
 *   POLICY.d/v000012        a model folder; or a symbolic link to one in the work folder
 *   POLICY.d/checkpoints/   the trainer's own (checkpoint.h), by which a run goes on
 *   WORK/v000012            a model folder: config, tokenizer, weights as f32 (where the
 *                           trainer computes with bf16 copies, these), so that the
 *                           sampler computes with the trainer's very numbers
 *
 * A version is written under a temporary name, then renamed, then POLICY is replaced by
 * rename: a reader sees a whole version, always. One that has mapped a version's weights
 * keeps them when the folder is removed. The work folder is in memory (/dev/shm) where
 * there is room, so that no step waits for a disk; what a reboot loses is written again
 * from the last checkpoint. What a killed run has left in memory goes as the run goes on,
 * wherever its work folder is then. lib/model/follow.h is the reading side.
 *
 * Use, in a trainer:
 *
 *     policy_open()                     before the first row
 *     checkpoint_find() ... load        in policy_checkpoints(); else version 0: base
 *     policy_publish(.., S)             then the hello, then for each step n:
 *         ... the step ...
 *         checkpoint_save(n)            every --save N steps, and policy_hold(n)
 *         policy_publish(.., n)         before its metrics row is written
 *     policy_complete()                 at the end, unless inside a step
 *     policy_settle(), policy_close()   ... (interrupted: policy_close() alone)
 */
#ifndef POLICY_H
#define POLICY_H
#include "train/hand_over.h"
#include "train/params.h"

struct policy;

struct policy_options {
    const char *path; /* POLICY: --out */
    const char *base; /* model folder whose config, tokenizer and template are copied */
    const char *work; /* where WORK is made (--work DIR); NULL: /dev/shm if there is room
                         for all versions that stay and no run elsewhere has the same
                         folder there, else POLICY.d itself */
    int keep; /* newest versions that stay; 0: 3. A sampler that runs K steps ahead needs
                 K + 2 to draw the same in each run */
    enum policy_hand_over how;
};

/* Make POLICY.d and the work folder, remove what a killed run left half-made, and keep
 * other runs out for as long as it is open. p: only its sizes are looked at. NULL
 * (refused): another run is at work there, POLICY is there and no link of ours, a folder
 * cannot be made. */
struct policy *policy_open(const struct policy_options *o, const struct params *p);
/* Leaves all versions as they are. */
void policy_close(struct policy *y);

/* POLICY.d/checkpoints: what goes into struct checkpoints as its `out`. It is made by
 * policy_open(). Borrowed. */
const char *policy_checkpoints(const struct policy *y);
const char *policy_work(const struct policy *y); /* the work folder, for -v. Borrowed */

/* The version that POLICY leads to, whole or not; -1: none. */
int64_t policy_version(const struct policy *y);

/* Write the weights (all parameters, trained or not) as this version and let POLICY lead
 * to it. A version of that number, and those above, are replaced and removed: they are
 * of a run that went on from an earlier checkpoint. Old ones go, but for the newest
 * `keep`, and those that policy_hold() holds. 0, or -1 (refused: no space, with
 * the version before untouched). */
int policy_publish(struct policy *y, const struct kernels *k, struct dev *dev,
                   const struct params *p, int64_t version);

/* The newest version gets its weights file if it has none; the weights must be that
 * version's still. 0 or -1 (refused: no space). */
int policy_complete(struct policy *y, const struct kernels *k, struct dev *dev,
                    const struct params *p);
/* How often samplers took a version from the GPU's memory. */
int64_t policy_taken(const struct policy *y);

/* There is a checkpoint of this version: it and the keep - 1 before it stay until the
 * next call, so that a run that goes on from there finds what its rows were drawn with.
 */
void policy_hold(struct policy *y, int64_t version);

/* Identity of all published versions: gen.model of rows sampled from them (config and
 * weight headers, weights_hash()). "" before the first policy_publish(). Borrowed. */
const char *policy_hash(const struct policy *y);

/* The run is over: bring the newest version to the disk, where POLICY then leads, and
 * remove the work folder and the versions before. 0 or -1 (refused: no space; POLICY
 * still leads to the version in memory). */
int policy_settle(struct policy *y);
#endif
