/* backward_table.c: the CPU's two tables of gradients. */
#include "backward_cpu.h"

#define TABLE(isa)                                                                       \
    const struct backward cpu_back_##isa = {                                             \
        .zero = zero_##isa,                                                              \
        .copy = copy_##isa,                                                              \
        .matmul_x = matmul_x_##isa,                                                      \
        .matmul_w = matmul_w_##isa,                                                      \
        .rmsnorm = back_rmsnorm_##isa,                                                   \
        .layernorm = back_layernorm_##isa,                                               \
        .swiglu = back_swiglu_##isa,                                                     \
        .gelu = back_gelu_##isa,                                                         \
        .silu = back_silu_##isa,                                                         \
        .add_scaled = add_scaled_##isa,                                                  \
        .gather = back_gather_##isa,                                                     \
        .scatter = back_scatter_##isa,                                                   \
        .gather_mix = back_gather_mix_##isa,                                             \
        .rope = back_rope_##isa,                                                         \
        .rope_pairs = back_rope_pairs_##isa,                                             \
        .attention = back_attention_##isa,                                               \
        .attention_paged = back_attention_paged_##isa,                                   \
        .kv_write = back_kv_write_##isa,                                                 \
        .kv_copy = back_kv_copy_##isa,                                                   \
        .logits = back_logits_##isa,                                                     \
        .entropy = entropy_##isa,                                                        \
        .sum_squares = sum_squares_##isa,                                                \
        .adamw = adamw_##isa,                                                            \
        .adamw8 = adamw8_##isa,                                                          \
        .to_bf16 = to_bf16_##isa,                                                        \
    }

TABLE(plain);
TABLE(avx2);
