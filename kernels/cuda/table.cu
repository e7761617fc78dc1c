/* table.cu: the CUDA table of operations. Which file has what (each begins with how):
 *
 * A GPU: entry.cu (is there one?), dev.cu (streams, copies), arena.cu (memory),
 * staging.cu (pinned buffers), record.cu (graphs), beside.cu (a second stream), share.cu
 * (memory between processes), nccl.cu (between GPUs); host/: twins of all that and of a
 * kernel's threads on the CPU, for tests (launch.h).
 *
 * Products: matmul.cu (which way, and fp32), product.h (their order of sums, tiles),
 * product_few.cu (decoding), product_blocks.cu (the same of Q8_0 and Q4_K),
 * product_many.cu (prefill, training), product.cu (other types turned to bf16), lt.cu
 * (cuBLASLt), mma.h (tensor cores), quant.h and runs.h (weights in blocks).
 *
 * Attention: attention_input.cu (norms of heads, rotary positions, pages), attention.cu
 * (fp32), attention_bf16.cu; attention_tile.h and attention_walk.h are what this has in
 * common with its gradients; kv.cu (pages).
 *
 * The rest: norms.cu, elementwise.cu, rows.cu (gather, scatter, rotary positions),
 * logsumexp.cu, draw.cu (tokens); act.h (f32 or bf16), team.h and fold.h (a block's
 * sums).
 *
 * Training: back_X.cu, the gradients of X; adamw.cu, adamw8.cu.
 */
#include "table.h"

static const struct backward cuda_back = {
    .zero = zero_cuda,
    .copy = copy_cuda,
    .matmul_x = matmul_x_cuda,
    .matmul_w = matmul_w_cuda,
    .rmsnorm = back_rmsnorm_cuda,
    .layernorm = back_layernorm_cuda,
    .swiglu = back_swiglu_cuda,
    .gelu = back_gelu_cuda,
    .silu = back_silu_cuda,
    .add_scaled = add_scaled_cuda,
    .gather = back_gather_cuda,
    .scatter = back_scatter_cuda,
    .gather_mix = back_gather_mix_cuda,
    .rope = back_rope_cuda,
    .rope_pairs = back_rope_pairs_cuda,
    .attention = back_attention_cuda,
    .attention_paged = back_attention_paged_cuda,
    .kv_write = back_kv_write_cuda,
    .kv_copy = back_kv_copy_cuda,
    .logits = back_logits_cuda,
    .entropy = entropy_cuda,
    .sum_squares = sum_squares_cuda,
    .adamw = adamw_cuda,
    .adamw8 = adamw8_cuda,
    .to_bf16 = to_bf16_cuda,
};

const struct kernels cuda_table = {
    .back = &cuda_back,
    .name = CUDA_TABLE_NAME,
    .open = dev_open_cuda,
    .close = dev_close_cuda,
    .act = act_cuda,
    .lacks = lacks_cuda,
    .alloc = alloc_cuda,
    .release = release_cuda,
    .memory = memory_cuda,
    .adopt = adopt_cuda,
    .disown = disown_cuda,
    .upload = upload_cuda,
    .download = download_cuda,
    .sync = sync_cuda,
    .record = record_cuda,
    .recorded = recorded_cuda,
    .replay = replay_cuda,
    .forget = forget_cuda,
    .beside_begin = beside_begin_cuda,
    .beside_end = beside_end_cuda,
    .beside_done = beside_done_cuda,
    .beside_join = beside_join_cuda,
    .share = share_cuda,
    .unshare = unshare_cuda,
    .attach = attach_cuda,
    .detach = detach_cuda,
    .move = move_cuda,
    .matmul = matmul_cuda,
    .matmuls = matmuls_cuda,
    .rmsnorm = rmsnorm_cuda,
    .layernorm = layernorm_cuda,
    .swiglu = swiglu_cuda,
    .gelu = gelu_cuda,
    .silu = silu_cuda,
    .add = add_cuda,
    .gather = gather_cuda,
    .scatter = scatter_cuda,
    .gather_mix = gather_mix_cuda,
    .rope = rope_cuda,
    .rope_pairs = rope_pairs_cuda,
    .attention = attention_cuda,
    .attention_paged = attention_paged_cuda,
    .kv_write = kv_write_cuda,
    .attention_input = attention_input_cuda,
    .kv_copy = kv_copy_cuda,
    .logsumexp = logsumexp_cuda,
    .draw = draw_cuda,
    .peers = &nccl_peers,
};
