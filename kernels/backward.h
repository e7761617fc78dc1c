/* backward.h: gradients of the operations of kernels.h, and what an optimizer does with
 * them. A device's table has them behind .back.
 *
 * Names. For y = f(x, w): dy is the gradient of the loss in y, dx and dw those in x and
 * w; x and w mean the values that went in. An absent array (arr_none) for a gradient: it
 * is not wanted.
 *
 * Types. An activation's gradient has the activation's own type, f32 or bf16 (kernels.h);
 * a parameter's is f32. Sums are in float32, and rounded once where they go to bf16: at
 * the end of a call, which begins with what was there.
 *
 * A gradient is added to what is there (GRAD_ADD), or takes its place (GRAD_SET): then dx
 * may be the same memory as dy, which is how the gradient of an operation in place is
 * taken. Parameters' gradients are always added to.
 *
 * Order of summation. As in kernels.h, every number is summed in one fixed order, however
 * many threads there are: where many rows add to one number, they do in ascending order,
 * in blocks that depend on shapes alone.
 */
#ifndef BACKWARD_H
#define BACKWARD_H
#include "kernels.h"

enum grad_mode { GRAD_ADD, GRAD_SET };

/* One step of AdamW (Loshchilov and Hutter, arXiv 1711.05101). */
struct adamw {
    float lr, beta1, beta2, eps, decay;
    float scale;     /* what gradients are multiplied by first (clipping, averaging) */
    double correct1; /* 1 - beta1^step */
    double correct2; /* 1 - beta2^step */
};

/* One of AdamW's moments in 8 bits a number (Dettmers et al., arXiv 2110.02861): blocks
 * of MOMENT_BLOCK numbers, each the largest magnitude times a code's value. */
enum { MOMENT_BLOCK = 256 };
struct moment {
    struct arr code; /* u8 [n] */
    struct arr most; /* f32 [ceil(n / MOMENT_BLOCK)]: the largest magnitude */
};

/* What a target token adds to the gradient of the logits. */
struct token_grad {
    struct arr target;  /* i32 [rows]: the token */
    struct arr lse;     /* f32 [rows]: logsumexp of the row */
    struct arr weight;  /* f32 [rows]: d loss / d log p(target) */
    struct arr entropy; /* f32 [rows]: d loss / d entropy of the row, or absent */
};

struct backward {
    /* -- Memory ---------------------------------------------------------------------- */

    /* a = 0: f32 or bf16, rows may be strided. */
    void (*zero)(struct dev *d, struct arr a);
    /* to = from: any type but blocks, or from f32 to bf16; one shape; rows of both may be
     * strided. */
    void (*copy)(struct dev *d, struct arr to, struct arr from);

    /* -- Products and norms ---------------------------------------------------------- */

    /* dx [M, K] (+)= dy [M, N] w [N, K]; w of any float type; rows may be strided. Each
     * output: N ascending, in blocks, fused. mode SET may not alias here. A GPU also has
     * dx or dy bf16: dy and w are rounded to bf16, sums are in float32. */
    void (*matmul_x)(struct dev *d, struct arr dx, struct arr dy, struct arr w,
                     enum grad_mode mode);
    /* dw [N, K] += dy [M, N]^T x [M, K]: M ascending, in blocks. db [N] += sums of dy's
     * columns. Either may be absent. A GPU also has dy or x bf16 (both are rounded to
     * it). */
    void (*matmul_w)(struct dev *d, struct arr dw, struct arr db, struct arr dy,
                     struct arr x);

    /* rmsnorm() and layernorm(): x is the input; shapes as there. dw, db [dim] or absent;
     * dx too. */
    void (*rmsnorm)(struct dev *d, struct arr dx, struct arr dw, struct arr dy,
                    struct arr x, struct arr w, float eps, enum grad_mode mode);
    void (*layernorm)(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                      struct arr dy, struct arr x, struct arr w, float eps,
                      enum grad_mode mode);

    /* -- Elementwise ----------------------------------------------------------------- */

    /* Of y = silu(gate) * up: dgate and dup are added to or set; both may be dy's memory
     * only one at a time. gate, up: the values that went in. */
    void (*swiglu)(struct dev *d, struct arr dgate, struct arr dup, struct arr dy,
                   struct arr gate, struct arr up, enum grad_mode gate_mode,
                   enum grad_mode up_mode);
    void (*gelu)(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                 enum gelu_kind kind, enum grad_mode mode);
    void (*silu)(struct dev *d, struct arr dx, struct arr dy, struct arr x,
                 enum grad_mode mode);
    /* y += scale * x, act, each its own, of one shape; rows may be strided. */
    void (*add_scaled)(struct dev *d, struct arr y, struct arr x, float scale);

