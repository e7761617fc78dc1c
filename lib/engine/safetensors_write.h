/* safetensors_write.h: write one safetensors file, tensor by tensor. */
#ifndef SAFETENSORS_WRITE_H
#define SAFETENSORS_WRITE_H
#include "kernels.h"

/* A tensor to come: its name is borrowed until the file is closed. */
struct tensor_plan {
    const char *name;
    enum arr_type type;
    int rank;
    int64_t shape[8];
};

struct safetensors_writer;

/* Create path (it must not exist) and write the header for these tensors, in this order,
 * data aligned to 8 bytes. NULL (class model) with the reason. Here and below: class
 * refused where the disk is full. */
struct safetensors_writer *safetensors_create(const char *path,
                                              const struct tensor_plan *plan, int count);

/* Append bytes of tensor data: all tensors' in order, cut as you like. 0 or -1. */
int safetensors_append(struct safetensors_writer *w, const void *bytes, size_t n);

/* Check that all data came, fsync and close; on failure the file is removed. Frees w.
 * 0 or -1. */
int safetensors_finish(struct safetensors_writer *w);
void safetensors_abandon(struct safetensors_writer *w); /* close and remove the file */
#endif
