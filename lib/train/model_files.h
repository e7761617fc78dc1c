/* model_files.h: a model under training written as a folder that any tool opens. */
#ifndef MODEL_FILES_H
#define MODEL_FILES_H
#include "train/params.h"

/* What such a folder is made of. */
struct model_files {
    const char
        *base; /* model directory whose config, tokenizer and template are copied */
    enum arr_type type; /* of the weights written: ARR_BF16 or ARR_F32; ARR_TYPES: as the
                           base stores each */
    bool weightless;    /* no weights at all: they are to be had elsewhere */
    bool used; /* instead, the very numbers that are computed with (param_used()), so that
                  a sampler has the trainer's log-probabilities */
};

/* The names of all files that model_files_write() may write: NULL behind the last. */
extern const char *const model_files_names[];

/* Write them into dir (of low-rank pairs: an adapter as PEFT has it, not a model), which
 * is there and has none of them: each is on the disk when this returns. 0, or -1
 * (refused: no space; model). */
int model_files_write(const struct model_files *f, const struct kernels *k,
                      struct dev *dev, const struct params *p, const char *dir);

/* Tensors of one file, in order: their arrays are f32, bf16 or codes, their plans say as
 * what they are written. */
struct tensor_content {
    struct tensor_plan *plan;
    struct arr *arr;
    int count;
};
int tensor_content_write(const struct tensor_content *content, const char *path,
                         const struct kernels *k, struct dev *dev);
#endif
