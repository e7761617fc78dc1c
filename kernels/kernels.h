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
 * Errors. Operations return nothing: a wrong shape is our own mistake (assert), and a
 * device's own failure is kept and told by sync().
 */
#ifndef KERNELS_H
#define KERNELS_H
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
};

struct dev; /* one device in use: its threads or stream, its scratch memory */

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

struct backward;
struct peer_ops;

struct kernels {
    const struct backward *back; /* gradients: backward.h */
    const char *name;            /* "cpu plain", "cpu avx2": what a message says */

    /* -- Memory ---------------------------------------------------------------------- */

    /* Open a device, named as for kernels_open(), with this many threads (CPU). NULL if
     * memory is short. */
    struct dev *(*open)(const char *device, int threads);
    void (*close)(struct dev *d);

    /* bytes of device memory, 64-byte aligned, not cleared; pages untouched so far cost
     * nothing on the CPU. NULL if short. release() takes what alloc() gave. */
    void *(*alloc)(struct dev *d, size_t bytes);
    void (*release)(struct dev *d, void *data, size_t bytes);

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

    /* -- Products and norms ---------------------------------------------------------- */

    /* y [M, N] = x [M, K] w^T + bias, w [N, K] of any float type or of blocks, bias [N]
     * of any float type or absent; x, y f32, rows may be strided. Each output: K in
     * ascending order over a fixed number of lanes, one fixed final reduction, then bias,
     * then y (MATMUL_ADD). */
    void (*matmul)(struct dev *d, struct arr y, struct arr x, struct arr w,
                   struct arr bias, enum matmul_mode mode);

    /* y = x / sqrt(mean(x^2) + eps) * w over each row's last dimension; x, y f32
     * [rows, dim] or [rows, heads, dim] (strided rows allowed), w [dim]; y may be x.
     * (Zhang and Sennrich, arXiv 1910.07467) */
    void (*rmsnorm)(struct dev *d, struct arr y, struct arr x, struct arr w, float eps);

    /* y = (x - mean) / sqrt(var + eps) * w + b over each row, biased variance; shapes as
     * rmsnorm's two-dimensional form; y may be x. (Ba et al., arXiv 1607.06450) */
    void (*layernorm)(struct dev *d, struct arr y, struct arr x, struct arr w,
                      struct arr b, float eps);

    /* -- Elementwise ------------------------------------------------------------------
     */

    /* y = silu(gate) * up, all f32 of one shape [rows, dim]; y may be gate. */
    void (*swiglu)(struct dev *d, struct arr y, struct arr gate, struct arr up);
    /* y = gelu(x), f32; y may be x. */
    void (*gelu)(struct dev *d, struct arr y, struct arr x, enum gelu_kind kind);
    /* y = silu(x), f32; y may be x. */
    void (*silu)(struct dev *d, struct arr y, struct arr x);
    /* y += x, f32 of one shape. */
    void (*add)(struct dev *d, struct arr y, struct arr x);

    /* -- Rows -------------------------------------------------------------------------
     */

    /* y [rows, dim] f32: y[r] = table[index[r]]; table [n, dim] of any float type or of
     * blocks, index i32 [rows]. Embedding lookup, permutation, picking rows. */
    void (*gather)(struct dev *d, struct arr y, struct arr table, struct arr index);
    /* y[index[r]] = x[r], or += x[r] if add; indices are distinct; f32. */
    void (*scatter)(struct dev *d, struct arr y, struct arr x, struct arr index,
                    bool add);
    /* y[r] += sum over t of weight[r, t] * table[index[r, t]], t ascending; table of any
     * float type, index i32 and weight f32 [rows, taps]. Interpolated position tables. */
    void (*gather_mix)(struct dev *d, struct arr y, struct arr table, struct arr index,
                       struct arr weight);

    /* -- Rotary positions and attention -----------------------------------------------
     */

    /* In place, x [rows, heads, dim] f32 (strided rows): for i < dim/2,
     * (a, b) = (x[i], x[i + dim/2]) -> (a cos[i] - b sin[i], b cos[i] + a sin[i]);
     * cos, sin f32 [rows, dim/2]. ("rotate half" of Su et al., arXiv 2104.09864) */
    void (*rope)(struct dev *d, struct arr x, struct arr cos, struct arr sin);
    /* The same of pairs that lie side by side: (a, b) = (x[2 i], x[2 i + 1]). */
    void (*rope_pairs)(struct dev *d, struct arr x, struct arr cos, struct arr sin);

    /* Softmax attention inside segments: row r of segment s (start[s] <= r < start[s +
     * 1]) sees every row of s. q, k, v, y f32 [rows, heads, dim] (strided rows); start
     * i32 [segments + 1]. No score matrix is stored. Keys in ascending order from the
     * segment's start, in blocks of KV_PAGE, with a running maximum (Dao et al., arXiv
     * 2205.14135). lse f32 [rows, heads], or absent: the logarithm of each row's sum of
     * exponentials of scaled scores, which the gradient is made from. */
    void (*attention)(struct dev *d, struct arr y, struct arr q, struct arr k,
                      struct arr v, struct arr start, float scale, struct arr lse);

    /* Softmax attention of rows over paged keys and values, grouped heads: q, y f32
     * [rows, heads, dim]; k f32 [pages, kv_heads, dim, KV_PAGE] (transposed), v f32
     * [pages, kv_heads, KV_PAGE, dim]; head h reads kv head h / (heads / kv_heads).
     * Blocks are pages: from absolute position 0, whatever was shared or when it was
     * computed. lse as above. */
    void (*attention_paged)(struct dev *d, struct arr y, struct arr q, struct arr k,
                            struct arr v, struct kv_view view, float scale,
                            struct arr lse);

    /* Write rows of new keys and values [rows, kv_heads, dim] (strided) into pages:
     * slot i32 [rows] = page * KV_PAGE + place in page. */
    void (*kv_write)(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                     struct arr v, struct arr slot);
    /* Copy the first `places` positions of page `from` to page `to` in both arrays. */
    void (*kv_copy)(struct dev *d, struct arr k_pages, struct arr v_pages, int from,
                    int to, int places);

    /* -- Output -----------------------------------------------------------------------
     */

    /* out[r] = log(sum over j of exp(x[r, j] * scale)), x f32 [rows, n], out f32 [rows];
     * j ascending over a fixed number of lanes, maximum taken out first. */
    void (*logsumexp)(struct dev *d, struct arr out, struct arr x, float scale);

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
