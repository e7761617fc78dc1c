/* vision.h: from a picture's patches to the rows that stand for it in a prompt. */
#ifndef VISION_H
#define VISION_H
#include "engine/scratch.h"
#include "engine/vlm.h"

/* One picture's way through a tower: sizes and buffers, all the tower's own except out.
 */
struct vision_run {
    const struct vlm *m;
    const struct probe *probe;
    const struct engine_picture *picture;
    int64_t patches, tokens; /* rows before and after merging */
    int64_t unit;            /* patches in a token: merge^2 */
    struct arr x;            /* f32 [patches, hidden]: the residual stream */
    struct arr h;            /* act [patches, hidden]: normed or attended */
    struct arr qkv;          /* act [patches, 3 * hidden] */
    struct arr input;        /* act [chunk, 3 * frames * patch^2] */
    struct arr gate, up;     /* act [chunk, mlp] */
    struct arr joined;       /* act [chunk, unit * hidden] */
    struct arr merged;       /* act [chunk, out_hidden] */
    struct arr cos, sin;     /* f32 [patches, head_dim / 2] */
    struct arr order;        /* i32 [patches]: the patch at each place */
    struct arr token_order;  /* i32 [tokens]: the token at each place */
    struct arr frames;       /* i32 [grid_t + 1]: where frames begin */
    struct arr windows;      /* i32 [windows + 1]: where windows begin */
    struct arr taps;         /* i32 [patches, 4]: rows of the position table */
    struct arr tap_weights;  /* f32 [patches, 4] */
    struct arr *out;         /* [1 + deepstack_count]: each act [tokens, out_hidden] */
};

/* What a family of towers does: vision_FAMILY.c. Blocks that they share: vision.c. */
struct vision_kind {
    int (*bind)(struct vlm *m);             /* m->vision from m->weights. 0 or -1 */
    int (*forward)(struct vision_run *run); /* fill run->out. 0 or -1 */
};
extern const struct vision_kind vision_qwen2_5_vl, vision_qwen3_vl;

/* Tokens that a grid becomes; -1 (class model) if it does not fit the tower. */
int64_t vision_tokens(const struct vision_tower *vt, const struct engine_picture *p);

/* Run one picture. out: the caller's arrays act [tokens, out_hidden], first the picture's
 * rows, then one for each deepstack feature. 0 or -1 (internal: memory). */
int vision_forward(const struct vlm *m, const struct engine_picture *p, struct arr *out,
                   const struct probe *probe);

/* Bytes of buffers that vision_forward() takes for a picture of so many patches. */
int64_t vision_scratch(const struct vision_tower *vt, enum arr_type act, int64_t patches);

/* -- Blocks ---------------------------------------------------------------------------
 */

/* Find a block's norms and attention weights, which all towers name alike, under the
 * prefix `at`; the norms have biases or not. 0 or -1 (class model). */
int vision_bind_attention(struct vlm *m, struct vision_block *b, bool norm_biases,
                          const char *at);

/* y [patches, hidden], act or f32 = the patches, embedded. 0 or -1 (memory). */
int vision_embed(struct vision_run *run, struct arr y);

/* Patch i's row and column in its frame: patches come in blocks of merge x merge. */
void vision_place(const struct vision_run *run, int64_t i, int *row, int *column);

/* Fill run->cos and run->sin for the patches in this order (NULL: as they come).
 * 0 or -1 (memory). */
int vision_rope(struct vision_run *run, const int32_t *order);

/* x = block(x): attention inside the segments that start gives, then the MLP. */
void vision_block_forward(struct vision_run *run, const struct vision_block *b,
                          struct arr start);

/* out [tokens, out_hidden] = merger(x), moved to token_order where that is present. A
 * norm over hidden works on patches, one over unit * hidden on joined ones. */
void vision_merge(struct vision_run *run, const struct vision_merger *merger,
                  struct arr out, struct arr token_order);
#endif
