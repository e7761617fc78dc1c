/* kernels.h: the operations a model is made of, for one kind of device.
 *
 * Model code is written once against this table; kernels/cpu fills it, and a CUDA plug-in
 * fills the same one. Above this line nobody reads an array's memory: bytes go in and out
 * through upload() and download() alone.
 *
 * Order of summation. On one device and instruction set, every number that an operation
 * writes depends on that row's own inputs only, and is summed in one fixed order, however
 * many rows, threads or blocks the call has. So a row computed alone (decode), among 512
 * (prefill) or in training agrees to the bit. Each operation below states its order.
 *
 * Types. Activations are what products and attention take and give: a device has them in
 * f32 or in bf16 (act()), and "act" below is either of the two, whatever it was opened
 * for: an operation goes by the types of its arrays. Those called act are of one type
 * where the text does not say that each may have its own. The residual stream that
 * activations are added to, logits, rotary tables and logarithms of sums stay f32.
 * Arithmetic is in float32 in any case; what goes to bf16 is rounded to nearest even,
 * once. A table need not have bf16 (the CPU's has not): open() says so.
 *
 * Errors. Operations return nothing: a wrong shape is our own mistake (assert), and a
 * device's own failure is kept and told by sync().
 */
#ifndef KERNELS_H
#define KERNELS_H
#include "draw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers one by one, then weights in blocks along a row as GGUF files have them (ggml's
 * formats; kernels/cpu/quant*.c say what each is made of). Blocks are only read: by
 * matmul and gather, as w and table. Each stands for exact floats, and results are those
 * that an F32 array of these floats would give, to the bit. */
enum arr_type {
    ARR_F32,
    ARR_BF16,
    ARR_F16,
    ARR_I32,
    ARR_U8,
    ARR_Q4_0, /* the first type of blocks */
    ARR_Q4_1,
    ARR_Q5_0,
    ARR_Q5_1,
    ARR_Q8_0,
    ARR_Q2_K,
    ARR_Q3_K,
    ARR_Q4_K,
    ARR_Q5_K,
    ARR_Q6_K,
    ARR_IQ4_NL,
    ARR_IQ4_XS,
    ARR_TYPES, /* how many there are */
};

enum {
    ARR_RANK_MAX = 4,
    KV_PAGE = 64, /* positions in one page of keys and values; also attention's block */
    /* Of attention in bf16, at most: dimensions of a head, and heads that read one. */
    BF16_HEAD_DIM = 128,
    BF16_HEAD_GROUP = 64,
};

struct recording; /* operations that a device has noted */
struct beside;    /* operations that it does beside the others */
struct dev;       /* one device in use: its threads or stream, its scratch memory */

/* An array on a device. A value: copying it copies no data and owns nothing.
 * The last rank - 1 dimensions are contiguous; stride is the distance, in elements, from
 * one index of dimension 0 to the next, so a slice of columns is an array too. Rows and
 * stride of an array of blocks are whole blocks; its memory may lie at any address. */
struct arr {
    struct dev *dev;
    void *data; /* the device's memory; NULL in an array that is absent (arr_none) */
    enum arr_type type;
    int rank;
    int64_t shape[ARR_RANK_MAX];
    int64_t stride;
};

const char *arr_type_name(enum arr_type type); /* "bf16", "q4_k" */
int arr_type_block(enum arr_type type);        /* elements of one block; else 1 */
size_t arr_type_size(enum arr_type type);      /* bytes of one block, or one element */
/* Bytes of so many elements: whole blocks. */
size_t arr_type_bytes(enum arr_type type, int64_t elements);
int64_t arr_size(struct arr a);     /* elements: product of the shape */
int64_t arr_row_size(struct arr a); /* elements of one index of dimension 0 */
bool arr_contiguous(struct arr a);

/* An absent array: for an optional operand (a bias) that is not there. */
struct arr arr_none(void);

/* Rows [first, first + count) of dimension 0. */
struct arr arr_rows(struct arr a, int64_t first, int64_t count);

/* The same elements in another shape; a's rows may be strided only if dimension 0 stays.
 */
struct arr arr_reshape(struct arr a, int rank, const int64_t shape[]);

/* [rows, columns] -> columns [first, first + count) of it. */
struct arr arr_columns(struct arr a, int64_t first, int64_t count);

enum matmul_mode {
    MATMUL_SET, /* y = product */
    MATMUL_ADD, /* y = y + product (a residual) */
};

/* One of several products of the same x: y = x w^T + bias. */
struct matmul_part {
    struct arr y, w, bias;
};
enum { MATMUL_PARTS = 3 }; /* at most at once */

