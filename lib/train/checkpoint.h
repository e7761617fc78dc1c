/* checkpoint.h: training's state on disk: a folder of versions, each a Hugging Face model
 * directory that any tool loads, with the optimizer's state beside.
 *
 *   OUT/v000012/          config.json, model.safetensors, tokenizer files: as the base's
 *   OUT/v000012/state/    optimizer.safetensors: f32 masters and moments of what is
 *                         trained (8-bit moments as they are);
 *                         state.json: step, data order, options, sums
 *   OUT/latest            a symbolic link to the newest whole version
 *
 * Where low-rank pairs are trained, a version has adapter_config.json and
 * adapter_model.safetensors, as PEFT writes them, in place of a model.
 *
 * A version is written under a temporary name, each file fsynced, the folder fsynced,
 * then renamed, then the link is replaced by rename; so whatever stops a run at whatever
 * moment, the version before it stays whole. state.json holds sizes and xxh3 hashes of
 * all files of the version: a damaged one is noticed, said, and the one before is taken.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H
#include "train/params.h"
#include <jansson.h>

struct checkpoints {
    const char *out; /* OUT */
    const char
        *base; /* model directory whose config, tokenizer and template are copied */
    enum arr_type type; /* of the weights written: ARR_BF16 or ARR_F32; ARR_TYPES: as the
                           base stores each */
    int keep;           /* versions that stay; 0: all */
};

enum { CHECKPOINT_FULL = -2 }; /* no space on the disk */

/* Write version `step` into OUT, which is there: all parameters (trained or not), the
 * optimizer's state, and the caller's own state (borrowed). The versions that are too old
 * go afterwards. On failure nothing but the temporary folder is touched, and that is
 * removed. 0, -1, or CHECKPOINT_FULL.
 * Of several ranks (params.comm) all come here, rank 0 writes, and what it writes is what
 * one process would; if that fails, it leaves the others (comm_lost()). */
int checkpoint_save(const struct checkpoints *c, const struct kernels *k, struct dev *dev,
                    const struct params *p, int64_t step, const json_t *state);

/* Make OUT, if need be, and keep other runs out of it for as long as the descriptor is
 * open. -1: another run is at work there, or it cannot be made. */
int checkpoint_lock(const struct checkpoints *c);

/* Remove all versions. */
void checkpoint_clear(const struct checkpoints *c);

/* The newest whole version of OUT. *step -1: there is none (OUT may be missing). *note:
 * what was wrong with newer ones ("v000012 is damaged (...): v000010 is taken"), owned by
 * the caller, or NULL. 0 or -1. */
int checkpoint_find(const struct checkpoints *c, int64_t *step, char **note);

/* A run goes on from version `step`: what a run that was killed left to do is done.
 * OUT/latest is that version, half-made ones and those that are too old go. 0 or -1. */
int checkpoint_take(const struct checkpoints *c, int64_t step);

/* Read a version's masters and moments into p (names, shapes and which are trained must
 * be the same; of moments this rank's part) and the caller's state (*state: new, the
 * caller's). 0 or -1 (class model).
 */
int checkpoint_load(const struct checkpoints *c, const struct kernels *k, struct dev *dev,
                    const struct params *p, int64_t step, json_t **state);
#endif