    /* -- Rows ------------------------------------------------------------------------ */

    /* dtable[index[r]] += dy[r], r ascending; indices may repeat. dtable [n, dim], dy
     * act, each its own. */
    void (*gather)(struct dev *d, struct arr dtable, struct arr dy, struct arr index);
    /* dx[r] += dy[index[r]], and then, unless keep, dy[index[r]] = 0: what scatter()
     * wrote over had no part in y. Indices are distinct. */
    void (*scatter)(struct dev *d, struct arr dx, struct arr dy, struct arr index,
                    bool keep);
    /* dtable[index[r, t]] += weight[r, t] * dy[r], (r, t) ascending. */
    void (*gather_mix)(struct dev *d, struct arr dtable, struct arr dy, struct arr index,
                       struct arr weight);

    /* -- Rotary positions and attention ---------------------------------------------- */

    /* In place, the rotations undone: of rope() and rope_pairs(). */
    void (*rope)(struct dev *d, struct arr dx, struct arr cos, struct arr sin);
    void (*rope_pairs)(struct dev *d, struct arr dx, struct arr cos, struct arr sin);

    /* Of attention(): adds to dq, dk, dv [rows, heads, dim] (strided rows; dq, dk, dv may
     * be columns of one array). y: what came out; lse f32 [rows, heads]: what attention()
     * left there. No score matrix is stored: probabilities are made again from q, k and
     * lse, block by block (Dao, arXiv 2307.08691). All but lse are of q's type: sums in
     * float32 are added to a gradient of bf16 with one rounding. */
    void (*attention)(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                      struct arr dy, struct arr q, struct arr k, struct arr v,
                      struct arr y, struct arr lse, struct arr start, float scale);

    /* Of attention_paged(): dq [rows, heads, dim]; dk and dv have the shape of the pages
     * k and v and are added to. Sequences of one view that share pages add to the same
     * gradients, in ascending order of rows; a page has the same place in all of
     * them. Types as above. */
    void (*attention_paged)(struct dev *d, struct arr dq, struct arr dk, struct arr dv,
                            struct arr dy, struct arr q, struct arr k, struct arr v,
                            struct arr y, struct arr lse, struct kv_view view,
                            float scale);

    /* Of kv_write(): dk, dv [rows, kv_heads, dim] += the places' gradients, which are
     * then 0. */
    void (*kv_write)(struct dev *d, struct arr dk, struct arr dv, struct arr dk_pages,
                     struct arr dv_pages, struct arr slot);
    /* Of kv_copy(): the first `places` of page `from` += those of `to`, which are then 0.
     */
    void (*kv_copy)(struct dev *d, struct arr dk_pages, struct arr dv_pages, int from,
                    int to, int places);

    /* -- Losses and the optimizer ---------------------------------------------------- */

    /* logits [rows, n] f32 become d loss / d logits, in place: weight (1[j = target] -
     * p_j), and, where there is a gradient of the entropy H, - entropy p_j (log p_j + H).
     * A row without weight or entropy becomes 0. */
    void (*logits)(struct dev *d, struct arr logits, struct token_grad g);
    /* out[r] = entropy of softmax(logits[r]), given the row's lse; f32. */
    void (*entropy)(struct dev *d, struct arr out, struct arr logits, struct arr lse);

    /* Sum of squares of a contiguous f32 array, in double, in fixed blocks. */
    double (*sum_squares)(struct dev *d, struct arr a);
    /* One step of AdamW over contiguous f32 arrays of one size: g = grad * scale,
     * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
     * w = w - lr decay w - lr (m / correct1) / (sqrt(v / correct2) + eps). The order of
     * operations is that of torch.optim.AdamW. grad is not changed. */
    void (*adamw)(struct dev *d, struct arr w, struct arr grad, struct arr m,
                  struct arr v, const struct adamw *how);
    /* The same with moments in 8-bit codes. v's codes are of its root; w is stepped with
     * the new moments as they are before they are coded. A moment of zeros is 0. */
    void (*adamw8)(struct dev *d, struct arr w, struct arr grad, struct moment m,
                   struct moment v, const struct adamw *how);
    /* f32 to bf16, rounded to nearest even (NaN stays NaN); contiguous. */
    void (*to_bf16)(struct dev *d, struct arr to, struct arr from);
};
#endif
