/* attention_input.c: queries, keys and values made ready for attention: the operations
 * that this is made of (kernels.h). */
#include "cpu.h"

void CPU_OP(attention_input)(struct dev *d, const struct attention_input *in)
{
    if (in->q_norm.data) {
        CPU_OP(rmsnorm)(d, in->q, in->q, in->q_norm, in->eps);
        CPU_OP(rmsnorm)(d, in->k, in->k, in->k_norm, in->eps);
    }
    if (in->pairs) {
        CPU_OP(rope_pairs)(d, in->q, in->cos, in->sin);
        CPU_OP(rope_pairs)(d, in->k, in->cos, in->sin);
    } else {
        CPU_OP(rope)(d, in->q, in->cos, in->sin);
        CPU_OP(rope)(d, in->k, in->cos, in->sin);
    }
    CPU_OP(kv_write)(d, in->k_pages, in->v_pages, in->k, in->v, in->slot);
}
