/* weights.h: safetensors and GGUF files, mapped and checked; tensors are used as stored.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "base/buf.h"
#include "base/span.h"
#include "kernels.h"

struct weights; /* a directory's weight files, mapped read-only */

enum { TENSOR_RANK_MAX = 8 };

/* One tensor: a view into the mapping. Its data may lie at any address (the format does
 * not align). */
struct tensor {
    const char *name;
    const char *file;  /* that it is in, as messages call it */
    const char *dtype; /* as stored: "BF16" */
    bool usable;       /* dtype is an arr_type, the next field */
    enum arr_type type;
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
    const void *data;
    int64_t bytes;
};

/* Map DIR/model.safetensors, or the shards of DIR/model.safetensors.index.json; path may
 * also be one .safetensors file, or one GGUF file, whose tensors get the names that
 * published models have (weights_gguf.h). Every header is checked as the safetensors
 * library does (no holes, overlaps, duplicates, trailing bytes, size mismatches); index
 * entries may not leave the directory. NULL (class model) with file and reason. */
struct weights *weights_open(const char *path);
void weights_close(struct weights *w);

int weights_count(const struct weights *w);
const struct tensor *weights_at(const struct weights *w, int i);
/* By name; NULL if there is none (fail_text() untouched). */
const struct tensor *weights_find(const struct weights *w, const char *name);
int64_t weights_bytes(const struct weights *w); /* of all tensors */

/* The tensor was copied: its pages need not stay in memory (they are read again if they
 * are looked at). */
void weights_drop(const struct tensor *t);

/* Are the rows of q and k sorted for rope_pairs() (converted llama weights)? */
bool weights_rope_pairs(const struct weights *w);
/* Is the output layer the embedding? A GGUF file says so by having none; of other files
 * it is as the config says (tied). */
bool weights_tied(const struct weights *w, bool tied);

/* Hash of config.json's bytes and all headers, of a GGUF file that of its header alone,
 * hex: a model's identity (gen.model). */
int weights_hash(const struct weights *w, const char *dir, char hex[33]);

/* Is one .safetensors file well-formed? 0, or -1 (class model). Reads the header only. */
int weights_check_file(const char *path);
/* The same for a file's bytes in memory; name is what messages call it. */
int weights_check(const void *bytes, size_t size, const char *name);
#endif
