/* params.h: a model's parameters as training has them: f32, in one piece of memory, with
 * a gradient and the optimizer's moments beside each. Where activations are bf16, the
 * model computes with bf16 copies of the matrices, which are made again after each step:
 * what a step adds is mostly too little for bf16, and is kept in the f32 numbers.
 */
#ifndef PARAMS_H
#define PARAMS_H
#include "engine/config.h"
#include "kernels.h"
#include "train/lora.h"

/* What --train chooses from. */
enum param_part { PART_VISION, PART_MERGER, PART_TEXT, PART_EMBED, PARTS };

/* One tensor. Arrays are views into the whole. */
struct param {
    const char *name;     /* as the model's own files call it */
    enum param_part part; /* embed: the embedding and an output layer of its own */
    enum arr_type stored; /* as the model's own files have it: bf16, f16, f32 */
    int rank;             /* as stored: a convolution has 5 */
    int64_t shape[8];
    bool trained;
    bool decayed;    /* matrices are, norms and biases are not */
    struct arr w;    /* f32 [elements]; without memory where it is used as stored, or
                        `half` is all there is of it */
    struct arr half; /* bf16 [elements]: what is computed with; absent: w is */
    struct arr grad, m, v; /* f32 [elements]; absent unless trained */
    struct arr m_most,
        v_most;      /* present where m and v are u8: of their blocks (backward.h) */
    struct arr base; /* a low-rank pair's: the matrix that it is added to */
    char *own_name;  /* owned; NULL: the name is the weight files' */
};

struct params {
    struct param *list; /* [count], in the order in which the family names them */
    int count, cap;
    int64_t elements, trained; /* of all, of those trained */
    unsigned parts;            /* that are trained */
    struct lora_options lora;  /* rank 0: there are no pairs */
    bool moments8;             /* moments of large matrices are in 8 bits */
    bool halves;               /* matrices are computed with in bf16 */
};

/* Matrices of fewer elements, and vectors, have f32 moments in any case. */
enum { MOMENTS8_LEAST = 4096 };

struct param_options {
    unsigned parts; /* trained: bits of 1 << PART_x; 0: nothing of the model itself */
    struct lora_options lora; /* rank > 0: pairs are trained; parts must be 0 */
    bool moments8;            /* moments of matrices in 8 bits */
    bool halves; /* bf16 copies of matrices also where activations are f32 */
};

/* Which parts are trained: bits of 1 << PART_x. Reads "vision,merger,text,embed" (any of
 * them, or "all"). 0, or -1 (class refused) that names what it does not know. */
int param_parts(unsigned *parts, const char *text);
/* "merger,text" of such bits. */
void param_parts_text(char text[64], unsigned parts);

/* What is trained, for people and for checkpoints: "merger,text", "lora 16,32,q,v". */
void params_text(char text[80], const struct params *p);

struct vlm;
struct vlm_device;

/* Open a model folder with f32 weights of its own, and gradients and moments, all zero,
 * for the parts that are trained (0: none is). The embedding of a tied model is one
 * parameter. With low-rank pairs the model's own weights are used as its files have them
 * (bf16 as f32, to the bit). NULL (class model). The parameters live on the model's
 * device: params_free() before vlm_close(). */
struct vlm *params_open(struct params *p, const char *dir, const struct vlm_device *on,
                        const struct param_options *o);
/* Append a parameter of the caller's (name, part, rank, shape, trained, decayed, base,
 * own_name, which is owned in any case): w, gradient and moments are made, zero. 0 or -1
 * (memory). */
int params_add(struct params *p, const struct vlm *m, const struct param *one);
/* Give back what params_open() took. */
void params_free(struct params *p, const struct kernels *k, struct dev *dev);

/* What is computed with: half or w. Without memory where the files' own are. */
struct arr param_used(const struct param *p);
/* Make the bf16 copies of what is trained again: w was written. */
void params_round(const struct params *p, const struct kernels *k, struct dev *dev);

/* Gradients of all that is trained to zero. */
void params_clear(const struct params *p, const struct kernels *k, struct dev *dev);
#endif
