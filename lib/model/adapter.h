/* adapter.h: low-rank pairs as PEFT saves them (adapter_config.json,
 * adapter_model.safetensors), for merging: W + scale B A (Hu et al., arXiv 2106.09685).
 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H
#include "engine/weights.h"

struct adapter;

/* Read a folder of PEFT's, ours or another tool's. NULL (class model): a file is missing
 * or damaged, or it has what is not merged here: DoRA, patterns of ranks, biases, whole
 * modules, pairs of another shape. */
struct adapter *adapter_open(const char *dir);
void adapter_close(struct adapter *a);

/* The base that its config names; "" if it names none. */
const char *adapter_base(const struct adapter *a);

/* The pair of a base's tensor, by names without what stands before "layers." and the
 * like ("model.", "language_model."); -1: none; -2 (class model): its shape does not fit.
 */
int adapter_find(struct adapter *a, const struct tensor *t);
/* x += numbers [first, first + n) of scale B A of pair i. */
void adapter_add(const struct adapter *a, int i, int64_t first, int64_t n, float *x);

/* Were all pairs found? 0, or -1 (class model) that names one that was not. */
int adapter_all_found(const struct adapter *a);

/* The name behind "model." and "language_model.", however often. */
const char *adapter_plain_name(const char *name);
#endif