enum gelu_kind {
    GELU_ERF, /* x/2 (1 + erf(x / sqrt 2)) */
    GELU_TANH /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
};

/* Which keys a row of attention sees in paged memory. All i32 on the device. */
struct kv_view {
    struct arr
        table; /* [sequences, pages]: page number of each block of KV_PAGE positions */
    struct arr seq; /* [rows]: the row's sequence, an index into table */
    struct arr len; /* [rows]: how many positions the row sees, from 0: its own + 1 */
};

/* A device's memory, in bytes. */
struct dev_memory {
    int64_t room;    /* that may still be taken; on the CPU, half of the machine's */
    int64_t used;    /* taken by alloc() and adopt() */
    int64_t bound;   /* that these may take; 0: no account is kept (CPU) */
    int64_t free;    /* on the whole device, whoever uses the rest */
    int64_t refused; /* the latest piece that was not to be had; 0: none */
    int64_t most;    /* used at once, so far */
};

/* What a layer's attention needs of its rows' new queries, keys and values. */
struct attention_input {
    struct arr q, k, v; /* act [rows, heads, dim], [rows, kv_heads, dim] (strided rows) */
    struct arr q_norm,
        k_norm; /* [dim]: norms of each head; both absent: there are none */
    float eps;
    struct arr cos, sin;               /* f32 [rows, dim / 2] */
    bool pairs;                        /* as rope_pairs() turns, not rope() */
    struct arr k_pages, v_pages, slot; /* as kv_write()'s */
};

/* The type of activations, as --compute says it. */
enum dev_compute {
    DEV_COMPUTE_OWN, /* what the device computes best with */
    DEV_COMPUTE_FP32,
    DEV_COMPUTE_BF16,
};

/* How a device is opened. All zero but for threads is good. */
struct dev_options {
    int threads; /* of the CPU: at least 1 */
    enum dev_compute compute;
    int64_t memory;     /* bytes of a GPU's memory to use at most; 0: what there is */
    bool batch_variant; /* a row's numbers may depend on the other rows of its call and on
                           their number, where that is faster (library products) */
};

/* What another process finds a device's memory by, as bytes that may be handed on. */
struct dev_handle {
    char device[32];          /* which GPU, whatever number it has where: its place */
    unsigned char memory[64]; /* the driver's own */
};

struct backward;
struct peer_ops;

struct kernels {
    const struct backward *back; /* gradients: backward.h */
    const char *name;            /* "cpu plain", "cpu avx2": what a message says */

    /* -- Memory ---------------------------------------------------------------------- */

    /* Open a device, named as for kernels_open(); options are copied. NULL with the
     * reason in *why (static): memory is short, or the device lacks what is asked. */
    struct dev *(*open)(const char *device, const struct dev_options *o,
                        const char **why);
    void (*close)(struct dev *d);

    /* The type of its activations: ARR_F32 or ARR_BF16. */
    enum arr_type (*act)(const struct dev *d);
    /* What it would compute with, as it was opened, and does without: for people, static.
     * NULL: nothing. NULL in a table: never anything. */
    const char *(*lacks)(struct dev *d);

    /* bytes of device memory, 64-byte aligned, not cleared; pages untouched so far cost
     * nothing on the CPU. NULL if short. release() takes what alloc() gave. */
    void *(*alloc)(struct dev *d, size_t bytes);
    void (*release)(struct dev *d, void *data, size_t bytes);

    void (*memory)(struct dev *d, struct dev_memory *m);

    /* A device's view of read-only host memory that outlives it (mapped weights): the
     * same pointer on the CPU, a copy elsewhere. NULL if short. Given back by disown().
     */
    void *(*adopt)(struct dev *d, const void *host, size_t bytes);
    void (*disown)(struct dev *d, void *data, size_t bytes);

    /* Copy a contiguous array's elements from or to host memory (type as the array's). */
    void (*upload)(struct dev *d, struct arr to, const void *host);
    void (*download)(struct dev *d, void *host, struct arr from);

    /* Wait for everything asked for so far. 0, or -1 with the reason in *why (static). */
    int (*sync)(struct dev *d, const char **why);

    /* -- Work that comes again. NULL where it is not worth recording (the CPU). -------
     */

