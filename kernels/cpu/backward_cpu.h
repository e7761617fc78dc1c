/* backward_cpu.h: the gradients of both CPU tables; their meaning is in backward.h. */
#ifndef BACKWARD_CPU_H
#define BACKWARD_CPU_H
#include "backward.h"
#include "cpu.h"

#define CPU_GRADIENTS(isa)                                                               \
    void zero_##isa(struct dev *d, struct arr a);                                        \
    void copy_##isa(struct dev *d, struct arr to, struct arr from);                      \
    void matmul_x_##isa(struct dev *d, struct arr dx, struct arr dy, struct arr w,       \
                        enum grad_mode mode);                                            \
    void matmul_w_##isa(struct dev *d, struct arr dw, struct arr db, struct arr dy,      \
                        struct arr x);                                                   \
    void back_rmsnorm_##isa(struct dev *d, struct arr dx, struct arr dw, struct arr dy,  \
                            struct arr x, struct arr w, float eps, enum grad_mode mode); \
    void back_layernorm_##isa(struct dev *d, struct arr dx, struct arr dw,               \
                              struct arr db, struct arr dy, struct arr x, struct arr w,  \
                              float eps, enum grad_mode mode);                           \
    void back_swiglu_##isa(struct dev *d, struct arr dgate, struct arr dup,              \
                           struct arr dy, struct arr gate, struct arr up,                \
                           enum grad_mode gate_mode, enum grad_mode up_mode);            \
    void back_gelu_##isa(struct dev *d, struct arr dx, struct arr dy, struct arr x,      \
                         enum gelu_kind kind, enum grad_mode mode);                      \
    void back_silu_##isa(struct dev *d, struct arr dx, struct arr dy, struct arr x,      \
                         enum grad_mode mode);                                           \
    void add_scaled_##isa(struct dev *d, struct arr y, struct arr x, float scale);       \
    void back_gather_##isa(struct dev *d, struct arr dtable, struct arr dy,              \
                           struct arr index);                                            \
    void back_scatter_##isa(struct dev *d, struct arr dx, struct arr dy,                 \
                            struct arr index, bool keep);                                \
    void back_gather_mix_##isa(struct dev *d, struct arr dtable, struct arr dy,          \
                               struct arr index, struct arr weight);                     \
    void back_rope_##isa(struct dev *d, struct arr dx, struct arr cos, struct arr sin);  \
    void back_rope_pairs_##isa(struct dev *d, struct arr dx, struct arr cos,             \
                               struct arr sin);                                          \
    void back_attention_##isa(struct dev *d, struct arr dq, struct arr dk,               \
                              struct arr dv, struct arr dy, struct arr q, struct arr k,  \
                              struct arr v, struct arr y, struct arr lse,                \
                              struct arr start, float scale);                            \
    void back_attention_paged_##isa(struct dev *d, struct arr dq, struct arr dk,         \
                                    struct arr dv, struct arr dy, struct arr q,          \
                                    struct arr k, struct arr v, struct arr y,            \
                                    struct arr lse, struct kv_view view, float scale);   \
    void back_kv_write_##isa(struct dev *d, struct arr dk, struct arr dv,                \
                             struct arr dk_pages, struct arr dv_pages, struct arr slot); \
    void back_kv_copy_##isa(struct dev *d, struct arr dk_pages, struct arr dv_pages,     \
                            int from, int to, int places);                               \
    void back_logits_##isa(struct dev *d, struct arr logits, struct token_grad g);       \
    void entropy_##isa(struct dev *d, struct arr out, struct arr logits,                 \
                       struct arr lse);                                                  \
    double sum_squares_##isa(struct dev *d, struct arr a);                               \
    void adamw_##isa(struct dev *d, struct arr w, struct arr grad, struct arr m,         \
                     struct arr v, const struct adamw *how);                             \
    void adamw8_##isa(struct dev *d, struct arr w, struct arr grad, struct moment m,     \
                      struct moment v, const struct adamw *how);                         \
    void to_bf16_##isa(struct dev *d, struct arr to, struct arr from);

CPU_GRADIENTS(plain)
CPU_GRADIENTS(avx2)

extern const struct backward cpu_back_plain, cpu_back_avx2;

/* Chunks of columns that one thread works on, row after row in ascending order. */
enum { CPU_COLUMNS = 64 };

/* Call `call` for columns [c, end) of `dim`, on all threads if the work is worth it. */
#define CPU_EACH_COLUMNS(d, c, end, dim, work, call)                                     \
    do {                                                                                 \
        int64_t chunks_ = ((dim) + CPU_COLUMNS - 1) / CPU_COLUMNS;                       \
        CPU_EACH(d, chunk_, chunks_, work, CPU_WORK, {                                   \
            int64_t c = chunk_ * CPU_COLUMNS;                                            \
            int64_t end = c + CPU_COLUMNS < (dim) ? c + CPU_COLUMNS : (dim);             \
            call;                                                                        \
        });                                                                              \
    } while (0)
#endif
