/* attention_bf16.h: attention of bf16 on tensor cores and its gradients: what the table's
 * operations do where q, k, v and y (and dq, dk, dv and dy) are bf16. Heads of up to
 * TILE_HEAD_MAX dimensions. */
#ifndef CUDA_ATTENTION_BF16_H
#define CUDA_ATTENTION_BF16_H
#include "cuda.h"

void attention_bf16(struct dev *d, struct arr y, struct arr q, struct arr k, struct arr v,
                    struct arr start, float scale, struct arr lse);
void attention_paged_bf16(struct dev *d, struct arr y, struct arr q, struct arr k,
                          struct arr v, struct kv_view view, float scale, struct arr lse);
void back_attention_bf16(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                         struct arr dy, struct arr q, struct arr k, struct arr v,
                         struct arr y, struct arr lse, struct arr start, float scale);
void back_attention_paged_bf16(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                               struct arr dy, struct arr q, struct arr k, struct arr v,
                               struct arr y, struct arr lse, struct kv_view view,
                               float scale);
#endif
