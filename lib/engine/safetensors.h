/* safetensors.h: the header of one safetensors file, checked and taken apart.
 *
 * The format: 8 bytes little-endian length, a JSON object of that length {name: {dtype,
 * shape, data_offsets}}, then the data. (https://github.com/huggingface/safetensors)
 */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H
#include "engine/weights.h"

/* A file's tensors in the order of their data. Owned: safetensors_free(). The tensors'
 * data point into the bytes that were given. */
struct safetensors {
    struct tensor *tensors;
    int count;
    size_t header;  /* bytes before the data */
    void *document; /* holds the names */
};

/* Take a file's bytes apart; only the header is read. file: what messages and tensors
 * call it, borrowed as long as *st lives. 0, or -1 (class model) with *st empty. */
int safetensors_read(struct safetensors *st, const void *bytes, size_t size,
                     const char *file);
void safetensors_free(struct safetensors *st);
#endif
