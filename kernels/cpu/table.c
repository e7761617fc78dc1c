/* table.c: the CPU's two tables. */
#include "backward_cpu.h"

#define TABLE(isa)                                                                       \
    const struct kernels cpu_##isa = {                                                   \
        .back = &cpu_back_##isa,                                                         \
        .name = "cpu " #isa,                                                             \
        .open = cpu_open,                                                                \
        .close = cpu_close,                                                              \
        .act = cpu_act,                                                                  \
        .alloc = cpu_alloc,                                                              \
        .release = cpu_release,                                                          \
        .memory = cpu_memory,                                                            \
        .adopt = cpu_adopt,                                                              \
        .disown = cpu_disown,                                                            \
        .upload = cpu_upload,                                                            \
        .download = cpu_download,                                                        \
        .sync = cpu_sync,                                                                \
        .matmul = matmul_##isa,                                                          \
        .rmsnorm = rmsnorm_##isa,                                                        \
        .layernorm = layernorm_##isa,                                                    \
        .swiglu = swiglu_##isa,                                                          \
        .gelu = gelu_##isa,                                                              \
        .silu = silu_##isa,                                                              \
        .add = add_##isa,                                                                \
        .gather = gather_##isa,                                                          \
        .scatter = scatter_##isa,                                                        \
        .gather_mix = gather_mix_##isa,                                                  \
        .rope = rope_##isa,                                                              \
        .rope_pairs = rope_pairs_##isa,                                                  \
        .attention = attention_##isa,                                                    \
        .attention_paged = attention_paged_##isa,                                        \
        .kv_write = kv_write_##isa,                                                      \
        .attention_input = attention_input_##isa,                                        \
        .kv_copy = kv_copy_##isa,                                                        \
        .logsumexp = logsumexp_##isa,                                                    \
    }

TABLE(plain);
TABLE(avx2);
