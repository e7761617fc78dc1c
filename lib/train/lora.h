/* lora.h: low-rank adapters (Hu et al., arXiv 2106.09685): a matrix W of the language
 * model stays as it is, and W + scale B A is computed with, A [rank, in], B [out, rank],
 * scale = alpha / rank. A and B are what is trained. Names are those of PEFT's files.
 */
#ifndef TRAIN_LORA_H
#define TRAIN_LORA_H
#include <stdbool.h>
#include <stdint.h>

enum lora_target {
    LORA_Q,
    LORA_K,
    LORA_V,
    LORA_O,
    LORA_GATE,
    LORA_UP,
    LORA_DOWN,
    LORA_TARGETS
};

struct lora_options {
    int rank; /* 0: none */
    double alpha;
    unsigned targets; /* bits of 1 << LORA_x */
    uint64_t seed;    /* of A; B is zero at first */
};

/* Read "RANK,ALPHA,TARGET,...": targets are q, k, v, o, gate, up, down, PEFT's names of
 * them (q_proj), or all. The seed stays. 0, or -1 (class refused). */
int lora_read(struct lora_options *o, const char *text);
/* "16,32,q,v" of such options. */
void lora_text(char text[64], const struct lora_options *o);
/* "q_proj" */
const char *lora_target_name(enum lora_target target);

struct params;
struct vlm;
struct tape;

/* Append the pairs of all layers to an opened model's parameters, with gradients and
 * moments: A uniform within 1 / sqrt(in), as torch's Linear begins (kaiming_uniform with
 * a = sqrt(5)), by seed and name alone; B zero. 0 or -1 (memory). */
int lora_make(struct params *p, const struct vlm *m, const struct lora_options *o);

/* Let the tape compute with them. 0 or -1 (memory). */
int lora_join(const struct params *p, struct tape *t);
#endif
