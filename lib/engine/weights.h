/* weights.h: safetensors files, mapped and checked; tensors are used as stored. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "base/buf.h"
#include "base/span.h"
#include "kernels.h"

struct weights; /* a directory's weight files, mapped read-only */

/* One tensor: a view into the mapping. */
struct tensor {
    const char *name;
    enum arr_type type;
    int rank;
    int64_t shape[8];
    const void *data;
    int64_t bytes;
};

/* Map DIR/model.safetensors, or the shards of DIR/model.safetensors.index.json; path may
 * also be one .safetensors file. Every header is checked as the safetensors library does
 * (no holes, overlaps, duplicates, trailing bytes, size mismatches); index entries may
 * not leave the directory. NULL (class model) with file and reason. */
struct weights *weights_open(const char *path);
void weights_close(struct weights *w);

int weights_count(const struct weights *w);
const struct tensor *weights_at(const struct weights *w, int i);
/* By name; NULL if there is none (fail_text() untouched). */
const struct tensor *weights_find(const struct weights *w, const char *name);
int64_t weights_bytes(const struct weights *w); /* of all tensors */

/* Hash of config.json's bytes and all headers, hex: a model's identity (gen.model). */
int weights_hash(const struct weights *w, const char *dir, char hex[33]);

/* Is one .safetensors file well-formed? 0, or -1 (class model). Reads the header only. */
int weights_check_file(const char *path);
#endif