    /* Record: operations are noted from now on and not done. No upload, download, sync or
     * memory of the caller's own meanwhile. false: it cannot be, and they are just done.
     */
    bool (*record)(struct dev *d);
    /* The end: what was noted, owned by the caller; NULL: it could not be, and nothing
     * was done. */
    struct recording *(*recorded)(struct dev *d);
    /* Do it: the same operations on the same memory, whatever that holds now. */
    void (*replay)(struct dev *d, struct recording *r);
    void (*forget)(struct dev *d, struct recording *r);

    /* -- Work beside the rest. NULL where all is done one after the other (the CPU). ---
     */

    /* What is asked for between beside_begin() and beside_end(), memory too, is done in
     * its own order, after all that was asked for before it and beside all that comes
     * behind. No draw, record, download or sync meanwhile. NULL: memory is short, and
     * work is as ever. */
    struct beside *(*beside_begin)(struct dev *d);
    void (*beside_end)(struct dev *d, struct beside *b);
    /* Is it done? Does not wait. */
    bool (*beside_done)(struct dev *d, const struct beside *b);
    /* All that is asked for from now on comes behind it; nor does this wait. *b is gone.
     */
    void (*beside_join)(struct dev *d, struct beside *b);

    /* -- Memory that processes on one device share; NULL where a device has none --------
     */

    /* As alloc(), besides the bound on memory, for others to look at. NULL if short.
     * Given back by unshare(), which nobody may outlive who looks at it. */
    void *(*share)(struct dev *d, size_t bytes, struct dev_handle *handle);
    void (*unshare)(struct dev *d, void *data);
    /* Another process's shared memory, to read until detach(). NULL with the reason in
     * *why (static): it is on another device, or its process has gone. */
    const void *(*attach)(struct dev *d, const struct dev_handle *handle,
                          const char **why);
    void (*detach)(struct dev *d, const void *data);
    /* Bytes of this device's memory from one place to another that does not overlap. */
    void (*move)(struct dev *d, void *to, const void *from, size_t bytes);

    /* -- Products and norms ---------------------------------------------------------- */

    /* y [M, N] = x [M, K] w^T + bias, w [N, K] of any float type or of blocks, bias [N]
     * of any float type or absent; x act, y act or f32 (a residual, logits), rows may be
     * strided. A bf16 x is multiplied by w rounded to bf16. Each output: K in ascending
     * order over a fixed number of lanes (on tensor cores: in strips whose number depends
     * on K alone), one fixed final reduction, then bias, then y (MATMUL_ADD). */
    void (*matmul)(struct dev *d, struct arr y, struct arr x, struct arr w,
                   struct arr bias, enum matmul_mode mode);
    /* matmul() of each part with MATMUL_SET, to the bit, in one: up to MATMUL_PARTS. NULL
     * where that gains nothing (the CPU). */
    void (*matmuls)(struct dev *d, const struct matmul_part *parts, int count,
                    struct arr x);

    /* y = x / sqrt(mean(x^2) + eps) * w over each row's last dimension; x, y act, each
     * its own, [rows, dim] or [rows, heads, dim] (strided rows allowed), w [dim] of any
     * float type; y may be x. (Zhang and Sennrich, arXiv 1910.07467) */
    void (*rmsnorm)(struct dev *d, struct arr y, struct arr x, struct arr w, float eps);

    /* y = (x - mean) / sqrt(var + eps) * w + b over each row, biased variance; shapes as
     * rmsnorm's two-dimensional form; y may be x. (Ba et al., arXiv 1607.06450) */
    void (*layernorm)(struct dev *d, struct arr y, struct arr x, struct arr w,
                      struct arr b, float eps);

    /* -- Elementwise ------------------------------------------------------------------
     */

    /* y = silu(gate) * up, all act of one shape [rows, dim]; y may be gate. */
    void (*swiglu)(struct dev *d, struct arr y, struct arr gate, struct arr up);
    /* y = gelu(x), act; y may be x. */
    void (*gelu)(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind);
    /* y = silu(x), act; y may be x. */
    void (*silu)(struct dev *d, struct arr y, struct arr x);
    /* y += x, act, each its own, of one shape. */
    void (*add)(struct dev *d, struct arr y, struct arr x);

    /* -- Rows -------------------------------------------------------------------------
     */

    /* y [rows, dim] act: y[r] = table[index[r]]; table [n, dim] of any float type or of
     * blocks, index i32 [rows]. Embedding lookup, permutation, picking rows. */
    void (*gather)(struct dev *d, struct arr y, struct arr table, struct arr index);
    /* y[index[r]] = x[r], or += x[r] if add; indices are distinct; x, y act, each its
     * own. */
    void (*scatter)(struct dev *d, struct arr y, struct arr x, struct arr index,
                    bool add);
    /* y[r] += sum over t of weight[r, t] * table[index[r, t]], t ascending; y f32,
     * table of any float type, index i32 and weight f32 [rows, taps]. Interpolated
     * position tables. */
    void (*gather_mix)(struct dev *d, struct arr y, struct arr table, struct arr index,
                       struct arr weight);

