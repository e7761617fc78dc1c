/* head.h: the output layer under training: from the last hidden rows to log-probabilities
 * of targets, and back, a chunk of rows at a time (logits [tokens, vocab] are never whole
 * in memory; compare "cut cross-entropy", Wijmans et al., arXiv 2411.09009).
 */
#ifndef TRAIN_HEAD_H
#define TRAIN_HEAD_H
#include "engine/vlm.h"
#include "train/batch_pass.h"
#include "train/tape.h"

enum { HEAD_CHUNK = 512 }; /* targets at once */

/* Buffers; zeroed is empty. On the device itself, not on the tape. */
struct head {
    const struct kernels *k;
    struct dev *dev;
    struct scratch scratch;
    struct arr last, dlast;          /* f32 [chunk, hidden] */
    struct arr normed, dnormed;      /* act [chunk, hidden] */
    struct arr logits;               /* f32 [chunk, vocab] */
    struct arr dlogits;              /* act [chunk, vocab]: logits themselves in f32 */
    struct arr lse, weight, entropy; /* f32 [chunk] */
    struct arr rows, ids, flat;      /* i32 [chunk]; flat: places of single logits */
    struct arr picked;               /* f32 [chunk, 1] */
};

/* What is asked of each target, [targets] each; NULL: not asked, not given. */
struct head_work {
    float *logprob, *entropy;    /* out */
    const float *weight;         /* d loss / d logprob; NULL: no gradient */
    const float *entropy_weight; /* d loss / d entropy */
    float scale; /* 1 / temperature: logits are multiplied by it first; 0: 1 */
};

/* x: the last hidden rows, an array of the tape's. With a weight, the gradients of x, of
 * the final norm and of the output layer are added to. 0 or -1 (memory, the device). */
int head_run(struct head *h, const struct vlm *m, struct tape *tape, struct arr x,
             const struct target *targets, int count, const struct head_work *work);
void head_free(struct head *h);
#endif
