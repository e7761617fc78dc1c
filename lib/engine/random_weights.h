/* random_weights.h: weights of a given shape, drawn at random. */
#ifndef RANDOM_WEIGHTS_H
#define RANDOM_WEIGHTS_H
#include "engine/safetensors_write.h"
#include "kernels.h"

struct random_weights {
    uint64_t seed;
    double deviation;
    enum arr_type type;             /* ARR_BF16 or ARR_F32 */
    bool (*abandon)(void *context); /* asked now and then: true gives up; may be NULL */
    void *abandon_context;
};

/* Write DIR/model.safetensors for DIR/config.json: every tensor that the family needs,
 * under its published names; matrices normal with the deviation given, norms' weights 1,
 * biases 0. The same seed gives the same bytes. 0 or -1 (class model; refused where it
 * was abandoned). */
int random_weights_write(const char *dir, const struct random_weights *how);

/* The same numbers one by one: a table for one deviation. NULL (memory). */
struct random_table;
struct random_table *random_table_make(double deviation);
void random_table_free(struct random_table *t);
/* Numbers [first, first + n) of a tensor, as a floats_fill() gives them. */
void random_table_fill(const struct random_table *t, uint64_t seed,
                       const struct tensor_plan *plan, int64_t first, int n, float *to);
#endif
