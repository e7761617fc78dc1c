/* weights_gguf.h: a GGUF file's tensors under the names that the engine looks up. */
#ifndef WEIGHTS_GGUF_H
#define WEIGHTS_GGUF_H
#include "engine/weights.h"
#include "gguf/gguf.h"

/* Factors that rotary frequencies are divided by (Llama 3.1 and later): F32
 * [head_dim / 2], a tensor that only GGUF files have. */
#define WEIGHTS_ROPE_FACTORS "rope_freqs.weight"

/* One tensor and its name. */
struct gguf_weight {
    struct tensor tensor;
    char name[128];
};

/* All tensors of g, whose mapping they view. "blk.3.attn_q.weight" is called
 * "model.layers.3.self_attn.q_proj.weight", as published models call it; a name that has
 * no such form stays. One of a type that the kernels do not compute with is there and not
 * usable. count: gguf_count(g). The caller's to free; NULL without memory. */
struct gguf_weight *gguf_weights(const struct gguf *g);

/* Are the rows of q and k in the order of rotary pairs side by side? They are in files of
 * architecture "llama", whose converter sorts them so; see the kernels' rope_pairs. */
bool gguf_rope_pairs(const struct gguf *g);
#endif
