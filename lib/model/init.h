/* init.h: make a model folder. */
#ifndef MODEL_INIT_H
#define MODEL_INIT_H
#include <stdbool.h>
#include <stdint.h>

/* Types of the weights written. */
enum init_type { INIT_AS_STORED, INIT_BF16, INIT_FP32 };

struct init_options {
    const char *like;      /* a shape's name: share/shapes/NAME.json; or a model's SPEC */
    const char *tokenizer; /* SPEC of the model whose tokenizer and template are taken */
    int layers;            /* text layers; 0: the shape's own */
    double deviation;      /* of the weights; 0: the shape's initializer_range */
    bool fp32;             /* weights in fp32, else bf16 */
    uint64_t seed;
    bool (*abandon)(void *context); /* asked now and then: true gives up; may be NULL */
    void *abandon_context;
};

/* Make folder dir (which must not exist) with random weights of a named shape, whole or
 * not at all: written beside it under another name first. 0 or -1 (class model; refused
 * where it was abandoned). */
int init_random(const char *dir, const struct init_options *options);

/* Names of the shapes there are, as "a, b, c". 0 or -1. */
int init_shapes(char *names, int size);
#endif