    /* -- Rotary positions and attention -----------------------------------------------
     */

    /* In place, x [rows, heads, dim] act (strided rows): for i < dim/2,
     * (a, b) = (x[i], x[i + dim/2]) -> (a cos[i] - b sin[i], b cos[i] + a sin[i]);
     * cos, sin f32 [rows, dim/2]. ("rotate half" of Su et al., arXiv 2104.09864) */
    void (*rope)(struct dev *d, struct arr x, struct arr cos, struct arr sin);
    /* The same of pairs that lie side by side: (a, b) = (x[2 i], x[2 i + 1]). */
    void (*rope_pairs)(struct dev *d, struct arr x, struct arr cos, struct arr sin);

    /* Softmax attention inside segments: row r of segment s (start[s] <= r < start[s +
     * 1]) sees every row of s. q, k, v, y act [rows, heads, dim] (strided rows); start
     * i32 [segments + 1]. No score matrix is stored. Keys in ascending order from the
     * segment's start, in blocks of KV_PAGE, with a running maximum (Dao et al., arXiv
     * 2205.14135). lse f32 [rows, heads], or absent: the logarithm of each row's sum of
     * exponentials of scaled scores, which the gradient is made from. In bf16: dim up to
     * BF16_HEAD_DIM, scale above 0, float32 sums of products of bf16, weights rounded to
     * it. */
    void (*attention)(struct dev *d, struct arr y, struct arr q, struct arr k,
                      struct arr v, struct arr start, float scale, struct arr lse);

    /* Softmax attention of rows over paged keys and values, grouped heads, types as
     * above: q, y [rows, heads, dim]; k [pages, kv_heads, dim, KV_PAGE] (transposed), v
     * [pages, kv_heads, KV_PAGE, dim]; head h reads kv head h / (heads / kv_heads).
     * Blocks are pages: from absolute position 0, whatever was shared or when it was
     * computed. lse as above. On CUDA a page that adjacent rows have in common at one
     * place is read once for all of them. */
    void (*attention_paged)(struct dev *d, struct arr y, struct arr q, struct arr k,
                            struct arr v, struct kv_view view, float scale,
                            struct arr lse);

    /* Write rows of new keys and values, act [rows, kv_heads, dim] (strided) into pages
     * of the same type: slot i32 [rows] = page * KV_PAGE + place in page. */
    void (*kv_write)(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                     struct arr v, struct arr slot);
    /* In place rmsnorm() of q and of k, rope() or rope_pairs() of both, then kv_write(),
     * in one: to the bit what these leave, one after the other, in q and in the pages. k
     * is left with whatever is handy. */
    void (*attention_input)(struct dev *d, const struct attention_input *in);
    /* Copy the first `places` positions of page `from` to page `to` in both arrays. */
    void (*kv_copy)(struct dev *d, struct arr k_pages, struct arr v_pages, int from,
                    int to, int places);

    /* -- Output -----------------------------------------------------------------------
     */

    /* out[r] = log(sum over j of exp(x[r, j] * scale)), x f32 [rows, n], out f32 [rows];
     * j ascending over a fixed number of lanes, maximum taken out first. */
    void (*logsumexp)(struct dev *d, struct arr out, struct arr x, float scale);

    /* Draw tokens from rows of logits f32 [rows, vocab]: to drawn[i * (1 + top)] as
     * how[i] says and, behind it, the `top` largest logits of its row, best first, the
     * lower id first among equals. Lists of `count` in host memory; waits. NULL where the
     * host draws as well (the CPU), from downloaded rows. */
    void (*draw)(struct dev *d, struct drawn *drawn, struct arr logits,
                 const struct draw *how, int count, int top);

    /* -- Other processes' devices ------------------------------------------------------
     */

    /* How arrays go to them without the hosts (peers.h). NULL: not at all. */
    const struct peer_ops *peers;
};

/* The table for a device: "cpu" (CAPMILL_ISA=plain or avx2 forces one; by default the
 * best this processor has), or "cuda" or "cuda:N" (the N-th GPU, from 0), from the
 * plug-in (plugin.h). NULL with the reason in *why (static) if there is none. */
const struct kernels *kernels_open(const char *device, const char **why);
#endif
